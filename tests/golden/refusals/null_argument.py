"""A pointer that may be null, passed
to a helper that takes none."""

from beespace.lang import Counter, Program, bpf, btf_tracepoint
from beespace.types import u64


class Probe(Program):
    total = Counter()

    @btf_tracepoint("sched_pi_setprio")
    def on_prio(self, task, pi_task):
        self.total += u64(bpf.task_pt_regs(pi_task) is not None)
