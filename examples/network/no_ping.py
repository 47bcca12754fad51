"""Echo requests that never reach the host: a netfilter hook."""

from beespace import Counter, Program, bpf
from beespace.kernel import iphdr
from beespace.lang import netfilter
from beespace.lang.packet import IPPROTO_ICMP
from beespace.lang.verdicts import NF_ACCEPT, NF_DROP
from beespace.types import u64


class NoPing(Program):
    """Drops ICMP over IPv4."""

    dropped = Counter()

    @netfilter("local_in", family="inet", priority=-5)
    def on_packet(self, ctx):
        packet = ctx.skb
        header = bpf.cast(u64(packet.head) + packet.network_header, iphdr)
        if header.protocol != IPPROTO_ICMP:
            return NF_ACCEPT
        self.dropped += 1
        return NF_DROP


if __name__ == "__main__":
    import time

    with NoPing() as probe:
        time.sleep(10)
        print("dropped:", probe.dropped.value)
