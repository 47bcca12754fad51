"""The types of the IR: regions of memory, machine types, and kernel types as CO-RE sees them.

Invariant: as in :mod:`beespace.compiler.ir`, which re-exports every name here.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from beespace.record import dataclass
from beespace.schema import Kind


@dataclass(frozen=True, slots=True)
class Span:
    """A place in the source: a name in ``Module.sources``, line from 1, column from 1."""

    file: str
    line: int
    column: int


# --- types ---------------------------------------------------------------------------------------


class Region(Enum):
    """What a pointer points into, hence how it may be used."""

    CONTEXT = "ctx"  # the program's argument; read and written through ContextField or KernelField alone
    SOCKET = "socket"  # struct bpf_sock, bpf_tcp_sock: fixed offsets, through ContextField alone; read only
    STACK = "stack"  # a slot of this function (or of its caller)
    MAP_VALUE = "map value"  # a map's value, or a global variable
    ARENA = "arena"  # the program's arena: any address can be read and written, one without a page reads as zero
    RING = "ring"  # a reserved record
    PACKET = "packet"  # between data and data_end; in front of each access stands a bounds check
    KERNEL_TRUSTED = "kernel"  # a pointer that the verifier knows by its BTF type; direct loads, read only
    KERNEL_UNTRUSTED = "kernel?"  # any kernel address; loads become bpf_probe_read_kernel()
    USER = "user"  # an address of the current process; loads become bpf_probe_read_user()
    OBJECT = "object"  # the program's own, of bpf_obj_new(); one register owns it
    LENT = "lent object"  # of a list or tree, as long as its lock is held
    MAP = "map"  # a map itself, as helpers take it; neither read nor written
    DYNPTR = "dynptr"  # bytes of a length that is known when they are used; neither read nor written
    FUNCTION = "function"  # a sub-program, as bpf_loop() takes it; neither read nor written


@dataclass(frozen=True, slots=True)
class IntType:
    """An integer of 8, 16, 32 or 64 ``bits``."""

    bits: int
    signed: bool = False

    @property
    def size(self) -> int:
        return self.bits // 8


@dataclass(frozen=True, slots=True)
class BoolType:
    """True or false; one byte, 0 or 1, in memory."""

    @property
    def size(self) -> int:
        return 1


@dataclass(frozen=True, slots=True)
class PointerType:
    """An address in a region; 8 bytes in memory."""

    region: Region

    @property
    def size(self) -> int:
        return 8


@dataclass(frozen=True, slots=True)
class VoidType:
    """No value: the result of a sub-program or helper that gives none."""

    @property
    def size(self) -> int:
        return 0


Type: TypeAlias = IntType | BoolType | PointerType | VoidType

U8, U16, U32, U64 = (IntType(bits) for bits in (8, 16, 32, 64))
I8, I16, I32, I64 = (IntType(bits, signed=True) for bits in (8, 16, 32, 64))
BOOL = BoolType()
VOID = VoidType()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; programs have exactly one, a CONTEXT pointer.

    ``target`` is what a pointer points to, as exported functions must say: a kind, or the name of a kernel struct.
    """

    name: str
    type: Type
    target: Kind | str | None = None


# --- kernel types, as CO-RE sees them ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CoreInt:
    """An integer (typedefs resolved) of ``size`` bytes; ``bits`` is set for a bit-field."""

    size: int
    signed: bool = False
    bits: int | None = None


@dataclass(frozen=True, slots=True)
class CorePointer:
    """A pointer; ``to`` is known in prototypes alone, since CO-RE does not look at what a field points to."""

    to: CoreKind | CorePrototype | None = None
    arena: bool = False  # of a prototype: into the program's arena


@dataclass(frozen=True, slots=True)
class CoreEnum:
    """An enumeration; ``name`` is empty for an anonymous one."""

    name: str
    size: int = 4


@dataclass(frozen=True, slots=True)
class CoreStruct:
    """An embedded struct or union (``name`` is empty for an anonymous type of a named member)."""

    name: str
    union: bool = False


@dataclass(frozen=True, slots=True)
class CoreArray:
    """``length`` elements of one kind (0: a flexible array)."""

    element: CoreKind
    length: int


CoreKind: TypeAlias = CoreInt | CorePointer | CoreEnum | CoreStruct | CoreArray


@dataclass(frozen=True, slots=True)
class CorePrototype:
    """The C type of a kernel function; a ``result`` of ``None`` is void.

    The loader compares it with the running kernel's: kinds must agree all the way down, names need not.
    """

    result: CoreKind | None
    parameters: tuple[CoreKind, ...] = ()


@dataclass(frozen=True, slots=True)
class CoreMember:
    """One step: the member ``name``, of ``kind``.  Anonymous members on the way are left out."""

    name: str
    kind: CoreKind


@dataclass(frozen=True, slots=True)
class CoreElement:
    """One step: element ``index`` of the array that the step before has reached."""

    index: int


@dataclass(frozen=True, slots=True)
class CoreAccess:
    """A way from the struct ``root`` to a field inside it, without following a pointer.

    ``task->real_parent->tgid`` is two accesses: ``task_struct.real_parent`` (a :class:`CorePointer`), a load,
    and ``task_struct.tgid``.  ``inode->i_ctime.tv_sec`` is one, with two steps.
    """

    root: str
    steps: tuple[CoreMember | CoreElement, ...]
    union: bool = False  # root is a union


class CoreQuestion(Enum):
    """What :class:`CoreInfo` asks; the numbers are ``enum bpf_core_relo_kind``."""

    FIELD_OFFSET = 0
    FIELD_SIZE = 1
    FIELD_EXISTS = 2
    FIELD_SIGNED = 3
    TYPE_EXISTS = 8  # access.steps is empty
    TYPE_SIZE = 9  # access.steps is empty


# --- operators -----------------------------------------------------------------------------------


class BinaryOp(Enum):
    """Arithmetic on two integers of one type.  DIV and MOD take unsigned types alone."""

    ADD = "+"
    SUB = "-"
    MUL = "*"
    DIV = "/"
    MOD = "%"
    AND = "&"
    OR = "|"
    XOR = "^"
    SHL = "<<"
    SHR = ">>"  # arithmetic when the type is signed


class AtomicOp(Enum):
    """What one atomic step does to memory (Linux 5.12)."""

    ADD = "+="
    AND = "&="
    OR = "|="
    XOR = "^="
    EXCHANGE = "="
    COMPARE_EXCHANGE = "=="  # only if what stands there is what was expected


class CompareOp(Enum):
    """Comparison; the order is that of the operands' signedness, pointers as u64."""

    EQ = "=="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
