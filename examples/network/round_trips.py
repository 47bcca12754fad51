"""Smoothed round trip times of the TCP connections of a cgroup, taken when they end (as tcprtt)."""

from beespace import Histogram, Program, bpf
from beespace.lang import sockops, uapi
from beespace.types import u64


class RoundTrips(Program):
    """A histogram in microseconds."""

    times = Histogram(unit="us")

    @sockops
    def on_event(self, ctx):
        if ctx.op == uapi.BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB or ctx.op == uapi.BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
            bpf.sock_ops_cb_flags_set(ctx, uapi.BPF_SOCK_OPS_STATE_CB_FLAG)
        elif ctx.op == uapi.BPF_SOCK_OPS_STATE_CB and ctx.args[1] == uapi.BPF_TCP_CLOSE != ctx.args[0]:
            self.times.add(u64(ctx.srtt_us) // 8)  # the kernel keeps eighths


if __name__ == "__main__":
    import sys
    import time

    with RoundTrips().start(cgroup=sys.argv[1]) as probe:
        time.sleep(10)
        probe.times.show()
