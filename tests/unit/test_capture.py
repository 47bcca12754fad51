"""Captures: both formats, every byte order, what is cut short, and what is damaged."""

from __future__ import annotations

import gzip
import io
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beespace.capture import Capture, Direction, Frame, LinkType, PcapngWriter, Unreadable, ip_packet, open_capture
from beespace.errors import FormatError

MAGIC = {(False, "<"): "d4c3b2a1", (False, ">"): "a1b2c3d4", (True, "<"): "4d3cb2a1", (True, ">"): "a1b23c4d"}
PACKETS = st.lists(
    st.tuples(st.integers(0, (1 << 32) - 1), st.integers(0, 999_999), st.binary(max_size=80), st.integers(0, 2000)),
    max_size=6,
)


def pcap(packets: list[Any], *, order: str = "<", nanoseconds: bool = False, link: int = 1) -> bytes:
    data = bytes.fromhex(MAGIC[nanoseconds, order]) + struct.pack(f"{order}HHIIII", 2, 4, 0, 0, 65535, link)
    for seconds, fraction, captured, more in packets:
        data += struct.pack(f"{order}IIII", seconds, fraction, len(captured), len(captured) + more) + captured
    return data


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack(f"{order}II", kind, len(body) + 12) + body + struct.pack(f"{order}I", len(body) + 12)


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def read(data: bytes) -> tuple[list[Frame], Capture]:
    capture = open_capture(io.BytesIO(data))
    return list(capture), capture


