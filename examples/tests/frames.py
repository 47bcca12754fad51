"""Frames for the tests: Ethernet, IPv4, and UDP or TCP, with right lengths and header checksums."""

import struct

UDP, TCP = 17, 6


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def address(text: str) -> bytes:
    return bytes(int(part) for part in text.split("."))


def frame(
    payload: bytes = b"", *, source: str = "10.0.0.1", target: str = "10.0.0.2", ports: tuple[int, int] = (5000, 53),
    protocol: int = UDP,
) -> bytes:  # fmt: skip
    """One packet from ``source`` to ``target``."""
    if protocol == TCP:
        segment = struct.pack(">HHIIBBHHH", *ports, 1, 0, 5 << 4, 2, 8192, 0, 0) + payload
    else:
        segment = struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload
    start = struct.pack(">BBHHHBB", 0x45, 0, 20 + len(segment), 1, 0x4000, 64, protocol)
    addresses = address(source) + address(target)
    header = start + struct.pack(">H", checksum(start + b"\0\0" + addresses)) + addresses
    return bytes.fromhex("020000000002 020000000001 0800") + header + segment


def question(name: str) -> bytes:
    """A DNS question for an address (RFC 1035)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)
