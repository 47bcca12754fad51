"""Why the kernel threw a packet away, in its own words: ``enum skb_drop_reason`` and those of subsystems.

The numbers differ from kernel to kernel, so they are read from the running one's types.  The upper half of a number
is the subsystem (``enum skb_drop_reason_subsys``, Linux 6.4), whose enumeration may be in a module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from beespace.btf import Btf, Enum
from beespace.btf.kinds import Kind
from beespace.kernel.kernel_types import KernelTypes
from beespace.kernel.vmlinux import vmlinux_btf

__all__ = ["DropReasons"]

_SUBSYSTEM = "SKB_DROP_REASON_SUBSYS_"
_SHIFT = 16
# net/openvswitch/drop.h, net/mac80211/drop.h: their members include the subsystem's number
_OF_SUBSYSTEMS = ("ovs_drop_reason", "mac80211_drop_reason", "___mac80211_drop_reason")


class DropReasons:
    """``kernel`` gives the types of the kernel, ``modules`` those of its modules; each is asked when it is needed."""

    def __init__(
        self,
        kernel: Callable[[], Btf] = vmlinux_btf,
        modules: Callable[[], Iterable[tuple[str, Btf]]] = lambda: KernelTypes().modules.readable(),
    ) -> None:
        self._kernel = kernel
        self._modules = modules
        self._core: dict[int, str] | None = None
        self._subsystems: dict[int, str] = {}
        self._others: dict[int, str] | None = None

    def name(self, reason: int) -> str:
        """``NO_SOCKET``, ``OVS_DROP_LAST_ACTION``; a number without a name as ``reason 7`` or ``openvswitch 9``."""
        if self._core is None:
            kernel = self._kernel()
            self._core = {
                number: name.removeprefix("SKB_").removeprefix("DROP_REASON_")
                for number, name in _members(kernel, "skb_drop_reason")
            }
            self._subsystems = {
                number: name.removeprefix(_SUBSYSTEM).lower()
                for number, name in _members(kernel, "skb_drop_reason_subsys")
            }
        known = self._core.get(reason)
        if known is not None:
            return known
        subsystem = reason >> _SHIFT
        if not subsystem:
            return f"reason {reason}"
        if self._others is None:
            self._others = {number: name for _module, types in self._modules() for number, name in _drop_reasons(types)}
        whose = self._subsystems.get(subsystem, f"subsystem {subsystem}")
        return self._others.get(reason) or f"{whose} {reason & 0xFFFF}"


def _members(types: Btf, name: str) -> list[tuple[int, str]]:
    found = types.find_all(name, Kind.ENUM)
    return [(value & 0xFFFFFFFF, member) for each in found for member, value in _values(types, each)]


def _drop_reasons(types: Btf) -> Iterable[tuple[int, str]]:
    for name in _OF_SUBSYSTEMS:
        yield from _members(types, name)


def _values(types: Btf, type_id: int) -> list[tuple[str, int]]:
    found = types.type(type_id)
    assert isinstance(found, Enum)
    return [(each.name, each.value) for each in found.values]
