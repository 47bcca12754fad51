"""Statements: one function for each kind of node.

Invariant: closed by default, as expressions are; a statement that fails leaves what it would have
assigned unknown, so that one mistake is one message.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any

from beespace.compiler import ir, maps, marks, rules
from beespace.compiler.contexts import fields as contexts
from beespace.compiler.diagnostics import Failure, did_you_mean
from beespace.compiler.expressions.call_arguments import arguments_of
from beespace.compiler.expressions.elements import array_element
from beespace.compiler.expressions.numbers import binary, fit, known, not_a_value, present
from beespace.compiler.flow import State
from beespace.compiler.frame import Frame
from beespace.compiler.memory import SLOT_ALIGN, field_of, load, memory_align, store
from beespace.compiler.names import annotation, is_self
from beespace.compiler.owned import drop
from beespace.compiler.results import items_of
from beespace.compiler.statements.assignments import assign_local, with_type
from beespace.compiler.statements.failing import assert_statement
from beespace.compiler.statements.loops import for_loop, while_loop
from beespace.compiler.statements.matching import match_statement
from beespace.compiler.statements.returns import return_statement
from beespace.compiler.statements.with_blocks import with_block
from beespace.compiler.structs import assign, assign_field, check_writable
from beespace.compiler.types import (
    NONE,
    POISON,
    Address,
    Array,
    Bool,
    Bytes,
    Context,
    Int,
    Literal,
    Manager,
    MapObject,
    Poison,
    Static,
    StructType,
    Text,
    Tuple,
    Type,
    of_kind,
)
from beespace.compiler.values import Value, number, offset
from beespace.lang import Global
from beespace.record import replace
from beespace.schema import AddressKind, BytesKind, Kind, TextKind
from beespace.schema.kinds import kind_align, kind_size

__all__ = ["block"]


def block(frame: Frame, body: Iterable[ast.stmt]) -> ir.Block:
    """Lower statements; each mistake is noted, and the next statement goes on."""
    result: list[ir.Statement] = []
    frame.nesting += 1
    for node in body:
        if not frame.state.reachable:
            if not _says_nothing(node):
                frame.unit.diagnostics.add(frame.error(rules.Unreachable, node))
            break
        before = frame.state.copy()
        try:
            span = frame.code_span(node)
            result += [replace(made, span=span) for made in marks.mark(frame, node)]
            result += [replace(made, span=span) if made.span is None else made for made in _statement(frame, node)]
        except Failure as failure:
            frame.unit.diagnostics.add(failure)
            if frame.loops and isinstance(node, ast.If):
                _learn(frame, node, before)
            frame.state = before.dead() if isinstance(node, ast.Return) else before
            _poison(frame, node)
        except RecursionError:
            if frame.nesting > 1:
                frame.nesting -= 1
                raise  # the place is that of the whole statement: how far it was read is chance
            frame.unit.diagnostics.add(frame.error(rules.TooDeep, node))
            frame.state = before
            _poison(frame, node)
        frame.scope.release(keep=frame.keep_slots)
        frame.keep_slots = False
    frame.nesting -= 1
    return tuple(result)


def _learn(frame: Frame, node: ast.If, before: State) -> None:
    """What the branches of an if assign to a local that was None only: its loop is compiled again with that."""
    mark = frame.unit.diagnostics.mark()
    for branch in (node.body, node.orelse):
        frame.state = before.copy()
        block(frame, branch)
    frame.unit.diagnostics.forget(mark)


def _says_nothing(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _poison(frame: Frame, node: ast.stmt) -> None:
    """What the statement assigns is unknown from here on."""
    for found in ast.walk(node):
        if isinstance(found, ast.Name) and isinstance(found.ctx, ast.Store):
            frame.state.assign(found.id, POISON)
        elif isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            frame.state.assign(found.name, POISON)


def _statement(frame: Frame, node: ast.stmt) -> ir.Block:
    lower = NODES.get(type(node))
    if lower is None:
        what, suggestion = _REFUSED.get(type(node), (f"a {type(node).__name__} statement", ""))
        raise frame.error(rules.NotSupported, node, what=what, suggestion=suggestion)
    return lower(frame, node)


# --- assignment ----------------------------------------------------------------------------------


def _assign(frame: Frame, node: ast.Assign) -> ir.Block:
    (target, *others) = node.targets
    if others:
        return _assign_several(frame, node)
    if isinstance(target, ast.Tuple | ast.List):
        return _unpack(frame, target, node.value)
    wanted = _wanted(frame, target)
    value = frame.value(node.value, _place_type(frame, target) if isinstance(node.value, ast.List) else wanted)
    return _assign_to(frame, target, value, node.value)


def _wanted(frame: Frame, target: ast.expr) -> Any:
    """The type that a local has already, for literals to take."""
    variable = frame.scope.variables.get(target.id) if isinstance(target, ast.Name) else None
    return variable.type if variable is not None and isinstance(variable.type, Int) else None


def _place_type(frame: Frame, target: ast.expr) -> Any:
    """The type of a field or element, for a list to be an array of."""
    if isinstance(target, ast.Attribute) and not is_self(frame, target.value):
        return frame.value(ast.copy_location(ast.Attribute(target.value, target.attr, ast.Load()), target)).type
    if isinstance(target, ast.Subscript) and isinstance(owner := frame.value(target.value).type, Array):
        return of_kind(owner.kind.element)
    return _wanted(frame, target)


def _assign_several(frame: Frame, node: ast.Assign) -> ir.Block:
    """``a = b = value``: evaluated once."""
    value = present(frame, frame.value(node.value, _wanted(frame, node.targets[0])), node.value)
    if value.recipe is not None or (not isinstance(value.type, (Int, Literal)) and value.code is None):
        raise frame.error(
            rules.NotSupported,
            node,
            what="several targets at once for this value",
            suggestion="assign one after another",
        )
    result: ir.Block = ()
    if value.code is not None:
        result, code = frame.bind(value.code)
        value = replace(value, code=code)
    for target in node.targets:
        result += _assign_to(frame, target, value, node.value)
    return result


def _unpack(frame: Frame, target: ast.Tuple | ast.List, value_node: ast.expr) -> ir.Block:
    """``a, b = b, a``: all values first."""
    names = target.elts
    if len(names) == 2 and isinstance(value_node, ast.Call) and _is_divmod(frame, value_node):
        return _unpack_divmod(frame, names, value_node)
    if not isinstance(value_node, ast.Tuple | ast.List):
        return _unpack_result(frame, names, value_node)
    if len(value_node.elts) != len(names):
        raise frame.error(rules.Unpacking, value_node, expected=len(names), found=f"{len(value_node.elts)} values")
    result: ir.Block = ()
    values: list[Value] = []
    for name, node in zip(names, value_node.elts, strict=True):
        value = frame.value(node, _wanted(frame, name))
        kind = _copied_kind(value.type, name)
        if kind is not None:
            slot = frame.scope.slot(kind_size(kind))
            result += store(frame, slot, SLOT_ALIGN, kind, value, node, "the value")
            value = Value(value.type, slot, align=SLOT_ALIGN)
        elif value.recipe is not None or isinstance(value.type, Text):
            raise frame.error(
                rules.NotSupported, node, what="a tuple of texts or structs", suggestion="assign one after another"
            )
        elif value.code is not None:
            before, code = frame.bind(value.code)
            result += before
            value = replace(value, code=code)
        values.append(value)
    for name, value, node in zip(names, values, value_node.elts, strict=True):
        result += _assign_to(frame, name, value, node)
    return result


def _unpack_result(frame: Frame, names: list[ast.expr], node: ast.expr) -> ir.Block:
    """``a, b = self.split(x)``: what a function returned."""
    value = present(frame, frame.value(node), node)
    count = len(value.type.items) if isinstance(value.type, Tuple) else 1
    if count != len(names) or not isinstance(value.type, Tuple):
        found = f"{count} values" if count > 1 else "one value"
        raise frame.error(rules.Unpacking, node, expected=len(names), found=found)
    result, values = items_of(frame, value)
    for name, each in zip(names, values, strict=True):
        result += _assign_to(frame, name, each, node)
    return result


def _copied_kind(type_: Type, target: ast.expr) -> Kind | None:
    """The kind of a value that must be copied before anything is assigned, since what it stands in may be a target."""
    if isinstance(type_, (Text, Bytes)):
        if type_.size is None:
            return None
        return TextKind(type_.size) if isinstance(type_, Text) else BytesKind(type_.size)
    if isinstance(type_, Address):
        return AddressKind()
    if isinstance(target, ast.Name):
        return None  # another name for the same struct
    if isinstance(type_, StructType):
        return type_.cls
    return type_.kind if isinstance(type_, Array) else None


def _is_divmod(frame: Frame, node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and frame.value(node.func).type == Static(divmod)


def _unpack_divmod(frame: Frame, names: list[ast.expr], node: ast.Call) -> ir.Block:
    """``whole, rest = divmod(a, b)``."""
    left_node, right_node = arguments_of(frame, node, "divmod", 2)
    left = known(frame, frame.value(left_node), left_node, "divmod()")
    right = known(frame, frame.value(right_node, left.type), right_node, "divmod()")
    result: ir.Block = ()
    operands = []
    for operand in (left, right):
        if operand.code is not None:
            before, code = frame.bind(operand.code)
            result += before
            operand = replace(operand, code=code)
        operands.append(operand)
    values = []
    for op in (ast.FloorDiv(), ast.Mod()):
        place = ast.copy_location(ast.BinOp(left_node, op, right_node), node)
        value = binary(frame, op, operands[0], operands[1], place, None)
        if value.code is not None:
            before, code = frame.bind(value.code)
            result += before
            value = replace(value, code=code)
        values.append(value)
    for name, value in zip(names, values, strict=True):
        result += _assign_to(frame, name, value, node)
    return result


def _assign_to(frame: Frame, target: ast.expr, value: Value, value_node: ast.expr) -> ir.Block:
    if isinstance(target, ast.Name):
        if is_self(frame, target):
            raise frame.error(rules.AssignTarget, target, what="self")
        return assign_local(frame, target, value, value_node)
    if isinstance(target, ast.Attribute):
        return _assign_attribute(frame, target, value, value_node)
    if isinstance(target, ast.Subscript):
        return _assign_subscript(frame, target, value, value_node)
    raise frame.error(rules.AssignTarget, target, what=f"a {type(target).__name__}", suggestion="assign one by one")


def _assign_attribute(frame: Frame, target: ast.Attribute, value: Value, value_node: ast.expr) -> ir.Block:
    if is_self(frame, target.value):
        raise _self_assignment(frame, target)
    owner = frame.value(target.value)
    if isinstance(owner.type, MapObject):
        place = maps.attribute(frame, owner, target.attr)
        if place is None:
            raise maps.unknown_word(frame, owner.type, f"{target.attr} = ", target)
        before, pointer, kind = place
        what = f"{owner.type.name}.{target.attr}"
        return before + assign(frame, pointer, kind_align(kind), kind, value, value_node, what)
    owner = present(frame, owner, target.value)
    if isinstance(owner.type, Context):
        return contexts.store(frame, owner, target.attr, value, target, value_node)
    return assign_field(frame, owner, target, value, value_node)


def _self_assignment(frame: Frame, target: ast.Attribute) -> Failure:
    name = target.attr
    declaration = frame.unit.declaration
    if name in declaration.options:
        return frame.error(
            rules.ReadOnly, target, what=f"the option {name}", why="constant while the program runs",
            suggestion=f"declare a variable: `{name} = Global(u32)`, then `self.{name}.value = ...`",
        )  # fmt: skip
    if name in declaration.maps:
        what = declaration.maps[name]
        suggestion = f"self.{name}.value = ..." if isinstance(what, Global) else f"self.{name}[key] = ..."
        return frame.error(rules.AssignTarget, target, what=f"the map {name}", suggestion=f"write {suggestion}")
    near = did_you_mean(name, [*declaration.maps, *declaration.options])
    declare = f"declare it in the class: `{name} = Global(u64)`, then `self.{name}.value = ...`"
    return frame.error(rules.AssignTarget, target, what=f"self.{name}", suggestion=near or declare)


def _assign_subscript(frame: Frame, target: ast.Subscript, value: Value, value_node: ast.expr) -> ir.Block:
    owner = frame.value(target.value)
    if isinstance(owner.type, MapObject):
        return maps.set_item(frame, owner, target, value, value_node)
    owner = present(frame, owner, target.value)
    if contexts.is_element(owner):
        return contexts.store_element(frame, owner, target, value, value_node)
    if not isinstance(owner.type, Array):
        raise frame.error(rules.AssignTarget, target, what=f"an element of {owner.type}")
    pointer, kind = array_element(frame, owner, target)
    return assign(frame, pointer, kind_align(kind), kind, value, value_node, ast.unparse(target))


def _annotated(frame: Frame, node: ast.AnnAssign) -> ir.Block:
    if not isinstance(node.target, ast.Name):
        raise frame.error(rules.AssignTarget, node.target, what="an annotated field",
                          suggestion="its type stands in its class")  # fmt: skip
    declared = annotation(frame, node.annotation)
    if node.value is None:
        raise frame.error(rules.NoEffect, node, suggestion=f"give it a value: `{ast.unparse(node)} = 0`")
    before = frame.scope.variables.get(node.target.id)
    if before is not None and isinstance(declared, (Int, Bool)) and before.type not in (declared, NONE):
        raise frame.error(
            rules.VariableType, node.annotation, name=node.target.id, declared=before.type, found=declared,
            suggestion="use another name",
        )  # fmt: skip
    value = frame.value(node.value, declared)
    return assign_local(frame, node.target, with_type(frame, value, declared, node.value, node.target.id), node.value)


# --- augmented assignment ------------------------------------------------------------------------


def _augmented(frame: Frame, node: ast.AugAssign) -> ir.Block:
    target = node.target
    if isinstance(target, ast.Name):
        if is_self(frame, target):
            raise frame.error(rules.AssignTarget, target, what="self")
        read = ast.copy_location(ast.Name(target.id, ast.Load()), target)
        current = present(frame, frame.value(read), target)
        before, code = frame.bind(current.expression)
        current = replace(current, code=code)
        value = binary(frame, node.op, current, frame.value(node.value, current.type), node, current.type)
        return before + assign_local(frame, target, value, node.value)
    if isinstance(target, ast.Subscript):
        owner = frame.value(target.value)
        if isinstance(owner.type, MapObject):
            return maps.increment_item(frame, owner, node)
        owner = present(frame, owner, target.value)
        if contexts.is_element(owner):
            return _assign_subscript(frame, target, frame.value(_spelled_out(node, target)), node.value)
        if not isinstance(owner.type, Array):
            raise frame.error(rules.AssignTarget, target, what=f"an element of {owner.type}")
        pointer, kind = array_element(frame, owner, target)
        return _increment(frame, pointer, kind, kind_align(kind), node)
    if is_self(frame, target.value) and target.attr in frame.unit.declaration.maps:
        return maps.increment_counter(frame, frame.value(target), node)
    if is_self(frame, target.value):
        raise _self_assignment(frame, target)
    owner = frame.value(target.value)
    found = maps.attribute(frame, owner, target.attr) if isinstance(owner.type, MapObject) else None
    if found is not None:
        before, pointer, kind = found
        return before + _increment(frame, pointer, kind, kind_align(kind), node)
    owner = present(frame, owner, target.value)
    if not isinstance(owner.type, StructType):
        return _assign_attribute(frame, target, frame.value(_spelled_out(node, target)), node.value)
    field = field_of(frame, owner.type.cls, target.attr, target)
    place = offset(owner.expression, field.offset)
    return _increment(frame, place, field.kind, memory_align(owner.align, field.offset), node)


def _spelled_out(node: ast.AugAssign, target: ast.Attribute | ast.Subscript) -> ast.BinOp:
    """``ctx.mark |= 1`` as ``ctx.mark | 1``."""
    read: ast.expr
    if isinstance(target, ast.Attribute):
        read = ast.copy_location(ast.Attribute(target.value, target.attr, ast.Load()), target)
    else:
        read = ast.copy_location(ast.Subscript(target.value, target.slice, ast.Load()), target)
    return ast.copy_location(ast.BinOp(read, node.op, node.value), node)


def _increment(frame: Frame, place: ir.Expression, kind: Kind, align: int, node: ast.AugAssign) -> ir.Block:
    """``place += n``: one atomic step in a map, read and written on the stack."""
    what = ast.unparse(node.target)
    check_writable(frame, place, what, node.target)
    before, pointer = frame.bind_address(place)
    if place.type in (ir.PointerType(ir.Region.MAP_VALUE), ir.PointerType(ir.Region.ARENA)):
        type_ = maps.addable(frame, node.op, kind, what, node.target)
        value = present(frame, frame.value(node.value, type_), node.value)
        if isinstance(value.type, Literal) and value.type.value < 0 and not type_.signed:
            value = Value(type_, number(value.type.value, type_))
        between, amount = frame.bind(fit(frame, value, type_, node.value, what))
        return before + between + maps.atomic_add(node.op, pointer, amount)
    current = load(pointer, kind, align)
    middle: ir.Block = ()
    if current.code is not None and isinstance(current.type, Int):
        middle, code = frame.bind(current.code)
        current = replace(current, code=code)
    value = binary(frame, node.op, current, frame.value(node.value, of_kind(kind)), node, current.type)
    return before + middle + store(frame, pointer, align, kind, value, node.value, what)


# --- the rest ------------------------------------------------------------------------------------


def _if(frame: Frame, node: ast.If) -> ir.Block:
    test = frame.condition(node.test)
    # What the condition needed in memory is free again in the branches.
    frame.scope.release(keep=frame.keep_slots)
    frame.state = test.when_true
    then = frame.block(node.body) if test.when_true.reachable else ()
    after_then = frame.state
    frame.state = test.when_false
    otherwise = frame.block(node.orelse) if test.when_false.reachable else ()
    frame.state = after_then.join(frame.state)
    return (ir.If(test.code, then, otherwise),)


def _expression(frame: Frame, node: ast.Expr) -> ir.Block:
    if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return ()  # a docstring, or a comment written as one
    if not isinstance(node.value, ast.Call | ast.NamedExpr):
        suggestion = "assign the value, or remove the line"
        if isinstance(node.value, ast.Compare):
            suggestion = "write = to assign, or `if` to test"
        if not isinstance(node.value, ast.Constant):
            frame.value(node.value)
        raise frame.error(rules.NoEffect, node, suggestion=suggestion)
    frame.unused = node.value
    value = frame.value(node.value)
    frame.unused = None
    if isinstance(value.type, Poison):
        raise Failure(None)
    if isinstance(value.type, Manager):
        raise not_a_value(frame, value.type, node.value)
    if value.code is None:
        raise frame.error(rules.NoEffect, node, suggestion="assign the value, or remove the line")
    if isinstance(value.code, ir.Sequence) and isinstance(value.code.value, ir.Const):
        return value.code.body
    return (ir.Evaluate(value.code),)


def _break(frame: Frame, node: ast.Break) -> ir.Block:
    loop = frame.loops[-1]
    loop.breaks.append(frame.state.copy())
    frame.state = frame.state.dead()
    leave: ir.Block = (ir.Break(),)
    return (ir.Assign(loop.broken, ir.Const(1, ir.BOOL)), *leave) if loop.broken else leave


def _continue(frame: Frame, node: ast.Continue) -> ir.Block:
    frame.loops[-1].continues.append(frame.state.copy())
    frame.state = frame.state.dead()
    return (ir.Continue(),)


def _delete(frame: Frame, node: ast.Delete) -> ir.Block:
    result: ir.Block = ()
    for target in node.targets:
        if isinstance(target, ast.Tuple | ast.List):
            result += _delete(frame, ast.copy_location(ast.Delete(target.elts), node))
            continue
        if isinstance(target, ast.Name) and frame.state.names.get(target.id) is POISON:
            frame.state.names.pop(target.id)  # what was wrong where it was assigned is said there
            continue
        if isinstance(target, ast.Name) and target.id in frame.scope.variables:
            frame.value(ast.copy_location(ast.Name(target.id, ast.Load()), target))
            result += drop(frame, target.id, target)
            frame.state.names.pop(target.id, None)
            continue
        owner = frame.value(target.value) if isinstance(target, ast.Subscript) else None
        if owner is None or not isinstance(owner.type, MapObject):
            raise frame.error(rules.DeleteTarget, target)
        assert isinstance(target, ast.Subscript)
        result += maps.delete(frame, owner, target)
    return result


def _pass(frame: Frame, node: ast.Pass) -> ir.Block:
    return ()


# Statically checked by what the table is indexed with, hence Any.
NODES: dict[type[ast.stmt], Callable[[Frame, Any], ir.Block]] = {
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.If: _if,
    ast.For: for_loop,
    ast.While: while_loop,
    ast.Assert: assert_statement,
    ast.Match: match_statement,
    ast.Return: return_statement,
    ast.Break: _break,
    ast.Continue: _continue,
    ast.Expr: _expression,
    ast.Delete: _delete,
    ast.Pass: _pass,
    ast.With: with_block,
}

_REFUSED: dict[type[ast.stmt], tuple[str, str]] = {
    ast.Try: ("try", "nothing raises in the kernel: what may be missing is None, and is checked for it"),
    ast.TryStar: ("try", "nothing raises in the kernel: what may be missing is None, and is checked for it"),
    ast.Raise: ("raise", "return early; count what went wrong in a Counter"),
    ast.FunctionDef: ("a function inside a function", "make it a method and mark it with @function"),
    ast.AsyncFunctionDef: ("an async function", "the kernel side runs to its end at once"),
    ast.AsyncFor: ("async for", "the kernel side runs to its end at once"),
    ast.AsyncWith: ("async with", "the kernel side runs to its end at once"),
    ast.ClassDef: ("a class inside a function", "declare it at the top of the module"),
    ast.Import: ("import inside a compiled function", "import at the top of the module"),
    ast.ImportFrom: ("import inside a compiled function", "import at the top of the module"),
    ast.Global: ("global", "declare a map: `name = Global(u64)`, then self.name.value"),
    ast.Nonlocal: ("nonlocal", "declare a map: `name = Global(u64)`, then self.name.value"),
}
