"""``subset``: a small BTF with only the types that somebody needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from beespace.btf.builder import BtfBuilder
from beespace.btf.kinds import Kind
from beespace.btf.reader import Btf
from beespace.btf.references import renumbered
from beespace.btf.types import (
    Array,
    DataSection,
    DeclTag,
    Enum,
    Forward,
    Function,
    FunctionPrototype,
    Modifier,
    Pointer,
    Struct,
    Type,
    Typedef,
    Variable,
)
from beespace.record import replace

__all__ = ["subset"]


def subset(btf: Btf, roots: Mapping[str, Collection[str] | None]) -> bytes:
    """A BTF blob with the named types and what they reach.

    ``roots`` maps the name of a type (struct, union, enum, typedef, function, variable, ...; all types of
    that name are kept) to the members or enumerators to keep, or ``None`` for all.  Members inside
    anonymous members are named directly, as in C.  What a kept member holds by value is kept
    whole; a struct that is only pointed to and not named in ``roots`` becomes a forward declaration.
    Sizes and offsets stay as they were, so the result serves as a CO-RE target.  The same input gives
    the same bytes.  Raises ``KeyError`` for a name that is not there.
    """
    return _Cut(btf, roots).encode()


_FEW = 200  # names that are looked for one by one


def _index(btf: Btf) -> Callable[[str], list[int]]:
    """What :meth:`Btf.find_all` answers, for many names: all of them are read once."""
    numbers: dict[str, list[int]] = {}
    for number in btf.ids():
        numbers.setdefault(btf.name(number), []).append(number)
    return lambda name: numbers.get(name, [])


class _Cut:
    def __init__(self, btf: Btf, roots: Mapping[str, Collection[str] | None]) -> None:
        self.btf = btf
        self.kept: dict[int, bool] = {0: True}  # id -> is its content needed, or only its name
        self.members: dict[int, set[int]] = {}  # numbers of the members to keep, where not all are
        named: list[int] = []
        search = btf.find_all if len(roots) < _FEW else _index(btf)
        for name, members in roots.items():
            found = search(name)
            if not found:
                btf.find(name)  # for its error message
            whole = [i for i in found if btf.kind(i) is not Kind.FWD] or found
            if members is not None:
                self._select(name, whole, members)
            named.extend(whole)
        for type_id in named:
            self._keep(type_id)
        for type_id in btf.ids(Kind.DECL_TAG):
            tag = btf.type(type_id)
            assert isinstance(tag, DeclTag)
            chosen = self.members.get(tag.type)
            if self.kept.get(tag.type) and (tag.component < 0 or chosen is None or tag.component in chosen):
                self.kept[type_id] = True

    def _select(self, name: str, found: list[int], members: Collection[str]) -> None:
        containers = [i for i in found if isinstance(self.btf.type(i), (Struct, Enum))]
        if not containers:
            raise KeyError(f"{name} is neither a struct, a union nor an enumeration, so members cannot be chosen")
        for type_id in containers:
            container = self.btf.type(type_id)
            chosen = self.members.setdefault(type_id, set())
            if isinstance(container, Enum):
                numbers = {value.name: number for number, value in enumerate(container.values)}
                for member in members:
                    if member not in numbers:
                        raise KeyError(f"enum {name} has no {member}")
                    chosen.add(numbers[member])
                continue
            for member in members:
                outer = type_id
                for number in self.btf.member(type_id, member).indices:
                    self.members.setdefault(outer, set()).add(number)
                    struct = self.btf.type(outer)
                    assert isinstance(struct, Struct)
                    outer = self.btf.resolve(struct.members[number].type)

    def _struct_members(self, type_id: int, struct: Struct) -> list[int]:
        chosen = self.members.get(type_id)
        return list(range(len(struct.members))) if chosen is None else sorted(chosen)

    def _keep(self, root: int) -> None:
        todo = [(root, True)]
        while todo:
            type_id, whole = todo.pop()
            before = self.kept.get(type_id)
            if before or before == whole:
                continue
            match self.btf.type(type_id):
                case Struct() as struct:
                    whole = whole or not struct.name  # what has no name cannot be declared
                    if whole:
                        todo += ((struct.members[n].type, True) for n in self._struct_members(type_id, struct))
                case Typedef() | Modifier() as inner:
                    todo.append((inner.type, whole))
                case Pointer() as pointer:
                    whole = True
                    todo.append((pointer.type, False))
                case Function() | Variable() | DeclTag() as inner:
                    whole = True
                    todo.append((inner.type, True))
                case Array() as array:
                    whole = True
                    todo += ((array.type, True), (array.index_type, True))
                case FunctionPrototype() as prototype:
                    whole = True
                    todo += ((t, True) for t in (prototype.result, *(p.type for p in prototype.parameters)))
                case DataSection() as section:
                    whole = True
                    todo += ((variable.type, True) for variable in section.variables)
                case _:
                    whole = True
            self.kept[type_id] = whole

    def encode(self) -> bytes:
        builder = BtfBuilder()
        order = sorted(self.kept)
        new = {old: number for number, old in enumerate(order)}
        for old in order[1:]:
            builder.add(self._renumbered(old, new))
        return builder.bytes()

    def _renumbered(self, old: int, new: Mapping[int, int]) -> Type:
        found = self.btf.type(old)
        match found:
            case Struct():
                if not self.kept[old]:
                    return Forward(found.name, found.is_union)
                found = replace(found, members=tuple(found.members[n] for n in self._struct_members(old, found)))
            case Enum():
                chosen = self.members.get(old)
                values = (v for n, v in enumerate(found.values) if chosen is None or n in chosen)
                found = replace(found, values=tuple(values))
            case DeclTag():
                chosen = self.members.get(found.type)
                if chosen is not None and found.component >= 0:
                    found = replace(found, component=sorted(chosen).index(found.component))
            case _:
                pass
        return renumbered(found, new.__getitem__)
