"""Where XDP programs send packets: network interfaces, CPUs, AF_XDP sockets."""

from __future__ import annotations

from beespace.lang.maps.declaration import kernel_only
from beespace.lang.maps.slots import Slots
from beespace.schema import BytesKind, IntKind

__all__ = ["CpuMap", "DevHash", "DevMap", "XskMap"]


class _Redirect(Slots):
    """``redirect`` is common to all of them."""

    def redirect(self, key: int, otherwise: int = 0) -> int:
        """Kernel only: send the packet there; the result is what the program returns.

        ``otherwise`` is the verdict if nothing is there: XDP_ABORTED (0), XDP_DROP (1), XDP_PASS (2) or XDP_TX (3)
        (other than 0: Linux 5.5).
        """
        raise kernel_only("redirect")


class DevMap(_Redirect):
    """Network interfaces by index.  Linux 4.14.

    Outside, ``probe.ports[0] = "eth0"`` (a name or an index) puts one in; with ``programs=True`` also
    ``("eth0", program)``, an XDP program that runs when the packet leaves there (Linux 5.8).
    """

    map_type = 14  # BPF_MAP_TYPE_DEVMAP

    def __init__(self, length: int, *, programs: bool = False) -> None:
        super().__init__(length)
        self.value_kind = BytesKind(8) if programs else IntKind("u32", 32)

    def broadcast(self, *, exclude_ingress: bool = False) -> int:
        """Kernel only: send the packet to every interface of the map, maybe but where it came in.  Linux 5.13."""
        raise kernel_only("broadcast")


class DevHash(DevMap):
    """Network interfaces by any u32, as their own index.  Linux 5.4."""

    map_type = 25  # BPF_MAP_TYPE_DEVMAP_HASH


class CpuMap(_Redirect):
    """CPUs by their number, with how many packets may wait for each.  Linux 4.15.

    Outside, ``probe.cpus[1] = 2048`` opens a queue; with ``programs=True`` also ``(2048, program)``, an XDP program
    that runs on that CPU (Linux 5.9).
    """

    map_type = 16  # BPF_MAP_TYPE_CPUMAP

    def __init__(self, length: int, *, programs: bool = False) -> None:
        super().__init__(length)
        self.value_kind = BytesKind(8) if programs else IntKind("u32", 32)


class XskMap(_Redirect):
    """AF_XDP sockets by index, usually the number of the receive queue.  Linux 4.18."""

    map_type = 17  # BPF_MAP_TYPE_XSKMAP

    def plain(self) -> None:
        return None
