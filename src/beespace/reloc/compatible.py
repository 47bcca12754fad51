"""When a type of one kernel may stand for a type of another."""

from __future__ import annotations

from beespace.btf import (
    Array,
    Btf,
    Enum,
    Float,
    Forward,
    FunctionPrototype,
    Int,
    Kind,
    Pointer,
    Struct,
    Type,
    Void,
    essential_name,
)
from beespace.errors import FormatError

__all__ = ["candidate_kinds", "fields_are_compatible", "types_are_compatible", "types_match"]

_DEPTH = 32
_ENUMS = (Kind.ENUM, Kind.ENUM64)


def candidate_kinds(kind: Kind) -> tuple[Kind, ...]:
    """Kinds of a target type that a local type of ``kind`` may stand for: its own; both sizes of enumeration."""
    return _ENUMS if kind in _ENUMS else (kind,)


def _same_name(first: str, second: str) -> bool:
    return essential_name(first) == essential_name(second)


def fields_are_compatible(local: Btf, local_id: int, target: Btf, target_id: int) -> bool:
    """Whether a field of one type can be read as a field of the other.

    Structs and unions always can (their members are looked at on their own), so can pointers, floats,
    and integers whatever their size and sign; enumerations and forward declarations need the same
    name, or none; arrays need elements that can.
    """
    for _ in range(_DEPTH):
        match local.type(local.resolve(local_id)), target.type(target.resolve(target_id)):
            case (Struct(), Struct()) | (Pointer(), Pointer()) | (Float(), Float()):
                return True
            case (Int() as first, Int() as second):
                return not first.bit_offset and not second.bit_offset
            case (Enum() as first, Enum() as second):
                return not first.name or not second.name or _same_name(first.name, second.name)
            case (Forward() as first, Forward() as second):
                return not first.name or not second.name or _same_name(first.name, second.name)
            case (Array() as first, Array() as second):
                local_id, target_id = first.type, second.type
            case _:
                return False
    return False


def types_are_compatible(local: Btf, local_id: int, target: Btf, target_id: int, *, forward: bool = False) -> bool:
    """Whether a type exists in the sense of BPF_CORE_TYPE_EXISTS: the kind, not the content, is compared.

    The names of the outermost types have been compared before.  With ``forward``, a declaration (``struct x;``)
    stands for the struct, which libbpf does not allow.
    """
    return _Comparison(local, target, forward).compatible(local_id, target_id, 0)


def types_match(local: Btf, local_id: int, target: Btf, target_id: int) -> bool:
    """Whether the target has all that the local type has (BPF_CORE_TYPE_MATCHES).

    Members and enumerators are matched by name, integers by size and sign, arrays by count; behind a
    pointer names and kinds of structs are enough, and a forward declaration may stand for a struct.
    """
    return _Comparison(local, target).match(local_id, target_id, False, 0)


class _Comparison:
    """Two kernels' types side by side.  Each pair is compared once; a pair met inside itself agrees."""

    def __init__(self, local: Btf, target: Btf, forward: bool = False) -> None:
        self.forward = forward
        self.local = local
        self.target = target
        self.known: dict[tuple[int, int, bool], bool] = {}

    def _pair(self, local_id: int, target_id: int, depth: int) -> tuple[int, int, Type, Type]:
        if depth > _DEPTH:
            raise FormatError(f"CO-RE: {self.local.describe(local_id)} is nested deeper than {_DEPTH} levels")
        mine, theirs = self.local.resolve(local_id), self.target.resolve(target_id)
        return mine, theirs, self.local.type(mine), self.target.type(theirs)

    def compatible(self, local_id: int, target_id: int, depth: int) -> bool:
        local_id, target_id, mine, theirs = self._pair(local_id, target_id, depth)
        key = (local_id, target_id, False)
        if key not in self.known:
            self.known[key] = True
            self.known[key] = self._compatible(mine, theirs, depth + 1)
        return self.known[key]

    def _compatible(self, mine: Type, theirs: Type, depth: int) -> bool:
        match mine, theirs:
            case (Void(), Void()) | (Enum(), Enum()) | (Forward(), Forward()):
                return True
            case (Struct() as first, Struct() as second):
                return first.is_union == second.is_union
            case (Forward() as first, Struct() as second):
                return self.forward and first.is_union == second.is_union
            case (Int() as first, Int() as second):
                return not first.bit_offset and not second.bit_offset
            case (Pointer() as first, Pointer() as second):
                return self.compatible(first.type, second.type, depth)
            case (Array() as first, Array() as second):
                return self.compatible(first.type, second.type, depth)
            case (FunctionPrototype() as first, FunctionPrototype() as second):
                return len(first.parameters) == len(second.parameters) and all(
                    self.compatible(a, b, depth) for a, b in _prototype_pairs(first, second)
                )
        return False

    def match(self, local_id: int, target_id: int, behind: bool, depth: int) -> bool:
        local_id, target_id, mine, theirs = self._pair(local_id, target_id, depth)
        key = (local_id, target_id, behind)
        if key not in self.known:
            self.known[key] = True
            self.known[key] = _same_name(mine.name, theirs.name) and self._match(mine, theirs, behind, depth + 1)
        return self.known[key]

    def _match(self, mine: Type, theirs: Type, behind: bool, depth: int) -> bool:
        match mine, theirs:
            case (Void(), Void()):
                return True
            case (Forward() as first, Forward() as second):
                return first.is_union == second.is_union
            case (Forward() as first, Struct() as second):
                return behind and first.is_union == second.is_union
            case (Struct() as first, Forward() as second):
                return behind and first.is_union == second.is_union
            case (Enum() as first, Enum() as second):
                names = {essential_name(v.name) for v in second.values}
                fits = first.size == second.size and len(first.values) <= len(second.values)
                return fits and all(essential_name(v.name) in names for v in first.values)
            case (Struct() as first, Struct() as second):
                same = first.is_union == second.is_union
                return same and (behind or self._members_match(first, second, depth))
            case (Int() as first, Int() as second):
                return first.size == second.size and first.is_signed == second.is_signed
            case (Pointer() as first, Pointer() as second):
                return self.match(first.type, second.type, True, depth)
            case (Array() as first, Array() as second):
                return first.count == second.count and self.match(first.type, second.type, behind, depth)
            case (FunctionPrototype() as first, FunctionPrototype() as second):
                return len(first.parameters) == len(second.parameters) and all(
                    self.match(a, b, behind, depth) for a, b in _prototype_pairs(first, second)
                )
        return False

    def _members_match(self, first: Struct, second: Struct, depth: int) -> bool:
        by_name: dict[str, list[int]] = {}
        for member in second.members:
            by_name.setdefault(essential_name(member.name), []).append(member.type)
        return len(first.members) <= len(second.members) and all(
            any(self.match(mine.type, theirs, False, depth) for theirs in by_name.get(essential_name(mine.name), ()))
            for mine in first.members
        )


def _prototype_pairs(first: FunctionPrototype, second: FunctionPrototype) -> list[tuple[int, int]]:
    pairs = [(a.type, b.type) for a, b in zip(first.parameters, second.parameters, strict=True)]
    return [*pairs, (first.result, second.result)]
