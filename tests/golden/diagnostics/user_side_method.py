from beespace.lang import Program, raw_tracepoint


class Probe(Program):
    def show(self):
        print(1)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        self.show()
