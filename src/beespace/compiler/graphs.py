"""Lists and trees in map values, of objects that the program makes.

Invariant: a list or tree is touched only while the lock of its value is held, as the verifier wants it; what goes in is
owned before and not after, what comes out the other way round.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from beespace.compiler import ir, rules
from beespace.compiler.expressions.numbers import present
from beespace.compiler.frame import Frame
from beespace.compiler.functions import compile_callback
from beespace.compiler.maps.operations import argument_nodes
from beespace.compiler.owned import LENT, OBJECT, forget_lent, given, kernel_function, made
from beespace.compiler.types import VOID, Bool, Optional, Resource, StructType, SubProgram
from beespace.compiler.values import Value, not_null, offset
from beespace.record import replace
from beespace.schema import ResourceKind, Struct

__all__ = ["LIST", "TREE"]

_ALIGN = 8
Word = Callable[[Frame, Resource, Value, ast.Call], Value]


def _checked(frame: Frame, resource: Resource, node: ast.Call) -> tuple[type[Struct], int]:
    """What is in the list or tree, and where its link is; a mistake if the lock is not held."""
    assert isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Attribute)
    owner = ast.unparse(node.func.value.value)
    locks = [
        field.name for field in resource.owner.layout.fields
        if isinstance(field.kind, ResourceKind) and field.kind.name == "SpinLock"
    ]  # fmt: skip
    what = ast.unparse(node.func.value)
    if not locks:
        raise frame.error(
            rules.NotLocked, node, what=what, owner=owner, lock="lock",
            suggestion=f"give {resource.owner.__name__} one: `lock: SpinLock = spin_lock()`",
        )  # fmt: skip
    if f"{owner}.{locks[0]}" not in frame.locked:
        suggestion = f"write it inside `with {owner}.{locks[0]}:`"
        raise frame.error(rules.NotLocked, node, what=what, owner=owner, lock=locks[0], suggestion=suggestion)
    holds: type[Struct] = resource.kind.holds
    return holds, holds.layout.field(resource.kind.link).offset


def _outer(frame: Frame, node: ir.Local, link: int) -> ir.Expression:
    """The object of which ``node``, which is not null, is the link.

    It passes through memory: else LLVM compares the link with a number where the object is compared with null, which
    the verifier does not follow.
    """
    if link == 0:
        return node
    slot = frame.scope.fixed_slot("link", 8)
    return ir.Sequence(
        (ir.Store(slot, ir.Offset(node, -link), volatile=True),), ir.Load(slot, node.type, volatile=True)
    )


def _put(function: str, word: str) -> Word:
    """A word that puts an object in."""

    def put(frame: Frame, resource: Resource, value: Value, node: ast.Call) -> Value:
        (argument,) = argument_nodes(frame, node, word, "item")
        cls, link = _checked(frame, resource, node)
        item = present(frame, frame.value(argument), argument)
        pointer, gone = given(frame, item, word, cls, argument)
        order = (_order(frame, cls, link, node),) if function == "bpf_rbtree_add" else ()
        adding = kernel_function(frame, node, function, ir.I32, value.expression, offset(pointer, link), *order)
        return Value(VOID, ir.Sequence((ir.Evaluate(adding), *gone), ir.Const(0, ir.U64)))

    return put


def _taken(function: str, word: str) -> Word:
    """A word that takes an object out."""

    def taken(frame: Frame, resource: Resource, value: Value, node: ast.Call) -> Value:
        argument_nodes(frame, node, word)
        cls, link = _checked(frame, resource, node)
        popping = kernel_function(frame, node, function, OBJECT, value.expression)
        forget_lent(frame, f"{word} may have taken it")
        return _unlinked(frame, cls, link, (), popping, node)

    return taken


def _unlinked(
    frame: Frame, cls: type[Struct], link: int, before: ir.Block, code: ir.Expression, place: ast.AST
) -> Value:
    """The object whose link the kernel gives, or None."""
    node = ir.Local(frame.scope.fresh("link"), OBJECT)
    found = frame.scope.fresh("found")
    block: ir.Block = (
        *before,
        ir.Declare(node.name, OBJECT, code),
        ir.Declare(found, OBJECT),
        ir.If(not_null(node), (ir.Assign(found, _outer(frame, node, link)),)),
    )
    return made(frame, cls, block, ir.Local(found, OBJECT), place)


def _lent(function: str, word: str, since: str) -> Word:
    """A word that shows an object, which stays where it is."""

    def lent(frame: Frame, resource: Resource, value: Value, node: ast.Call) -> Value:
        argument_nodes(frame, node, word)
        cls, link = _checked(frame, resource, node)
        first = ir.Local(frame.scope.fresh("link"), LENT)
        found = frame.scope.fresh("found")
        looking = kernel_function(frame, node, function, LENT, value.expression, since=since)
        block: ir.Block = (
            ir.Declare(first.name, LENT, looking),
            ir.Declare(found, LENT),
            ir.If(not_null(first), (ir.Assign(found, _outer(frame, first, link)),)),
        )
        return Value(Optional(StructType(cls)), ir.Sequence(block, ir.Local(found, LENT)), align=_ALIGN)

    return lent


def _first_of_tree(frame: Frame, resource: Resource, value: Value, node: ast.Call) -> Value:
    """``tree.popleft()``: bpf_rbtree_first(), then bpf_rbtree_remove()."""
    argument_nodes(frame, node, "Tree.popleft()")
    cls, link = _checked(frame, resource, node)
    before, root = frame.bind_address(value.expression)
    first = ir.Local(frame.scope.fresh("link"), LENT)
    out = frame.scope.fresh("out")
    removing = kernel_function(frame, node, "bpf_rbtree_remove", OBJECT, root, first)
    block: ir.Block = (
        *before,
        ir.Declare(first.name, LENT, kernel_function(frame, node, "bpf_rbtree_first", LENT, root)),
        ir.Declare(out, OBJECT),
        ir.If(not_null(first), (ir.Assign(out, removing),)),
    )
    forget_lent(frame, "Tree.popleft() may have taken it")
    return _unlinked(frame, cls, link, block, ir.Local(out, OBJECT), node)


def _removed(frame: Frame, resource: Resource, value: Value, node: ast.Call) -> Value:
    """``tree.remove(item)`` of what ``first()`` gave."""
    (argument,) = argument_nodes(frame, node, "Tree.remove()", "item")
    cls, link = _checked(frame, resource, node)
    item = present(frame, frame.value(argument), argument)
    if item.type != StructType(cls) or item.code is None or item.code.type != LENT:
        found = "one that is in no tree" if item.type == StructType(cls) else item.type
        raise frame.error(rules.NotOwned, argument, word="Tree.remove()", found=found,
                          suggestion="it takes out what .first() gave, inside the same `with`")  # fmt: skip
    removing = kernel_function(frame, node, "bpf_rbtree_remove", OBJECT, value.expression, offset(item.code, link))
    forget_lent(frame, "Tree.remove() has taken it")
    return _unlinked(frame, cls, link, (), removing, node)


def _order(frame: Frame, cls: type[Struct], link: int, node: ast.Call) -> ir.FunctionAddress:
    """The function that the kernel compares two objects with: ``first < second``, by their links."""
    unit = frame.unit
    name = f"{cls.layout.name}__less{unit.suffix}"
    if name in unit.callbacks:
        return ir.FunctionAddress(name)
    method = SubProgram(f"{cls.layout.name}__lt", vars(cls)["__lt__"], free=True)
    parameters = (ir.Parameter("first", LENT), ir.Parameter("second", LENT))
    sides = [Value(StructType(cls), offset(ir.Local(each.name, LENT), -link), align=_ALIGN) for each in parameters]
    pairs = (("the first", sides[0]), ("the second", sides[1]))
    compiled = compile_callback(frame, method, pairs, "a Tree", node)
    if not isinstance(compiled.result.type, Bool):
        raise frame.error(rules.CallbackShape, node, name=f"{cls.__name__}.__lt__", what="a Tree",
                          given="two of them", problem=f"it returns {compiled.result.type}",
                          suggestion="return a bool: `return self.time < other.time`")  # fmt: skip
    unit.callbacks.add(name)
    calling = ir.Call(compiled.name, tuple(side.expression for side in sides), ir.BOOL)
    body = (ir.Return(ir.Convert(calling, ir.I64)),)
    # Under a lock nothing may be called.
    unit.functions[compiled.name] = replace(unit.functions[compiled.name], inlined=True)
    unit.functions[name] = ir.Function(name, parameters, ir.I64, body, None, (), span=frame.code_span(node))
    return ir.FunctionAddress(name)


LIST: dict[str, Word] = {
    "append": _put("bpf_list_push_back", "LinkedList.append()"),
    "appendleft": _put("bpf_list_push_front", "LinkedList.appendleft()"),
    "pop": _taken("bpf_list_pop_back", "LinkedList.pop()"),
    "popleft": _taken("bpf_list_pop_front", "LinkedList.popleft()"),
    "first": _lent("bpf_list_front", "LinkedList.first()", "6.16"),
    "last": _lent("bpf_list_back", "LinkedList.last()", "6.16"),
}
TREE: dict[str, Word] = {
    "add": _put("bpf_rbtree_add", "Tree.add()"),
    "first": _lent("bpf_rbtree_first", "Tree.first()", "6.6"),
    "popleft": _first_of_tree,
    "remove": _removed,
}
