from beespace.lang import Global, Program, bpf, raw_tracepoint
from beespace.types import u64


class Probe(Program):
    license = "Proprietary"
    now = Global(u64)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, ctx):
        self.now.value = bpf.now()
        self.now.value = bpf.get_current_task()
