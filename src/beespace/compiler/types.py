"""The static types of the language.

Invariant: every expression has one of these before any code for it exists; each says in one word
(``str()``) what messages call it.  Where a value lives (stack, map, packet, ring) is not part of its
type but of the pointer that the code carries.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from types import FunctionType
from typing import Any, TypeAlias

from beespace import hooks
from beespace.compiler import ir
from beespace.lang import KernelStruct, Map
from beespace.record import dataclass, field
from beespace.schema import (
    AddressKind,
    ArrayKind,
    BoolKind,
    BytesKind,
    EnumKind,
    IntKind,
    Kind,
    PointerKind,
    ResourceKind,
    Struct,
    TextKind,
    VariableKind,
)
from beespace.schema.kinds import kind_name

__all__ = [
    "ADDRESS", "BOOL", "SYSCALL_TYPES", "I32", "I64", "NONE", "POISON", "U16", "U32", "U64", "U8", "VOID",
    "Address", "Array", "Bool", "Bytes", "Context", "Enumeration", "Int", "Iteration", "KernelObject", "KernelPointer",
    "Literal",
    "Manager", "MapObject", "MapWord", "NoneType", "Optional", "Poison", "Program", "Range", "Resource",
    "ResourceWord", "Socket", "Static", "StructType", "SubProgram", "Text", "TextLiteral", "Tuple", "Type", "Void",
    "is_memory", "of_int", "of_kind",
]  # fmt: skip


Enumeration: TypeAlias = "type[IntEnum] | type[IntFlag] | None"


@dataclass(frozen=True, slots=True)
class Int:
    """A machine integer in host order; ``enum``: it is a member of that, which makes it no other type."""

    bits: int
    signed: bool = False
    enum: Enumeration = field(default_factory=lambda: None, compare=False)

    def __str__(self) -> str:
        if self.enum is not None:
            return self.enum.__name__
        return f"{'i' if self.signed else 'u'}{self.bits}"

    @property
    def minimum(self) -> int:
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        return (1 << (self.bits - self.signed)) - 1

    @property
    def code(self) -> ir.IntType:
        return ir.IntType(self.bits, self.signed)


@dataclass(frozen=True, slots=True)
class Bool:
    """True or False."""

    def __str__(self) -> str:
        return "bool"


@dataclass(frozen=True, slots=True)
class Literal:
    """A number known while compiling; it takes the type that its use asks for.  ``enum``: it is a member of that."""

    value: int
    enum: Enumeration = field(default_factory=lambda: None, compare=False)

    def __str__(self) -> str:
        return str(self.value) if self.enum is None else f"{self.enum.__name__}.{self.enum(self.value).name}"


@dataclass(frozen=True, slots=True)
class NoneType:
    """None."""

    def __str__(self) -> str:
        return "None"


@dataclass(frozen=True, slots=True)
class Void:
    """What a call gives that gives nothing."""

    def __str__(self) -> str:
        return "nothing"


@dataclass(frozen=True, slots=True)
class Text:
    """A text of at most ``size`` bytes; ``None``: as long as whatever it is stored in."""

    size: int | None

    def __str__(self) -> str:
        return "text" if self.size is None else f"text({self.size})"


@dataclass(frozen=True, slots=True)
class TextLiteral:
    """A text or bytes known while compiling, encoded."""

    value: bytes
    raw: bool = False

    def __str__(self) -> str:
        return repr(self.value) if self.raw else repr(self.value.decode())


@dataclass(frozen=True, slots=True)
class Bytes:
    """Raw bytes; ``None``: as many as whatever they are stored in."""

    size: int | None

    def __str__(self) -> str:
        return "raw bytes" if self.size is None else f"raw({self.size})"


@dataclass(frozen=True, slots=True)
class Address:
    """An IPv6 address, 16 bytes in network order."""

    def __str__(self) -> str:
        return "Address"


@dataclass(frozen=True, slots=True)
class Array:
    """A field of several values of one kind."""

    kind: ArrayKind

    def __str__(self) -> str:
        return f"array({kind_name(self.kind.element)}, {self.kind.length})"


@dataclass(frozen=True, slots=True)
class StructType:
    """A reference to a struct of the author's."""

    cls: type[Struct]

    def __str__(self) -> str:
        return self.cls.__name__


@dataclass(frozen=True, slots=True)
class Tuple:
    """Several values that a function returned; the code is the address of the memory that has them.

    ``codes``: of numbers and references, which take a word each; ``None`` of what stands there itself.
    """

    items: tuple[Type, ...]
    codes: tuple[ir.Type | None, ...] = ()

    def __str__(self) -> str:
        return f"tuple[{', '.join(map(str, self.items))}]"


@dataclass(frozen=True, slots=True)
class KernelPointer:
    """A pointer to a kernel object; ``target`` is the resolved BTF id (0: ``void``), ``trusted``: direct loads work.

    ``view``: its fields are those that the author declared, not those of ``target``.
    """

    target: int
    name: str
    trusted: bool
    view: type[KernelStruct] | None = None

    def __str__(self) -> str:
        return f"{self.name} *"


@dataclass(frozen=True, slots=True)
class KernelObject:
    """A struct, union or array embedded in a kernel object, reached by ``access``; not loaded as a whole."""

    target: int
    name: str
    trusted: bool
    access: ir.CoreAccess

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Socket:
    """A UAPI socket struct that the verifier rewrites: ``bpf_sock`` or ``bpf_tcp_sock``.

    ``full`` is False for what ``__sk_buff.sk`` gives: it may be a request or TIME_WAIT socket.
    """

    name: str
    full: bool = True

    def __str__(self) -> str:
        return f"struct {self.name}"


