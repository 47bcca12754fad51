"""Addresses of stacks as names of functions: ``/proc/kallsyms``, read once and searched."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from beespace.errors import NotPermitted
from beespace.kernel.kallsyms import KALLSYMS

__all__ = ["KernelFunctions"]

_KERNEL = 1 << 63  # addresses from here on are the kernel's, on every 64-bit architecture of Linux


class KernelFunctions:
    """Every function of the kernel and its modules, by address, as they were when this was made."""

    def __init__(self) -> None:
        found: list[tuple[int, str]] = []
        with open(KALLSYMS, "rb") as lines:
            for line in lines:
                address, kind, name = line.split(None, 3)[:3]
                if kind in b"tTwW":
                    found.append((int(address, 16), name.decode("utf-8", "replace")))
        found.sort()
        if not found or not found[-1][0]:
            raise NotPermitted(
                "name the functions of a stack",
                missing=f"{KALLSYMS} shows zeroes to this process",
                help="give it CAP_SYSLOG, and set sysctl kernel.kptr_restrict to 0 or 1",
            )
        self._addresses = [address for address, _ in found]
        self._names = [name for _, name in found]

    def name(self, address: int) -> str:
        """``vfs_read+0x1a``; an address of a process, or before all functions, as a number."""
        at = bisect_right(self._addresses, address) - 1
        if address < _KERNEL or at < 0:
            return hex(address)
        distance = address - self._addresses[at]
        return f"{self._names[at]}+{distance:#x}" if distance else self._names[at]

    def names(self, addresses: Iterable[int]) -> list[str]:
        """The same of each."""
        return [self.name(address) for address in addresses]
