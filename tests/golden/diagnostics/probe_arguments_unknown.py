from beespace.lang import Program, kprobe_multi


class Probe(Program):
    @kprobe_multi("vfs_*")
    def on_call(self, ctx):
        x = ctx.count
