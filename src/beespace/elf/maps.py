"""Maps that are defined in BTF: the variables of section ``.maps``.

The value of such a variable means nothing; its type says everything.  ``__uint(max_entries, 8)`` of
libbpf's ``bpf_helpers.h`` is a member ``int (*max_entries)[8]``, ``__type(key, u32)`` a member
``u32 *key``, and ``__array(values, ...)`` a last member ``... *values[]``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence

from beespace.btf import Array, Btf, DataSection, Enum, FunctionPrototype, Member, Pointer, Struct, Variable
from beespace.elf.functions import Functions
from beespace.elf.relocations import R_BPF_64_64, R_BPF_64_ABS64, Relocation
from beespace.elf.sections import Section
from beespace.elf.symbols import Symbol
from beespace.elf.types import size_of
from beespace.errors import FormatError
from beespace.isa import ByteOrder, MapType
from beespace.record import dataclass, replace
from beespace.spec import MapSpec, Pinning

MAPS = ".maps"
#: A slot of ``values`` is a pointer; in the map it is a descriptor.
SLOT_SIZE, DESCRIPTOR_SIZE = 8, 4
_KEY_SIZES = (4, 8)


@dataclass(frozen=True, slots=True)
class MapDefinition:
    """A map of ``.maps``: its spec, where its variable is, and where ``values`` is in it (-1: nowhere)."""

    spec: MapSpec
    offset: int
    size: int
    values: int


@dataclass(slots=True)
class _Draft:
    """A definition while its members are read; ``None``: not said."""

    name: str
    inner_allowed: bool
    numbers: dict[str, int]
    key_type: int = 0
    value_type: int = 0
    inner: MapSpec | None = None
    programs: bool = False
    values: int = -1


def read_maps(btf: Btf, section: DataSection) -> list[MapDefinition]:
    """Every map of DATASEC ``.maps``, in the order of their offsets, without initial contents."""
    found = []
    for row in section.variables:
        variable = btf.type(row.type)
        if not isinstance(variable, Variable):
            raise FormatError(f"BTF: type {row.type} in .maps is no variable")
        definition = btf.type(btf.resolve(variable.type))
        if not isinstance(definition, Struct) or definition.is_union:
            raise FormatError(
                f"map {variable.name!r} is not defined by a struct",
                help='struct { __uint(type, ...); __type(key, ...); ... } name SEC(".maps");',
            )
        spec, values = _read_definition(btf, variable.name, definition, inner_allowed=True)
        found.append(MapDefinition(spec, row.offset, row.size, values))
    return found


def _read_definition(btf: Btf, name: str, definition: Struct, *, inner_allowed: bool) -> tuple[MapSpec, int]:
    draft = _Draft(name, inner_allowed, {})
    for member in definition.members:
        reader = _MEMBERS.get(member.name)
        if reader is None:
            known = ", ".join(sorted(_MEMBERS))
            raise FormatError(f"map {name!r} has a member {member.name!r}, which means nothing", help=f"known: {known}")
        reader(btf, draft, member)
    numbers = draft.numbers
    if "type" not in numbers:
        raise FormatError(f"map {name!r} does not say its type", help="__uint(type, BPF_MAP_TYPE_HASH);")
    kind = numbers["type"]
    if draft.inner is not None and kind not in (MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS):
        raise FormatError(f"map {name!r} of type {kind} has maps for values; only maps of maps have")
    if draft.programs and kind != MapType.PROG_ARRAY:
        raise FormatError(f"map {name!r} of type {kind} has programs for values; only program arrays have")
    pinning = numbers.get("pinning", 0)
    if pinning not in (0, 1):
        raise FormatError(f"map {name!r} has pinning {pinning}", help="LIBBPF_PIN_NONE (0) or LIBBPF_PIN_BY_NAME (1)")
    return (
        MapSpec(
            name=name,
            type=kind,
            key_size=numbers.get("key_size", 0),
            value_size=numbers.get("value_size", 0),
            max_entries=numbers.get("max_entries", 0),
            flags=numbers.get("map_flags", 0),
            key_type=draft.key_type,
            value_type=draft.value_type,
            pinning=Pinning(pinning),
            inner=draft.inner,
            numa_node=numbers.get("numa_node", 0),
            map_extra=numbers.get("map_extra", 0),
        ),
        draft.values,
    )


def _pointee(btf: Btf, draft: _Draft, member: Member) -> int:
    pointer = btf.type(btf.resolve(member.type))
    if not isinstance(pointer, Pointer):
        raise FormatError(
            f"member {member.name!r} of map {draft.name!r} is no pointer",
            help="write __uint(name, number) and __type(name, type) of bpf_helpers.h",
        )
    return pointer.type


def _number(btf: Btf, draft: _Draft, member: Member) -> None:
    """``int (*name)[value]``, or an enum of that one value, which can have 64 bits (``__ulong``)."""
    found = btf.type(btf.resolve(member.type))
    if isinstance(found, Enum) and len(found.values) == 1:
        value = found.values[0].value & 0xFFFF_FFFF_FFFF_FFFF
    else:
        array = btf.type(btf.resolve(_pointee(btf, draft, member)))
        if not isinstance(array, Array):
            raise FormatError(f"member {member.name!r} of map {draft.name!r} is no number")
        value = array.count
    limit = 64 if member.name == "map_extra" else 32
    if value >> limit:
        raise FormatError(f"{member.name} of map {draft.name!r} is {value:#x}; it has {limit} bits")
    _set(draft, member.name, value)


def _set(draft: _Draft, what: str, value: int) -> None:
    known = draft.numbers.setdefault(what, value)
    if known != value:
        raise FormatError(f"map {draft.name!r} says both {known} and {value} for {what}")


def _key(btf: Btf, draft: _Draft, member: Member) -> None:
    draft.key_type = _pointee(btf, draft, member)
    _set(draft, "key_size", size_of(btf, draft.key_type, f"the key of map {draft.name!r}"))


def _value(btf: Btf, draft: _Draft, member: Member) -> None:
    draft.value_type = _pointee(btf, draft, member)
    _set(draft, "value_size", size_of(btf, draft.value_type, f"the value of map {draft.name!r}"))


def _values(btf: Btf, draft: _Draft, member: Member) -> None:
    array = btf.type(btf.resolve(member.type))
    if not isinstance(array, Array) or member.bit_offset % 8:
        raise FormatError(f"`values` of map {draft.name!r} is no array")
    pointer = btf.type(btf.resolve(array.type))
    target = btf.type(btf.resolve(pointer.type)) if isinstance(pointer, Pointer) else None
    if isinstance(target, FunctionPrototype):
        draft.programs = True
    elif isinstance(target, Struct) and draft.inner_allowed:
        draft.inner, _ = _read_definition(btf, f"{draft.name}.inner", target, inner_allowed=False)
    elif isinstance(target, Struct):
        raise FormatError(f"the maps in map {draft.name!r} hold maps themselves; one level is all there is")
    else:
        raise FormatError(f"`values` of map {draft.name!r} are neither maps nor programs")
    draft.values = member.bit_offset // 8
    _set(draft, "value_size", DESCRIPTOR_SIZE)


#: Every member that a definition may have, in the order of libbpf's parse_btf_map_def().
_MEMBERS: Mapping[str, Callable[[Btf, _Draft, Member], None]] = {
    "type": _number,
    "max_entries": _number,
    "map_flags": _number,
    "numa_node": _number,
    "key_size": _number,
    "key": _key,
    "value_size": _number,
    "value": _value,
    "values": _values,
    "pinning": _number,
    "map_extra": _number,
}


def fill_in(
    definitions: Sequence[MapDefinition],
    relocations: Sequence[Relocation],
    symbols: Sequence[Symbol],
    section: Section,
    functions: Functions,
    byteorder: ByteOrder = "little",
) -> dict[str, MapSpec]:
    """The maps by name, with the initial contents that the relocations of ``section`` (``.maps``) give them."""
    starts = [definition.offset for definition in definitions]
    offsets = {definition.offset: definition.spec.name for definition in definitions}
    contents: dict[int, list[tuple[bytes, bytes | str]]] = {}
    for relocation in sorted(relocations, key=lambda relocation: relocation.offset):
        at = bisect_right(starts, relocation.offset) - 1
        definition = definitions[at] if at >= 0 else None
        slot = -1
        if definition is not None and definition.values >= 0:
            slot, rest = divmod(relocation.offset - definition.offset - definition.values, SLOT_SIZE)
            slot = -1 if rest or relocation.offset + SLOT_SIZE > definition.offset + definition.size else slot
        if definition is None or slot < 0 or relocation.type not in (R_BPF_64_ABS64, R_BPF_64_64):
            raise FormatError(
                f"a relocation at {relocation.offset:#x} of .maps, which is in no map's `values`",
                offset=relocation.where,
            )
        symbol = symbols[relocation.symbol]
        addend = int.from_bytes(section.data[relocation.offset : relocation.offset + SLOT_SIZE], byteorder)
        target = symbol.value + addend
        spec = definition.spec
        if spec.type == MapType.PROG_ARRAY:
            name = functions.starting_at(symbol.section, target)
            known = name in functions.programs
        else:
            name = offsets.get(target) if symbol.section == section.index else None
            known = name is not None
        if name is None or not known:
            what = "program" if spec.type == MapType.PROG_ARRAY else "map"
            raise FormatError(
                f"value {slot} of map {spec.name!r} is {symbol.name!r}, which is no {what} of this object",
                offset=relocation.where,
            )
        if spec.key_size not in _KEY_SIZES:
            raise FormatError(
                f"map {spec.name!r} has initial values but keys of {spec.key_size} bytes; they are numbers of 4 or 8"
            )
        key = slot.to_bytes(spec.key_size, byteorder)
        contents.setdefault(at, []).append((key, name))
    return {
        definition.spec.name: replace(definition.spec, contents=tuple(contents.get(at, ())))
        for at, definition in enumerate(definitions)
    }
