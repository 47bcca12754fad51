"""Sizes of types, for input that may be damaged."""

from __future__ import annotations

from beespace.btf import Array, Btf, Enum, Float, Int, Modifier, Pointer, Struct, Typedef, Variable
from beespace.errors import FormatError

#: No map holds more in one key or value (``INT_MAX``).
MAX_SIZE = 0x7FFF_FFFF


def size_of(btf: Btf, type_id: int, what: str) -> int:
    """Bytes of a type that ``what`` has.  Raises FormatError if it has no size or an absurd one."""
    current = type_id
    for _ in range(64):
        found = btf.type(current)
        if not isinstance(found, (Typedef, Modifier, Array, Variable)):
            break
        current = found.type
    if not isinstance(found, (Int, Float, Enum, Struct, Pointer)):
        raise FormatError(f"{what} is of BTF type {type_id}, which has no size")
    size = btf.size(type_id)
    if size > MAX_SIZE:
        raise FormatError(f"{what} is of {size} bytes; the kernel takes {MAX_SIZE}")
    return size
