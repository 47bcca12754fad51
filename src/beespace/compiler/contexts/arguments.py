"""Contexts that are arrays of 64-bit slots: the arguments of tracepoints, kernel functions and security hooks.

Invariant: names, order and types are those of the prototype in BTF.  A struct by value takes as many slots as it
has words; the result of a function stands in the slot after the arguments.
"""

from __future__ import annotations

import ast

from beespace import btf as kernel
from beespace import hooks
from beespace.compiler import interfaces, ir, rules
from beespace.compiler.diagnostics import did_you_mean
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.types import argument
from beespace.compiler.types import Context, KernelPointer
from beespace.compiler.values import Value
from beespace.record import replace

__all__ = ["context_of", "function_prototype", "has_result", "names", "positional", "result", "tracepoints"]

_FUNCTIONS = ("fentry", "fexit", "fmod_ret", "fsession")
_WITH_RESULT = ("fexit", "fmod_ret", "fsession", "lsm", "lsm_cgroup")
_SECURITY = ("lsm", "lsm_cgroup")
_METHOD = "struct_ops"  # a function of the interface that the class implements
_KERNEL = "vmlinux"  # in front of a function's name: the kernel's own, and no module's
_NULLABLE = "__nullable"  # the end of a tracepoint's parameter that may be null


def context_of(frame: Frame, attachment: hooks.Attachment, node: ast.AST) -> Context:
    """The context of a hook with arguments; its prototype is looked for when something of it is read."""
    hook = attachment.hook
    if interfaces.is_method(attachment):
        interfaces.parameters(frame, attachment.target, node)  # a mistake here, if there is no such method
        return Context(hook.context, attachment.target, _METHOD)
    kind = hook.section.removesuffix(".s")
    module = attachment.target.rpartition(":")[0]
    if module not in ("", _KERNEL) and kind in _FUNCTIONS and not _is_of_module(frame.unit.btf, attachment.target):
        raise frame.error(
            rules.NoSuchEvent, node, what="function", event=attachment.target,
            suggestion=f"is the module loaded, with types of its own? `modprobe {module}`",
        )  # fmt: skip
    event = attachment.target.rpartition(":")[2].rpartition("/")[2]
    return Context(hook.context, event, kind if kind in (*_FUNCTIONS, *_SECURITY) else "")


def _is_of_module(btf: kernel.Btf, target: str) -> bool:
    """Whether these are the types of the module that has the function."""
    return any(btf.base is not None and btf.owns(i) for i in btf.find_all(target.rpartition(":")[2], kernel.Kind.FUNC))


def tracepoints(btf: kernel.Btf) -> list[str]:
    """The names of all tracepoints."""
    return [name.removeprefix("btf_trace_") for name, _ in btf.with_prefix("btf_trace_", kernel.Kind.TYPEDEF)]


def function_prototype(btf: kernel.Btf, name: str) -> kernel.FunctionPrototype | None:
    """The prototype of a kernel function, if the kernel's types have one."""
    try:
        return btf.prototype(btf.find(name, kernel.Kind.FUNC))
    except KeyError:
        return None


def _prototype(frame: Frame, type_: Context, node: ast.AST) -> tuple[tuple[kernel.Parameter, ...], int]:
    """Parameters and the type of the result (0: none)."""
    btf = frame.unit.btf
    if type_.hook == _METHOD:
        return interfaces.parameters(frame, type_.name, node), 0
    if type_.hook in _FUNCTIONS or type_.hook in _SECURITY:
        prefix = "bpf_lsm_" if type_.hook in _SECURITY else ""
        found = function_prototype(btf, prefix + type_.name)
        if found is None:
            what = "security hook" if prefix else "function"
            raise frame.error(
                rules.NoSuchEvent, node, what=what, event=type_.name, suggestion=_near(btf, prefix, type_.name)
            )
        return found.parameters, found.result
    event = type_.name
    for name, kind in ((f"__traceiter_{event}", kernel.Kind.FUNC), (f"btf_trace_{event}", kernel.Kind.TYPEDEF)):
        try:  # the first parameter is the tracepoint's own data
            return btf.prototype(btf.find(name, kind)).parameters[1:], 0
        except KeyError:
            continue
    raise frame.error(
        rules.NoSuchEvent, node, what="tracepoint", event=event, suggestion=did_you_mean(event, tracepoints(btf))
    )


def _near(btf: kernel.Btf, prefix: str, name: str) -> str:
    if prefix:
        return did_you_mean(name, [n.removeprefix(prefix) for n, _ in btf.with_prefix(prefix, kernel.Kind.FUNC)])
    near = btf.near(name, kernel.Kind.FUNC)
    return f"did you mean {near[0]}?" if near else "it may be inlined, or part of a module that is not loaded"


def names(frame: Frame, type_: Context, node: ast.AST) -> list[str]:
    """The names of the arguments, in order."""
    return [parameter.name.removesuffix(_NULLABLE) for parameter in _prototype(frame, type_, node)[0]]


def _slot(btf: kernel.Btf, parameters: tuple[kernel.Parameter, ...], index: int) -> int:
    """The slot of an argument: structs before it may have taken more than one."""
    return sum((btf.size(each.type) + 7) // 8 for each in parameters[:index])


def positional(frame: Frame, value: Value, index: int, node: ast.AST) -> Value:
    """The argument at ``index``."""
    assert isinstance(value.type, Context)
    parameters, _ = _prototype(frame, value.type, node)
    parameter = parameters[index]
    found = argument(
        frame,
        ir.ContextField(value.expression, 8 * _slot(frame.unit.btf, parameters, index)),
        parameter.type,
        trusted=value.type.reading is hooks.Context.ARGUMENTS,
        may_be_null=parameter.name.endswith(_NULLABLE),
        node=node,
    )
    if value.type.hook == _METHOD and isinstance(found.type, KernelPointer):
        return replace(found, type=interfaces.promoted(frame, found.type))
    return found


def has_result(type_: Context) -> bool:
    """Whether the slot after the arguments holds what was returned."""
    return type_.hook in _WITH_RESULT


def result(frame: Frame, value: Value, node: ast.AST) -> Value:
    """What the function returned; of security hooks, what the programs before this one said."""
    assert isinstance(value.type, Context)
    parameters, type_id = _prototype(frame, value.type, node)
    if not type_id:
        raise frame.error(
            rules.UnreadableField, node, name="result", found="nothing", why=f"{value.type.name}() returns nothing"
        )
    slot = ir.ContextField(value.expression, 8 * _slot(frame.unit.btf, parameters, len(parameters)))
    return argument(frame, slot, type_id, trusted=True, may_be_null=False, node=node)
