"""The statements of the IR: everything that has an effect and no value.

Invariant: as in :mod:`beespace.compiler.ir`, which re-exports every name here.
"""

from __future__ import annotations

from typing import TypeAlias

from beespace.compiler.ir.expressions import Expression
from beespace.compiler.ir.types import Parameter, Span, Type
from beespace.record import dataclass


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
    """Write ``value`` at ``pointer`` (STACK, MAP_VALUE, RING, PACKET, or CONTEXT through ContextField).

    ``volatile`` stores are neither merged, moved nor left out; those to a context are so by themselves.
    """

    pointer: Expression
    value: Expression
    align: int | None = None
    span: Span | None = None
    volatile: bool = False


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
class Each:
    """Let helper ``number`` call ``body``, once for each round, each entry, each record.

    The helper takes ``before``, then the function that is made of ``body``, what that function gets (a pointer to the
    stack), then ``after``.  ``parameters`` are what the kernel gives the function in each call: they are locals of
    ``body`` and not assigned to.  It sees and assigns the locals of the function that it stands in, and may break,
    continue and return, as in a :class:`Loop`.  ``result``, if named, is an i64 local that gets what the helper gives.
    """

    number: int
    name: str
    before: tuple[Expression, ...]
    parameters: tuple[Parameter, ...]
    body: Block
    after: tuple[Expression, ...] = ()
    result: str | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Guard:
    """Run ``body``, then ``exit``: however body is left, by its end or by a return, break or continue.

    ``early``, if it is given, runs instead of ``exit`` when body is left before its end.  What is returned is evaluated
    before.  Neither declares locals.
    """

    body: Block
    exit: Block
    early: Block | None = None
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
    "Declare | Assign | Store | AtomicAdd | Copy | Zero | If | Loop | Each | Guard | Break | Continue | Return"
    " | Evaluate"
)
Block: TypeAlias = "tuple[Statement, ...]"
