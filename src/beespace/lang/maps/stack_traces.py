"""``StackTraces``: stacks, each kept once."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from beespace.lang.maps.declaration import Map, entries, kernel_only
from beespace.schema import ArrayKind, IntKind

__all__ = ["StackTraces"]

_DEEPEST = 127  # PERF_MAX_STACK_DEPTH, unless sysctl kernel.perf_event_max_stack says otherwise


class StackTraces(Map):
    """Stacks by the number that :meth:`id` gives; equal stacks have one number.  Linux 4.6.

    ``depth`` is how many frames are kept of each, at most 127 (``sysctl kernel.perf_event_max_stack``).
    """

    map_type = 7  # BPF_MAP_TYPE_STACK_TRACE

    def __init__(self, max_entries: int = 16_384, *, depth: int = _DEEPEST) -> None:
        if not 0 < depth <= 1024:
            raise TypeError(f"depth must be 1 to 1024, not {depth!r}")
        super().__init__(IntKind("u32", 32), ArrayKind(IntKind("u64", 64), depth), entries(max_entries))

    def id(self, ctx: Any, *, user: bool = False, skip: int = 0) -> int:
        """Kernel only: the number of the stack that is running now, the kernel's or (``user=True``) the process's.

        An i64; negative is an error: -14 (EFAULT) if there is no such stack, -17 (EEXIST) if the place of this
        stack is taken by another, which ``max_entries`` makes rarer.  ``skip`` leaves out that many inner frames.
        """
        raise kernel_only("id")

    def __getitem__(self, number: int) -> list[int]:
        """The addresses of a stack, the innermost first; :class:`KeyError` if there is none of that number."""
        data = self.backend.get(number.to_bytes(4, "little")) if 0 <= number < self.max_entries else None
        if data is None:
            raise KeyError(number)
        addresses = list(struct.unpack(f"={len(data) // 8}Q", data))
        return addresses[: addresses.index(0)] if 0 in addresses else addresses

    def get(self, number: int) -> list[int] | None:
        """The same, or None."""
        try:
            return self[number]
        except KeyError:
            return None

    def symbols(self, number: int, *, pid: int | None = None) -> list[str]:
        """The same stack as names of functions: ``"vfs_read+0x1a"``; addresses of a process stay numbers.

        ``pid``: the stack is that process's, which still runs; functions are found in the files that it has mapped
        (``"getppid+0x9"``, else the place in the file, ``"libc.so.6+0x1234"``).  Raises :class:`NotPermitted`
        where the kernel's addresses are hidden (``kernel.kptr_restrict``).
        """
        return list(self.backend.symbols(self[number], pid))

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self.get(number) is not None

    def __iter__(self) -> Iterator[int]:
        for key in self.backend.keys():  # noqa: SIM118 - a RawMap is no container
            yield int.from_bytes(key, "little")

    def items(self) -> Iterator[tuple[int, list[int]]]:
        """All stacks, with their numbers."""
        for number in self:
            stack = self.get(number)
            if stack is not None:
                yield number, stack

    def plain(self) -> Any:
        return [[number, self.symbols(number)] for number in self]

    def render(self) -> str:
        lines = [f"{self.name}:"]
        for number in self:
            lines += [f"  {number}:", *(f"    {symbol}" for symbol in self.symbols(number))]
        return "\n".join(lines)

    def __delitem__(self, number: int) -> None:
        if not self.backend.delete(number.to_bytes(4, "little")):
            raise KeyError(number)
