"""CO-RE: kernel structs as far as a module uses them, and the globals that become relocations.

Invariant: what is written is what LLVM's own lowering of ``__builtin_preserve_access_index`` gives
(globals with the attribute ``btf_ama``), because that lowering keeps a cache over the life of the process
and breaks the second compile.

A struct has just the members that the module's accesses name, one after another with natural
alignment; the kernel matches by name.  Access strings are indices into these pruned structs.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from beespace.compiler import ir
from beespace.compiler.llvm.debug import Debug
from beespace.compiler.llvm.metadata import quoted
from beespace.errors import InternalError
from beespace.record import dataclass, field
from beespace.schema import Kind

__all__ = ["Core", "Relocation", "accesses_of"]

_TYPE_ID_LOCAL = 6  # BPF_CORE_TYPE_ID_LOCAL, which LLVM knows by another attribute
_FLEXIBLE = 4096  # elements that our copy of a flexible array has; the kernel's has as many as it likes


class Relocation(IntEnum):
    """``enum bpf_core_relo_kind`` (include/uapi/linux/bpf.h)."""

    BYTE_OFFSET = 0
    BYTE_SIZE = 1
    EXISTS = 2
    SIGNED = 3
    LEFT_SHIFT = 4
    RIGHT_SHIFT = 5
    TYPE_EXISTS = 8
    TYPE_SIZE = 9
    ENUM_EXISTS = 10
    ENUM_VALUE = 11


@dataclass(slots=True)
class _Member:
    name: str
    kind: ir.CoreKind
    offset: int = 0


@dataclass(slots=True)
class _Struct:
    """A pruned struct: ``members`` in the order of first use.

    ``key`` is its name, or for an anonymous one the way to it.
    """

    key: str
    name: str
    union: bool
    members: list[_Member] = field(default_factory=list)
    size: int = 0
    align: int = 1
    laid_out: bool = False
    reference: str = ""


@dataclass(frozen=True, slots=True)
class _Way:
    """An access, followed: the kind of the field at its end, and how far each step led."""

    kind: ir.CoreKind
    key: str
    indices: tuple[int, ...]
    members: tuple[_Member, ...]
    elements: tuple[tuple[int, ir.CoreKind, str], ...]


def accesses_of(nodes: Iterable[object]) -> list[ir.CoreAccess]:
    """The accesses among IR nodes, in order."""
    found = (node.access for node in nodes if isinstance(node, (ir.KernelField, ir.KernelBitfield, ir.CoreInfo)))
    return list(dict.fromkeys(found))


class Core:
    """The kernel types of one module."""

    def __init__(self, debug: Debug, accesses: Iterable[ir.CoreAccess]) -> None:
        self._debug = debug
        self._structs: dict[str, _Struct] = {}
        self._globals: dict[str, str] = {}
        for access in accesses:
            self._follow(access)
        for struct in list(self._structs.values()):
            self._lay_out(struct)

    # --- pruned structs ---

    def _struct(self, kind: ir.CoreStruct, key: str) -> _Struct:
        key = kind.name or key
        struct = self._structs.setdefault(key, _Struct(key, kind.name, kind.union))
        if struct.union != kind.union:
            raise InternalError(f"kernel type {key} is used as a struct and as a union")
        return struct

    def _follow(self, access: ir.CoreAccess) -> _Way:
        """Follow ``access``, adding the members on the way that are not known yet."""
        kind: ir.CoreKind = ir.CoreStruct(access.root, access.union)
        key = access.root
        indices, members, elements = [0], [], []
        for step in access.steps:
            if isinstance(step, ir.CoreElement):
                assert isinstance(kind, ir.CoreArray)  # the IR was verified
                kind, key = kind.element, f"{key}[]"
                indices.append(step.index)
                elements.append((step.index, kind, key))
            else:
                assert isinstance(kind, ir.CoreStruct)
                struct = self._struct(kind, key)
                number, member = self._member(struct, step)
                indices.append(number)
                members.append(member)
                kind, key = member.kind, f"{struct.key}.{member.name}"
        self._declare(kind, key)
        return _Way(kind, key, tuple(indices), tuple(members), tuple(elements))

    def _member(self, struct: _Struct, step: ir.CoreMember) -> tuple[int, _Member]:
        for number, member in enumerate(struct.members):
            if member.name == step.name:
                if member.kind != step.kind:
                    raise InternalError(f"kernel field {struct.key}.{step.name} is {member.kind} and {step.kind}")
                return number, member
        struct.members.append(_Member(step.name, step.kind))
        return len(struct.members) - 1, struct.members[-1]

    def _declare(self, kind: ir.CoreKind, key: str) -> None:
        """Know the struct that an access ends at, or the one that its array is made of."""
        if isinstance(kind, ir.CoreArray):
            self._declare(kind.element, f"{key}[]")
        elif isinstance(kind, ir.CoreStruct):
            self._struct(kind, key)

    def _lay_out(self, struct: _Struct) -> None:
        if struct.laid_out:
            return
        struct.laid_out = True
        end = 0
        for member in struct.members:
            size, align = self._extent(member.kind, f"{struct.key}.{member.name}")
            member.offset = 0 if struct.union else -(-end // align) * align
            end = max(end, member.offset + size)
            struct.align = max(struct.align, align)
        struct.size = -(-end // struct.align) * struct.align

    def _extent(self, kind: ir.CoreKind, key: str) -> tuple[int, int]:
        """Size and alignment in bytes."""
        match kind:
            case ir.CoreInt() | ir.CoreEnum():
                return kind.size, kind.size
            case ir.CorePointer():
                return 8, 8
            case ir.CoreArray():
                size, align = self._extent(kind.element, f"{key}[]")
                return size * (kind.length or _FLEXIBLE), align
            case ir.CoreStruct():
                struct = self._struct(kind, key)
                self._lay_out(struct)
                return struct.size, struct.align

    # --- debug information ---

    def _type(self, kind: ir.CoreKind, key: str) -> str:
        debug = self._debug
        match kind:
            case ir.CoreInt():
                return debug.integer(kind.size * 8, kind.signed)
            case ir.CorePointer():
                return debug.pointer()
            case ir.CoreEnum():
                return self._enum(kind.name, kind.size, {})
            case ir.CoreArray():
                size = self._extent(kind, key)[0]
                return debug.array(self._type(kind.element, f"{key}[]"), kind.length or _FLEXIBLE, size)
            case ir.CoreStruct():
                return self._composite(self._struct(kind, key))

    def _composite(self, struct: _Struct) -> str:
        if not struct.reference:
            members = []
            for member in struct.members:
                key = f"{struct.key}.{member.name}"
                size, type = self._extent(member.kind, key)[0], self._type(member.kind, key)
                bits = member.kind.bits if isinstance(member.kind, ir.CoreInt) else None
                members.append(self._debug.member(member.name, type, offset=member.offset, size=size, bits=bits or 0))
            struct.reference = self._debug.composite(struct.name, members, struct.size, union=struct.union)
        return struct.reference

    def _enum(self, name: str, size: int, values: dict[str, int]) -> str:
        metadata, base = self._debug.metadata, self._debug.integer(size * 8, False)
        items = [
            metadata.node(f"!DIEnumerator(name: {quoted(label)}, value: {value}{', isUnsigned: true' * (value >= 0)})")
            for label, value in values.items()
        ]
        label = f"name: {quoted(name)}, " if name else ""
        return metadata.node(
            f"!DICompositeType(tag: DW_TAG_enumeration_type, {label}file: {self._debug.main_file}, baseType: {base}, "
            f"size: {size * 8}, elements: {metadata.tuple(items)})"
        )

    def prototype(self, prototype: ir.CorePrototype) -> list[str]:
        """The types of a kernel function's result and parameters."""
        result = "null" if prototype.result is None else self._of_prototype(prototype.result)
        return [result, *map(self._of_prototype, prototype.parameters)]

    def _of_prototype(self, kind: ir.CoreKind | ir.CorePrototype) -> str:
        if isinstance(kind, ir.CorePrototype):
            return self._debug.prototype(self.prototype(kind))
        if isinstance(kind, ir.CorePointer) and kind.to is not None:
            return self._debug.pointer(self._of_prototype(kind.to))
        if isinstance(kind, ir.CoreStruct):
            self._lay_out(self._struct(kind, kind.name))
        return self._type(kind, kind.name if isinstance(kind, ir.CoreStruct) else "")

    def extent(self, kind: ir.CoreKind) -> tuple[int, int]:
        """Size and alignment, in bytes, of a type that is no struct."""
        return self._extent(kind, "")

    def type_of(self, kind: ir.CoreKind) -> str:
        """The debug information of a type that is no struct."""
        return self._type(kind, "")

    # --- relocations: each gives the name of a global that holds the answer as an i64 ---

    def field(self, relocation: Relocation, access: ir.CoreAccess) -> str:
        """Where a field is (BYTE_OFFSET), or what the kernel says about it."""
        way = self._follow(access)
        size = self._extent(way.kind, way.key)[0]
        shift = 64 - (way.kind.bits or size * 8) if isinstance(way.kind, ir.CoreInt) else 0
        known = {
            Relocation.BYTE_OFFSET: sum(member.offset for member in way.members)
            + sum(index * self._extent(kind, key)[0] for index, kind, key in way.elements),
            Relocation.BYTE_SIZE: size,
            Relocation.EXISTS: 1,
            Relocation.SIGNED: int(isinstance(way.kind, ir.CoreInt) and way.kind.signed),
            Relocation.LEFT_SHIFT: shift,
            Relocation.RIGHT_SHIFT: shift,
        }
        root = self._composite(self._structs[access.root])
        return self._global(access.root, relocation, known[relocation], ":".join(map(str, way.indices)), root)

    def type(self, relocation: Relocation, access: ir.CoreAccess) -> str:
        """Whether a type exists, or its size."""
        struct = self._structs[access.root]
        local = 1 if relocation is Relocation.TYPE_EXISTS else struct.size
        return self._global(access.root, relocation, local, "0", self._composite(struct))

    def own_type(self, kind: Kind) -> str:
        """The id of a struct of the author's in the object's own BTF."""
        type = self._debug.kind(kind)
        name = "@" + quoted(f"llvm.btf_type_id.{type.removeprefix('!')}${_TYPE_ID_LOCAL}")
        self._globals[name] = f"{name} = external global i64, !llvm.preserve.access.index {type} #9"
        return name

    def enumerator(self, node: ir.CoreEnumValue) -> str:
        """The value of an enumerator, or whether it exists."""
        size = 4 if -(1 << 31) <= node.value < 1 << 32 else 8
        enum = self._enum(node.name, size, {node.enumerator: node.value})
        relocation, local = (Relocation.ENUM_EXISTS, 1) if node.exists else (Relocation.ENUM_VALUE, node.value)
        return self._global(node.name, relocation, local, "0", enum, node.enumerator)

    def _global(self, root: str, relocation: Relocation, local: int, access: str, type: str, mark: str = "") -> str:
        name = "@" + quoted(f"llvm.{root}{'.' * bool(mark)}{mark}:{int(relocation)}:{local}${access}")
        self._globals[name] = f"{name} = external global i64, !llvm.preserve.access.index {type} #1"
        return name

    def lines(self) -> list[str]:
        """The globals, as lines of the module."""
        return list(self._globals.values())
