"""Which struct the records of a ring are: asked for, of the ring's name, or the only one that it can be.

A ring map has no value type.  What is known: the object's own BTF, and the lengths that its programs put
in (the constant sizes of ``bpf_ringbuf_reserve``, ``bpf_ringbuf_output`` and ``bpf_perf_event_output``).  Types that
belong to the kernel (CO-RE), to maps or to a program's arguments are no candidates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from beespace.btf import (
    Array,
    Btf,
    DataSection,
    FunctionPrototype,
    Kind,
    Pointer,
    Struct,
    Variable,
)
from beespace.btf.codecs import VARIABLE
from beespace.errors import UsageError
from beespace.isa import decode
from beespace.record import dataclass
from beespace.spec import FunctionSpec, ObjectSpec, SymbolKind

__all__ = ["Choice", "choose", "put_sizes"]

# Helper -> the registers that hold the map and the length (include/uapi/linux/bpf.h).
_OUTPUTS = {131: (1, 2), 130: (1, 3), 25: (2, 5)}  # ringbuf_reserve, ringbuf_output, perf_event_output
_MOVES = (0xB7, 0xB4)  # mov dst, imm: 64 and 32 bits
_COPIES = (0xBF, 0xBC)  # mov dst, src
_CALL, _LD_IMM64 = 0x85, 0x18
_OWN_SECTIONS = (".maps", ".kconfig", ".ksyms", "license", "version")


@dataclass(frozen=True, slots=True)
class Choice:
    """The struct of a ring's records: its id and name (0 and ``""``: none), and why it or none was taken."""

    type_id: int
    name: str
    why: str


def choose(spec: ObjectSpec, btf: Btf, ring: str, asked: str | None = None) -> Choice:
    """The struct that the records of map ``ring`` are.  :class:`UsageError` if ``asked`` is no struct of the object."""
    if asked is not None:
        return Choice(_asked(btf, ring, asked), asked.removeprefix("struct "), "as asked for")
    sizes = put_sizes(spec).get(ring, set())
    for name in _spellings(ring):
        found = btf.find_all(name, Kind.STRUCT) or [
            resolved for alias in btf.find_all(name, Kind.TYPEDEF) if _is_struct(btf, resolved := btf.resolve(alias))
        ]
        if found:
            return Choice(found[0], name, "it bears the ring's name")
    named = {type_id: btf.name(type_id) for type_id in _candidates(spec, btf)}
    if sizes and not any(btf.size(type_id) in sizes for type_id in named):
        known = ", ".join(str(size) for size in sorted(sizes))
        return Choice(0, "", f"no struct of the object has the length of what is put in ({known} bytes)")
    fitting = {type_id: name for type_id, name in named.items() if not sizes or btf.size(type_id) in sizes}
    if len(fitting) == 1:
        [(type_id, name)] = fitting.items()
        return Choice(type_id, name, "it is the only struct that fits")
    if not fitting:
        return Choice(0, "", "the object's types have no struct for it")
    return Choice(0, "", f"it may be any of {', '.join(sorted(fitting.values()))}")


def _asked(btf: Btf, ring: str, asked: str) -> int:
    name = asked.removeprefix("struct ")
    for kind in (Kind.STRUCT, Kind.TYPEDEF):
        for type_id in btf.find_all(name, kind):
            if _is_struct(btf, btf.resolve(type_id)):
                return type_id
    from difflib import get_close_matches

    known = sorted({btf.name(type_id) for type_id in btf.ids(Kind.STRUCT)} - {""})
    near = get_close_matches(name, known, 3) or known[:10]
    raise UsageError(
        f"the object has no struct {name!r} for the records of {ring!r}",
        help=f"did you mean {' or '.join(near)}?" if near else "it has no structs; was it built with -g?",
    )


def _is_struct(btf: Btf, type_id: int) -> bool:
    return isinstance(found := btf.type(type_id), Struct) and not found.is_union


