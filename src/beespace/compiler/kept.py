"""Kptrs: pointers that map values keep, each with a reference of its own to the kernel's object.

Invariant: a reference is either in a map or given back; no path ends with one in a register.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from types import MappingProxyType

from beespace.btf import Kind
from beespace.compiler import ir, rules
from beespace.compiler.contexts.prototypes import prototype_of
from beespace.compiler.expressions.numbers import present
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.maps.operations import argument_nodes
from beespace.compiler.owned import OBJECT, given, made
from beespace.compiler.types import BOOL, KernelPointer, Optional, Resource
from beespace.compiler.values import Value, not_null
from beespace.schema import Struct

__all__ = ["clear", "get", "store", "take"]

_KERNEL = ir.PointerType(ir.Region.KERNEL_TRUSTED)

# How a reference to each is taken and given back (Linux 6.2, masks 6.3, cryptography 6.10; kernel/bpf/helpers.c,
# cpumask.c, crypto.c).
_REFERENCES: Mapping[str, tuple[str, str]] = MappingProxyType({
    "task_struct": ("bpf_task_acquire", "bpf_task_release"),
    "cgroup": ("bpf_cgroup_acquire", "bpf_cgroup_release"),
    "bpf_cpumask": ("bpf_cpumask_acquire", "bpf_cpumask_release"),
    "bpf_crypto_ctx": ("bpf_crypto_ctx_acquire", "bpf_crypto_ctx_release"),
})  # fmt: skip


def _type(frame: Frame, resource: Resource, node: ast.AST) -> KernelPointer:
    name = resource.kind.target
    try:
        target = frame.unit.btf.find(name, Kind.STRUCT)
    except KeyError:
        target = 0
    if name not in _REFERENCES or not target:
        known = ", ".join(_REFERENCES)
        raise frame.error(rules.NotKept, node, name=name, known=f"{known}, and objects of bpf.new()")
    return KernelPointer(target, f"struct {name}", True)


def _function(frame: Frame, name: str, node: ast.AST) -> ir.CorePrototype:
    try:
        return prototype_of(frame.unit.btf, name)
    except KeyError:
        raise frame.error(rules.NotInKernel, node, what=f"{name}()", since="6.2") from None


def get(frame: Frame, resource: Resource, value: Value, node: ast.Call) -> Value:
    """``value.task.get()``: a load that the verifier knows by the field."""
    argument_nodes(frame, node, "Kptr.get()")
    if resource.kind.holds is not None:
        raise frame.error(rules.NotShared, node, word="get", other="take", why="an object of bpf.new() has one owner")
    type_ = _type(frame, resource, node)
    return Value(Optional(type_), ir.Load(value.expression, _KERNEL, volatile=True))


def store(frame: Frame, resource: Resource, value: Value, node: ast.Call) -> Value:
    """``value.task.store(task)``: take a reference, exchange it for what was there, and give that back."""
    (argument,) = argument_nodes(frame, node, "Kptr.store()", "pointer")
    if resource.kind.holds is not None:
        return _given(frame, resource.kind.holds, value, argument)
    type_ = _type(frame, resource, node)
    given = present(frame, frame.value(argument), argument)
    if not isinstance(given.type, KernelPointer) or not given.type.trusted or given.type.name != type_.name:
        raise frame.error(
            rules.WrongPointer, argument, word="Kptr.store()", expected=f"a {type_.name} that the kernel vouches for",
            found=given.type,
        )  # fmt: skip
    acquire = _REFERENCES[resource.kind.target][0]
    before, pointer = frame.bind_address(value.expression)
    taken, stored = frame.scope.fresh(), frame.scope.fresh()
    reference = ir.Local(taken, _KERNEL)
    taking = ir.KernelFunction(acquire, (given.expression,), _KERNEL, _function(frame, acquire, node))
    exchange = _exchanged(frame, resource, pointer, reference, node)
    block: ir.Block = (
        *before,
        ir.Declare(stored, ir.BOOL),
        ir.Declare(taken, _KERNEL, taking),
        ir.If(not_null(reference), (ir.Assign(stored, ir.Const(1, ir.BOOL)), *exchange)),
    )
    return Value(BOOL, ir.Sequence(block, ir.Local(stored, ir.BOOL)))


def _given(frame: Frame, cls: type[Struct], value: Value, argument: ast.expr) -> Value:
    """The same of an object of the program's own; what was there is freed with what else nobody has a name for."""
    item = present(frame, frame.value(argument), argument)
    pointer, gone = given(frame, item, "Kptr.store()", cls, argument)
    exchange = made(frame, cls, (), call("kptr_xchg", OBJECT, value.expression, pointer), argument)
    assert isinstance(exchange.code, ir.Sequence)
    return Value(BOOL, ir.Sequence((*exchange.code.body, *gone), ir.Const(1, ir.BOOL)))


def take(frame: Frame, resource: Resource, value: Value, node: ast.Call) -> Value:
    """``value.job.take()``: an object of the program's own, out of the map."""
    argument_nodes(frame, node, "Kptr.take()")
    if resource.kind.holds is None:
        raise frame.error(rules.NotShared, node, word="take", other="get", why="the kernel's objects have many owners")
    return made(frame, resource.kind.holds, (), call("kptr_xchg", OBJECT, value.expression, ir.Const(0, OBJECT)), node)


def clear(frame: Frame, resource: Resource, value: Value, node: ast.Call) -> Value:
    """``value.task.clear()``."""
    argument_nodes(frame, node, "Kptr.clear()")
    if resource.kind.holds is not None:
        before, place = frame.bind_address(value.expression)
        out = made(frame, resource.kind.holds, before, call("kptr_xchg", OBJECT, place, ir.Const(0, OBJECT)), node)
        return Value(BOOL, not_null(out.expression))
    _type(frame, resource, node)
    before, pointer = frame.bind_address(value.expression)
    had = frame.scope.fresh()
    exchange = _exchanged(frame, resource, pointer, ir.Const(0, _KERNEL), node, had)
    block: ir.Block = (*before, ir.Declare(had, ir.BOOL), *exchange)
    return Value(BOOL, ir.Sequence(block, ir.Local(had, ir.BOOL)))


def _exchanged(
    frame: Frame, resource: Resource, pointer: ir.Expression, new: ir.Expression, node: ast.AST, had: str = ""
) -> ir.Block:
    """bpf_kptr_xchg() (Linux 5.19), and give back what comes out; ``had``: a local that says whether something did."""
    release = _REFERENCES[resource.kind.target][1]
    old = ir.Local(frame.scope.fresh(), _KERNEL)
    giving = ir.Evaluate(ir.KernelFunction(release, (old,), ir.VOID, _function(frame, release, node)))
    noted: ir.Block = (ir.Assign(had, ir.Const(1, ir.BOOL)),) if had else ()
    exchange = call("kptr_xchg", _KERNEL, pointer, new)
    return (ir.Declare(old.name, _KERNEL, exchange), ir.If(not_null(old), (*noted, giving)))
