"""Where things are in a BTF blob: the header, and the index of its records.

The index is three arrays: for each type the position of its record (in words from the start of the
type section), for each type its name offset, and the numbers of the named types in the order of
those offsets.  :meth:`Index.pack` makes it ``bytes`` that can be kept and given back later, which
saves the walk over the records.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from itertools import compress
from operator import itemgetter

from beespace.btf.kinds import FIXED_WORDS, ITEMS, KIND, record_words
from beespace.errors import FormatError
from beespace.record import dataclass
from beespace.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["Index", "Sections", "build_index", "read_header", "unpack_index"]

MAGIC = 0xEB9F
_HEADER = struct.Struct("HBBIIIII")
_LAYOUT = struct.Struct("II")  # follows the header in newer blobs

_INDEX = struct.Struct("=8sIIIII")  # magic, types, named types, type bytes, string bytes, sample checksum
_INDEX_MAGIC = b"beebtf\x01" + struct.pack("=H", 1)[:1]  # the last byte tells the byte order
_SAMPLES = 32


@dataclass(frozen=True, slots=True)
class Sections:
    """Views of the two sections; ``types`` is a view of native 32-bit words."""

    data: memoryview
    types: memoryview
    types_start: int
    strings_start: int
    strings_end: int
    record_sizes: Mapping[int, tuple[int, int]]  # of kinds that we do not know: bytes, bytes an item


def read_header(buffer: ReadableBuffer, *, is_split: bool) -> Sections:
    """Check ``struct btf_header`` and find the sections; a blob of the other byte order is turned round."""
    view = memoryview(buffer)
    data = view if view.format == "B" and view.ndim == 1 else view.cast("B")
    if len(data) < _HEADER.size:
        raise FormatError(f"BTF: {len(data)} bytes are too few for a header of {_HEADER.size}", offset=0)
    magic = int.from_bytes(data[:2], "little")
    if magic not in (MAGIC, 0x9FEB):
        raise FormatError(f"BTF: starts with {magic:#06x}, not with the magic number {MAGIC:#06x}", offset=0)
    little = magic == MAGIC
    header = struct.Struct(("<" if little else ">") + _HEADER.format)
    _, version, _flags, length, type_offset, type_length, string_offset, string_length = header.unpack_from(data)
    if version != 1:
        raise FormatError(f"BTF: version {version} is not known, only 1 is", offset=2)
    if length < _HEADER.size or length > len(data):
        raise FormatError(f"BTF: header length {length} does not fit {len(data)} bytes", offset=4)
    types_start, strings_start = length + type_offset, length + string_offset
    types_end, strings_end = types_start + type_length, strings_start + string_length
    if types_end > len(data) or type_length % 4 or type_offset % 4:
        raise FormatError(
            f"BTF: type section of {type_length} bytes at {types_start} does not fit {len(data)} bytes", offset=8
        )
    if strings_end > len(data):
        raise FormatError(
            f"BTF: string section of {string_length} bytes at {strings_start} does not fit {len(data)} bytes", offset=16
        )
    if string_length and data[strings_end - 1]:
        raise FormatError("BTF: the string section does not end with a zero byte", offset=strings_end - 1)
    if not is_split and (not string_length or data[strings_start]):
        raise FormatError("BTF: the string section does not start with the empty string", offset=strings_start)
    types = data[types_start:types_end]
    native = little == (struct.pack("=H", 1) == struct.pack("<H", 1))
    if native:
        words = types.cast("I")
    else:
        turned = array("I", types.tobytes())
        turned.byteswap()
        words = memoryview(turned)
    return Sections(data, words, types_start, strings_start, strings_end, _record_sizes(data, length, header))


def _record_sizes(data: memoryview, length: int, header: struct.Struct) -> dict[int, tuple[int, int]]:
    """The layout section (newer encoders): how long a record of each kind is, so that new kinds can be skipped."""
    if length < _HEADER.size + _LAYOUT.size:
        return {}
    order = header.format[0]
    offset, size = struct.unpack_from(order + _LAYOUT.format, data, _HEADER.size)
    start = length + offset
    if start + size > len(data):
        raise FormatError(f"BTF: layout section of {size} bytes at {start} does not fit {len(data)} bytes", offset=24)
    rows = struct.iter_unpack(order + "BBH", data[start : start + size // 4 * 4])
    return {kind: (fixed, item) for kind, (fixed, item, _flags) in enumerate(rows) if kind >= len(FIXED_WORDS)}


class _Lengths(dict[int, int]):
    """info word -> record length.  Few distinct words occur, so most look-ups stay in C."""

    def __init__(self, record_sizes: Mapping[int, tuple[int, int]]) -> None:
        super().__init__()
        self._record_sizes = record_sizes

    def __missing__(self, info: int) -> int:
        length = record_words(info)
        if length < 0 and (info >> 24 & KIND) in self._record_sizes:
            fixed, item = self._record_sizes[info >> 24 & KIND]
            length = 3 + (fixed + item * (info & ITEMS) + 3) // 4
        if length < 0:
            raise KeyError(info)
        self[info] = length
        return length


class Index:
    """Positions, name offsets, and types in the order of their names' offsets."""

    def __init__(self, sections: Sections, positions: memoryview, names: memoryview, order: memoryview | None) -> None:
        self._sections = sections
        self.positions = positions
        self.names = names
        self._order = order

    @property
    def order(self) -> memoryview:
        """Numbers (from 0) of the named types, sorted by name offset; made when first needed."""
        if self._order is None:
            names = self.names.tolist()
            named = list(compress(range(len(names)), names))  # nearly half have no name, which is the one at 0
            named.sort(key=names.__getitem__)
            self._order = memoryview(array("I", named))
        return self._order

    def named(self, offset: int) -> list[int]:
        """The numbers of the types whose name is at ``offset`` of the string section."""
        order, names = self.order, self.names
        found: list[int] = []
        for place in range(bisect_left(order, offset, key=names.__getitem__), len(order)):
            if names[order[place]] != offset:
                break
            found.append(order[place])
        return found

    def pack(self) -> bytes:
        """The index as bytes, in native byte order."""
        body = b"".join((self.positions, self.names, self.order))
        return _stamp(self._sections, len(self.names), len(self.order), body) + body


