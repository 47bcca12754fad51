"""The program's argument: its type by hook, and what can be read of it by name or by position.

Invariant: every way to read a context has a file of its own (``contexts_structs``: UAPI structs,
``contexts_arguments``: the slots of tracepoints and functions, ``contexts_registers``: probes, ``contexts_records``:
records of tracepoints and what iterators walk); here is the choice alone.
"""

from __future__ import annotations

import ast

from beespace import hooks
from beespace.compiler import rules
from beespace.compiler.contexts import arguments as slots
from beespace.compiler.contexts import records, registers, structs
from beespace.compiler.contexts.structs import element, is_element, packet_bounds, socket_field, store, store_element
from beespace.compiler.diagnostics import did_you_mean
from beespace.compiler.frame import Frame
from beespace.compiler.types import Context, Type
from beespace.compiler.values import Value
from beespace.hooks.results import result_range

__all__ = [
    "allowed_results", "context_of", "element", "field", "has_result", "is_element", "packet_bounds", "parameter_names",
    "positional", "result", "socket_field", "store", "store_element",
]  # fmt: skip

_SLOTS = (hooks.Context.ARGUMENTS, hooks.Context.RAW_ARGUMENTS)
RESULT = "result"


def allowed_results(hook: hooks.Hook) -> tuple[int, int] | None:
    """The smallest and largest number that a program of this hook may return; ``None``: any."""
    return result_range(hook)


def context_of(frame: Frame, attachment: hooks.Attachment, node: ast.AST) -> Context:
    """The type of ``ctx``; a mistake if the kernel has no such event, function or target."""
    reading = attachment.hook.context
    if reading in _SLOTS:
        return slots.context_of(frame, attachment, node)
    if reading is hooks.Context.REGISTERS:
        return registers.context_of(attachment)
    if reading in (hooks.Context.TRACEPOINT, hooks.Context.ITERATOR):
        return records.context_of(frame, attachment, node)
    return structs.context_of(frame, attachment, node)


def parameter_names(frame: Frame, type_: Context, node: ast.AST) -> list[str] | None:
    """What the context holds, by position; ``None``: not known, so that parameters must say their types.

    A mistake if parameters other than ctx have no meaning for this hook.
    """
    if type_.reading in _SLOTS:
        return slots.names(frame, type_, node)
    if type_.reading is hooks.Context.REGISTERS:
        return registers.names(frame, type_)
    if type_.reading is hooks.Context.ITERATOR:
        return records.walked(frame, type_)
    raise frame.error(
        rules.ParameterShape, node, problem=f"{frame.source.node.name}() takes self and ctx, nothing else",
        suggestion=f"write def {frame.source.node.name}(self, ctx)",
    )  # fmt: skip


def positional(frame: Frame, value: Value, index: int, declared: Type | None, node: ast.AST) -> Value:
    """The argument at ``index``; where nothing says its type, it is ``declared``, or u64."""
    type_ = value.type
    assert isinstance(type_, Context)
    if type_.reading in _SLOTS:
        return slots.positional(frame, value, index, node)
    if type_.reading is hooks.Context.REGISTERS:
        return registers.positional(frame, value, index, declared, node)
    return records.field(frame, value, records.walked(frame, type_)[index], node)


def result(frame: Frame, value: Value, declared: Type | None, node: ast.AST) -> Value:
    """What the function returned, in programs that run then."""
    assert isinstance(value.type, Context)
    if value.type.reading in _SLOTS:
        return slots.result(frame, value, node)
    return registers.result(frame, value, declared, node)


def has_result(type_: Context) -> bool:
    """Whether programs of this kind can read what a function returned."""
    if type_.reading in _SLOTS:
        return slots.has_result(type_)
    return type_.reading is hooks.Context.REGISTERS and registers.is_return(type_)


def field(frame: Frame, value: Value, name: str, node: ast.Attribute) -> Value:
    """``ctx.name``."""
    type_ = value.type
    assert isinstance(type_, Context)
    if type_.reading in _SLOTS or type_.reading is hooks.Context.REGISTERS:
        return _argument(frame, value, type_, name, node)
    if type_.reading in (hooks.Context.STRUCT, hooks.Context.CALLER):
        return structs.field(frame, value, name, node)
    return records.field(frame, value, name, node)


def _argument(frame: Frame, value: Value, type_: Context, name: str, node: ast.AST) -> Value:
    names = parameter_names(frame, type_, node)
    if names is not None and name in names:
        return positional(frame, value, names.index(name), None, node)
    if name == RESULT and has_result(type_):
        return result(frame, value, None, node)
    if name == registers.REGISTERS and type_.reading is hooks.Context.REGISTERS:
        return registers.all_registers(frame, value, node)
    known = [*(names or ()), *([RESULT] if has_result(type_) else [])]
    suggestion = did_you_mean(name, known)
    if names is None and not suggestion:
        suggestion = f"nothing says what its arguments are; name and type them: def method(self, {name}: u64)"
    if name == RESULT:
        suggestion = "what a function returns is known when it returns: @fexit, @kretprobe, @kretsyscall, @uretprobe"
    raise frame.error(
        rules.NoContextField, node, context=type_, name=name, known=", ".join(filter(None, known)) or "not known",
        suggestion=suggestion,
    )  # fmt: skip
