"""The typed IR: what the front half hands to the back half.

Invariant: a closed set of frozen values.  A module that :func:`beespace.compiler.ir_verify.verify`
accepts means one thing, machine arithmetic included, and every part of it can be translated.

The IR is a tree with structured control flow: no SSA, no basic blocks.  Expressions have a
``type``; statements have none.  ``span`` is where a node came from; ``None`` takes the span of the
enclosing node.  A tree is written as tuples, so equal trees compare equal.

Values
    Integers wrap; nothing is undefined.  Shift counts are taken modulo the width, ``x / 0`` is 0
    and ``x % 0`` is ``x`` (as the machine has it).  Integers never change type by themselves:
    both sides of a :class:`Binary` or :class:`Compare` have the same type, see :class:`Convert`.
Locals
    :class:`Declare` makes a local in the rest of its block and the blocks inside; names are
    unique in their function (a front-end that shadows renames: ``x``, ``x.1``).  A local
    declared without a value is zero.  Parameters are locals.  Locals hold integers, booleans
    and pointers; whatever has more bytes lives in a :class:`Slot` of the function.
Memory
    A pointer's :class:`Region` decides how it is read.  ``Load`` from ``KERNEL_UNTRUSTED`` and ``USER``
    becomes bpf_probe_read_kernel() or bpf_probe_read_user() (a fault reads as zero); every other
    region is read directly.  Whether a pointer may be null is the front-end's knowledge.
Kernel types
    :class:`KernelField` and its kin become CO-RE relocations; the front-end names members and the
    kinds of members as it found them in BTF, and leaves anonymous structs and unions out of the path.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar, TypeAlias

from beespace.compiler.ir_types import BOOL as BOOL
from beespace.compiler.ir_types import I8 as I8
from beespace.compiler.ir_types import I16 as I16
from beespace.compiler.ir_types import I32 as I32
from beespace.compiler.ir_types import I64 as I64
from beespace.compiler.ir_types import U8 as U8
from beespace.compiler.ir_types import U16 as U16
from beespace.compiler.ir_types import U32 as U32
from beespace.compiler.ir_types import U64 as U64
from beespace.compiler.ir_types import VOID as VOID
from beespace.compiler.ir_types import BinaryOp as BinaryOp
from beespace.compiler.ir_types import BoolType as BoolType
from beespace.compiler.ir_types import CompareOp as CompareOp
from beespace.compiler.ir_types import CoreAccess as CoreAccess
from beespace.compiler.ir_types import CoreArray as CoreArray
from beespace.compiler.ir_types import CoreElement as CoreElement
from beespace.compiler.ir_types import CoreEnum as CoreEnum
from beespace.compiler.ir_types import CoreInt as CoreInt
from beespace.compiler.ir_types import CoreKind as CoreKind
from beespace.compiler.ir_types import CoreMember as CoreMember
from beespace.compiler.ir_types import CorePointer as CorePointer
from beespace.compiler.ir_types import CoreQuestion as CoreQuestion
from beespace.compiler.ir_types import CoreStruct as CoreStruct
from beespace.compiler.ir_types import IntType as IntType
from beespace.compiler.ir_types import PointerType as PointerType
from beespace.compiler.ir_types import Region as Region
from beespace.compiler.ir_types import Span as Span
from beespace.compiler.ir_types import Type as Type
from beespace.compiler.ir_types import VoidType as VoidType
from beespace.record import dataclass
from beespace.schema import Kind, Struct

# --- expressions ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Const:
    """A number of an integer type (in its range), 0 or 1 as a boolean, or 0 as the null pointer."""

    value: int
    type: Type
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Local:
    """The value of a local or parameter."""

    name: str
    type: Type
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Binary:
    """``left op right``; both of the same integer type, which is the result's."""

    op: BinaryOp
    left: Expression
    right: Expression
    span: Span | None = None

    @property
    def type(self) -> Type:
        return self.left.type


@dataclass(frozen=True, slots=True)
class Compare:
    """``left op right``; both integers of one type, both booleans (EQ, NE), or both pointers."""

    op: CompareOp
    left: Expression
    right: Expression
    span: Span | None = None
    type: ClassVar[Type] = BOOL


@dataclass(frozen=True, slots=True)
class Not:
    """The other truth value."""

    operand: Expression
    span: Span | None = None
    type: ClassVar[Type] = BOOL


@dataclass(frozen=True, slots=True)
class And:
    """False without evaluating ``right`` if ``left`` is false; else ``right``."""

    left: Expression
    right: Expression
    span: Span | None = None
    type: ClassVar[Type] = BOOL


@dataclass(frozen=True, slots=True)
class Or:
    """True without evaluating ``right`` if ``left`` is true; else ``right``."""

    left: Expression
    right: Expression
    span: Span | None = None
    type: ClassVar[Type] = BOOL


@dataclass(frozen=True, slots=True)
class Select:
    """``then`` if ``condition`` else ``otherwise``; only the chosen one is evaluated."""

    condition: Expression
    then: Expression
    otherwise: Expression
    span: Span | None = None

    @property
    def type(self) -> Type:
        return self.then.type


