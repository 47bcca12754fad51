"""One function's LLVM IR, line by line.

Invariant: every block ends in exactly one terminator, and every instruction has a source location.  A local that is
assigned to is an alloca of the entry block (mem2reg makes registers of them); any other is the value that it has.
"""

from __future__ import annotations

from beespace.compiler import ir
from beespace.compiler.ir.walk import walk
from beespace.compiler.llvm.core import Core
from beespace.compiler.llvm.debug import Debug
from beespace.compiler.llvm.metadata import quoted
from beespace.record import dataclass, field

__all__ = ["FunctionWriter", "Unit", "llvm_type", "symbol"]

_I1 = "i1"
_LEAVE, _RESULT = "leave", "%result"


def llvm_type(type: ir.Type) -> str:
    """The type of a value in a register."""
    match type:
        case ir.IntType():
            return f"i{type.bits}"
        case ir.BoolType():
            return _I1
        case ir.PointerType():
            return "ptr addrspace(1)" if type.region is ir.Region.ARENA else "ptr"
        case ir.VoidType():
            return "void"


def symbol(name: str) -> str:
    """The name of a function, map or variable."""
    return "@" + quoted(name)


@dataclass(slots=True)
class Unit:
    """What the functions of one module share."""

    debug: Debug
    core: Core
    pass_through: int = 0
    used: set[str] = field(default_factory=set)  # LLVM intrinsics to declare
    kernel_functions: dict[str, str] = field(default_factory=dict)  # declarations by name

    def intrinsic(self, declaration: str) -> None:
        self.used.add(declaration)


class FunctionWriter:
    """Blocks, registers and locals of one function under construction."""

    def __init__(self, unit: Unit, function: ir.Function) -> None:
        self.unit = unit
        self.function = function
        self.scope = unit.debug.function(function)
        self.assigned = {node.name for node in walk(function.body) if isinstance(node, ir.Assign)}
        self.values = {item.name: f"%{quoted('p.' + item.name)}" for item in function.parameters}
        self.locals: dict[str, str] = {}  # the rest, by their addresses
        self.loops: list[tuple[str, str]] = []  # (where continue goes, where break goes)
        self.open = True  # whether the current block still lacks its terminator
        self._spans: list[ir.Span | None] = [function.span]
        self._allocas: list[str] = []
        self._memory: dict[str, str] = {}
        self._lines: list[str] = []
        self._block = "entry"
        self._count = 0
        self._last = function.span

    # --- instructions ---

    def fresh(self, what: str = "t") -> str:
        self._count += 1
        return f"{what}{self._count}"

    def value(self, text: str) -> str:
        """Append an instruction that gives a value; its register."""
        register = f"%{self.fresh()}"
        self.effect(f"{register} = {text}")
        return register

    def effect(self, text: str) -> None:
        """Append an instruction."""
        location = self.unit.debug.location(self._spans[-1], self.function, self.scope)
        self._lines.append(f"  {text}, !dbg {location}")

    def at(self, span: ir.Span | None) -> _At:
        """A context in which instructions come from ``span``."""
        return _At(self._spans, span or self._spans[-1])

    # --- blocks ---

    @property
    def block(self) -> str:
        return self._block

    def start(self, label: str) -> None:
        """Go on in a new block."""
        self._lines.append(f"{label}:")
        self._block = label
        self.open = True

    def jump(self, label: str) -> None:
        self._end(f"br label %{label}")

    def branch(self, condition: str, then: str, otherwise: str) -> None:
        self._end(f"br i1 {condition}, label %{then}, label %{otherwise}")

    def leave(self, value: str = "") -> None:
        """To the one way out of the function, with its result; that way is where the last return stands."""
        self._last = self._spans[-1]
        if value:
            type = llvm_type(self.function.result)
            align = max(1, self.function.result.size)
            self.effect(f"store {type} {value}, ptr {_RESULT}, align {align}")
        self.jump(_LEAVE)

    def _end(self, text: str) -> None:
        if self.open:
            self.effect(text)
            self.open = False

    def phi(self, type: str, incoming: list[tuple[str, str]]) -> str:
        """A value that depends on the block before; ``incoming`` are (value, block)."""
        return self.value(f"phi {type} " + ", ".join(f"[ {value}, %{block} ]" for value, block in incoming))

    # --- locals ---

    def local(self, name: str, type: ir.Type) -> str:
        """Make room for a local; the address of its register."""
        register = f"%{quoted('v.' + name)}"
        self._allocas.append(f"  {register} = alloca {llvm_type(type)}, align {max(1, type.size)}")
        self.locals[name] = register
        return register

    def memory(self, name: str, size: int, align: int) -> str:
        """The address of ``size`` bytes of this call's stack, the same for the same name."""
        register = f"%{quoted('s.' + name)}"
        if name not in self._memory:
            self._memory[name] = register
            self._allocas.append(f"  {register} = alloca [{size} x i8], align {align}")
        return register

    def _finish(self) -> None:
        """The way out stands last, where LLVM lays out what follows; each return on its own would move it up."""
        result, type = self.function.result, llvm_type(self.function.result)
        with self.at(self._last):
            self.start(_LEAVE)
            if isinstance(result, ir.VoidType):
                self._end("ret void")
                return
            align = max(1, result.size)
            self._allocas.append(f"  {_RESULT} = alloca {type}, align {align}")
            self._end(f"ret {type} {self.value(f'load {type}, ptr {_RESULT}, align {align}')}")

    def lines(self) -> list[str]:
        """The whole definition."""
        self._finish()
        function = self.function
        parameters = ", ".join(f"{llvm_type(item.type)} %{quoted('p.' + item.name)}" for item in function.parameters)
        linkage = "internal" if function.section is None and not function.exported else "dso_local"
        place = "" if function.section is None else f" section {quoted(function.section)}"
        attributes = "#2" if function.inlined else "#0"
        signature = f"{llvm_type(function.result)} {symbol(function.name)}({parameters})"
        head = f"define {linkage} {signature} {attributes}{place}"
        return [f"{head} !dbg {self.scope} {{", "entry:", *self._allocas, *self._lines, "}"]


class _At:
    def __init__(self, spans: list[ir.Span | None], span: ir.Span | None) -> None:
        self._spans, self._span = spans, span

    def __enter__(self) -> None:
        self._spans.append(self._span)

    def __exit__(self, *_: object) -> None:
        self._spans.pop()
