"""Which servers are asked for in TLS: the names in the first message of each connection (SNI)."""

from beespace import Counter, Event, Program, Ring, Struct, bpf, tc
from beespace.lang import PerCpuArray, Union
from beespace.lang.packet import IPPROTO_TCP, TCP, IPv4
from beespace.types import Address, Port, Text, array, be16, text, u8, u32

HANDSHAKE = 22
CLIENT_HELLO = 1


class Hello(Event):
    source: Address
    source_port: Port
    name: Text = text(64)


class Byte(Struct):
    value: u8


class Length(Struct):
    value: be16


class Extension(Struct):
    type: be16
    length: be16


class Name(Union):
    """A text that is put together byte by byte."""

    letters: list[u8] = array(u8, 64)
    whole: Text = text(64)


class ServerNames(Program):
    """Reads the names in packets that leave an interface."""

    hellos = Ring(Hello)
    names = PerCpuArray(Name, 1)  # where a name is put together
    nameless = Counter()

    @tc("egress")
    def on_packet(self, ctx):
        ip = bpf.load_bytes(ctx, IPv4, 14)
        if ip is None or ip.protocol != IPPROTO_TCP:
            return
        at = 14 + u32(ip.version_ihl & 15) * 4
        tcp = bpf.load_bytes(ctx, TCP, at)
        if tcp is None:
            return
        at += u32(tcp.data_offset >> 4) * 4
        record = bpf.load_bytes(ctx, Byte, at)
        message = bpf.load_bytes(ctx, Byte, at + 5)
        if record is None or message is None or record.value != HANDSHAKE or message.value != CLIENT_HELLO:
            return
        at += 5 + 4 + 2 + 32  # record, message, version, random number
        session = bpf.load_bytes(ctx, Byte, at)
        if session is None:
            return
        at += 1 + session.value
        ciphers = bpf.load_bytes(ctx, Length, at)
        if ciphers is None:
            return
        at += 2 + ciphers.value
        compressions = bpf.load_bytes(ctx, Byte, at)
        if compressions is None:
            return
        at += 1 + compressions.value + 2
        for _ in range(32):
            extension = bpf.load_bytes(ctx, Extension, at)
            if extension is None:
                self.nameless += 1
                return
            if extension.type == 0:  # server_name
                break
            at += 4 + extension.length
        else:
            self.nameless += 1
            return
        length = bpf.load_bytes(ctx, Length, at + 7)
        if length is None:
            return
        self.names[0] = Name(whole="")
        name = self.names.get(0)
        if name is None:
            return
        for place in range(63):
            if place >= length.value:
                break
            letter = bpf.load_bytes(ctx, Byte, at + 9 + place)
            if letter is None:
                break
            name.letters[place] = letter.value
        self.hellos.emit(Hello(source=bpf.v4(ip.source), source_port=tcp.source, name=name.whole))


if __name__ == "__main__":
    import sys

    with ServerNames().start(interface=sys.argv[1]) as probe:
        for event in probe.hellos:
            print(f"{event.source}:{event.source_port} -> {event.name}")
