"""Objects with one owner: what bpf_obj_new() made, and what lists and trees gave back.

Invariant: a register owns each object, and is null when it owns none; what it still owns when its function or the round
of its loop ends is freed there.  So on every way an object is in a list, in a tree, or freed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from beespace.compiler import ir, rules
from beespace.compiler.contexts.prototypes import prototype_of
from beespace.compiler.frame import Frame
from beespace.compiler.scope import Variable
from beespace.compiler.types import Optional, StructType
from beespace.compiler.values import Value, not_null
from beespace.schema import Struct

__all__ = [
    "LENT", "OBJECT", "SINCE", "drop", "ended", "forget_lent", "given", "kernel_function", "made", "round_of", "take",
]  # fmt: skip

OBJECT = ir.PointerType(ir.Region.OBJECT)
LENT = ir.PointerType(ir.Region.LENT)
SINCE = "6.6"  # nodes know their owner since commit c3c510ce431c, which made them larger
_NONE = ir.Const(0, OBJECT)
_ALIGN = 8


def kernel_function(
    frame: Frame, node: ast.AST, name: str, result: ir.Type, *arguments: ir.Expression, since: str = SINCE
) -> ir.KernelFunction:
    """A call of ``name_impl()``, which has more arguments for the verifier to fill in, or of ``name()``."""
    for candidate in (f"{name}_impl", name):
        try:
            prototype = prototype_of(frame.unit.btf, candidate)
        except KeyError:
            continue
        # What the verifier fills in: the type's record, and where the node is in it.
        extra = [
            ir.Const(0, ir.U64 if isinstance(kind, ir.CoreInt) else ir.PointerType(ir.Region.KERNEL_TRUSTED))
            for kind in prototype.parameters[len(arguments) :]
        ]
        return ir.KernelFunction(candidate, (*arguments, *extra), result, prototype, span=frame.code_span(node))
    raise frame.error(rules.NotInKernel, node, what=f"{name}()", since=since)


# --- who owns it ---------------------------------------------------------------------------------


def made(frame: Frame, cls: type[Struct], block: ir.Block, code: ir.Expression, node: ast.AST) -> Value:
    """An object, or None, in a register without a name: a name takes it from there."""
    kernel_function(frame, node, "bpf_obj_drop", ir.VOID, _NONE)  # a mistake here, if it cannot be freed
    name = frame.scope.fresh("object")
    frame.scope.add(Variable(name, name, StructType(cls), OBJECT))
    frame.owned[name] = cls
    filled: ir.Block = (*block, ir.Assign(name, code))
    return Value(Optional(StructType(cls)), ir.Sequence(filled, ir.Local(name, OBJECT)), align=_ALIGN)


def take(frame: Frame, name: str, variable: Variable | None, value: Value, node: ast.expr) -> ir.Block:
    """``name = ...`` of an object; what the name owned before is freed."""
    inner = value.type.inner if isinstance(value.type, Optional) else value.type
    assert isinstance(inner, StructType)
    code = value.expression
    body, source = (code.body, code.value) if isinstance(code, ir.Sequence) else ((), code)
    if value.path is not None or not isinstance(source, ir.Local) or source.name not in frame.owned:
        raise frame.error(rules.OwnedTwice, node, name=name)
    freed: ir.Block = ()
    if variable is None:
        code_name = name if name not in frame.parameter_names else frame.scope.fresh(name)
        variable = frame.scope.add(Variable(name, code_name, inner, OBJECT))
    elif variable.code_type is None and variable.slot is None:
        variable = frame.scope.settle(name, OBJECT, inner)
    elif variable.type != inner or variable.code_type != OBJECT:
        raise frame.error(
            rules.VariableType, node, name=name, declared=variable.type, found=value.type,
            suggestion="use another name",
        )  # fmt: skip
    elif name in frame.state.holding:
        freed = _freed(frame, variable.code_name, node)
    frame.owned.setdefault(variable.code_name, inner.cls)
    frame.given.pop(name, None)
    frame.state.assign(name, value.type)
    frame.state.holding |= {name}
    return (*body, *freed, ir.Assign(variable.code_name, source), ir.Assign(source.name, _NONE))


def given(frame: Frame, value: Value, word: str, cls: type[Struct], node: ast.expr) -> tuple[ir.Expression, ir.Block]:
    """An object that goes to somebody else: its address, and what to do when it is gone."""
    code = value.expression if value.code is not None else None
    if value.type != StructType(cls) or code is None or code.type != OBJECT:
        suggestion = f"`{cls.__name__.lower()} = bpf.new({cls.__name__})` makes one, which must be checked for None"
        raise frame.error(rules.NotOwned, node, word=word, found=value.type, suggestion=suggestion)
    if not isinstance(code, ir.Local) or code.name not in frame.owned:
        raise frame.error(rules.NotOwned, node, word=word, found="one that somebody else owns",
                          suggestion="do it where the object was made or taken")  # fmt: skip
    if value.path is not None:
        frame.state.names.pop(value.path, None)
        frame.state.holding -= {value.path}
        frame.given[value.path] = f"{word} has taken it"
    return code, (ir.Assign(code.name, _NONE),)


def drop(frame: Frame, name: str, node: ast.AST) -> ir.Block:
    """``del name``; nothing if it owns no object."""
    variable = frame.scope.variables.get(name)
    if variable is None or variable.code_name not in frame.owned:
        return ()
    frame.given[name] = "it was deleted"
    frame.state.holding -= {name}
    return _freed(frame, variable.code_name, node)


def forget_lent(frame: Frame, why: str) -> None:
    """Names of what belongs to a list or tree are gone when its lock is, or something was taken out of it."""
    for name in list(frame.state.names):
        variable = frame.scope.variables.get(name)
        if variable is not None and variable.code_type == LENT:
            del frame.state.names[name]
            frame.given[name] = why


# --- where it ends -------------------------------------------------------------------------------


def ended(frame: Frame, body: ir.Block) -> ir.Block:
    """``body`` of a function, with what it owns freed at each end of it."""
    return _guarded(frame, body, frame.owned) if frame.owned else body


def round_of(frame: Frame, body: list[ast.stmt]) -> ir.Block:
    """The body of a loop: what names of its own still own is freed at the end of each round."""
    before, outer = set(frame.owned), {variable.code_name for variable in frame.scope.variables.values()}
    code = frame.block(body)
    fresh = [name for name in frame.owned if name not in before and name not in outer]
    if not fresh:
        return code
    code = _guarded(frame, code, fresh)
    states = [frame.state, *frame.loops[-1].breaks, *frame.loops[-1].continues]
    for name in fresh:
        del frame.owned[name]
        for variable in frame.scope.variables.values():
            if variable.code_name == name:
                frame.given[variable.name] = "it was freed at the end of the round that it was made in"
                for state in states:
                    state.names.pop(variable.name, None)
                    state.holding -= {variable.name}
    return code


def _guarded(frame: Frame, body: ir.Block, names: Iterable[str]) -> ir.Block:
    exit = tuple(statement for name in names for statement in _freed(frame, name, frame.source.node))
    return (ir.Guard(body, exit),)


def _freed(frame: Frame, name: str, node: ast.AST) -> ir.Block:
    """Free what a register owns, and let it own nothing."""
    local = ir.Local(name, OBJECT)
    freeing = ir.Evaluate(kernel_function(frame, node, "bpf_obj_drop", ir.VOID, local))
    return (ir.If(not_null(local), (freeing, ir.Assign(name, _NONE))),)
