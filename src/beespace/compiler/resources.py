"""What the kernel keeps inside map values: locks, timers, work for later.

Invariant: a resource is used where it stands, in a map's value, and by its words alone; which map that is, is known
while compiling.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from types import MappingProxyType

from beespace.compiler import graphs, ir, kept, rules
from beespace.compiler.callbacks import map_callback
from beespace.compiler.contexts.prototypes import prototype_of
from beespace.compiler.expressions.numbers import fit, present
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.maps.operations import argument_nodes
from beespace.compiler.types import I64, U64, Manager, Resource, ResourceWord
from beespace.compiler.values import Value, place_of, sequence
from beespace.isa import MapType
from beespace.lang import Global, Map

__all__ = ["attribute", "lock", "word"]

_CLOCK_BOOTTIME = 7  # include/uapi/linux/time.h: that of bpf.now()
_TIMER_ABSOLUTE = 1  # BPF_F_TIMER_ABS

# Which maps may hold what: check_map_btf() in kernel/bpf/syscall.c.
_TABLES = (MapType.HASH, MapType.LRU_HASH, MapType.ARRAY)
_PER_CPU = (MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH)
_STORAGES = (MapType.SK_STORAGE, MapType.INODE_STORAGE, MapType.TASK_STORAGE, MapType.CGRP_STORAGE)
_HOLDERS: Mapping[str, tuple[tuple[MapType, ...], str]] = MappingProxyType(
    {
        "SpinLock": ((MapType.HASH, MapType.ARRAY, *_STORAGES), "Hash, Array and storages"),
        "Timer": (_TABLES, "Hash, LruHash and Array"),
        "WorkQueue": (_TABLES, "Hash, LruHash and Array"),
        "LinkedList": (_TABLES, "Hash, LruHash and Array"),
        "Tree": (_TABLES, "Hash, LruHash and Array"),
        "Kptr": ((*_TABLES, *_PER_CPU, *_STORAGES), "Hash, Array, their per-CPU and LRU kinds, and storages"),
    }
)


def attribute(frame: Frame, value: Value, node: ast.Attribute) -> Value:
    """``value.timer.start``: a word of a resource."""
    resource = value.type
    assert isinstance(resource, Resource)
    words = _WORDS.get(resource.kind.name, {})
    if node.attr not in words:
        raise frame.error(rules.NoResourceWord, node, what=resource, word=node.attr, words=_known(resource))
    return Value(ResourceWord(resource, node.attr), value.code)


def _known(resource: Resource) -> str:
    words = _WORDS.get(resource.kind.name, {})
    if resource.kind.name in ("ListNode", "TreeNode"):
        return "lists and trees link objects by it"
    return f"it has {', '.join(f'.{name}()' for name in words)}" if words else "it is for `with`"


def word(frame: Frame, value: Value, node: ast.Call) -> Value:
    """A call of a resource's word."""
    found = value.type
    assert isinstance(found, ResourceWord)
    _holder(frame, found.resource, value, _owner(node))
    return _WORDS[found.resource.kind.name][found.word](frame, found.resource, value, node)


def lock(frame: Frame, value: Value, node: ast.expr) -> Manager:
    """A SpinLock as what a ``with`` takes."""
    resource = value.type
    assert isinstance(resource, Resource)
    if resource.kind.name != "SpinLock":
        known = "bpf.rcu(), a reservation of a ring"
        raise frame.error(rules.NotAManager, node, found=f"a {resource}", known=known)
    _holder(frame, resource, value, node)
    before, pointer = frame.bind_address(value.expression)
    taking = ir.Evaluate(call("spin_lock", ir.VOID, pointer), span=frame.code_span(node))
    return Manager("the lock", (*before, taking), (ir.Evaluate(call("spin_unlock", ir.VOID, pointer)),), atomic=True)


def _holder(frame: Frame, resource: Resource, value: Value, node: ast.expr) -> tuple[str, Map]:
    """The map that the value is in."""
    maps = frame.unit.declaration.maps
    found = [(name, map) for name, map in maps.items() if map.value_kind is resource.owner]
    if value.expression.type != ir.PointerType(ir.Region.MAP_VALUE) or not found:
        name = found[0][0] if found else "some_map"
        raise frame.error(
            rules.ResourcePlace, node, what=f"a {resource}", owner=resource.owner.__name__,
            place=place_of(value.expression), map=name,
        )  # fmt: skip
    types, allowed = _HOLDERS[resource.kind.name]
    for name, map in found:
        if map.map_type not in types or isinstance(map, Global):
            raise frame.error(
                rules.ResourceMap, node, what=resource, map=type(map).__name__, name=name, allowed=allowed
            )
    return found[0]


