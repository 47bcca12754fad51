"""BTF that is given further strings and types, keeping the ids and offsets that it has."""

from __future__ import annotations

from beespace.btf import Btf, BtfBuilder, Kind, Member
from beespace.elf.datasec import HEADER, join, records, string_section, types_of
from beespace.elf.maps import MAPS, SLOT_SIZE
from beespace.elf.strings import StringTable
from beespace.errors import FormatError
from beespace.isa import ByteOrder, MapType
from beespace.spec import MapSpec, Pinning

#: Members of a map definition that are numbers, in the order in which they are written.
_NUMBERS = ("type", "max_entries", "flags", "numa_node", "pinning", "map_extra")
_NAMES = {"flags": "map_flags"}


def with_strings(data: bytes, strings: StringTable) -> bytes:
    """``data`` with the strings of ``strings``, which began as its own; unchanged if none was added."""
    text = strings.bytes()
    return data if data and string_section(data) == text else join(types_of(data) if data else b"", text)


def with_maps(data: bytes, maps: list[MapSpec], byteorder: ByteOrder = "little") -> bytes:
    """``data`` with a DATASEC ``.maps`` that defines ``maps``, in place of the one it may have.

    The definitions are new types behind the old ones.  Raises FormatError for a map that BTF cannot define.
    """
    old = Btf(data) if data else None
    text = string_section(data) if data else b"\0"
    builder = BtfBuilder(first_id=old.count if old else 1, first_string=len(text))
    rows = []
    offset = 0
    # libbpf creates maps in this order, and a map's initial contents must exist before it.
    for spec in sorted(maps, key=lambda spec: bool(spec.contents)):
        definition, size = _definition(builder, old, spec)
        slots = 1 + max((int.from_bytes(key, byteorder) for key, _ in spec.contents), default=-1)
        size += slots * SLOT_SIZE
        rows.append((builder.variable(spec.name, definition), offset, size))
        offset += size
    if rows:
        builder.section(MAPS, offset, rows)
    else:  # the kernel refuses an empty DATASEC, and the id of the old one has to stay
        builder.struct("", 0, [])
    added = builder.bytes()
    types = types_of(data) if data else b""
    new_types = types_of(added)
    section_at = list(records(added))[-1][0] - HEADER.size
    if old is not None:
        first = HEADER.unpack_from(data)[3] + HEADER.unpack_from(data)[4]
        for number, (position, _, info, length) in enumerate(records(data), 1):
            if info >> 24 & 0x1F == Kind.DATASEC and old.name(number) == MAPS:
                # A DATASEC refers to others by id and nothing refers to it, so it can change its length.
                start = position - first
                types = types[:start] + new_types[section_at:] + types[start + length :]
                new_types = new_types[:section_at]
                break
    return join(types + new_types, text + string_section(added))


def _definition(builder: BtfBuilder, old: Btf | None, spec: MapSpec) -> tuple[int, int]:
    """The struct that defines a map, and its size in bytes."""
    integer = builder.int("int", 4, signed=True)
    members: list[Member] = []

    def add(name: str, type_id: int) -> None:
        members.append(Member(name, type_id, 64 * len(members)))

    def number(name: str, value: int) -> None:
        if value >> 32:
            # Beyond an array's count: the one value of an enumeration, in the room of a pointer.
            add(name, builder.enum("", [(f"{spec.name}_{name}", value)], size=8))
        else:
            add(name, builder.pointer(builder.array(integer, value)))

    for attribute in _NUMBERS:
        value = getattr(spec, attribute)
        value = value.value if isinstance(value, Pinning) else value
        if value:
            number(_NAMES.get(attribute, attribute), value)
    holds = spec.inner is not None or (spec.type == MapType.PROG_ARRAY and bool(spec.contents))
    for what, type_id, size in (("key", spec.key_type, spec.key_size), ("value", spec.value_type, spec.value_size)):
        if type_id:
            if old is None or type_id >= old.count:
                raise FormatError(f"map {spec.name!r} has a {what} of type {type_id}, which its BTF has not")
            add(what, builder.pointer(type_id))
        elif size:
            number(f"{what}_size", size)
    size = 8 * len(members)
    if holds:
        if spec.inner is not None:
            target, _ = _definition(builder, old, spec.inner)
        else:
            target = builder.prototype(integer, [("", builder.pointer(0))])
        add("values", builder.array(builder.pointer(target), 0))
    return builder.struct("", size, members), size
