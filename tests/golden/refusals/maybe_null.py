from beespace import Counter, Program, btf_tracepoint


class Probe(Program):
    total = Counter()

    @btf_tracepoint("sched_pi_setprio")
    def on_prio(self, task, pi_task):
        self.total += 1
        if pi_task.prio > 3:
            self.total += 1
