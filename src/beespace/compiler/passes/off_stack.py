"""Memory of which the verifier must know nothing goes off the stack.

The verifier knows what stands on the stack, and nothing of what stands in a map.  Two kinds of memory are better not
known:

* what a body that the kernel calls writes, and others use.  Kernels before 6.7 (commit ab5cfac139ab) look at such a
  body once, take what it finds and leaves in that round for what every round does, and delete the branches that this
  rules out;
* what is reached at a computed place.  Before 5.12 (01f810ace9ed) there is no such place on the stack, and before 6.3
  (6715df8d5d24) what was written there may be refused when it is read.

Invariant: the slots that are marked here are moved by :mod:`beespace.compiler.stack`, whether or not there is room.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from beespace.compiler import ir
from beespace.compiler.ir.walk import children, walk
from beespace.compiler.passes.blocks import each_function
from beespace.isa.signatures import SIGNATURES
from beespace.record import dataclass, field, replace

__all__ = ["off_stack"]

# A slot by its name, or what a parameter points to by its number.
_Origin: TypeAlias = str | int
_STACK = ir.PointerType(ir.Region.STACK)
_KNOWN = (ir.Const, ir.Local, ir.Binary, ir.Convert)


def off_stack(module: ir.Module) -> ir.Module:
    """See the module."""
    bodies = tuple(function.body for function in module.functions)
    if not any(isinstance(node, (ir.Each, ir.FunctionAddress)) or _is_computed(node) for node in walk(bodies)):
        return module
    functions = {function.name: _Memory(function) for function in module.functions}
    hidden = {name: {at for at, use in found.uses.items() if use.is_hidden()} for name, found in functions.items()}
    changed = True
    while changed:
        changed = False
        for name, found in functions.items():
            for origin, use in found.uses.items():
                if origin not in hidden[name] and any(at in hidden.get(callee, ()) for callee, at in use.passed):
                    hidden[name].add(origin)
                    changed = True
    return each_function(module, lambda function: _marked(function, hidden[function.name]))


def _is_computed(node: Any) -> bool:
    return isinstance(node, ir.Offset) and not isinstance(node.bytes, int) and node.type == _STACK


def _marked(function: ir.Function, hidden: set[_Origin]) -> ir.Function:
    if hidden.isdisjoint(slot.name for slot in function.slots):
        return function
    slots = (replace(slot, off_stack=not slot.fixed) if slot.name in hidden else slot for slot in function.slots)
    return replace(function, slots=tuple(slots))


@dataclass(slots=True)
class _Use:
    """What is done with one piece of memory.

    ``places`` are those of its uses: the bodies that the kernel calls, from the outermost on.
    """

    is_parameter: bool
    places: set[tuple[int, ...]] = field(default_factory=set)
    written: set[int] = field(default_factory=set)  # the bodies that write it
    passed: set[tuple[str, int]] = field(default_factory=set)  # to which parameters of which functions
    computed: bool = False
    stored: bool = False  # its address stands in memory, where a callback finds it

    def is_hidden(self) -> bool:
        """Whether the verifier must not know it."""
        if self.computed or self.stored:
            return True
        return any(self.is_parameter or any(body not in place for place in self.places) for body in self.written)


class _Memory:
    """What one function does with its slots, and with the memory that its parameters point to."""

    def __init__(self, function: ir.Function) -> None:
        self.uses: dict[_Origin, _Use] = {}
        self._bodies = 0
        self._origins: dict[str, set[_Origin]] = {
            parameter.name: {number}
            for number, parameter in enumerate(function.parameters) if parameter.type == _STACK
        }  # fmt: skip
        nodes = list(walk(function.body))
        self._follow(nodes)
        self._known = _known_in_loops(nodes)
        self._visit(function.body, ())

    def _follow(self, nodes: list[Any]) -> None:
        """Find out which memory each local may point to."""
        assigned = [
            (node.name, node.value) for node in nodes
            if isinstance(node, (ir.Declare, ir.Assign)) and node.value is not None and node.value.type == _STACK
        ]  # fmt: skip
        size = -1
        while size != (size := sum(map(len, self._origins.values()))):
            for name, value in assigned:
                self._origins.setdefault(name, set()).update(tuple(self._of(value)))

    def _of(self, node: Any) -> Iterator[_Origin]:
        """Which memory an address may be of."""
        match node:
            case ir.StackSlot() if node.name != ir.PASSING:
                yield node.name
            case ir.Local():
                yield from self._origins.get(node.name, ())
            case ir.Offset():
                yield from self._of(node.pointer)
            case ir.Convert():
                yield from self._of(node.operand)
            case ir.Select():
                yield from self._of(node.then)
                yield from self._of(node.otherwise)
            case ir.Sequence():
                yield from self._of(node.value)

    def _uses(self, node: Any) -> Iterator[_Use]:
        for origin in self._of(node):
            if origin not in self.uses:
                self.uses[origin] = _Use(isinstance(origin, int))
            yield self.uses[origin]

    def _visit(self, tree: Any, place: tuple[int, ...]) -> None:
        """Note what ``tree`` does, which is inside those bodies."""
        waiting = [tree]
        while waiting:
            node = waiting.pop()
            if isinstance(node, tuple):
                waiting.extend(node)
            elif isinstance(node, ir.Each):
                self._bodies += 1
                self._visit(node.body, (*place, self._bodies))
                waiting.extend((node.before, node.after))
            else:
                self._note(node, place)
                waiting.extend(children(node))

    def _note(self, node: Any, place: tuple[int, ...]) -> None:
        match node:
            case ir.StackSlot() | ir.Local():
                for use in self._uses(node):
                    use.places.add(place)
            case ir.Assign():
                # A body that assigns an address which others may see must not leave that of memory of its own.
                for use in self._uses(ir.Local(node.name, _STACK)):
                    use.places.add(place)
            case ir.Store():
                self._written(node.pointer, place)
                for use in self._uses(node.value):
                    use.stored = True
            case ir.AtomicAdd() | ir.Atomic() | ir.Zero():
                self._written(node.pointer, place)
            case ir.Copy():
                self._written(node.target, place)
            case ir.Helper():
                for number, argument in enumerate(node.arguments):
                    if _writes(node, number):
                        self._written(argument, place)
            case ir.KernelFunction():
                self._written(node.arguments, place)
            case ir.Call():
                for number, argument in enumerate(node.arguments):
                    self._written(argument, place)
                    for use in self._uses(argument):
                        use.passed.add((node.function, number))
            case ir.Offset() if not isinstance(node.bytes, int) and not self._is_known(node.bytes):
                for use in self._uses(node):
                    use.computed = True

    def _written(self, pointers: Any, place: tuple[int, ...]) -> None:
        for pointer in pointers if isinstance(pointers, tuple) else (pointers,):
            for use in self._uses(pointer):
                use.written.update(place)

    def _is_known(self, number: ir.Expression) -> bool:
        return all(
            isinstance(node, _KNOWN) and (not isinstance(node, ir.Local) or node.name in self._known)
            for node in walk(number)
        )


def _writes(call: ir.Helper, number: int) -> bool:
    """Whether the helper writes to what that argument points to."""
    signature = SIGNATURES.get(call.name)
    if signature is None or number >= len(signature.arguments):
        return True
    return ":out" in (kind := signature.arguments[number].kind) or ":both" in kind


def _known_in_loops(nodes: list[Any]) -> set[str]:
    """Locals that depend on the indices of walked loops alone: the verifier knows them in each round."""
    values: dict[str, list[ir.Expression]] = {}
    for node in nodes:
        if isinstance(node, (ir.Declare, ir.Assign)):
            values.setdefault(node.name, []).extend((node.value,) if node.value is not None else ())
        elif isinstance(node, ir.Loop) and node.index is not None:
            values.setdefault(node.index, [])
    if any(isinstance(node, ir.Each) for node in nodes):
        return {node.index for node in nodes if isinstance(node, ir.Loop) and node.index is not None}
    known = set(values)
    size = -1
    while size != (size := len(known)):
        for name, found in values.items():
            if not all(isinstance(node, _KNOWN) for value in found for node in walk(value)) or any(
                isinstance(node, ir.Local) and node.name not in known for value in found for node in walk(value)
            ):
                known.discard(name)
    return known
