"""Contexts that BTF describes as structs: records of tracepoints, and the objects that iterators walk.

Invariant: fields are found when the object is loaded (CO-RE); a text of variable length is read where its
``__data_loc`` field says that it stands.
"""

from __future__ import annotations

import ast

from beespace import btf as kernel
from beespace import hooks
from beespace.compiler import ir, rules
from beespace.compiler.contexts.arguments import tracepoints
from beespace.compiler.contexts.event_classes import event_of, records_of
from beespace.compiler.diagnostics import Failure, did_you_mean
from beespace.compiler.expressions.texts import string_recipe
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.types import core_kind, element, member_names, read
from beespace.compiler.types import SYSCALL_TYPES, Array, Context, Optional, StructType, Text, of_kind
from beespace.compiler.values import Value
from beespace.hooks.syscalls import SYSCALLS
from beespace.schema.kinds import kind_align

__all__ = ["context_of", "field", "walked"]

_PER_CPU = (5, 6, 10)  # BPF_MAP_TYPE_PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH
_ENTERING = "syscalls/sys_enter_"
_OWN = "meta"  # of the iterator itself: its file, its session, how many objects there were


def context_of(frame: Frame, attachment: hooks.Attachment, node: ast.AST) -> Context:
    """The record's struct; a mistake if the kernel has none of that name."""
    hook, target = attachment.hook, attachment.target
    btf = frame.unit.btf
    event = event_of(target)
    name = hook.context_type.format(event=event, target=target)
    if hook.context is hooks.Context.TRACEPOINT:
        records = records_of(btf, event)
        if len(records) != 1 and event in tracepoints(btf):
            return Context(hook.context, "", event)  # that matters to who reads a field of it
        name = next(iter(records), name)
    try:
        btf.find(name, kernel.Kind.STRUCT)
    except KeyError:
        if hook.context is hooks.Context.TRACEPOINT:
            raise frame.error(
                rules.NoRecord, node, event=event, struct=name, suggestion=_other_hook(btf, event)
            ) from None
        prefix = hook.context_type.format(target="", event="")
        known = [found.removeprefix(prefix) for found, _ in btf.with_prefix(prefix, kernel.Kind.STRUCT)]
        raise frame.error(
            rules.NoSuchEvent, node, what="iterator", event=target or hook.name,
            suggestion=did_you_mean(target, known) or (f"it has {', '.join(sorted(known))}" if known else ""),
        ) from None  # fmt: skip
    if target == "bpf_map_elem":
        return Context(hook.context, name, _walked_map(frame, attachment))
    system_call = target.removeprefix(_ENTERING) if target.startswith(_ENTERING) else ""
    return Context(hook.context, name, system_call)


def _unknown_record(frame: Frame, event: str, node: ast.AST) -> Failure:
    """An event is there, and which record it has cannot be told."""
    btf = frame.unit.btf
    suggestion = _other_hook(btf, event)
    records = records_of(btf, event)
    if records:
        return frame.error(rules.SharedRecord, node, event=event, records=", ".join(records), suggestion=suggestion)
    return frame.error(rules.NoRecord, node, event=event, struct=f"trace_event_raw_{event}", suggestion=suggestion)


def _walked_map(frame: Frame, attachment: hooks.Attachment) -> str:
    """The map that the iterator's decorator names; empty if that is said later, so that its types are not known."""
    programs = frame.unit.declaration.programs.values()
    method = frame.source.node.name
    told = [each.where for each in programs if each.method == method and each.section == attachment.section]
    return str(told[0].get("map", "")) if told else ""


def _other_hook(btf: kernel.Btf, event: str) -> str:
    names = tracepoints(btf)
    if event in names:
        return f'use @btf_tracepoint("{event}"), which has the event\'s own arguments'
    return did_you_mean(event, names)


def walked(frame: Frame, type_: Context) -> list[str]:
    """What an iterator hands in, by name."""
    btf = frame.unit.btf
    return [name for name in member_names(btf, btf.find(type_.name, kernel.Kind.STRUCT)) if name != _OWN]


