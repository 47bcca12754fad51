from beespace import Counter, Program, bpf
from beespace.lang import raw_tracepoint
from beespace.lang import KernelStruct
from beespace.types import i64


class task_struct___old(KernelStruct):
    state: i64
    flags: list


class mm_struct___small(KernelStruct, name="mm_struct"):
    arg_start: i64


class Probe(Program):
    total = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, task):
        if bpf.cast(task, task_struct___old).state == 0:
            return
        if bpf.cast(task.mm, mm_struct___small).arg_starts:
            self.total += 1
