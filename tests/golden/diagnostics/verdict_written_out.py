from beespace.lang import Program, xdp


class Probe(Program):
    @xdp
    def on_packet(self, ctx):
        return 7
