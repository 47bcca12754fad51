from beespace.lang import Global, Program, Struct, bpf, btf_tracepoint
from beespace.types import i64, u64


class Word(Struct):
    value: u64


class Probe(Program):
    found = Global(i64)

    @btf_tracepoint("sched_process_exec")
    def on_exec(self, task, old_pid):
        word = Word()
        self.found.value = bpf.copy_from_user(word, 4096)
