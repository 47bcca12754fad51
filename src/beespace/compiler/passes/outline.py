"""Bodies that the kernel calls become functions of their own.

Invariant: such a function sees the locals of the one that it was taken from as they are at that moment, and what
it assigns is seen behind the call: they travel in a piece of the stack, the only memory that helpers pass on.

What is used in the body alone moves into the function: locals, and slots, whose memory then has its own frame.  The
first two words of the state say how the body was left: whether it returned, and what.

The verifier goes through a callback again and again, until what it knows at its start is no news; it does not see
that a callback which gives 1 is the last.  A number that it follows from round to round would be news for ever, so
those that the body assigns travel in a way that it does not follow: in halves, not as one aligned store, and
mixed with a constant, because it knows bytes that are zero.

Kernels before 6.7 go through a callback only once (ab5cfac139ab), take what they know of a first round for true of all,
and hold that there is a round.  So nothing that a round changes may be known: memory that it writes is off the stack
(:mod:`beespace.compiler.passes.off_stack`), numbers are hidden as above, and addresses, which must be followed, have
a second origin that never comes to be (:mod:`beespace.compiler.passes.followed`).  Where a body may return, or
assigns such an address, a number that the verifier does not know to be zero decides whether there is a round at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

from beespace.compiler import ir
from beespace.compiler.ir.walk import rewrite, walk
from beespace.compiler.passes.followed import followed, second_round, with_nowhere
from beespace.record import dataclass, replace

__all__ = ["outline"]

_STACK, _PACKET = ir.PointerType(ir.Region.STACK), ir.PointerType(ir.Region.PACKET)
_STATE = ".state"
_WORD, _HALF = 8, 4
_MIX = 0x9E3779B97F4A7C15  # no byte of it is zero, and no program is likely to have it
_RETURNED, _VALUE, _CAPTURED = 0, _WORD, 2 * _WORD  # offsets in the state
_GO_ON, _STOP = ir.Const(0, ir.I64), ir.Const(1, ir.I64)  # what a callback gives back


def outline(module: ir.Module, *, little_stack: bool = False) -> ir.Module:
    """``module`` without :class:`~beespace.compiler.ir.Each`.

    Where there is ``little_stack`` numbers travel off it: a body gets addresses alone on the stack.
    """
    functions: list[ir.Function] = []
    known = {function.name for function in module.functions}
    for function in module.functions:
        functions += _split(function, known, little_stack)
    return (
        module if len(functions) == len(module.functions) else with_nowhere(replace(module, functions=tuple(functions)))
    )


def _split(function: ir.Function, known: set[str], little_stack: bool) -> Iterator[ir.Function]:
    """The functions that are taken out of ``function``, inner ones first, and what is left of it."""
    # No dot: kernels before 6.5 take none in the name of a function.
    names = (name for number in count(1) if (name := f"{function.name}__{number}") not in known)
    while True:
        each = next((node for node in walk(function.body) if _is_innermost(node)), None)
        if each is None:
            break
        function, taken = _Outline(function, each, next(names), little_stack).split()
        yield taken
    yield function


def _is_innermost(node: Any) -> bool:
    return isinstance(node, ir.Each) and not any(isinstance(inner, ir.Each) for inner in walk(node.body))


@dataclass(frozen=True, slots=True)
class _Captured:
    """A local of the function around, or the address of one of its slots, at ``offset`` in the state.

    ``off_stack``: in what there is of the state off the stack, which the verifier does not know.
    """

    name: str
    type: ir.Type
    offset: int
    assigned: bool = False
    slot: str | None = None
    off_stack: bool = False

    @property
    def followed(self) -> bool:
        """Whether the verifier may follow it: pointers it must."""
        return not self.assigned or isinstance(self.type, ir.PointerType) or self.off_stack

    def kept(self, state: ir.Expression, value: ir.Expression) -> ir.Block:
        """``value`` put into the state."""
        if self.followed:
            return (ir.Store(ir.Offset(state, self.offset), value),)
        mixed = _mixed(ir.Convert(value, ir.U64) if value.type != ir.U64 else value)
        upper = ir.Binary(ir.BinaryOp.SHR, mixed, ir.Const(32, ir.U64))
        return (
            ir.Store(ir.Offset(state, self.offset), ir.Convert(mixed, ir.U32), volatile=True),
            ir.Store(ir.Offset(state, self.offset + _HALF), ir.Convert(upper, ir.U32), volatile=True),
        )

    def read(self, state: ir.Expression) -> ir.Expression:
        """What :meth:`kept` has put there."""
        place = ir.Offset(state, self.offset)
        if self.followed:
            return ir.Load(place, self.type)
        whole = _mixed(ir.Load(place, ir.U64, volatile=True))
        return whole if self.type == ir.U64 else ir.Convert(whole, self.type)


def _mixed(value: ir.Expression) -> ir.Expression:
    """A u64 that the verifier does not know even if it is zero; the same again gives the value back."""
    return ir.Binary(ir.BinaryOp.XOR, value, ir.Const(_MIX, ir.U64))


class _Outline:
    """One body on its way out of ``function``."""

    def __init__(self, function: ir.Function, each: ir.Each, name: str, little_stack: bool) -> None:
        self.function = function
        self.numbers = ir.Slot(f".numbers.{name}", 0, off_stack=True) if little_stack else None
        self.each = each
        self.name = name
        self.slot = f"{_STATE}.{name}"
        inside = list(walk(each.body))
        declared = {node.name for node in inside if isinstance(node, ir.Declare)}
        declared |= {node.index for node in inside if isinstance(node, ir.Loop) and node.index is not None}
        declared |= {parameter.name for parameter in each.parameters}
        around = _without(function.body, each)
        self.moved = self._only_inside(inside, around, declared)
        used_around = self._slots(walk(around)) | {slot.name for slot in function.slots if slot.off_stack}
        self.own_slots = {name for name in self._slots(inside) if name == ir.PASSING or name not in used_around}
        self.taken_slots = self.own_slots - used_around
        self.captured = list(self._capture(inside, declared | {node.name for node in self.moved}))
        size = _CAPTURED + _WORD * sum(not item.off_stack for item in self.captured)
        self.state = ir.Slot(self.slot, size, _WORD, fixed=True)

    # --- what the body uses ---

    def _only_inside(self, inside: list[Any], around: ir.Block, declared: set[str]) -> list[ir.Declare]:
        """Locals without a first value that nothing but the body uses: they are assigned there before they are read."""
        used = {node.name for node in inside if isinstance(node, (ir.Local, ir.Assign))} - declared
        elsewhere = {node.name for node in walk(around) if isinstance(node, (ir.Local, ir.Assign))}
        elsewhere |= {node.result for node in walk(around) if isinstance(node, ir.Each) and node.result is not None}
        return [
            node for node in walk(around)
            if isinstance(node, ir.Declare) and node.value is None and node.name in used - elsewhere
        ]  # fmt: skip

    def _slots(self, nodes: Iterable[Any]) -> set[str]:
        return {node.name for node in nodes if isinstance(node, ir.StackSlot)}

    def _capture(self, inside: list[Any], own: set[str]) -> Iterator[_Captured]:
        assigned = {node.name for node in inside if isinstance(node, ir.Assign)}
        types = self._types()
        names = dict.fromkeys(node.name for node in inside if isinstance(node, (ir.Local, ir.Assign)))
        offset = _CAPTURED
        if self.numbers is not None:
            numbers = [name for name in names if name not in own and not isinstance(types[name], ir.PointerType)]
            self.numbers = replace(self.numbers, size=_WORD * max(1, len(numbers)))
            yield _Captured(f".at.{self.numbers.name}", _STACK, offset, slot=self.numbers.name)
            offset += _WORD
            for place, name in enumerate(numbers):
                yield _Captured(name, types[name], _WORD * place, name in assigned, off_stack=True)
            own = own | {*numbers}
        for name in names:
            if name not in own:
                yield _Captured(name, types[name], offset, name in assigned)
                offset += _WORD
        for name in dict.fromkeys(node.name for node in inside if isinstance(node, ir.StackSlot)):
            if name not in self.own_slots:
                yield _Captured(f".at.{name}", _STACK, offset, slot=name)
                offset += _WORD

    def _types(self) -> dict[str, ir.Type]:
        types: dict[str, ir.Type] = {parameter.name: parameter.type for parameter in self.function.parameters}
        for node in walk(self.function.body):
            if isinstance(node, ir.Declare):
                types[node.name] = node.type
            elif isinstance(node, ir.Loop) and node.index is not None:
                types[node.index] = ir.U32
            elif isinstance(node, ir.Each):
                types |= {parameter.name: parameter.type for parameter in node.parameters}
        return types

    # --- the two halves ---

    def split(self) -> tuple[ir.Function, ir.Function]:
        """What is left of the function, and the function that the kernel calls."""
        moved = {node.name for node in self.moved}

        def change(node: Any) -> Any:
            if node is self.each:
                return self._call()
            return () if isinstance(node, ir.Declare) and node.name in moved else node

        slots = [slot for slot in self.function.slots if slot.name not in self.taken_slots]
        body = _replace(self.function.body, change)
        made = (self.state,) if self.numbers is None else (self.state, self.numbers)
        return replace(self.function, body=body, slots=(*slots, *made)), self._callback()

    def _call(self) -> ir.Block:
        """Put the locals into the state, let the kernel call, take them out; return if the body has."""
        each, state = self.each, ir.StackSlot(self.slot)
        returns = any(isinstance(node, ir.Return) for node in walk(each.body))
        block: ir.Block = (ir.Store(state, ir.Const(0, ir.U64)),)
        addresses = tuple(
            ir.Local(item.name, item.type)
            for item in self.captured if item.assigned and isinstance(item.type, ir.PointerType)
        )  # fmt: skip
        numbers = state if self.numbers is None else ir.StackSlot(self.numbers.name)
        packets = any(item.type == _PACKET for item in self.captured)
        if returns or addresses or packets:
            stored, never = self._never(state)
            block += (*stored, *followed(addresses, _nullable(self.function), never))
        for item in self.captured:
            local = ir.Local(item.name, item.type)
            given = local if item.slot is None else ir.StackSlot(item.slot)
            block += item.kept(numbers if item.off_stack else state, given)
        arguments = (*each.before, ir.FunctionAddress(self.name), state, *each.after)
        call = ir.Helper(each.number, each.name, arguments, ir.I64)
        calling = ir.Evaluate(call) if each.result is None else ir.Assign(each.result, call)
        block += (ir.If(ir.Not(never), (calling,)) if returns or addresses else calling,)
        for item in self.captured:
            if item.assigned:
                block += (ir.Assign(item.name, item.read(numbers if item.off_stack else state)),)
        if returns:
            result = self.function.result
            value = None if result == ir.VOID else ir.Load(ir.Offset(state, _VALUE), result)
            returned = ir.Compare(ir.CompareOp.NE, ir.Load(state, ir.U64), ir.Const(0, ir.U64))
            block += (ir.If(returned, (ir.Return(value),)),)
        if packets:
            block += second_round(never, calling)
        return tuple(replace(node, span=each.span) for node in block)

    def _never(self, state: ir.Expression) -> tuple[ir.Block, ir.Expression]:
        """A condition that is never true: the verifier does not know that, nor LLVM that two of it are the same."""
        zero = _Captured(".never", ir.U64, _VALUE, assigned=True)
        never = ir.Compare(ir.CompareOp.NE, zero.read(state), ir.Const(0, ir.U64))
        return zero.kept(state, ir.Const(0, ir.U64)), never

    def _callback(self) -> ir.Function:
        each, state = self.each, ir.Local(_STATE, _STACK)
        numbers = state if self.numbers is None else ir.Local(f".at.{self.numbers.name}", _STACK)
        opening: ir.Block = ()
        kept: ir.Block = ()
        for item in self.captured:
            where = numbers if item.off_stack else state
            opening += (ir.Declare(item.name, item.type, item.read(where)),)
            if item.assigned:
                kept += item.kept(where, ir.Local(item.name, item.type))
        opening += tuple(self.moved)
        addresses = {item.slot: item for item in self.captured if item.slot is not None}

        def change(node: Any) -> Any:
            match node:
                case ir.StackSlot() if node.name in addresses:
                    return ir.Local(addresses[node.name].name, _STACK, node.span)
                case ir.Return():
                    return (*self._returned(node, state), *kept, ir.Return(_STOP, node.span))
                case _:
                    return node

        # Returns first: those of the breaks that follow are the callback's own.
        body = _left(rewrite(each.body, change), kept)
        span = each.span or self.function.span
        slots = tuple(slot for slot in self.function.slots if slot.name in self.own_slots)
        parameters = (*each.parameters, ir.Parameter(_STATE, _STACK))
        end = (*kept, ir.Return(_GO_ON))
        return ir.Function(self.name, parameters, ir.I64, (*opening, *body, *end), None, slots, fallback=1, span=span)

    def _returned(self, node: ir.Return, state: ir.Local) -> ir.Block:
        block: ir.Block = (ir.Store(state, ir.Const(1, ir.U64), span=node.span),)
        if node.value is not None:
            block = (ir.Store(ir.Offset(state, _VALUE), node.value, span=node.span), *block)
        return block


def _nullable(function: ir.Function) -> set[str]:
    """Addresses in locals that anybody may ask whether they are null."""
    found: set[str] = set()
    for node in walk(function.body):
        match node:
            case ir.Compare():
                asked: tuple[Any, ...] = (node.left, node.right)
            case ir.Convert(type=ir.BoolType()):
                asked = (node.operand,)
            case ir.Declare() | ir.Assign() | ir.Store():
                asked = (node.value,)
            case ir.Call():
                asked = node.arguments
            case ir.Select():
                asked = (node.then, node.otherwise)
            case ir.Return():
                asked = (node.value,)
            case _:
                continue
        found.update(each.name for each in asked if isinstance(each, ir.Local))
    return found - _of_slots(function)


def _of_slots(function: ir.Function) -> set[str]:
    """Locals that are addresses of slots, whatever is assigned to them, and so never null."""
    values: dict[str, bool] = {}
    for node in walk(function.body):
        if isinstance(node, (ir.Declare, ir.Assign)) and node.value is not None:
            place = node.value.value if isinstance(node.value, ir.Sequence) else node.value
            values[node.name] = values.get(node.name, True) and isinstance(place, ir.StackSlot)
    return {name for name, always in values.items() if always}


def _left(body: ir.Block, kept: ir.Block) -> ir.Block:
    """``body`` with its own breaks and continues as returns of the callback."""
    result: list[ir.Statement] = []
    for node in body:
        match node:
            case ir.Break():
                result += [*kept, ir.Return(_STOP, node.span)]
            case ir.Continue():
                result += [*kept, ir.Return(_GO_ON, node.span)]
            case ir.If():
                result.append(replace(node, then=_left(node.then, kept), otherwise=_left(node.otherwise, kept)))
            case ir.Guard():
                result.append(replace(node, body=_left(node.body, kept)))
            case _:
                result.append(node)
    return tuple(result)


def _without(body: ir.Block, each: ir.Each) -> ir.Block:
    """``body`` with the parts of ``each`` that stay, and without its own body."""
    return _replace(body, lambda node: replace(each, body=()) if node is each else node)


def _replace(body: ir.Block, change: Any) -> ir.Block:
    """Like :func:`rewrite`, parents first: ``change`` sees the nodes of ``body`` themselves."""
    result: list[ir.Statement] = []
    for node in body:
        new = change(node)
        for statement in new if isinstance(new, tuple) else (new,):
            result.append(_inner(statement, change) if statement is node else statement)
    return tuple(result)


def _inner(node: ir.Statement, change: Any) -> ir.Statement:
    match node:
        case ir.If():
            return replace(node, then=_replace(node.then, change), otherwise=_replace(node.otherwise, change))
        case ir.Loop() | ir.Each() | ir.Guard():
            return replace(node, body=_replace(node.body, change))
        case _:
            return node
