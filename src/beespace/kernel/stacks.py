"""Addresses of stacks as names of functions: of the kernel (``/proc/kallsyms``) and of processes (their files)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path

from beespace.errors import BeespaceError, NotPermitted, UsageError
from beespace.kernel.binary import Binary
from beespace.kernel.kallsyms import KALLSYMS
from beespace.typed import NamedTuple

__all__ = ["KernelFunctions", "ProcessFunctions"]

# Address, and name behind a kind that functions have (nm(1)); 120,000 lines, so not one by one.
_FUNCTIONS = re.compile(rb"^([0-9a-f]+) [tTwW] (\S+)", re.M)
_KERNEL = 1 << 63  # addresses from here on are the kernel's, on every 64-bit architecture of Linux


class KernelFunctions:
    """Every function of the kernel and its modules, by address, as they were when this was made."""

    def __init__(self) -> None:
        with open(KALLSYMS, "rb") as lines:
            found: list[tuple[bytes, bytes]] = _FUNCTIONS.findall(lines.read())
        found.sort()  # addresses are of one width: as texts they are in the same order
        if not found or not int(found[-1][0], 16):
            raise NotPermitted(
                "name the functions of a stack",
                missing=f"{KALLSYMS} shows zeroes to this process",
                help="give it CAP_SYSLOG, and set sysctl kernel.kptr_restrict to 0 or 1",
            )
        self._addresses = [address for address, _ in found]
        self._names = [name for _, name in found]
        self._width = len(self._addresses[0])

    def name(self, address: int) -> str:
        """``vfs_read+0x1a``; an address of a process, or before all functions, as a number."""
        at = bisect_right(self._addresses, b"%0*x" % (self._width, address)) - 1
        if address < _KERNEL or at < 0:
            return hex(address)
        distance = address - int(self._addresses[at], 16)
        name = self._names[at].decode("utf-8", "replace")
        return f"{name}+{distance:#x}" if distance else name

    def names(self, addresses: Iterable[int]) -> list[str]:
        """The same of each."""
        return [self.name(address) for address in addresses]


class _File(NamedTuple):
    """The functions of one file by where they stand in it, in order."""

    label: str
    starts: list[int]
    functions: list[tuple[int, str]]  # size and name


class ProcessFunctions:
    """The functions of a process, from the files that it has mapped, as they were when this was made.

    :class:`UsageError` if there is no such process, or it may not be looked at.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._files: dict[str, _File] = {}
        self._mappings: list[tuple[int, int, int, str]] = []  # start, end, offset in the file, path
        try:
            lines = Path(f"/proc/{pid}/maps").read_text(errors="surrogateescape").splitlines()
        except OSError as error:
            raise UsageError(f"the memory of process {pid} cannot be read: {error.strerror}") from None
        for line in lines:
            addresses, rights, offset, _, _, *path = line.split(None, 5)
            if "x" in rights and path:
                start, _, end = addresses.partition("-")
                self._mappings.append((int(start, 16), int(end, 16), int(offset, 16), path[0]))

    def name(self, address: int) -> str:
        """``getppid+0x9``; where no function is known ``libc.so.6+0x1234`` (the place in the file), or a number."""
        at = bisect_right(self._mappings, (address, 1 << 64, 0, "")) - 1
        if at < 0 or address >= self._mappings[at][1]:
            return hex(address)
        start, _, offset, path = self._mappings[at]
        place = address - start + offset
        file = self._files.get(path)
        if file is None:
            file = self._files[path] = self._read(path)
        found = bisect_right(file.starts, place) - 1
        if found >= 0:
            size, name = file.functions[found]
            distance = place - file.starts[found]
            if distance < max(size, 1):
                return f"{name}+{distance:#x}" if distance else name
        return f"{file.label}+{place:#x}"

    def names(self, addresses: Iterable[int]) -> list[str]:
        """The same of each."""
        return [self.name(address) for address in addresses]

    def _read(self, path: str) -> _File:
        label = path.removesuffix(" (deleted)").rpartition("/")[2]
        found: dict[int, tuple[int, str]] = {}
        try:
            with Binary(f"/proc/{self._pid}/root{path}") as binary:
                for function in binary.functions():
                    found.setdefault(binary.file_offset(function.address), (function.size, function.name))
        except (BeespaceError, OSError):
            found = {}  # deleted, or no ELF file ([vdso]): its places are told by number
        starts = sorted(found)
        return _File(label, starts, [found[start] for start in starts])
