"""TCP congestion control in Python: Reno, registered with the kernel while this program runs.

A process uses it for a socket of its own: ``setsockopt(TCP_CONGESTION, "bee_reno")``.
"""

from __future__ import annotations

from beespace import Counter
from beespace.lang import StructOps, struct_ops
from beespace.types import u32


class Reno(StructOps, implements="tcp_congestion_ops"):
    """Additive increase, multiplicative decrease (RFC 5681)."""

    name = "bee_reno"
    least: u32 = 2  # segments that a loss leaves in flight

    losses = Counter()
    connections = Counter()

    @struct_ops
    def init(self, sk):
        self.connections += 1

    @struct_ops
    def ssthresh(self, sk):
        self.losses += 1
        return max(sk.snd_cwnd >> 1, self.least)

    @struct_ops
    def cong_avoid(self, sk, ack, acked):
        cwnd = sk.snd_cwnd
        if cwnd < sk.snd_ssthresh:  # slow start: a segment for each that was acknowledged
            sk.snd_cwnd = min(cwnd + acked, 10_000)
            return
        gained = sk.snd_cwnd_cnt + acked  # then one for each window
        if gained >= cwnd:
            sk.snd_cwnd = min(cwnd + 1, 10_000)
            gained = 0
        sk.snd_cwnd_cnt = gained

    @struct_ops
    def undo_cwnd(self, sk):
        return max(sk.snd_cwnd, sk.prior_cwnd)


if __name__ == "__main__":
    import time

    with Reno() as reno:
        print("bee_reno is registered; Ctrl-C ends it")
        try:
            while True:
                time.sleep(1)
        except KeyboardInterrupt:
            print(f"{reno.connections.value} connections, {reno.losses.value} losses")