def field(frame: Frame, value: Value, name: str, node: ast.AST) -> Value:
    """A field of a tracepoint's record or an iterator's context."""
    type_ = value.type
    assert isinstance(type_, Context)
    btf = frame.unit.btf
    if not type_.name:
        raise _unknown_record(frame, type_.hook, node)
    struct = btf.find(type_.name, kernel.Kind.STRUCT)
    names = member_names(btf, struct)
    iterating = type_.reading is hooks.Context.ITERATOR
    if iterating and type_.hook and name in ("key", "value"):
        return _of_map(frame, value, type_, name, node)
    if not iterating and f"__data_loc_{name}" in names:
        return _dynamic_text(frame, value.expression, type_.name, name, struct)
    if name not in names and type_.hook and name in (called := [each for each, _ in SYSCALLS.get(type_.hook, ())]):
        return _of_system_call(frame, value, type_, called.index(name), node)
    if name not in names:
        known = [known.removeprefix("__data_loc_") for known in names if known and known not in ("ent", "__data")]
        known += [each for each, _ in SYSCALLS.get(type_.hook, ())]
        raise frame.error(
            rules.NoContextField, node, context=type_, name=name, known=", ".join(known) or "none",
            suggestion=did_you_mean(name, known),
        )  # fmt: skip
    path = btf.member(struct, name)
    step = ir.CoreMember(name, core_kind(frame.unit.btf, path.type_id, path.bitfield_size))
    access = ir.CoreAccess(type_.name, (step,))
    return read(
        frame, value.expression, access, path.type_id, path.bitfield_size, iterating, name, node,
        may_be_null=iterating and name != _OWN,
    )  # fmt: skip


def _of_system_call(frame: Frame, value: Value, type_: Context, index: int, node: ast.AST) -> Value:
    """An argument of a system call by its name: an element of ``args``, as wide as the system call has it."""
    found = element(frame, field(frame, value, "args", node), index, node)
    declared = SYSCALL_TYPES[SYSCALLS[type_.hook][index][1]]
    return Value(declared, ir.Convert(found.expression, declared.code))


def _of_map(frame: Frame, value: Value, type_: Context, name: str, node: ast.AST) -> Value:
    """The key or value of an entry, as the map's declaration has it; None at the end of the walk."""
    walked = frame.unit.declaration.maps.get(type_.hook)
    kind = None if walked is None else walked.key if name == "key" else walked.value_kind
    if walked is None or kind is None or walked.map_type in _PER_CPU:
        found = f"the {name} of an entry"
        why = f"of {type_.hook}, which has one for each CPU" if kind is not None else f"there is no map {type_.hook}"
        raise frame.error(rules.UnreadableField, node, name=name, found=found, why=why)
    access = ir.CoreAccess(type_.name, (ir.CoreMember(name, ir.CorePointer()),))
    pointer = ir.Load(ir.KernelField(value.expression, access), ir.PointerType(ir.Region.MAP_VALUE))
    inner = of_kind(kind)
    held = None if isinstance(inner, StructType | Array) else kind
    return Value(Optional(inner, held), pointer, align=kind_align(kind))


def _dynamic_text(frame: Frame, context: ir.Expression, struct_name: str, name: str, struct: int) -> Value:
    """A ``__data_loc`` field: its u32 holds where the text stands in the record, and its length above that."""
    path = frame.unit.btf.member(struct, f"__data_loc_{name}")
    step = ir.CoreMember(f"__data_loc_{name}", core_kind(frame.unit.btf, path.type_id, 0))
    where = ir.Load(ir.KernelField(context, ir.CoreAccess(struct_name, (step,))), ir.U32)
    start = ir.Binary(ir.BinaryOp.AND, where, ir.Const(0xFFFF, ir.U32))
    record = ir.Convert(context, ir.PointerType(ir.Region.KERNEL_UNTRUSTED))
    return Value(Text(None), recipe=string_recipe(frame, ir.Offset(record, start)))
