"""Names that the processes of a cgroup ask for, taken from their packets."""

from beespace import Event, Program, Ring, Struct, bpf, cgroup_skb
from beespace.lang.packet import IPPROTO_UDP, UDP, IPv4
from beespace.types import Raw, Timestamp, array, be16, raw, u8, u32

IPV4, UDP_HEADER, DNS_HEADER = 20, 8, 12


class Header(Struct):
    id: be16
    flags: be16
    questions: be16
    answers: be16
    authorities: be16
    additional: be16


class Byte(Struct):
    value: u8


class Question(Event):
    time: Timestamp
    length: u32
    labels: list[u8] = array(u8, 64)  # as in the packet: each label after its length (RFC 1035, 4.1.2)
    server: Raw = raw(4)


class Dns(Program):
    """Sends the first name of every DNS question over UDP and IPv4 that leaves a cgroup."""

    questions = Ring(Question)

    @cgroup_skb("egress")
    def on_packet(self, ctx):
        ip = bpf.packet(ctx, IPv4, 0)
        if ip is None or ip.version_ihl != 0x45 or ip.protocol != IPPROTO_UDP:
            return
        udp = bpf.packet(ctx, UDP, IPV4)
        if udp is None or udp.destination != 53:
            return
        header = bpf.packet(ctx, Header, IPV4 + UDP_HEADER)
        if header is None or header.flags & 0x8000 or header.questions == 0:
            return
        question = Question(time=bpf.now(), length=0)
        for at in range(64):
            byte = bpf.load_bytes(ctx, Byte, IPV4 + UDP_HEADER + DNS_HEADER + at)
            if byte is None or byte.value == 0:
                break
            question.labels[at] = byte.value
            question.length += 1
        self.questions.emit(question)


def name(question: Question) -> str:
    """The labels with dots between."""
    data, labels, at = bytes(question.labels[: question.length]), [], 0
    while at < len(data):
        labels.append(data[at + 1 : at + 1 + data[at]].decode(errors="replace"))
        at += 1 + data[at]
    return ".".join(labels)


if __name__ == "__main__":
    import sys

    with Dns().start(cgroup=sys.argv[1]) as probe:
        for event in probe.questions:
            print(name(event))