@dataclass(frozen=True, slots=True)
class Sequence:
    """Run ``body``, then give ``value``.  Locals that ``body`` declares are seen by ``value`` alone.

    This is how a value that takes statements (a lookup and its null check, a record filled in
    place) stands inside a lazy operand.  ``body`` may return from the function, but not break or continue.
    """

    body: Block
    value: Expression
    span: Span | None = None

    @property
    def type(self) -> Type:
        return self.value.type


@dataclass(frozen=True, slots=True)
class Convert:
    """``operand`` as ``type``.

    integer to integer: wider extends by the sign of the *operand's* type, narrower cuts, same
    width reinterprets.  Boolean to integer: 0 or 1.  Integer or pointer to boolean: is it not 0.
    Integer (u32 and u64) to pointer and pointer to u64: the address.  (``__sk_buff.data`` is a u32 that
    the verifier turns into a packet pointer.)  Pointer to pointer: another region, same address.
    """

    operand: Expression
    type: Type
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class ByteSwap:
    """The bytes of a 16-, 32- or 64-bit integer in the other order."""

    operand: Expression
    span: Span | None = None

    @property
    def type(self) -> Type:
        return self.operand.type


@dataclass(frozen=True, slots=True)
class Load:
    """The ``type`` that stands at ``pointer``, naturally aligned unless ``align`` says less.

    ``volatile`` loads are neither merged, moved nor left out; context, socket and option
    (``.rodata``) loads are volatile by themselves.
    """

    pointer: Expression
    type: Type
    volatile: bool = False
    align: int | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Offset:
    """``pointer`` moved on by ``bytes``: a number, or an integer expression (unsigned, 32 or 64 bits).

    Not for CONTEXT and SOCKET pointers.  A packet pointer moved by an expression is kept apart
    from the original, so that the bounds check and the access use the same register: make one
    local of it, check that local, and reach its fields by constant offsets.  The expression
    must have been masked to a small bound (``& 0x7ff``), as the verifier asks.
    """

    pointer: Expression
    bytes: int | Expression
    span: Span | None = None

    @property
    def type(self) -> Type:
        return self.pointer.type


@dataclass(frozen=True, slots=True)
class ContextField:
    """The address ``offset`` bytes into a context or socket struct; constant, used in place by a Load or Store."""

    pointer: Expression
    offset: int
    span: Span | None = None

    @property
    def type(self) -> Type:
        return self.pointer.type


@dataclass(frozen=True, slots=True)
class KernelField:
    """The address of a kernel struct's field; ``pointer`` is the struct's (any kernel region, or CONTEXT).

    With a CONTEXT pointer (tracepoint records, iterator contexts) it is used in place by a Load,
    which must be as wide as the field.
    """

    pointer: Expression
    access: CoreAccess
    span: Span | None = None

    @property
    def type(self) -> Type:
        return self.pointer.type


@dataclass(frozen=True, slots=True)
class KernelBitfield:
    """The value of a kernel struct's bit-field as ``type``, read by bpf_probe_read_kernel().

    The last step of ``access`` is a :class:`CoreInt` with ``bits``; sign extension follows the target kernel.
    """

    pointer: Expression
    access: CoreAccess
    type: IntType
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class CoreInfo:
    """What the running kernel says about a field or type, as a u64 that the loader fills in."""

    question: CoreQuestion
    access: CoreAccess
    span: Span | None = None
    type: ClassVar[Type] = U64


@dataclass(frozen=True, slots=True)
class CoreEnumValue:
    """The value that ``enumerator`` of ``enum name`` has on the running kernel, as a u64.

    ``value`` is the one known while compiling.
    """

    name: str
    enumerator: str
    value: int
    span: Span | None = None
    type: ClassVar[Type] = U64


@dataclass(frozen=True, slots=True)
class StackSlot:
    """The address of the function's slot of that name.

    What a slot holds is undefined until it is stored to: :class:`Zero` it first if it has padding.
    """

    name: str
    span: Span | None = None
    type: ClassVar[Type] = PointerType(Region.STACK)


@dataclass(frozen=True, slots=True)
class MapAddress:
    """A map, to be given to a helper."""

    name: str
    span: Span | None = None
    type: ClassVar[Type] = PointerType(Region.MAP)


@dataclass(frozen=True, slots=True)
class GlobalAddress:
    """The address of an option (read only) or a global variable."""

    name: str
    span: Span | None = None
    type: ClassVar[Type] = PointerType(Region.MAP_VALUE)


@dataclass(frozen=True, slots=True)
class FunctionAddress:
    """A sub-program, to be given to a helper that calls it."""

    name: str
    span: Span | None = None
    type: ClassVar[Type] = PointerType(Region.FUNCTION)


@dataclass(frozen=True, slots=True)
class Helper:
    """Call kernel helper ``number`` (``name`` is for the reader) with at most five arguments.

    Integer arguments are extended to 64 bits by their own sign; an integer result is cut from 64.
    """

    number: int
    name: str
    arguments: tuple[Expression, ...]
    type: Type
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """Call a sub-program of this module with at most five arguments of its parameters' types."""

    function: str
    arguments: tuple[Expression, ...]
    type: Type
    span: Span | None = None


