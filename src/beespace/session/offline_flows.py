"""The ``flows`` probe on packets that somebody has seen: the shipped bytecode, in beespace's own machine.

Where the kernel calls the programs for each packet of a socket, :meth:`OfflineFlows.account` does; what they count is
taken as from the kernel.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from importlib.resources import files

from beespace.btf import Btf
from beespace.elf import read
from beespace.hooks import resolve
from beespace.kernel.maps import Entries
from beespace.session.live_map import Losses
from beespace.session.native import native
from beespace.session.simulated_interval import SimulatedInterval
from beespace.vm import Inputs, load
from beespace.vm.maps.storage import Storage
from beespace.vm.sockets import Socket

__all__ = ["OfflineFlows"]

_EGRESS, _INGRESS = "on_egress", "on_ingress"
_ETHERNET = {4: bytes(12) + b"\x08\x00", 6: bytes(12) + b"\x86\xdd"}  # the machine's packets begin with a link layer
_INTERFACE, _GSO_SEGS, _GSO_SIZE, _SKB = 40, 164, 176, 192  # struct __sk_buff (include/uapi/linux/bpf.h)


class OfflineFlows:
    """Counts packets by the programs of :class:`~beespace.probes.flows.Flows`.

    ``max_flows`` is how many flows an interval may have; times are whatever the caller counts in nanoseconds.
    ``jit``: as native code, which needs the compiler.
    """

    def __init__(self, max_flows: int = 65_536, *, jit: bool = False) -> None:
        objects = files("beespace.probes") / "objects"
        spec = read((objects / "flows.bpf.o").read_bytes(), "Flows")
        self._loaded = load(
            spec,
            types=Btf((objects / "kernel.btf").read_bytes()),
            inputs=Inputs(),
            max_entries={"flows": max_flows},
            jit=native() if jit else None,
        )
        self.machine = self._loaded.machine
        self._codes = {name: self._loaded.programs[name] for name in (_EGRESS, _INGRESS)}
        self._type = resolve(spec.programs[_EGRESS].section).hook.program_type
        self._flows = SimulatedInterval(self._loaded.maps["flows"], Losses(None), 0)
        owners = self._loaded.maps["owners"]
        assert isinstance(owners, Storage)
        self._owners = owners
        self._totals: dict[str, int] = {}
        self.packets = 0

    def account(
        self,
        time: int,
        version: int,
        packet: bytes,
        length: int,
        egress: bool,
        *,
        socket: Socket | None = None,
        gso_size: int = 0,
        gso_segs: int = 0,
        interface: int = 0,
    ) -> None:
        """One packet of IP ``version`` at ``time``: ``packet`` is what is there of its ``length`` bytes.

        ``gso_size`` and ``gso_segs`` are those of an skb that stands for many packets on the wire.
        """
        context = b""
        if gso_size or interface or socket is not None:
            skb = bytearray(_SKB)
            struct.pack_into("<I", skb, _INTERFACE, interface)
            struct.pack_into("<I", skb, _GSO_SEGS, gso_segs)
            struct.pack_into("<I", skb, _GSO_SIZE, gso_size)
            if socket is not None:
                struct.pack_into("<Q", skb, _SOCKET, self.machine.sockets.address(socket))
            context = bytes(skb)
        self.machine.inputs.time = time
        code = self._codes[_EGRESS if egress else _INGRESS]
        frame = _ETHERNET[version] + packet
        self.machine.run_on_packet(code, self._type, frame, context, socket, beyond=length - len(packet))
        self.packets += 1

    def owner(self, socket: Socket) -> bytearray:
        """Whose a socket is: the bytes of its :class:`~beespace.probes.flows.probe.Owner`, which may be written."""
        storage = self._owners
        element = storage.get(self.machine.sockets.address(socket), bytes(storage.spec.value_size))
        assert element is not None  # it was made
        return element.value

    def has_owner(self, socket: Socket) -> bool:
        """Whether anybody has said whose a socket is."""
        return self._owners.get(self.machine.sockets.address(socket), None) is not None

    def take(self) -> Entries:
        """All flows since the last call."""
        return self._flows.take()

    def lost(self) -> Mapping[str, int]:
        """What was lost since the last call, by stage."""
        now = {"table full": self._counter("lost_packets"), "unparsed": self._counter("unparsed")}
        found = {stage: total - self._totals.get(stage, 0) for stage, total in now.items()}
        self._totals = now
        return {stage: rows for stage, rows in found.items() if rows}

    def _counter(self, name: str) -> int:
        data = self._loaded.maps[name].read(bytes(4))
        return sum(struct.unpack(f"<{len(data) // 8}Q", data))


_SOCKET = 168  # struct __sk_buff: sk
