"""Codecs of everything but structs.  What they have in common is :class:`Base`."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from operator import index

from beespace.errors import FormatError, UsageError
from beespace.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = [
    "MAX_DEPTH", "Array", "Base", "Blob", "Boolean", "Enumeration", "Integer", "Misfit", "Real", "Text",
    "VARIABLE", "Variable", "Wide", "shown",
]  # fmt: skip

MAX_DEPTH = 64
#: The name of the struct that a field of variable length is.
VARIABLE = "beespace_variable"
# A type may hold itself many times over in overlapping members; real ones give some values a byte.
_VALUES_A_BYTE = 64
_SMALL = 4096

_UNSIGNED = {1: "B", 2: "H", 4: "I", 8: "Q"}
_REAL = {2: "e", 4: "f", 8: "d"}
_RAW = (bytes, bytearray, memoryview)


class Misfit(Exception):
    """A value that does not fit; on its way out each struct and array puts its field in front."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = ""

    def inside(self, step: str) -> Misfit:
        """The same, of a part of something larger."""
        joined = self.path if not self.path or self.path.startswith("[") else f".{self.path}"
        self.path = f"{step}{joined}"
        return self


def shown(value: Any) -> str:
    """A value as an error message shows it."""
    text = repr(value) if not isinstance(value, int) or abs(value) < 1 << 256 else hex(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


class Base:
    """What all codecs have.

    ``values`` is how many values a decoded one holds, ``takes_rest`` tells whether it ends with a flexible array.
    """

    __slots__ = ("name", "size", "takes_rest", "type_id", "values")

    def __init__(self, type_id: int, name: str, size: int, values: int = 1) -> None:
        self.type_id = type_id
        self.name = name
        self.size = size
        self.values = values
        self.takes_rest = False
        if values > _VALUES_A_BYTE * max(size, _SMALL):
            raise FormatError(f"BTF: {name} of {size} bytes would hold {values} values")

    def __repr__(self) -> str:
        return f"<codec of {self.name}, {self.size} bytes>"

    def decode(self, data: ReadableBuffer, offset: int = 0) -> Any:
        raise NotImplementedError

    def pack(self, value: Any) -> bytes:
        """As :meth:`encode`, but raises :class:`Misfit`."""
        raise NotImplementedError

    def encode(self, value: Any) -> bytes:
        try:
            return self.pack(value)
        except Misfit as misfit:
            where = f"{self.name}, field {misfit.path}" if misfit.path else self.name
            raise UsageError(f"{where}: {misfit.reason}") from None

    def raw(self, value: Any) -> bytes:
        """``value`` as it is, which must have the right length."""
        data = bytes(value)
        if len(data) != self.size:
            raise Misfit(f"{len(data)} bytes were given, {self.name} has {self.size}")
        return data

    def chunk(self, data: ReadableBuffer, offset: int) -> memoryview:
        """The bytes of one value."""
        found = memoryview(data)[offset : offset + self.size]
        if len(found) != self.size:
            raise self.short(data, offset)
        return found

    def short(self, data: ReadableBuffer, offset: int) -> FormatError:
        there = max(0, memoryview(data).nbytes - offset)
        return FormatError(f"{self.name} has {self.size} bytes, of which only {there} are there", offset=offset)


class Integer(Base):
    """An integer of 1, 2, 4 or 8 bytes; a pointer."""

    __slots__ = ("_pack", "_unpack", "format", "high", "low")

    def __init__(self, type_id: int, name: str, size: int, signed: bool, order: str) -> None:
        super().__init__(type_id, name, size)
        self.format = _UNSIGNED[size].lower() if signed else _UNSIGNED[size]
        packer = struct.Struct(order + self.format)
        self._unpack, self._pack = packer.unpack_from, packer.pack
        self.low, self.high = (-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1) if signed else (0, (1 << 8 * size) - 1)

    def decode(self, data: ReadableBuffer, offset: int = 0) -> Any:
        try:
            return self._unpack(data, offset)[0]
        except struct.error:
            raise self.short(data, offset) from None

    def pack(self, value: Any) -> bytes:
        try:
            number = index(value)
        except TypeError:
            if isinstance(value, _RAW):
                return self.raw(value)
            number = self.word(value)
        if not self.low <= number <= self.high:
            raise Misfit(f"{shown(number)} does not fit {self.name} ({self.low} to {self.high})")
        return self._pack(number)

    def word(self, value: Any) -> int:
        """The number that something else than a number stands for."""
        raise Misfit(f"{shown(value)} is no whole number, {self.name} takes {self.low} to {self.high}")


class Enumeration(Integer):
    """An enumeration; its words are taken for its numbers."""

    __slots__ = ("words",)

    def __init__(self, type_id: int, name: str, size: int, signed: bool, order: str, words: Mapping[str, int]) -> None:
        super().__init__(type_id, name, size, signed, order)
        self.words = words

    def word(self, value: Any) -> int:
        if isinstance(value, str) and value in self.words:
            return self.words[value]
        words = ", ".join([*list(self.words)[:8], *(["..."] if len(self.words) > 8 else [])])
        raise Misfit(f"{shown(value)} is neither a whole number nor a word of {self.name} ({words})")


class Boolean(Base):
    """``bool``."""

    __slots__ = ("format",)

    def __init__(self, type_id: int, name: str, order: str) -> None:
        super().__init__(type_id, name, 1)
        self.format = "?"

    def decode(self, data: ReadableBuffer, offset: int = 0) -> Any:
        return self.chunk(data, offset)[0] != 0

    def pack(self, value: Any) -> bytes:
        if isinstance(value, _RAW):
            return self.raw(value)
        try:
            number = index(value)
        except TypeError:
            number = -1
        if number not in (0, 1):
            raise Misfit(f"{shown(value)} is neither true nor false")
        return bytes([number])


class Variable(Base):
    """``struct beespace_variable { unsigned int length; char data[]; }``: a text or bytes of which ``length`` count."""

    __slots__ = ("data", "length")

    def __init__(self, type_id: int, name: str, size: int, length: Base, data: Base) -> None:
        super().__init__(type_id, name, size)
        self.length, self.data = length, data

    def decode(self, data: ReadableBuffer, offset: int = 0) -> Any:
        found = bytes(self.chunk(data, offset))
        used = found[self.length.size :][: self.length.decode(found)]
        return used if isinstance(self.data, Blob) else used.decode(errors="surrogateescape")

    def pack(self, value: Any) -> bytes:
        data = value.encode(errors="surrogateescape") if isinstance(value, str) else bytes(value)
        if len(data) > self.data.size:
            raise Misfit(f"{len(data)} bytes were given, {self.name} has room for {self.data.size}")
        return (self.length.pack(len(data)) + data).ljust(self.size, b"\0")


class Wide(Base):
    """An integer of any other size, such as ``__int128``."""

    __slots__ = ("high", "little", "low", "signed")

    def __init__(self, type_id: int, name: str, size: int, signed: bool, order: str) -> None:
        super().__init__(type_id, name, size)
        if not 0 < size <= 16:
            raise FormatError(f"BTF: an integer of {size} bytes ({name})")
        self.little, self.signed = order == "<", signed
        self.low, self.high = (-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1) if signed else (0, (1 << 8 * size) - 1)

    def decode(self, data: ReadableBuffer, offset: int = 0) -> Any:
        order: Any = "little" if self.little else "big"
        return int.from_bytes(self.chunk(data, offset), order, signed=self.signed)

    def pack(self, value: Any) -> bytes:
        if isinstance(value, _RAW):
            return self.raw(value)
        try:
            number = index(value)
        except TypeError:
            raise Misfit(f"{shown(value)} is no whole number") from None
        if not self.low <= number <= self.high:
            raise Misfit(f"{shown(number)} does not fit {self.name} ({self.low} to {self.high})")
        return number.to_bytes(self.size, "little" if self.little else "big", signed=self.signed)


class Real(Base):
    """``float`` and ``double``."""

    __slots__ = ("_pack", "_unpack", "format")

    def __init__(self, type_id: int, name: str, size: int, order: str) -> None:
        super().__init__(type_id, name, size)
        self.format = _REAL[size]
        packer = struct.Struct(order + self.format)
        self._unpack, self._pack = packer.unpack_from, packer.pack

    def decode(self, data: ReadableBuffer, offset: int = 0) -> Any:
        try:
            return self._unpack(data, offset)[0]
        except struct.error:
            raise self.short(data, offset) from None

    def pack(self, value: Any) -> bytes:
        if isinstance(value, _RAW):
            return self.raw(value)
        try:
            return self._pack(value)
        except struct.error:
            raise Misfit(f"{shown(value)} is no number") from None
        except OverflowError:
            raise Misfit(f"{shown(value)} is too large for {self.name}") from None


class Text(Base):
    """``char[N]``."""

    __slots__ = ()

    def decode(self, data: ReadableBuffer, offset: int = 0) -> Any:
        return self.text(self.chunk(data, offset))

    @staticmethod
    def text(data: memoryview) -> str:
        """What stands before the first NUL."""
        return bytes(data).partition(b"\0")[0].decode("utf-8", "surrogateescape")

    def pack(self, value: Any) -> bytes:
        return self.fitted(value, self.size).ljust(self.size, b"\0")

    def fitted(self, value: Any, room: int | None) -> bytes:
        """The bytes of a text, or of bytes that mean one; ``room``: how many there may be."""
        if isinstance(value, str):
            data = value.encode("utf-8", "surrogateescape")
            if "\0" in value:
                raise Misfit(f"{shown(value)} holds a NUL, which would end it: give bytes if that is meant")
        elif isinstance(value, _RAW):
            data = bytes(value)
        else:
            raise Misfit(f"{shown(value)} is neither str nor bytes, as {self.name} needs")
        if room is not None and len(data) > room:
            raise Misfit(f"{shown(value)} has {len(data)} bytes, {self.name} has room for {room}")
        return data


class Blob(Base):
    """Bytes: ``u8[N]``, and what has no known shape."""

    __slots__ = ()

    def decode(self, data: ReadableBuffer, offset: int = 0) -> Any:
        return bytes(self.chunk(data, offset))

    def pack(self, value: Any) -> bytes:
        return self.raw(self.fitted(value))

    def fitted(self, value: Any) -> bytes:
        """The bytes, or small numbers as bytes."""
        if not isinstance(value, _RAW):
            if isinstance(value, str) or not isinstance(value, Sequence):
                raise Misfit(f"{shown(value)} is not bytes, as {self.name} needs")
            try:
                value = bytes(value)
            except (TypeError, ValueError):
                raise Misfit(f"{shown(value)} does not hold whole numbers from 0 to 255 only") from None
        return bytes(value)


class Array(Base):
    """An array of anything but bytes."""

    __slots__ = ("_numbers", "byteorder", "count", "element")

    def __init__(self, type_id: int, name: str, element: Base, count: int, byteorder: str) -> None:
        super().__init__(type_id, name, count * element.size, count * max(element.values, 1))
        self.element, self.count, self.byteorder = element, count, byteorder
        self._numbers = self._run(count)

    def _run(self, count: int) -> struct.Struct | None:
        """All elements in one go, if they are plain numbers."""
        kind: str = getattr(self.element, "format", "")
        return struct.Struct(f"{'<' if self.byteorder == 'little' else '>'}{count}{kind}") if kind else None

    def decode(self, data: ReadableBuffer, offset: int = 0) -> Any:
        if self._numbers is None:
            return self._elements(self.chunk(data, offset), self.count)
        try:
            return self._numbers.unpack_from(data, offset)
        except struct.error:
            raise self.short(data, offset) from None

    def rest(self, data: memoryview) -> Any:
        """So many elements as there are in ``data``."""
        count = len(data) // self.element.size if self.element.size else 0
        run = self._run(count)
        return self._elements(data, count) if run is None else run.unpack_from(data)

    def _elements(self, data: memoryview, count: int) -> Any:
        size, decode = self.element.size, self.element.decode
        if self.element.takes_rest:
            return tuple([decode(data[at : at + size]) for at in range(0, count * size, size)])
        return tuple([decode(data, number * size) for number in range(count)])

    def pack(self, value: Any) -> bytes:
        if isinstance(value, _RAW):
            return self.raw(value)
        if len(self.checked(value)) != self.count:
            raise Misfit(f"{len(value)} elements were given, {self.name} has {self.count}")
        return self.joined(value)

    @staticmethod
    def checked(value: Any) -> Sequence[Any]:
        """The value, if it is a sequence."""
        is_array = hasattr(value, "__array__")  # NumPy's are no Sequence
        if isinstance(value, str) or not (isinstance(value, Sequence) or is_array):
            raise Misfit(f"{shown(value)} is no sequence")
        return value  # type: ignore[no-any-return]

    def joined(self, value: Sequence[Any]) -> bytes:
        """The elements one after the other."""
        parts: list[bytes] = []
        for number, each in enumerate(value):
            try:
                packed = self.element.pack(each)
                if len(packed) != self.element.size:
                    raise Misfit(f"a flexible array of {self.element.name} has no room here")
                parts.append(packed)
            except Misfit as misfit:
                raise misfit.inside(f"[{number}]") from None
        return b"".join(parts)
