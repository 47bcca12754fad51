"""``Frame``: one function while it is being compiled.

Invariant: everything that lowering a node may read or change is here; the modules that know the
nodes are functions over a frame, reached through its :class:`Grammar`, so that none imports another
in a circle.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from beespace.btf import Btf
from beespace.compiler import ir
from beespace.compiler.diagnostics import Diagnostic, Diagnostics, Failure, Span
from beespace.compiler.flow import State
from beespace.compiler.scope import Scope
from beespace.compiler.source import FunctionSource, Sources
from beespace.compiler.types import Int, Type
from beespace.compiler.values import Value
from beespace.hooks import Attachment
from beespace.lang import Declaration
from beespace.record import dataclass, field
from beespace.schema import Kind, Struct

if TYPE_CHECKING:
    from beespace.compiler.results import Memory

__all__ = ["CompiledFunction", "Condition", "Frame", "Grammar", "Jumps", "Unit"]


@dataclass(frozen=True, slots=True)
class Condition:
    """A truth value, with what is known on either side of it."""

    code: ir.Expression
    when_true: State
    when_false: State


class Grammar(Protocol):
    """How nodes are lowered; :mod:`beespace.compiler.grammar` is the one there is."""

    def value(self, frame: Frame, node: ast.expr, expected: Type | None) -> Value: ...

    def condition(self, frame: Frame, node: ast.expr) -> Condition: ...

    def block(self, frame: Frame, body: Iterable[ast.stmt]) -> ir.Block: ...


@dataclass(frozen=True, slots=True)
class CompiledFunction:
    """A sub-program: what its parameters are, and what a call of it gives."""

    name: str
    parameters: tuple[Value, ...]
    result: Value
    failed: bool = False
    moved: tuple[int, ...] = ()  # parameters that travel in memory
    raises: bool = False  # it takes the address of a flag, by which it says that its caller must leave
    memory: Memory | None = None  # it takes the address of memory for its result


@dataclass(slots=True)
class Unit:
    """One program class while it is being compiled."""

    declaration: Declaration
    btf: Btf
    sources: Sources
    diagnostics: Diagnostics
    grammar: Grammar
    functions: dict[str, ir.Function] = field(default_factory=dict)
    subprograms: dict[str, CompiledFunction] = field(default_factory=dict)
    calling: list[str] = field(default_factory=list)
    suffix: str = ""  # of the names of sub-programs, while an alternative of a program is compiled
    constants: dict[tuple[Kind, bytes], str] = field(default_factory=dict)  # tables in the object, with their names
    left_out: list[tuple[ir.Span, str]] = field(default_factory=list)  # branches that the kernel's types rule out
    externs: dict[str, ir.GlobalDefinition] = field(default_factory=dict)  # what the kernel defines
    losing: set[str] = field(default_factory=set)  # maps whose losses are counted
    callbacks: set[str] = field(default_factory=set)  # functions that the kernel calls, by their names in the IR
    free: dict[Any, str] = field(default_factory=dict)  # functions of modules, with their names in the IR
    messages: dict[str, int] = field(default_factory=dict)  # what the program says, with their numbers
    marks: str = ""  # "lines": each that runs says so; "variables": they say what they are, too (compiler.marks)


@dataclass(slots=True)
class Jumps:
    """The states in which a loop is left or begun again."""

    breaks: list[State] = field(default_factory=list)
    continues: list[State] = field(default_factory=list)
    broken: str | None = None  # the local that says so to the loop's else


@dataclass(slots=True)
class Frame:
    """One function.

    ``attachment`` is that of a program, ``None`` in a sub-program.  ``result`` is the type returned
    so far (a sub-program's may be found by its first return).
    """

    unit: Unit
    source: FunctionSource
    attachment: Attachment | None
    scope: Scope = field(default_factory=Scope)
    state: State = field(default_factory=State)
    locals: frozenset[str] = frozenset()  # names that the function assigns anywhere, as Python has it
    result: Type | None = None
    result_code: ir.Type | None = None
    loops: list[Jumps] = field(default_factory=list)
    nesting: int = 0  # blocks inside of each other
    keep_slots: bool = False  # this statement gave a local a reference to a temporary
    unused: ast.expr | None = None  # the call that is a statement of its own
    parameter_names: frozenset[str] = frozenset()  # names of the parameters in the IR
    returns: list[ast.Return] = field(default_factory=list)  # those without a value
    ended: dict[str, str] = field(default_factory=dict)  # locals that refer to nothing any more, and why
    records: dict[str, str] = field(default_factory=dict)  # locals that are records of a ring: the flag to discard
    free: bool = False  # a function of a module, without self
    raises: bool = False  # this sub-program may end the program
    owned: dict[str, type[Struct]] = field(default_factory=dict)  # registers that own an object, by their names
    given: dict[str, str] = field(default_factory=dict)  # locals whose object is gone, and why
    locked: list[str] = field(default_factory=list)  # whose locks are held, as the author calls them
    memory: Memory | None = None  # what this sub-program returns in memory of its caller
    borrowed: tuple[Kind, ...] = ()  # what its parameters refer to on the stack of its callers

    # --- lowering ---

    def value(self, node: ast.expr, expected: Type | None = None) -> Value:
        """Lower an expression; a number or None without a type of its own takes ``expected``."""
        return self.unit.grammar.value(self, node, expected)

    def condition(self, node: ast.expr) -> Condition:
        """Lower an expression as a truth value; the caller chooses the state to go on with."""
        return self.unit.grammar.condition(self, node)

    def block(self, body: Iterable[ast.stmt]) -> ir.Block:
        return self.unit.grammar.block(self, body)

    # --- places and mistakes ---

    def span(self, node: ast.AST) -> Span:
        return Span.of(self.source.file, node)

    def code_span(self, node: ast.AST) -> ir.Span:
        return self.span(node).code()

    def error(self, rule: Callable[..., Diagnostic], node: ast.AST, **values: Any) -> Failure:
        """A mistake at ``node``; to be raised."""
        return Failure(rule(self.span(node), **values))

    # --- code ---

    def bind(self, code: ir.Expression) -> tuple[ir.Block, ir.Expression]:
        """``code`` evaluated once, and what to write wherever its result is used."""
        if isinstance(code, _SETTLED) or _is_temporary(code):
            return (), code
        name = self.scope.fresh()
        return (ir.Declare(name, code.type, code),), ir.Local(name, code.type)

    def bind_address(self, code: ir.Expression) -> tuple[ir.Block, ir.Expression]:
        """The same for an address; constant offsets stay where they are used."""
        if isinstance(code, ir.Offset) and isinstance(code.bytes, int):
            block, base = self.bind_address(code.pointer)
            return block, ir.Offset(base, code.bytes)
        if isinstance(code, ir.KernelField):
            block, base = self.bind_address(code.pointer)
            return block, ir.KernelField(base, code.access)
        return self.bind(code)

    def opaque(self, code: ir.Expression) -> tuple[ir.Block, ir.Expression]:
        """``code``, an integer, as a value that LLVM knows nothing of.

        What is then compared is the very register that is used, so that the verifier sees its bound.
        """
        assert isinstance(code.type, ir.IntType)
        slot, name = self.scope.passing_slot(), self.scope.fresh()
        load = ir.Load(slot, code.type, volatile=True)
        return (ir.Store(slot, code), ir.Declare(name, code.type, load)), ir.Local(name, code.type)

    @property
    def verdict(self) -> int:
        """What the function returns when it has nothing to say, as an i32."""
        verdict = self.attachment.hook.verdict if self.attachment else 0
        return verdict - (1 << 32) if verdict >> 31 == 1 else verdict

    def leave(self) -> ir.Block:
        """Return early because of something that cannot happen, such as a missing array element.

        In a sub-program the value, if it returns one, is put in when its type is known.
        """
        if self.attachment is None:
            return (ir.Return(),)
        wide = isinstance(self.result, Int) and self.result.bits == 64  # a method of a kernel interface
        return (ir.Return(ir.Const(self.verdict, ir.I64 if wide else ir.I32)),)


_SETTLED = (ir.Const, ir.StackSlot, ir.MapAddress, ir.GlobalAddress, ir.ArenaAddress)


def _is_temporary(code: ir.Expression) -> bool:
    """Temporaries (``t.3``) are assigned once, so that reading them twice is no different."""
    return isinstance(code, ir.Local) and code.name.startswith("t.")
