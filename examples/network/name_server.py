"""A name server below the network stack: XDP answers questions for addresses (DNS) out of a table."""

from beespace import Counter, Hash, Program, Struct, bpf, xdp
from beespace.lang import PerCpuArray
from beespace.lang.packet import ETH_P_IP, IPPROTO_UDP, UDP, Ethernet, IPv4
from beespace.lang.verdicts import XDP_DROP, XDP_PASS, XDP_TX
from beespace.types import array, be16, be32, i32, u8, u16, u32

LONGEST = 64  # bytes of a name, as it stands in a packet


class Header(Struct):
    number: be16
    flags: be16
    questions: be16
    answers: be16
    authorities: be16
    others: be16


class Byte(Struct):
    value: u8


class Question(Struct):
    type: be16
    network: be16


class Answer(Struct):
    name: be16
    type: be16
    network: be16
    lives_high: be16  # 32 bits that are not aligned in the packet
    lives: be16
    length: be16
    high: be16
    low: be16


class Name(Struct):
    """``www.bees`` as length and letters: ``3 w w w 4 b e e s``, then zeroes; letters are small."""

    letters: list[u8] = array(u8, LONGEST)


class NameServer(Program):
    """Answers for the names in ``records``; all other questions pass."""

    records = Hash(key=Name, value=be32)
    names = PerCpuArray(Name, 1)  # where a name is put together
    answered = Counter()
    unknown = Counter()

    @xdp
    def on_packet(self, ctx):
        ethernet = bpf.packet(ctx, Ethernet, 0)
        ip = bpf.packet(ctx, IPv4, 14)
        udp = bpf.packet(ctx, UDP, 34)
        dns = bpf.packet(ctx, Header, 42)
        if ethernet is None or ip is None or udp is None or dns is None:
            return XDP_PASS
        if ethernet.ethertype != ETH_P_IP or ip.protocol != IPPROTO_UDP or udp.destination != 53:
            return XDP_PASS
        if dns.flags & 0x8000 or dns.questions != 1:
            return XDP_PASS
        self.names[0] = Name()
        name = self.names.get(0)
        if name is None:
            return XDP_PASS
        end: u32 = 54
        for place in range(LONGEST):
            byte = bpf.packet(ctx, Byte, 54 + place)
            if byte is None:
                return XDP_PASS
            letter = byte.value
            if letter == 0:
                end = 54 + place + 1
                break
            if 65 <= letter <= 90:
                letter += 32
            name.letters[place] = letter
        else:
            return XDP_PASS
        question = bpf.packet(ctx, Question, end)
        if question is None or question.type != 1 or question.network != 1:
            return XDP_PASS
        address = self.records.get(name)
        if address is None:
            self.unknown += 1
            return XDP_PASS
        end += 4
        if bpf.xdp_adjust_tail(ctx, i32(end + 16) - i32(bpf.packet_length(ctx))) != 0:
            return XDP_DROP
        ethernet = bpf.packet(ctx, Ethernet, 0)
        ip = bpf.packet(ctx, IPv4, 14)
        udp = bpf.packet(ctx, UDP, 34)
        dns = bpf.packet(ctx, Header, 42)
        answer = bpf.packet(ctx, Answer, end)
        if ethernet is None or ip is None or udp is None or dns is None or answer is None:
            return XDP_DROP
        answer.name = 0xC00C  # that of the question
        answer.type = 1
        answer.network = 1
        answer.lives_high = 0
        answer.lives = 60
        answer.length = 4
        answer.high = u16(address >> 16)
        answer.low = u16(address)
        dns.flags = 0x8180
        dns.answers = 1
        dns.others = 0
        ethernet.source, ethernet.destination = ethernet.destination, ethernet.source
        ip.source, ip.destination = ip.destination, ip.source
        udp.source, udp.destination = udp.destination, udp.source
        udp.checksum = 0  # none
        udp.length = u16(end + 16 - 34)
        ip.total_length = u16(end + 16 - 14)
        ip.checksum = 0
        ip.checksum = bpf.checksum(ip)
        self.answered += 1
        return XDP_TX

    def add(self, name: str, address: int) -> None:
        labels = b"".join(bytes([len(label)]) + label.lower().encode() for label in name.split("."))
        self.records[Name(letters=list(labels.ljust(LONGEST, b"\0")))] = address


if __name__ == "__main__":
    import ipaddress
    import sys
    import time

    interface, *records = sys.argv[1:]  # www.example=10.0.0.1
    with NameServer().load() as probe:
        for record in records:
            name, _, address = record.partition("=")
            probe.add(name, int(ipaddress.ip_address(address)))
        probe.attach("on_packet", interface=interface)
        time.sleep(60)
        print(probe.answered.value, "answered,", probe.unknown.value, "not known")
