"""Byte order: the file's own tables are read in theirs, code and types are turned round at the door.

Everything between reading and writing works on little-endian code, ``.BTF`` and ``.BTF.ext``; a big-endian
object is turned when its sections are read, and its spec turned back when it is done.  All of BTF but the
first four bytes and the strings is 32-bit words, so that turning it round needs to know no types.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from struct import Struct
from types import MappingProxyType

from beespace.errors import FormatError
from beespace.isa import ByteOrder, turn
from beespace.record import replace
from beespace.spec import FunctionSpec, ObjectSpec

__all__ = ["in_both_orders", "turn_info", "turn_spec", "turn_types"]

_MAGIC = 0xEB9F
_HEADERS: Mapping[ByteOrder, Struct] = {"little": Struct("<HBBI"), "big": Struct(">HBBI")}
_WORDS: Mapping[ByteOrder, Struct] = {"little": Struct("<II"), "big": Struct(">II")}
#: Offset of (string offset, string length) in ``struct btf_header``.
_STRINGS_AT = 16


def in_both_orders(layout: str) -> Mapping[ByteOrder, Struct]:
    """One table entry in either order; ``layout`` says none."""
    return MappingProxyType({"little": Struct(f"<{layout}"), "big": Struct(f">{layout}")})


def _words(data: bytes) -> bytes:
    whole = len(data) // 4 * 4
    words = array("I", data[:whole])
    words.byteswap()
    return words.tobytes() + data[whole:]


def _header(data: bytes, order: ByteOrder, offset: int) -> tuple[int, ...]:
    header = _HEADERS[order]
    if len(data) < header.size or header.unpack_from(data)[0] != _MAGIC:
        raise FormatError(f"the type information does not begin with its magic number in {order}-endian order",
                          offset=offset)  # fmt: skip
    return header.unpack_from(data)


def turn_types(data: bytes, order: ByteOrder, offset: int = 0) -> bytes:
    """A ``.BTF`` section of byte order ``order`` in the other one.  Raises FormatError if it is none."""
    fields = _header(data, order, offset)
    other: ByteOrder = "big" if order == "little" else "little"
    if len(data) < _STRINGS_AT + 8:
        raise FormatError(f"truncated: {len(data)} bytes cannot hold a .BTF header", offset=offset)
    start, size = _WORDS[order].unpack_from(data, _STRINGS_AT)
    start, end = fields[3] + start, fields[3] + start + size
    if start % 4 or end > len(data):
        raise FormatError(".BTF has its strings where they cannot be", offset=offset + _STRINGS_AT)
    turned = bytearray(_words(data))
    turned[:8] = _HEADERS[other].pack(*fields)
    turned[start:end] = data[start:end]
    return bytes(turned)


def turn_info(data: bytes, order: ByteOrder, offset: int = 0) -> bytes:
    """A ``.BTF.ext`` section of byte order ``order`` in the other one.  Raises FormatError if it is none."""
    fields = _header(data, order, offset)
    other: ByteOrder = "big" if order == "little" else "little"
    return _HEADERS[other].pack(*fields) + _words(data)[8:]


def turn_spec(spec: ObjectSpec, types: ByteOrder) -> ObjectSpec:
    """``spec`` with the code and the types (which are in order ``types``) of the other byte order; data stay."""

    def turned(function: FunctionSpec) -> FunctionSpec:
        return replace(function, code=turn(function.code))

    return replace(
        spec,
        programs=MappingProxyType({n: replace(p, entry=turned(p.entry)) for n, p in spec.programs.items()}),
        subprograms=MappingProxyType({n: turned(f) for n, f in spec.subprograms.items()}),
        btf=turn_types(spec.btf, types) if spec.btf else b"",
    )
