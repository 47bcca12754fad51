from beespace.lang import Program, Struct, xdp
from beespace.types import u32


class Row(Struct):
    number: u32


class Probe(Program):
    @xdp
    def on_packet(self, ctx):
        ctx.write(Row(number=1))
