"""Codecs of structs, unions and bit-fields.

What lies side by side is unpacked by one :class:`struct.Struct`; what overlaps (unions), and what is smaller than
a byte, is read on its own after it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from operator import index

from beespace.btf.codecs import Array, Base, Blob, Misfit, Text, shown
from beespace.btf.values import Record, record_class
from beespace.errors import FormatError
from beespace.record import dataclass
from beespace.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["BitField", "Place", "RecordCodec"]

_MAX_FIELDS = 1 << 17  # twice what one struct can have; anonymous members could give any number


@dataclass(frozen=True, slots=True)
class Place:
    """A member: its name (``""``: anonymous), where it is in bytes, and its codec."""

    name: str
    offset: int
    codec: Base


class BitField(Base):
    """Some bits.  ``size`` is that of the bytes that hold them."""

    __slots__ = ("_mask", "_order", "_shift", "_sign", "bits", "boolean", "high", "low")

    def __init__(self, type_id: int, name: str, start: int, bits: int, signed: bool, byteorder: str) -> None:
        super().__init__(type_id, name, (start + bits + 7) // 8)
        # Bit 0 is the lowest of the first byte, on big-endian machines the highest.
        self._order: Any = byteorder
        self._shift = start if byteorder == "little" else 8 * self.size - start - bits
        self._mask = (1 << bits) - 1
        self._sign = 1 << bits - 1 if signed else 0
        self.low, self.high = (-self._sign, self._sign - 1) if signed else (0, self._mask)
        self.bits = bits
        self.boolean = False

    def decode(self, data: ReadableBuffer, offset: int = 0) -> Any:
        number = int.from_bytes(self.chunk(data, offset), self._order) >> self._shift & self._mask
        return bool(number) if self.boolean else (number ^ self._sign) - self._sign

    def pack(self, value: Any) -> bytes:
        try:
            number = index(value)
        except TypeError:
            raise Misfit(f"{shown(value)} is no whole number") from None
        if not self.low <= number <= self.high:
            raise Misfit(f"{shown(number)} does not fit {self.name} ({self.low} to {self.high})")
        return ((number & self._mask) << self._shift).to_bytes(self.size, self._order)


class RecordCodec(Base):
    """A struct or union."""

    __slots__ = (
        "_class", "_converted", "_is_union", "_later", "_members", "_plain", "_rest", "_slots", "_struct", "fields",
    )  # fmt: skip

    def __init__(
        self, type_id: int, name: str, size: int, is_union: bool, members: list[Place], byteorder: str
    ) -> None:
        super().__init__(type_id, name, size, sum(member.codec.values for member in members))
        self._is_union = is_union
        self._members = members
        self.fields: tuple[Place, ...] = tuple(_flattened(name, members))
        self._class = record_class(name, tuple(place.name for place in self.fields))
        for place in (*members, *self.fields):
            if place.offset + place.codec.size > size:
                raise FormatError(f"BTF: member {place.name or '(anonymous)'} of {name} ends behind its {size} bytes")
        self._lay_out("<" if byteorder == "little" else ">")
        self._rest = members[-1] if members and not is_union and _is_flexible(members[-1]) else None
        self.takes_rest = self._rest is not None

    def _lay_out(self, order: str) -> None:
        """Which fields the one struct.Struct reads (in the order of their places), and which are read after it."""
        form, at = [order], 0
        self._slots: list[int] = []
        self._converted: list[tuple[int, Base]] = []
        self._later: list[tuple[int, int, Base]] = []
        for slot, place in sorted(enumerate(self.fields), key=lambda pair: pair[1].offset):
            codec = place.codec
            if place.offset < at or isinstance(codec, BitField) or not codec.size:
                self._later.append((slot, place.offset, codec))
                continue
            if place.offset > at:
                form.append(f"{place.offset - at}x")
            kind: str = getattr(codec, "format", "")
            form.append(kind or f"{codec.size}s")
            if not kind and not isinstance(codec, Blob):
                self._converted.append((slot, codec))
            self._slots.append(slot)
            at = place.offset + codec.size
        if at < self.size:
            form.append(f"{self.size - at}x")
        self._struct = struct.Struct("".join(form))
        self._plain = self._slots == list(range(len(self.fields)))

    def decode(self, data: ReadableBuffer, offset: int = 0) -> Any:
        try:
            values = self._struct.unpack_from(data, offset)
        except struct.error:
            raise self.short(data, offset) from None
        if self._plain and not self._converted:
            return tuple.__new__(self._class, values)
        found: list[Any] = list(values)
        if not self._plain:
            found = [None] * len(self.fields)
            for slot, value in zip(self._slots, values, strict=True):
                found[slot] = value
        for slot, codec in self._converted:
            found[slot] = codec.decode(found[slot])
        for slot, at, codec in self._later:
            found[slot] = codec.decode(codec.chunk(data, offset + at))
        rest = self._rest
        if rest is not None:
            found[self._class._btf_places[rest.name]] = self._decode_rest(
                rest, memoryview(data)[offset + rest.offset :]
            )
        return tuple.__new__(self._class, found)

    @staticmethod
    def _decode_rest(place: Place, data: memoryview) -> Any:
        codec = place.codec
        if isinstance(codec, Text):
            return codec.text(data)
        return codec.rest(data) if isinstance(codec, Array) else bytes(data)

    # -- encoding ------------------------------------------------------------------------------------------

    def pack(self, value: Any) -> bytes:
        if isinstance(value, bytes | bytearray | memoryview):
            return bytes(value) if self.takes_rest and len(value) >= self.size else self.raw(value)
        given = self._given(value)
        for name in given:
            if name not in self._class._btf_places:
                raise Misfit(f"it has no field {shown(name)}; its fields: {', '.join(self._class._fields[:20])}")
        if self._is_union and not given:
            raise Misfit(f"one of its readings must be given: {', '.join(self._class._fields[:20])}")
        return self._packed(given)

    def _given(self, value: Any) -> Mapping[str, Any]:
        fields = self._class._fields
        if isinstance(value, Record):
            return dict(zip(value._fields, value, strict=True))
        if isinstance(value, Mapping):
            return value
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise Misfit(f"{shown(value)} is no record, mapping or sequence of its {len(fields)} fields")
        if len(value) != len(fields):
            raise Misfit(f"{len(value)} values were given for {len(fields)} fields: {', '.join(fields[:20])}")
        return dict(zip(fields, value, strict=True))

    def _packed(self, given: Mapping[str, Any]) -> bytes:
        parts = [(member, part) for member in self._members if (part := self._part(member, given)) is not None]
        if self._is_union:
            return self._agreed(parts)
        data = bytearray(self.size)
        for member, part in parts:
            end = member.offset + len(part)
            if len(part) > member.codec.size:  # a flexible array
                data[member.offset :] = part.ljust(len(data) - member.offset, b"\0")
            elif isinstance(member.codec, BitField):  # shares its bytes with its neighbours
                both = int.from_bytes(part, "little") | int.from_bytes(data[member.offset : end], "little")
                data[member.offset : end] = both.to_bytes(len(part), "little")
            else:
                data[member.offset : end] = part
        return bytes(data)

    def _part(self, member: Place, given: Mapping[str, Any]) -> bytes | None:
        """The bytes of one member; ``None`` if nothing was given for it."""
        codec = member.codec
        if not member.name:
            if not isinstance(codec, RecordCodec):
                return None
            names = codec._class._btf_places
            inner = {name: value for name, value in given.items() if name in names}
            return codec._packed(inner) if inner else None
        if member.name not in given:
            return None
        try:
            if member is self._rest:
                return self._pack_rest(codec, given[member.name])
            packed = codec.pack(given[member.name])
            if len(packed) != codec.size:
                raise Misfit(f"a flexible array of {codec.name} has no room here")
            return packed
        except Misfit as misfit:
            raise misfit.inside(member.name) from None

    @staticmethod
    def _pack_rest(codec: Base, value: Any) -> bytes:
        if isinstance(codec, Text):
            return codec.fitted(value, None)
        if isinstance(codec, Array) and not isinstance(value, bytes | bytearray | memoryview):
            return codec.joined(codec.checked(value))
        return codec.fitted(value) if isinstance(codec, Blob) else bytes(value)

    def _agreed(self, parts: list[tuple[Place, bytes]]) -> bytes:
        """Of a union, the bytes from which all readings that are given can be read."""
        whole = [part.ljust(self.size, b"\0") for _, part in parts]
        if len(whole) == 1:
            return whole[0]
        together = 0  # each reading may have padding where another has something
        for data in whole:
            together |= int.from_bytes(data, "little")
        for data in (together.to_bytes(self.size, "little"), *whole):
            if all(self._reads(member, data) == part for member, part in parts):
                return data
        names = [member.name or "(anonymous)" for member, _ in parts]
        raise Misfit(f"the readings {', '.join(names)} of a union do not agree: give one of them")

    @staticmethod
    def _reads(member: Place, data: bytes) -> bytes:
        """What member holds in ``data``, encoded again: texts end at a NUL and padding counts for nothing."""
        return member.codec.pack(member.codec.decode(member.codec.chunk(data, 0)))


def _is_flexible(last: Place) -> bool:
    codec = last.codec
    if isinstance(codec, Array):
        return bool(last.name) and not codec.count and codec.element.size > 0
    return bool(last.name) and not codec.size and isinstance(codec, Text | Blob)


def _flattened(name: str, members: list[Place]) -> list[Place]:
    """The fields by name: those of anonymous members are the struct's own; of two with one name the first counts."""
    found: dict[str, Place] = {}
    for member in members:
        if member.name:
            found.setdefault(member.name, member)
        elif isinstance(member.codec, RecordCodec):
            for inner in member.codec.fields:
                found.setdefault(inner.name, Place(inner.name, member.offset + inner.offset, inner.codec))
        if len(found) > _MAX_FIELDS:
            raise FormatError(f"BTF: {name} has more than {_MAX_FIELDS} fields")
    return list(found.values())
