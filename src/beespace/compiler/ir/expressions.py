"""The expressions of the IR: everything that has a value.

Invariant: as in :mod:`beespace.compiler.ir`, which re-exports every name here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeAlias

from beespace.compiler.ir.types import (
    BOOL,
    U64,
    AtomicOp,
    BinaryOp,
    CompareOp,
    CoreAccess,
    CorePrototype,
    CoreQuestion,
    IntType,
    PointerType,
    Region,
    Span,
    Type,
)
from beespace.record import dataclass
from beespace.schema import Kind

if TYPE_CHECKING:
    from beespace.compiler.ir.statements import Block


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

    ``value`` is the one known while compiling.  ``exists``: not the value, but whether there is one (1 or 0).
    """

    name: str
    enumerator: str
    value: int
    exists: bool = False
    span: Span | None = None
    type: ClassVar[Type] = U64


@dataclass(frozen=True, slots=True)
class LocalTypeId:
    """The id that a Struct has in the object's own BTF, as a u64 that the loader fills in."""

    kind: Kind
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
class ArenaAddress:
    """The address of a variable in the program's arena."""

    name: str
    span: Span | None = None
    type: ClassVar[Type] = PointerType(Region.ARENA)


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


@dataclass(frozen=True, slots=True)
class KernelFunction:
    """Call kernel function ``name`` (a kfunc, Linux 5.13), with at most five arguments.

    The object declares it with ``prototype``, and the loader finds it.  One that is ``weak`` may be missing: reach
    the call only after :class:`KernelFunctionExists`.  Integer arguments are extended by their own sign; ``type`` has
    the result's width (a byte may be taken as a boolean).
    """

    name: str
    arguments: tuple[Expression, ...]
    type: Type
    prototype: CorePrototype
    weak: bool = False
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class KernelFunctionExists:
    """Whether the running kernel has that function; every call of it in the module is weak then."""

    name: str
    prototype: CorePrototype
    span: Span | None = None
    type: ClassVar[Type] = BOOL


@dataclass(frozen=True, slots=True)
class Atomic:
    """Change 32 or 64 bits at ``pointer`` in one step for all CPUs; the value is what stood there before.

    ``expected`` is what COMPARE_EXCHANGE looks for, and missing for the others.  Linux 5.12.
    """

    op: AtomicOp
    pointer: Expression
    value: Expression
    expected: Expression | None = None
    span: Span | None = None

    @property
    def type(self) -> Type:
        return self.value.type


Expression: TypeAlias = (
    "Const | Local | Binary | Compare | Not | And | Or | Select | Sequence | Convert | ByteSwap | Load | Offset"
    " | ContextField | KernelField | KernelBitfield | CoreInfo | CoreEnumValue | LocalTypeId | StackSlot"
    " | MapAddress"
    " | GlobalAddress | ArenaAddress | FunctionAddress | Helper | Call | KernelFunction | KernelFunctionExists | Atomic"
)
