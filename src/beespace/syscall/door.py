"""The one function that makes a system call, and what it takes.

Calls that Python has no function for go through :func:`issue`, by name; the numbers are a table per
machine.  ``bpf(2)`` arguments travel as :class:`Attributes`: named fields whose pointers are Python
buffers, so that a fake kernel (:mod:`beespace.syscall.fake`) reads and writes the same objects.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Mapping
from functools import cache

from beespace.errors import NotSupported
from beespace.syscall._attributes import ATTRIBUTES, Command
from beespace.syscall.layout import Buffer, Layout, Value
from beespace.typed import TypeAlias

# include/uapi/asm-generic/unistd.h (arm64), arch/x86/entry/syscalls/syscall_64.tbl
NUMBERS: Mapping[str, Mapping[str, int]] = {
    "x86_64": {
        "bpf": 321,
        "perf_event_open": 298,
        "ioctl": 16,
        "mmap": 9,
        "munmap": 11,
        "membarrier": 324,
        "fsopen": 430,
        "fsconfig": 431,
        "fsmount": 432,
        "setns": 308,
        "pidfd_getfd": 438,
    },
    "aarch64": {
        "bpf": 280,
        "perf_event_open": 241,
        "ioctl": 29,
        "mmap": 222,
        "munmap": 215,
        "membarrier": 283,
        "fsopen": 430,
        "fsconfig": 431,
        "fsmount": 432,
        "setns": 268,
        "pidfd_getfd": 438,
    },
}


class Attributes:
    """The arguments of one ``bpf(2)`` command.

    ``fields`` are the values by their name in ``union bpf_attr``; a pointer field holds a Python
    buffer.  After the call the fields named in ``returns`` hold what the kernel wrote there.
    """

    __slots__ = ("command", "fields", "layout", "returns")

    def __init__(self, command: Command, fields: dict[str, Value], returns: tuple[str, ...] = ()) -> None:
        self.command = command
        self.layout: Layout = ATTRIBUTES[command]
        self.fields = fields
        self.returns = returns

    def encode(self, keep: list[object]) -> tuple[bytearray, int]:
        """The bytes for the kernel, and how many of them count.

        They are cut after the last field that is not zero or that the kernel is to write: a kernel
        refuses a non-zero byte that it does not know, and an old one knows fewer.  The memory
        behind stays, because kernels write some answers without looking at the size.
        """
        layout = self.layout
        memory = bytearray(max(layout.size, 256))
        used = layout.used(self.returns) if self.returns else 0
        for name, value in self.fields.items():
            packer, start, end, is_text, _ = layout.code(name)
            if not isinstance(value, int):
                value = bytes(value) if is_text else address(value, keep)
            if value:
                packer.pack_into(memory, start, value)
                if end > used:
                    used = end
        return memory, used

    def decode(self, memory: bytearray) -> None:
        """Take what the kernel wrote into the fields of ``returns``."""
        for name in self.returns:
            value = self.layout.read(memory, name)
            if isinstance(value, int):
                self.fields[name] = value


Argument: TypeAlias = int | Buffer | Attributes | None
Issue: TypeAlias = Callable[[str, tuple[Argument, ...]], int]

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.syscall.argtypes = [ctypes.c_long] * 7
_pointer, _text, _byte, _addressof = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char, ctypes.addressof


@cache
def _numbers() -> Mapping[str, int]:
    machine = os.uname().machine
    if machine not in NUMBERS or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise NotSupported(
            f"beespace on {machine} with {ctypes.sizeof(ctypes.c_void_p) * 8}-bit Python",
            help=f"use a 64-bit Python on one of: {', '.join(NUMBERS)}",
        )
    return NUMBERS[machine]


def address(buffer: Buffer, keep: list[object]) -> int:
    """The address of ``buffer``; valid while ``keep`` lives.  0 for an empty one."""
    if not len(buffer):
        return 0
    if isinstance(buffer, memoryview) and buffer.readonly:
        buffer = bytes(buffer)
    if isinstance(buffer, bytes):
        keep.append(buffer)
        return _pointer.from_buffer(_text(buffer)).value or 0
    first = _byte.from_buffer(buffer)
    keep.append(first)
    return _addressof(first)


def _issue(name: str, arguments: tuple[Argument, ...]) -> int:
    """Make system call ``name``; its result, or the negative errno.  A signal does not end it (EINTR)."""
    keep: list[object] = []
    encoded: list[tuple[Attributes, bytearray]] = []
    words = [0] * 6
    position = 0
    for argument in arguments:
        if isinstance(argument, int):
            words[position] = argument
        elif isinstance(argument, Attributes):
            memory, used = argument.encode(keep)
            encoded.append((argument, memory))
            words[position] = address(memory, keep)
            position += 1
            words[position] = used
        elif argument is not None:
            words[position] = address(argument, keep)
        position += 1
    number = _numbers()[name]
    while True:
        result: int = _libc.syscall(number, *words)
        if result >= 0:
            break
        result = -ctypes.get_errno()
        if result != -errno.EINTR:
            break
    for attributes, memory in encoded:
        attributes.decode(memory)
    return result


issue: Issue = _issue
"""The door.  Callers say ``door.issue(...)`` so that a fake can take its place."""
