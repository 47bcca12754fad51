from beespace.lang import Program, iterator


class Probe(Program):
    @iterator("task_file")
    def on_event(self, ctx):
        if ctx.task is None:
            return
        pid = ctx.task.tgid
