from beespace.lang import Program, xdp


class Probe(Program):
    @xdp
    def on_packet(self, ctx):
        x = ctx.data_end - ctx.data
