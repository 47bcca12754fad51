from beespace.lang import Program, iterator


class Probe(Program):
    @iterator("tasks")
    def on_event(self, ctx):
        x = 1
