"""An RCU
section inside
of another."""

from beespace.lang import Counter, Program, bpf, raw_tracepoint


class Probe(Program):
    total = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, task):
        with bpf.rcu():  # noqa: SIM117
            with bpf.rcu():
                self.total += 1