Expression: TypeAlias = (
    "Const | Local | Binary | Compare | Not | And | Or | Select | Sequence | Convert | ByteSwap | Load | Offset"
    " | ContextField | KernelField | KernelBitfield | CoreInfo | CoreEnumValue | StackSlot | MapAddress"
    " | GlobalAddress | FunctionAddress | Helper | Call"
)

# --- statements ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Declare:
    """Make a local; without a value it is zero (false, null)."""

    name: str
    type: Type
    value: Expression | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Assign:
    """Give a local (not a parameter) another value of its type."""

    name: str
    value: Expression
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """Write ``value`` at ``pointer`` (STACK, MAP_VALUE, RING, PACKET, or CONTEXT through ContextField)."""

    pointer: Expression
    value: Expression
    align: int | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class AtomicAdd:
    """Add ``value`` (32 or 64 bits) to what stands at ``pointer``, as one step for all CPUs (Linux 3.18)."""

    pointer: Expression
    value: Expression
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy ``size`` bytes; the two do not overlap, ``align`` holds for both.

    ``target`` is writable (STACK, MAP_VALUE, RING, PACKET).  A source in a kernel region is read by
    bpf_probe_read_kernel(), USER by bpf_probe_read_user() (a fault zeroes the target), others directly.
    """

    target: Expression
    source: Expression
    size: int
    align: int = 1
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Zero:
    """Set ``size`` bytes to zero; ``pointer`` is writable and aligned to ``align``."""

    pointer: Expression
    size: int
    align: int = 1
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class If:
    """One of two blocks."""

    condition: Expression
    then: Block
    otherwise: Block = ()
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Loop:
    """Run ``body`` at most ``limit`` times (``None``: until it breaks; the verifier must see that it does).

    ``index``, if named, is a u32 local of the body that counts 0, 1, ... and is not assigned to.
    ``Continue`` goes on with the next round.
    """

    body: Block
    limit: int | None = None
    index: str | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """Leave the innermost loop."""

    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Continue:
    """Go on with the next round of the innermost loop."""

    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Return:
    """Leave the function; ``value`` is missing when its result is void."""

    value: Expression | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Evaluate for the effects alone."""

    value: Expression
    span: Span | None = None


Statement: TypeAlias = (
    "Declare | Assign | Store | AtomicAdd | Copy | Zero | If | Loop | Break | Continue | Return | Evaluate"
)
Block: TypeAlias = "tuple[Statement, ...]"

# --- definitions ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; programs have exactly one, a CONTEXT pointer."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Slot:
    """``size`` bytes of memory of one call, aligned to ``align`` (1, 2, 4, 8).

    It stands on the 512-byte stack, or, when that is full, in a per-CPU map that the compiler adds.
    """

    name: str
    size: int
    align: int = 8


@dataclass(frozen=True, slots=True)
class Function:
    """A program (``section`` as in :mod:`beespace.hooks`) or, without a section, a sub-program.

    A program's ``result`` is i32.  Every path returns; a void function ends by itself.
    ``fallback`` is what it returns when it cannot run at all (its scratch memory is in
    use on this CPU, which is counted): for a program, its hook's verdict.
    """

    name: str
    parameters: tuple[Parameter, ...]
    result: Type
    body: Block
    section: str | None = None
    slots: tuple[Slot, ...] = ()
    fallback: int = 0
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class MapDefinition:
    """One map, with what :class:`beespace.spec.MapSpec` needs.

    ``type`` is ``enum bpf_map_type``, ``flags`` are ``BPF_F_*``.  ``key`` and ``value`` are kinds (their BTF makes
    ``bpftool map dump`` readable) or ``None``: without key and value (rings), or of plain sizes
    ``key_size`` and ``value_size``.  ``inner`` is the template of a map-in-map, whose value is then 4 bytes.
    """

    name: str
    type: int
    key: Kind | None = None
    value: Kind | None = None
    max_entries: int = 0
    flags: int = 0
    key_size: int = 0
    value_size: int = 0
    inner: MapDefinition | None = None
    pinned: bool = False
    span: Span | None = None


class Section(Enum):
    """Where a variable lives."""

    RODATA = ".rodata"  # options: set before the load, then constant; the verifier prunes by them
    DATA = ".data"
    BSS = ".bss"  # starts as zero


@dataclass(frozen=True, slots=True)
class GlobalDefinition:
    """A variable of ``kind`` that starts as ``initial`` (exactly its size; zero for ``.bss``)."""

    name: str
    kind: Kind
    section: Section
    initial: bytes
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A source file as messages name it, with its text (which may be of a notebook cell)."""

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Module:
    """One BPF object.

    ``sources`` has every file that a span names; the first is the module's own.  ``events`` are
    the structs that reach user space through rings; their layout is kept in the object's BTF.
    """

    name: str
    functions: tuple[Function, ...]
    maps: tuple[MapDefinition, ...] = ()
    globals: tuple[GlobalDefinition, ...] = ()
    sources: tuple[Source, ...] = ()
    events: tuple[type[Struct], ...] = ()
    license: str = "GPL"