def build_index(sections: Sections) -> Index:
    """Walk all records once."""
    total = len(sections.types)
    infos = sections.types[1:]  # by the position of its record, the word that says how long that is
    lengths = _Lengths(sections.record_sizes)
    positions: list[int] = []
    append = positions.append
    position = 0
    try:
        while position < total:  # a kernel has 130 000 records: this loop is what a first start waits for
            append(position)
            position += lengths[infos[position]]
    except KeyError:
        raise FormatError(
            f"BTF: record {len(positions)} is of kind {infos[position] >> 24 & KIND}, which is not known",
            offset=sections.types_start + 4 * position,
        ) from None
    except IndexError:
        position = total + 1
    if position != total:
        raise FormatError(
            f"BTF: record {len(positions)} runs past the end of the type section",
            offset=sections.types_start + 4 * positions[-1],
        )
    # One call for all of them; of a single one, itemgetter() would give no tuple.
    found = itemgetter(*positions)(sections.types) if len(positions) > 1 else [sections.types[n] for n in positions]
    names = array("I", found)
    return Index(sections, memoryview(array("I", positions)), memoryview(names), None)


def unpack_index(sections: Sections, packed: ReadableBuffer) -> Index | None:
    """The index that :meth:`Index.pack` wrote, or ``None`` if it was not made from these very sections."""
    view = memoryview(packed).cast("B")
    if len(view) < _INDEX.size:
        return None
    _, count, named, *_ = _INDEX.unpack_from(view)
    body = view[_INDEX.size :]
    if len(body) != 8 * count + 4 * named or view[: _INDEX.size] != _stamp(sections, count, named, body):
        return None
    words = body.cast("I")
    return Index(sections, words[:count], words[count : 2 * count], words[2 * count :])


def _stamp(sections: Sections, count: int, named: int, body: ReadableBuffer) -> bytes:
    # The index is checked whole, so a damaged one is never used.  Of the 5 MB of types only samples are: they
    # tell another kernel's BTF of the very same lengths apart.
    data = sections.data
    step = max(1, len(data) // _SAMPLES)
    checksum = zlib.crc32(body)
    for start in range(0, len(data), step):
        checksum = zlib.crc32(data[start : start + 256], checksum)
    strings = sections.strings_end - sections.strings_start
    return _INDEX.pack(_INDEX_MAGIC, count, named, 4 * len(sections.types), strings, checksum)
