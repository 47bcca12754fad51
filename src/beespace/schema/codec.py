"""Values to bytes and back, by kind: what single map operations use.

Bulk data never comes through here (see the stream room); one value at a time does.  Byte order is
the machine's, except where the kind is big-endian.
"""

from __future__ import annotations

import sys
from operator import index
from typing import Any, Literal

from beespace.errors import UsageError
from beespace.schema.kinds import (
    LENGTH_SIZE,
    AddressKind,
    ArrayKind,
    BoolKind,
    BytesKind,
    EnumKind,
    IntKind,
    Kind,
    PointerKind,
    ResourceKind,
    VariableKind,
    kind_name,
    kind_size,
)
from beespace.schema.struct import Struct, member
from beespace.schema.union import Union, union_bytes


def pack(kind: Kind, value: Any) -> bytes:
    """The bytes of ``value``; :class:`UsageError` if it does not fit the kind."""
    if isinstance(kind, type):
        return _pack_struct(kind, value)
    if isinstance(kind, IntKind):
        try:
            number = index(value)
        except TypeError:
            raise UsageError(f"{value!r} is no whole number, as a {kind.name} is") from None
        if not kind.minimum <= number <= kind.maximum:
            raise UsageError(f"{number} does not fit a {kind.name} ({kind.minimum} to {kind.maximum})")
        return number.to_bytes(kind.size, _order(kind), signed=kind.signed)
    if isinstance(kind, BoolKind):
        return bytes([bool(value)])
    if isinstance(kind, AddressKind):
        return _pack_address(value)
    if isinstance(kind, ArrayKind):
        if len(value) != kind.length:
            raise UsageError(f"a {kind.name} takes {kind.length} values, not {len(value)}")
        return b"".join(pack(kind.element, element) for element in value)
    if isinstance(kind, ResourceKind):
        return bytes(kind.size)  # the kernel's own; it takes no notice
    if isinstance(kind, PointerKind):
        return _pack_pointer(kind, value)
    if isinstance(value, int):
        raise UsageError(f"{value!r} is no {kind_name(kind)}")
    data = value.encode() if isinstance(value, str) else bytes(value)
    if isinstance(kind, VariableKind):
        return (len(data).to_bytes(LENGTH_SIZE, sys.byteorder) + pack(kind.of, data)).ljust(kind.size, b"\0")
    if len(data) > kind.size:
        raise UsageError(f"{value!r} is {len(data)} bytes long, more than the {kind.size} of {kind_name(kind)}")
    return data.ljust(kind.size, b"\0")


def unpack(kind: Kind, data: bytes | memoryview) -> Any:
    """The value that ``data`` holds: exactly the kind's size; of an event of variable length, what was sent."""
    raw = bytes(data)
    if isinstance(kind, type) and issubclass(kind, Union):
        return kind.of_bytes(raw)
    if isinstance(kind, type):
        fields = {field.name: unpack(field.kind, raw[field.offset : field.offset + field.size])
                  for field in kind.layout.fields}  # fmt: skip
        return kind(**fields)
    if isinstance(kind, IntKind):
        number = int.from_bytes(raw[: kind.size], _order(kind), signed=kind.signed)
        return member(kind, number) if isinstance(kind, EnumKind) else number
    if isinstance(kind, BoolKind):
        return raw[0] != 0
    if isinstance(kind, AddressKind):
        from ipaddress import IPv6Address  # of the many that pack numbers, few read addresses

        address = IPv6Address(raw[:16])
        return str(address.ipv4_mapped or address)
    if isinstance(kind, ArrayKind):
        size = kind_size(kind.element)
        return [unpack(kind.element, raw[at : at + size]) for at in range(0, kind.size, size)]
    if isinstance(kind, ResourceKind):
        return None
    if isinstance(kind, PointerKind):
        return int.from_bytes(raw[:8], sys.byteorder) or None
    if isinstance(kind, BytesKind):
        return raw[: kind.size]
    if isinstance(kind, VariableKind):
        used = raw[LENGTH_SIZE:][: int.from_bytes(raw[:LENGTH_SIZE], sys.byteorder)]
        return used if isinstance(kind.of, BytesKind) else used.decode(errors="replace")
    return raw[: kind.size].split(b"\0", 1)[0].decode(errors="replace")


def _order(kind: IntKind) -> Literal["little", "big"]:
    return "big" if kind.big_endian else sys.byteorder


def _pack_pointer(kind: PointerKind, value: Any) -> bytes:
    if value is not None and not isinstance(value, int):
        raise UsageError(f"{value!r} is no {kind_name(kind)} of the arena")
    return (value or 0).to_bytes(8, sys.byteorder)


def _pack_address(value: Any) -> bytes:
    from ipaddress import ip_address

    try:
        address = ip_address(value)
    except ValueError as error:
        raise UsageError(f"{value!r} is no IPv4 or IPv6 address") from error
    return address.packed if address.version == 6 else b"\0" * 10 + b"\xff\xff" + address.packed


def _pack_struct(kind: type[Struct], value: Any) -> bytes:
    if not isinstance(value, kind):
        raise UsageError(f"expected a {kind.__name__}, not {value!r}")
    if isinstance(value, Union):
        return union_bytes(value)
    data = bytearray(kind.layout.size)
    for field in kind.layout.fields:
        data[field.offset : field.offset + field.size] = pack(field.kind, getattr(value, field.name))
    return bytes(data)