@pytest.mark.parametrize("nanoseconds", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@given(packets=PACKETS)
def test_pcap(packets: list[Any], order: str, nanoseconds: bool) -> None:
    data = pcap(packets, order=order, nanoseconds=nanoseconds, link=113)
    for stream in (data, gzip.compress(data)):
        frames, capture = read(stream)
        unit = 1 if nanoseconds else 1000
        assert [(f.time, f.data, f.length, f.link) for f in frames] == [
            (s * 10**9 + part * unit, captured, len(captured) + more, 113) for s, part, captured, more in packets
        ]
        assert capture.cut is None


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng(order: str) -> None:
    pack = struct.pack
    data = section(order)
    data += block(1, pack(f"{order}HHI", 1, 0, 96) + option(9, b"\x09", order) + option(0, b"", order), order)
    data += block(1, pack(f"{order}HHI", 101, 0, 0) + option(9, b"\x8a", order)  # units of 1/1024 s
                  + option(14, pack(f"{order}q", 100), order) + option(0, b"", order), order)  # fmt: skip
    data += block(99, b"whatever it is", order)
    body = pack(f"{order}IIIII", 0, 1, 5, 3, 1500) + b"abc\0" + option(1, b"said", order)
    data += block(6, body + option(2, pack(f"{order}I", 2), order) + option(4, pack(f"{order}Q", 7), order), order)
    data += block(6, pack(f"{order}IIIII", 1, 0, 1536, 4, 4) + b"wxyz", order)
    data += block(3, pack(f"{order}I", 300) + b"s" * 96, order)
    data += block(2, pack(f"{order}HHIIII", 1, 2, 0, 1024, 2, 2) + b"ol", order)
    data += block(5, pack(f"{order}III", 0, 0, 0) + option(5, pack(f"{order}Q", 11), order), order)
    frames, capture = read(data)
    assert [(f.time, f.data, f.length, f.link, f.direction, f.comments) for f in frames] == [
        ((1 << 32) + 5, b"abc", 1500, 1, Direction.OUTBOUND, ("said",)),
        (101_500_000_000, b"wxyz", 4, 101, Direction.UNKNOWN, ()),
        (101_500_000_000, b"s" * 96, 300, 1, Direction.UNKNOWN, ()),
        (101_000_000_000, b"ol", 2, 101, Direction.UNKNOWN, ()),
    ]
    assert capture.dropped == {"dropped by system": 9, "dropped by interface": 11}
    other = "<" if order == ">" else ">"
    again, _ = read(data + section(other) + block(1, pack(f"{other}HHI", 12, 0, 0), other)
                    + block(6, pack(f"{other}IIIII", 0, 0, 1, 1, 1) + b"x", other))  # fmt: skip
    assert (again[-1].time, again[-1].data, again[-1].link) == (1000, b"x", 12)


@given(
    packets=st.lists(
        st.tuples(
            st.integers(0, (1 << 63) - 1), st.binary(max_size=70), st.integers(0, 100_000),
            st.sampled_from(list(Direction)), st.lists(st.text(max_size=20), max_size=2),
        ),
        max_size=5,
    )
)  # fmt: skip
def test_what_is_written_is_read(packets: list[Any]) -> None:
    stream = io.BytesIO()
    writer = PcapngWriter(stream, LinkType.RAW, name="cgroup", snap=128)
    for time, data, more, direction, comments in packets:
        writer.write(time, data, len(data) + more, direction, comments)
    frames, _ = read(stream.getvalue())
    assert [(f.time, f.data, f.length, f.link, f.direction, list(f.comments)) for f in frames] == [
        (time, data, len(data) + more, 101, direction, comments) for time, data, more, direction, comments in packets
    ]


def sample(format: str) -> bytes:
    if format == "pcap":
        return pcap([(1, 2, b"first", 0), (3, 4, b"the second", 90), (5, 6, b"", 1)])
    stream = io.BytesIO()
    writer = PcapngWriter(stream, 1)
    for number in range(3):
        writer.write(number, b"packet" * number, 100, Direction.INBOUND, ["a comment"])
    return stream.getvalue()


@pytest.mark.parametrize("format", ["pcap", "pcapng"])
def test_every_prefix_gives_the_whole_packets_before_its_end(format: str) -> None:
    data = sample(format)
    whole, _ = read(data)
    ends = {frame.offset for frame in whole} | {len(data)}
    seen = 0
    for end in range(4, len(data)):
        frames, capture = read(data[:end])
        assert frames == whole[: len(frames)]
        assert len(frames) >= seen
        seen = len(frames)
        if frames:
            assert (capture.cut is None) == (end in ends), end
            assert capture.cut is None or capture.cut == max(each for each in ends if each < end)
    assert seen == 2
    frames, capture = read(gzip.compress(data)[:-12])
    assert frames == whole[: len(frames)]


@pytest.mark.parametrize("format", ["pcap", "pcapng"])
@given(data=st.data())
def test_damage_is_told_with_its_place(format: str, data: st.DataObject) -> None:
    """Whatever is changed: packets, or a sentence that says where."""
    content = bytearray(sample(format))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        frames, _ = read(bytes(content))
    except FormatError as error:
        assert error.offset is not None and 0 <= error.offset < len(content)
    else:
        assert all(len(frame.data) <= frame.length for frame in frames)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04", "begins with 504b0304"),
        (b"\x1f\x8b\x08 and no more than that", "damaged"),
        (pcap([])[:4] + b"\x07\0" + pcap([])[6:], "version 7"),
        (pcap([]) + struct.pack("<IIII", 0, 0, 1 << 30, 0), "1,073,741,824 captured bytes"),
        (section() + block(6, bytes(20)), "interface 0, which the section has not described"),
        (section() + block(1, bytes(8)) + block(6, struct.pack("<IIIII", 0, 0, 0, 99, 99)), "99 captured bytes"),
        (section() + struct.pack("<II", 1, 14), "block of 14 bytes"),
        (section() + block(1, bytes(8))[:-1] + b"\x07", "before and"),
    ],
)
def test_what_is_no_capture(data: bytes, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        read(data)


V4 = bytes.fromhex("4500001c00004000401100000a0000010a000002") + b"\x00\x50\x00\x51\x00\x08\x00\x00"
V6 = bytes.fromhex("6000000000081140") + bytes(32) + b"\x00\x50\x00\x51\x00\x08\x00\x00"


@pytest.mark.parametrize(
    ("link", "before"),
    [
        (0, b"\x02\0\0\0"), (0, b"\0\0\0\x02"), (1, bytes(12) + b"\x08\0"), (1, bytes(12) + b"\x81\0\0\x05\x08\0"),
        (1, bytes(12) + b"\x88\xa8\0\x05\x81\0\0\x06\x08\0"), (12, b""), (14, b""), (101, b""), (108, b"\0\0\0\x02"),
        (1, bytes(12) + b"\x88\x64\x11\0\0\x01\0\x1e\0\x21"), (113, bytes(14) + b"\x08\0"), (228, b""),
        (276, b"\x08\0" + bytes(18)),
    ],
)  # fmt: skip
def test_link_layers(link: int, before: bytes) -> None:
    frame = Frame(0, before + V4 + b"padding", len(before) + len(V4) + 7, link)
    packet = ip_packet(frame)
    assert packet is not None
    assert (packet.version, packet.data, packet.length) == (4, V4, len(V4))
    six = ip_packet(Frame(0, before.replace(b"\x08\0", b"\x86\xdd").replace(b"\0\x21", b"\0\x57") + V6, 999, link))
    assert six is None or (six.version, six.length) == (6, 48)


def test_directions() -> None:
    cooked = b"\0\x04" + bytes(12) + b"\x08\0"
    assert (packet := ip_packet(Frame(0, cooked + V4, 44, 113))) and packet.direction is Direction.OUTBOUND
    assert (packet := ip_packet(Frame(0, bytes(14) + b"\x08\0" + V4, 44, 113))) and packet.direction == 1
    later = b"\x08\0" + bytes(8) + b"\x04" + bytes(9)
    assert (packet := ip_packet(Frame(0, later + V4, 48, 276))) and packet.direction is Direction.OUTBOUND


def test_lengths_that_the_packet_does_not_say() -> None:
    """Cut by the snap length; left open for the network card; and not IP at all."""
    cut = ip_packet(Frame(0, V4[:20], 1500, 101))
    assert cut is not None and (cut.data, cut.length) == (V4[:20], 28)
    offloaded = ip_packet(Frame(0, V4[:2] + b"\0\0" + V4[4:], 65000, 101))
    assert offloaded is not None and offloaded.length == 65000
    assert ip_packet(Frame(0, bytes(12) + b"\x08\x06" + bytes(28), 42, 1)) is None
    assert ip_packet(Frame(0, b"\x08\x06" + bytes(18), 20, 276)) is None
    assert ip_packet(Frame(0, b"", 0, 101)) is None
    with pytest.raises(Unreadable, match="link type 105"):
        ip_packet(Frame(0, V4, 28, 105))
