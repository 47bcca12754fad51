"""How long TCP connections take to be made, and which did not succeed (as tcpconnlat)."""

from beespace import Counter, Hash, Histogram, Program, bpf, tracepoint
from beespace.types import u64

IPPROTO_TCP = 6
ESTABLISHED, SYN_SENT = 1, 2


class Connects(Program):
    """A histogram of connect(), in microseconds."""

    began = Hash(key=u64, value=u64)
    latency = Histogram(unit="us")
    failed = Counter()

    @tracepoint("sock:inet_sock_set_state")
    def on_state(self, ctx):
        if ctx.protocol != IPPROTO_TCP:
            return
        socket = u64(ctx.skaddr)
        if ctx.newstate == SYN_SENT:
            self.began[socket] = bpf.now()
            return
        began = self.began.pop(socket)
        if began is None:
            return
        if ctx.newstate == ESTABLISHED:
            self.latency.add((bpf.now() - began) // 1000)
        else:
            self.failed += 1


if __name__ == "__main__":
    import time

    with Connects() as probe:
        time.sleep(10)
        probe.latency.show()
        print("failed:", probe.failed.value)
