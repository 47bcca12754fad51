"""Helpers that write text: the formats of kernel/bpf/helpers.c, ``bpf_bprintf_prepare``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from beespace.vm.arithmetic import signed
from beespace.vm.errno import Errno, Refused
from beespace.vm.memory import Violation

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = ["snprintf", "trace_printk", "trace_vprintk"]

_FORMAT = re.compile(r"%(?:%|([ 0+-]*)([0-9]*)(hh|h|ll|l)?(p[ku]?s|[ducxXips]))")
_LONGEST = 1024  # MAX_BPRINTF_BUF
_BITS = {"hh": 8, "h": 16, "": 32, "l": 64, "ll": 64}


def trace_printk(run: Run, text: int, size: int, a: int = 0, b: int = 0, c: int = 0) -> int:
    """A line for the kernel's trace; its length."""
    return _printed(run, text, size, (a, b, c))


def trace_vprintk(run: Run, text: int, size: int, data: int, length: int) -> int:
    """The same with more arguments.  Linux 5.16."""
    try:
        return _printed(run, text, size, _arguments(run, data, length))
    except Refused as refused:
        return -refused.errno


def snprintf(run: Run, target: int, room: int, text: int, data: int, length: int) -> int:
    """Text into memory, cut so that it ends with 0; its length with that, had it not been cut.  Linux 5.13."""
    try:
        whole = _formatted(run, _text(run, text, None), _arguments(run, data, length)) + b"\0"
    except Refused as refused:
        return -refused.errno
    if room:
        run.memory.write(target, whole[: room - 1] + b"\0" if len(whole) > room else whole)
    return len(whole)


def _printed(run: Run, text: int, size: int, arguments: Sequence[int]) -> int:
    try:
        line = _formatted(run, _text(run, text, size & 0xFFFFFFFF), arguments)
    except Refused as refused:
        return -refused.errno
    run.machine.printed.append(line.decode("utf-8", "replace").rstrip("\n"))
    return len(line)


def _text(run: Run, address: int, size: int | None) -> str:
    """A text that ends with 0."""
    text = bytearray()
    while not text.endswith(b"\0"):
        if size is not None and len(text) == size:
            raise Refused(Errno.EINVAL)
        text += run.memory.read(address + len(text), 1)
    return text[:-1].decode("latin-1")


def _arguments(run: Run, data: int, length: int) -> list[int]:
    length &= 0xFFFFFFFF
    if length % 8 or length > 96:  # MAX_BPRINTF_VARARGS
        raise Refused(Errno.EINVAL)
    return [run.memory.load(data + place, 8) for place in range(0, length, 8)]


def _formatted(run: Run, text: str, arguments: Sequence[int]) -> bytes:
    left = list(arguments)
    out = bytearray()
    place = 0
    while place < len(text):
        if text[place] != "%":
            out += text[place].encode("latin-1")
            place += 1
            continue
        found = _FORMAT.match(text, place)
        if found is None:
            raise Refused(Errno.EINVAL)
        place = found.end()
        if found[0] == "%%":
            out += b"%"
            continue
        if not left:
            raise Refused(Errno.EINVAL)
        out += _one(run, found, left.pop(0))
    return bytes(out)


def _one(run: Run, found: re.Match[str], value: int) -> bytes:
    flags, width, length, kind = found[1], found[2], found[3] or "", found[4]
    if kind.endswith("s"):
        shown = _string(run, value)
    elif kind == "c":
        shown = bytes([value & 0xFF])
    elif kind == "p":
        shown = f"{value:016x}".encode()
    else:
        number = signed(value, _BITS[length]) if kind in "di" else value & (1 << _BITS[length]) - 1
        shown = format(number, {"x": "x", "X": "X"}.get(kind, "d")).encode()
        if kind in "di" and number >= 0 and ("+" in flags or " " in flags):
            shown = (b"+" if "+" in flags else b" ") + shown
    room = min(int(width or 0), _LONGEST)
    if "-" in flags:
        return shown.ljust(room)
    if "0" in flags and not kind.endswith("s") and kind != "c":
        sign = shown[:1] if shown[:1] in (b"-", b"+", b" ") else b""
        return sign + shown[len(sign) :].rjust(room - len(sign), b"0")
    return shown.rjust(room)


def _string(run: Run, address: int) -> bytes:
    """Up to 512 bytes (``MAX_BPRINTF_BUF`` is 1024 for all); nothing where nothing can be read."""
    text = bytearray()
    try:
        while len(text) < 512:
            text += run.memory.read(address + len(text), 1)
            if text[-1] == 0:
                return bytes(text[:-1])
    except Violation:
        return b""
    return bytes(text)