def _spellings(ring: str) -> Iterator[str]:
    """``execs`` may hold ``struct execs``, ``struct exec`` or ``exec_t``."""
    for name in (ring, ring.removesuffix("s")):
        yield name
        yield name + "_t"


def _candidates(spec: ObjectSpec, btf: Btf) -> list[int]:
    """Structs that are neither the kernel's nor a map's nor a context: those that variables point at first."""
    excluded = {_struct_below(btf, record.type_id) for function in _functions(spec) for record in function.core}
    for each in spec.maps.values():
        excluded |= {_struct_below(btf, each.key_type), _struct_below(btf, each.value_type)}
    for type_id in btf.ids(Kind.FUNC_PROTO):
        prototype = btf.type(type_id)
        assert isinstance(prototype, FunctionPrototype)
        excluded |= {_struct_below(btf, parameter.type) for parameter in prototype.parameters}
    told: list[int] = []
    for type_id in btf.ids(Kind.DATASEC):
        section = btf.type(type_id)
        assert isinstance(section, DataSection)
        for row in section.variables:
            variable = btf.type(row.type)
            if not isinstance(variable, Variable):
                continue
            found = _struct_below(btf, variable.type)
            if section.name in _OWN_SECTIONS:
                excluded.add(found)
            elif found:
                told.append(found)
    excluded |= set(btf.find_all(VARIABLE, Kind.STRUCT))  # which is a field of others
    pointed = [found for found in dict.fromkeys(told) if found not in excluded]
    if pointed:
        return pointed
    return [found for found in btf.ids(Kind.STRUCT) if btf.name(found) and btf.size(found) and found not in excluded]


def _struct_below(btf: Btf, type_id: int) -> int:
    """The struct that a type is, points at or is an array of; 0: none."""
    for _ in range(8):
        if not type_id:
            return 0
        type_id = btf.resolve(type_id)
        found = btf.type(type_id)
        if isinstance(found, Struct):
            return 0 if found.is_union else type_id
        if not isinstance(found, Pointer | Array):
            return 0
        type_id = found.type
    return 0


def _functions(spec: ObjectSpec) -> Iterator[FunctionSpec]:
    yield from (program.entry for program in spec.programs.values())
    yield from spec.subprograms.values()


def put_sizes(spec: ObjectSpec) -> Mapping[str, set[int]]:
    """The constant lengths that programs put into each map, as far as they stand right before the call."""
    sizes: dict[str, set[int]] = {}
    for function in _functions(spec):
        maps = {symbol.index: symbol.symbol for symbol in function.symbols if symbol.kind is SymbolKind.MAP}
        if maps:
            _scan(function, maps, spec.byteorder == "big", sizes)
    return sizes


def _scan(function: FunctionSpec, maps: Mapping[int, str], swapped: bool, sizes: dict[str, set[int]]) -> None:
    known: dict[int, int | str] = {}  # register -> constant or map, in the order of the code
    for index, insn in enumerate(decode(function.code, "big" if swapped else "little")):
        if insn.opcode == _LD_IMM64:
            known.pop(insn.dst, None)
            if index in maps:
                known[insn.dst] = maps[index]
        elif insn.opcode in _MOVES:
            known[insn.dst] = insn.imm
        elif insn.opcode in _COPIES and insn.src in known:
            known[insn.dst] = known[insn.src]
        elif insn.opcode == _CALL:
            if insn.src == 0 and insn.imm in _OUTPUTS:
                where, length = (known.get(register) for register in _OUTPUTS[insn.imm])
                if isinstance(where, str) and isinstance(length, int):
                    sizes.setdefault(where, set()).add(length)
            for register in range(6):  # a call leaves nothing in r0 to r5
                known.pop(register, None)
        elif insn.opcode & 0x07 in (0x00, 0x01, 0x04, 0x07):  # loads and arithmetic write their destination
            known.pop(insn.dst, None)
