"""``rebase``: the types of a module that was built apart from its kernel, on those of the kernel that runs.

Such a module carries, beside its own types (``.BTF``), a distilled base (``.BTF.base``, Linux 6.11): the name, kind
and size of each type of the kernel that its own refer to.  The kernel looks these up by name when it loads the module,
and so does this.  Source: ``btf_relocate()`` in tools/lib/bpf/btf_relocate.c, kernel commit 19e00c897d50.
"""

from __future__ import annotations

from beespace.btf.builder import BtfBuilder
from beespace.btf.kinds import Kind
from beespace.btf.reader import Btf
from beespace.btf.references import renumbered
from beespace.btf.types import Array, Enum, Float, Forward, Int, Modifier, Struct, Type, Typedef
from beespace.errors import FormatError

__all__ = ["rebase"]

_CONTAINERS = (Kind.STRUCT, Kind.UNION)
# What a type of the distilled base may be in the whole one.
_CANDIDATES = {
    Kind.INT: (Kind.INT,),
    Kind.FLOAT: (Kind.FLOAT,),
    Kind.ENUM: (Kind.ENUM, Kind.ENUM64),  # distilled to a size without values
    Kind.STRUCT: (Kind.STRUCT,),
    Kind.UNION: (Kind.UNION,),
    Kind.FWD: (Kind.FWD, *_CONTAINERS),  # only pointed to
}


def rebase(split: Btf, base: Btf) -> Btf:
    """The types of ``split``, whose base is a distilled one, on ``base``.

    They keep their order.  :class:`FormatError` if a type of the distilled base is not in ``base``, has another size
    there, or could be several ones.
    """
    distilled = split.base
    if distilled is None:
        raise FormatError("BTF: only types on a distilled base can be put on another one")
    held = _held_by_value(split, distilled.count)
    ids = [0] + [_counterpart(distilled, number, base, number in held) for number in range(1, distilled.count)]
    moved = base.count - distilled.count

    def new(old: int) -> int:
        return ids[old] if old < len(ids) else old + moved

    builder = BtfBuilder(first_id=base.count, first_string=base.string_end)
    for number in range(distilled.count, split.count):
        builder.add(renumbered(split.type(number), new))
    return Btf(builder.bytes(), base)


def _held_by_value(split: Btf, count: int) -> set[int]:
    """The structs and unions of the base that a struct of ``split`` holds: those must have the same size."""
    found: set[int] = set()
    for number in range(count, split.count):
        container = split.type(number)
        for member in container.members if isinstance(container, Struct) else ():
            at = member.type
            for _ in range(split.count):  # no chain is longer
                inner = split.type(at)
                if not isinstance(inner, Array | Modifier | Typedef):
                    break
                at = inner.type
            if at < count and split.kind(at) in _CONTAINERS:
                found.add(at)
    return found


def _counterpart(distilled: Btf, number: int, base: Btf, exactly: bool) -> int:
    """The id in ``base`` of type ``number`` of the distilled base."""
    wanted = distilled.type(number)
    kinds = _CANDIDATES.get(distilled.kind(number))
    name = distilled.name(number)
    if kinds is None or not name:
        raise FormatError(f"BTF: {distilled.describe(number)} [{number}] does not belong into a distilled base")
    found = [each for each in base.find_all(name, *kinds) if _alike(wanted, base.type(each), exactly)]
    if len(found) != 1:
        what = distilled.describe(number)
        how = "of that size" if _has_size(wanted, exactly) else "of that name"
        raise FormatError(
            f"BTF: {what} of the distilled base is {len(found) or 'not one'} of the types of the kernel {how}",
            help="the module was built for another kernel",
        )
    return found[0]


def _alike(wanted: Type, found: Type, exactly: bool) -> bool:
    match wanted, found:
        case Forward(), Forward() | Struct():
            return wanted.is_union == found.is_union
        case Int(), Int():
            return (wanted.size, wanted.encoding, wanted.bits) == (found.size, found.encoding, found.bits)
        case Float(), Float():
            return wanted.size == found.size
        case Enum(), Enum():
            return wanted.size == found.size
        case Struct(), Struct():
            return not exactly or wanted.size == found.size
        case _:
            return False


def _has_size(wanted: Type, exactly: bool) -> bool:
    return exactly or not isinstance(wanted, Struct | Forward)
