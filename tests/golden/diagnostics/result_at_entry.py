from beespace.lang import Program, kprobe


class Probe(Program):
    @kprobe("vfs_read")
    def on_read(self, ctx):
        x = ctx.result
