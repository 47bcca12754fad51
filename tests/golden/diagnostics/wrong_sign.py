from beespace.lang import Hash, Program, btf_tracepoint
from beespace.types import u32, u8


class Probe(Program):
    pids = Hash(key=u32, value=u8)

    @btf_tracepoint("sched_process_exec")
    def on_event(self, task):
        self.pids[task.tgid] = 1