def _only_holder(frame: Frame, resource: Resource, value: Value, node: ast.expr) -> tuple[str, Map]:
    """The same, where the kernel wants to hear it."""
    name, map = _holder(frame, resource, value, node)
    names = [name for name, other in frame.unit.declaration.maps.items() if other.value_kind is resource.owner]
    if len(names) > 1:
        raise frame.error(
            rules.ResourceMaps, node, what=f"the {resource}", owner=resource.owner.__name__, count=len(names),
            names=", ".join(names),
        )  # fmt: skip
    return name, map


# --- timers --------------------------------------------------------------------------------------


def _start_timer(frame: Frame, resource: Resource, value: Value, node: ast.Call) -> Value:
    """``value.timer.start(self.callback, delay)``: bpf_timer_init() says EBUSY of one that is made already."""
    target, delay, absolute = argument_nodes(frame, node, "Timer.start()", "callback", "delay", optional=("absolute",))
    name, map = _only_holder(frame, resource, value, _owner(node))
    function = map_callback(frame, "a Timer", target, name, map)
    flags = _TIMER_ABSOLUTE if absolute is not None and _constant_truth(frame, absolute) else 0
    nanoseconds = present(frame, frame.value(delay, U64), delay)
    between, amount = frame.bind(fit(frame, nanoseconds, U64, delay, "the delay"))
    before, timer = frame.bind_address(value.expression)
    clock = ir.Const(_CLOCK_BOOTTIME, ir.U64)
    steps: ir.Block = (
        ir.Evaluate(call("timer_init", ir.I64, timer, ir.MapAddress(name), clock)),
        ir.Evaluate(call("timer_set_callback", ir.I64, timer, ir.FunctionAddress(function))),
    )
    started = call("timer_start", ir.I64, timer, amount, ir.Const(flags, ir.U64))
    return _given(frame, (*before, *between, *steps), started)


def _cancel_timer(frame: Frame, resource: Resource, value: Value, node: ast.Call) -> Value:
    argument_nodes(frame, node, "Timer.cancel()")
    _only_holder(frame, resource, value, _owner(node))
    return _given(frame, (), call("timer_cancel", ir.I64, value.expression))


def _start_work(frame: Frame, resource: Resource, value: Value, node: ast.Call) -> Value:
    """``value.work.start(self.callback)``: as a timer, by kernel functions."""
    (target,) = argument_nodes(frame, node, "WorkQueue.start()", "callback")
    name, map = _only_holder(frame, resource, value, _owner(node))
    function = ir.FunctionAddress(map_callback(frame, "a WorkQueue", target, name, map))
    before, work = frame.bind_address(value.expression)
    no_flags = ir.Const(0, ir.U32)
    aux: ir.Expression = ir.Const(0, ir.PointerType(ir.Region.KERNEL_TRUSTED))
    set_callback = _kernel(frame, node, ("bpf_wq_set_callback", "bpf_wq_set_callback_impl"))
    arguments = (work, function, no_flags, aux)[: len(set_callback[1].parameters)]
    steps: ir.Block = (
        ir.Evaluate(_call(_kernel(frame, node, ("bpf_wq_init",)), work, ir.MapAddress(name), no_flags)),
        ir.Evaluate(_call(set_callback, *arguments)),
    )
    started = ir.Convert(_call(_kernel(frame, node, ("bpf_wq_start",)), work, no_flags), ir.I64)
    return _given(frame, (*before, *steps), started)


def _kernel(frame: Frame, node: ast.AST, names: tuple[str, ...]) -> tuple[str, ir.CorePrototype]:
    """The first of ``names`` that the kernel has."""
    for name in names:
        try:
            return name, prototype_of(frame.unit.btf, name)
        except KeyError:
            continue
    raise frame.error(rules.NotInKernel, node, what=f"{names[-1]}()", since="6.10")


def _call(function: tuple[str, ir.CorePrototype], *arguments: ir.Expression) -> ir.KernelFunction:
    return ir.KernelFunction(function[0], arguments, ir.I32, function[1])


def _given(frame: Frame, block: ir.Block, result: ir.Expression) -> Value:
    """What a word gives; a statement of its own keeps the block."""
    return Value(I64, sequence(block, result))


def _owner(node: ast.Call) -> ast.expr:
    assert isinstance(node.func, ast.Attribute)
    return node.func.value


def _constant_truth(frame: Frame, node: ast.expr) -> bool:
    value = frame.value(node)
    if not isinstance(value.code, ir.Const):
        raise frame.error(rules.NotConstant, node, what="absolute", suggestion="write True or False")
    return bool(value.code.value)


Word = Callable[[Frame, Resource, Value, ast.Call], Value]
_WORDS: Mapping[str, Mapping[str, Word]] = MappingProxyType(
    {
        "Timer": {"start": _start_timer, "cancel": _cancel_timer},
        "WorkQueue": {"start": _start_work},
        "LinkedList": graphs.LIST,
        "Tree": graphs.TREE,
        "Kptr": {"get": kept.get, "store": kept.store, "clear": kept.clear, "take": kept.take},
    }
)