@dataclass(frozen=True, slots=True)
class Context:
    """The program's argument; ``name`` is the struct's, or that of the event or function whose arguments it holds.

    ``hook`` is the kind of probe, where that says how arguments are read; ``program`` the program type, where that says
    what may be written; ``offset`` where a struct inside a context begins.
    """

    reading: hooks.Context
    name: str
    hook: str = ""
    program: int = 0
    offset: int = 0

    def __str__(self) -> str:
        return f"ctx ({self.name})"


@dataclass(frozen=True, slots=True)
class Optional:
    """``inner`` or None.

    The code is a pointer that may be null: the reference itself, or, when ``kind`` is set, the
    address of the memory of that kind that holds the value.
    """

    inner: Type
    kind: Kind | None = None

    def __str__(self) -> str:
        return f"{self.inner} or None"


@dataclass(frozen=True, slots=True)
class Poison:
    """The type of what failed to compile; using it says nothing more."""

    def __str__(self) -> str:
        return "unknown"


# --- things that exist only while compiling ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Static:
    """A Python object of the author's module: a class, a module, a function."""

    value: Any

    def __str__(self) -> str:
        name = getattr(self.value, "__name__", None) or getattr(self.value, "name", None)
        return f"{type(self.value).__name__} {name}" if name else type(self.value).__name__


@dataclass(frozen=True, slots=True)
class Program:
    """``self``."""

    def __str__(self) -> str:
        return "the program"


@dataclass(frozen=True, slots=True)
class MapObject:
    """A map of the program."""

    name: str
    map: Map

    def __str__(self) -> str:
        return f"the {type(self.map).__name__} {self.name}"


@dataclass(frozen=True, slots=True)
class MapWord:
    """A method of a map, as ``self.m.get``."""

    map: MapObject
    word: str

    def __str__(self) -> str:
        return f"{self.map.name}.{self.word}"


@dataclass(frozen=True, slots=True)
class SubProgram:
    """A method marked ``@function``; ``free``: a function of a module, without self."""

    name: str
    function: FunctionType
    free: bool = False

    def __str__(self) -> str:
        return f"the function {self.name}"


@dataclass(frozen=True, slots=True)
class Resource:
    """A lock, timer or the like, inside a struct of class ``owner``; the code is its address."""

    kind: ResourceKind
    owner: type[Struct]

    def __str__(self) -> str:
        return self.kind.name


@dataclass(frozen=True, slots=True)
class ResourceWord:
    """A method of a resource, as ``value.timer.start``; the code is the resource's address."""

    resource: Resource
    word: str

    def __str__(self) -> str:
        return f"{self.resource}.{self.word}"


@dataclass(frozen=True, slots=True)
class Manager:
    """What only a ``with`` takes: code to begin and to end it, and what its ``as`` names.

    ``early``, if given, ends it when its block is left before the end.  ``discard`` is the local that says that a
    record is not to be sent; ``atomic``: nothing may be called inside.
    """

    what: str
    enter: ir.Block
    exit: ir.Block
    early: ir.Block | None = None
    held: Type | None = None
    code: ir.Expression | None = None
    align: int = 1
    discard: str | None = None
    atomic: bool = False

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True, slots=True)
class Iteration:
    """What only a ``for`` takes, as ``bpf.tasks()``; ``visits`` are its rounds (see ``statements.visits``)."""

    what: str
    visits: Any

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True, slots=True)
class Range:
    """``range(...)``; only a ``for`` takes it."""

    def __str__(self) -> str:
        return "range"


Type: TypeAlias = (
    Int | Bool | Literal | NoneType | Void | Text | TextLiteral | Bytes | Address | Array | StructType | Tuple
    | KernelPointer | KernelObject | Socket | Context | Optional | Poison
    | Static | Program | MapObject | MapWord | SubProgram | Range
    | Resource | ResourceWord | Manager | Iteration
)  # fmt: skip

U8, U16, U32, U64 = (Int(bits) for bits in (8, 16, 32, 64))
I32, I64 = Int(32, signed=True), Int(64, signed=True)
# Arguments of system calls, as beespace.hooks.syscalls names their types.
SYSCALL_TYPES = {"i32": I32, "u32": U32, "i64": I64, "u64": U64, "u16": U16, "address": U64}
BOOL = Bool()
NONE = NoneType()
VOID = Void()
ADDRESS = Address()
POISON = Poison()


def of_kind(kind: Kind) -> Type:
    """What a field, key or value of ``kind`` is when it is read."""
    if isinstance(kind, IntKind):
        return of_int(kind)
    if isinstance(kind, BoolKind):
        return BOOL
    if isinstance(kind, TextKind):
        return Text(kind.size)
    if isinstance(kind, BytesKind):
        return Bytes(kind.size)
    if isinstance(kind, VariableKind):
        return Text(None) if isinstance(kind.of, TextKind) else Bytes(None)
    if isinstance(kind, AddressKind):
        return ADDRESS
    if isinstance(kind, ArrayKind):
        return Array(kind)
    if isinstance(kind, ResourceKind):
        return Resource(kind, Struct)
    if isinstance(kind, PointerKind):
        return Optional(StructType(kind.struct))
    return StructType(kind)


def of_int(kind: IntKind) -> Int:
    """The same for whole numbers and members."""
    return Int(kind.bits, kind.signed, kind.enum if isinstance(kind, EnumKind) else None)


def is_memory(kind: Kind) -> bool:
    """Whether values of this kind are handled by address, not in a register."""
    return not isinstance(kind, (IntKind, BoolKind))
