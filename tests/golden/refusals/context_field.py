"""A field of the context that
only other programs may read."""

from beespace.lang import Counter, Program, tc
from beespace.types import u64


class Probe(Program):
    total = Counter()

    @tc("ingress")
    def on_packet(self, ctx):
        self.total += u64(ctx.remote_ip4)
        return 0
