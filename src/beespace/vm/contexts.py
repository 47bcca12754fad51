"""The contexts of network programs: ``struct xdp_md`` and ``struct __sk_buff`` (include/uapi/linux/bpf.h).

They hold addresses of the packet in 32 bits, which the kernel's verifier turns into 64; here the packet stands where
32 bits reach.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from beespace.isa.constants import ProgramType
from beespace.record import dataclass
from beespace.vm.memory import Rights
from beespace.vm.packet import Packet

__all__ = ["SKB", "XDP", "Layout", "is_packet", "layout_of", "packet_of"]

_FIRST_TYPE, _P_802_3, _P_802_2 = 0x600, 1, 4  # ETH_P_802_3_MIN, ETH_P_802_3, ETH_P_802_2


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a context has what follows from the packet; what may be ``None`` is of ``__sk_buff`` alone."""

    size: int
    data: int
    data_end: int
    data_meta: int
    interface: int
    length: int | None = None
    kind: int | None = None
    protocol: int | None = None

    def fill(self, context: bytearray | memoryview, packet: Packet, visible: bool) -> None:
        """Write what follows from the packet.  ``visible``: the program may look at its bytes itself."""
        places = (packet.data, packet.end, packet.meta)
        for offset, place in zip((self.data, self.data_end, self.data_meta), places, strict=True):
            struct.pack_into("<I", context, offset, packet.address(place) if visible else 0)
        if self.length is not None:
            struct.pack_into("<I", context, self.length, packet.end - packet.data + packet.beyond)
        for offset, value in self._of_header(packet):
            if not any(context[offset : offset + 4]):  # unless somebody said otherwise
                struct.pack_into("<I", context, offset, value)

    def _of_header(self, packet: Packet) -> Iterator[tuple[int, int]]:
        """What the kernel reads in the Ethernet header (``eth_type_trans``), of a packet of the loopback interface."""
        yield self.interface, 1
        if self.protocol is not None and self.kind is not None:
            header = packet.read(packet.link, 16) or bytes(16)
            number = int.from_bytes(header[12:14], "big")
            if number < _FIRST_TYPE:  # a length: the protocol is in what follows
                number = _P_802_3 if header[14:16] == b"\xff\xff" else _P_802_2
            yield self.protocol, int.from_bytes(number.to_bytes(2, "big"), "little")
            target = header[:6]
            yield self.kind, 1 if target == b"\xff" * 6 else 2 if target[0] & 1 else 3 if any(target) else 0


XDP = Layout(24, data=0, data_end=4, data_meta=8, interface=12)
SKB = Layout(192, data=76, data_end=80, data_meta=140, interface=40, length=0, kind=4, protocol=16)

# Which programs get a packet with its link layer's header, and what they may do with its bytes themselves.
_WHOLE = {ProgramType.XDP, ProgramType.SCHED_CLS, ProgramType.SCHED_ACT}
_RIGHTS: Mapping[int, Rights] = {
    ProgramType.XDP: Rights.BOTH,
    ProgramType.SCHED_CLS: Rights.BOTH,
    ProgramType.SCHED_ACT: Rights.BOTH,
    ProgramType.CGROUP_SKB: Rights.READ,
    ProgramType.SK_SKB: Rights.BOTH,
    ProgramType.LWT_XMIT: Rights.BOTH,
    ProgramType.LWT_IN: Rights.READ,
    ProgramType.LWT_OUT: Rights.READ,
    ProgramType.SOCKET_FILTER: Rights.NONE,
}


def is_packet(program_type: int) -> bool:
    """Whether programs of that type are given a packet."""
    return program_type in _RIGHTS


def layout_of(program_type: int) -> Layout:
    """The context of such programs."""
    return XDP if program_type == ProgramType.XDP else SKB


def packet_of(program_type: int, frame: bytes, beyond: int = 0) -> tuple[Packet, Rights]:
    """A frame as such programs get it, and what they may do with its bytes."""
    return Packet(frame, start=0 if program_type in _WHOLE else 14, beyond=beyond), _RIGHTS[program_type]
