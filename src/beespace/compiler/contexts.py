"""The program's argument: its type by hook, its fields, and a tracepoint's own arguments.

Invariant: UAPI structs are read at their fixed offsets, as the verifier asks; every other context
is read through BTF.
"""

from __future__ import annotations

import ast

from beespace import btf as kernel
from beespace import hooks
from beespace.compiler import interfaces, ir, rules
from beespace.compiler.diagnostics import did_you_mean
from beespace.compiler.frame import Frame
from beespace.compiler.kernel_types import argument, core_kind, member_names, read
from beespace.compiler.numbers import fit
from beespace.compiler.records import records_of
from beespace.compiler.texts import string_recipe
from beespace.compiler.types import Context, Int, KernelObject, KernelPointer, Optional, Socket, Text, Type
from beespace.compiler.values import Value
from beespace.record import replace

__all__ = [
    "allowed_results",
    "arguments",
    "context_of",
    "element",
    "field",
    "packet_bound",
    "positional",
    "socket_field",
    "store",
]

_METHOD = "method "  # of the name of a context: what follows is a function of the interface that is implemented

# Fields that UAPI says are in network byte order, with the bits that count (include/uapi/linux/bpf.h).
# remote_port is the 16-bit port in the upper half on little-endian machines, so 32 bits are swapped.
_NETWORK_ORDER = {
    "bpf_sock_addr": {"user_ip4": 32, "user_ip6": 32, "user_port": 16, "msg_src_ip4": 32, "msg_src_ip6": 32},
    "bpf_sock": {"src_ip4": 32, "src_ip6": 32, "dst_ip4": 32, "dst_ip6": 32, "dst_port": 16},
    "bpf_sock_ops": {"remote_ip4": 32, "local_ip4": 32, "remote_ip6": 32, "local_ip6": 32, "remote_port": 32},
    "__sk_buff": {
        "remote_ip4": 32, "local_ip4": 32, "remote_ip6": 32, "local_ip6": 32, "remote_port": 32, "protocol": 16,
        "vlan_proto": 16,
    },
}  # fmt: skip
# The socket behind a context: full sockets, or whatever the packet has.
_SOCKETS: dict[tuple[str, str], Type] = {
    ("__sk_buff", "sk"): Optional(Socket("bpf_sock", full=False)),
    ("bpf_sock_ops", "sk"): Optional(Socket("bpf_sock", full=False)),
    ("bpf_sock_addr", "sk"): Socket("bpf_sock"),
}
# What may be written, by struct (the is_valid_access functions of net/core/filter.c).
_WRITABLE = {
    "bpf_sock_addr": ("user_ip4", "user_ip6", "user_port", "msg_src_ip4", "msg_src_ip6"),
    "bpf_sock": ("bound_dev_if", "mark", "priority"),
    "__sk_buff": ("mark", "priority", "tstamp"),
    "bpf_sock_ops": ("reply",),
}
# What a program may return (check_return_code in kernel/bpf/verifier.c), by program and attach type.
_RESULTS = {
    (8, 0): (0, 1),  # cgroup_skb/ingress
    (8, 1): (0, 3),  # cgroup_skb/egress
    (9, None): (0, 1),
    (18, 8): (0, 3),  # bind4
    (18, 9): (0, 3),  # bind6
    (18, 19): (1, 1),  # recvmsg4
    (18, 20): (1, 1),  # recvmsg6
    (18, 29): (1, 1),  # getpeername4
    (18, 30): (1, 1),  # getpeername6
    (18, None): (0, 1),
    (13, None): (0, 1),
    (26, 28): (0, 1),  # iterators
}


def allowed_results(hook: hooks.Hook) -> tuple[int, int] | None:
    """The smallest and largest number that a program of this hook may return; ``None``: any."""
    exact = (hook.program_type, hook.attach_type)
    return _RESULTS.get(exact, _RESULTS.get((hook.program_type, None)))


def context_of(frame: Frame, attachment: hooks.Attachment, node: ast.AST) -> Context:
    """The type of ``ctx``; a mistake if the kernel has no such event or target."""
    hook, target = attachment.hook, attachment.target
    btf = frame.unit.btf
    event = target.rpartition("/")[2]
    if interfaces.is_method(attachment):
        interfaces.parameters(frame, target, node)  # a mistake here, if there is no such method
        return Context(hook.context, f"{_METHOD}{target}")
    if hook.context in (hooks.Context.ARGUMENTS, hooks.Context.RAW_ARGUMENTS):
        return Context(hook.context, event)
    if target.startswith("syscalls/sys_"):
        event = "sys_enter" if event.startswith("sys_enter_") else "sys_exit"
    name = hook.context_type.format(event=event, target=target)
    if hook.context is hooks.Context.TRACEPOINT:
        records = records_of(btf, event)
        if len(records) > 1:
            raise frame.error(
                rules.SharedRecord, node, event=event, records=", ".join(records), suggestion=_other_hook(btf, event)
            )
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
            rules.NoSuchEvent, node, what="iterator" if prefix else f"struct {name} for", event=target or hook.name,
            suggestion=did_you_mean(target, known) or (f"it has {', '.join(sorted(known))}" if known else ""),
        ) from None  # fmt: skip
    return Context(hook.context, name)


def _other_hook(btf: kernel.Btf, event: str) -> str:
    names = _events(btf)
    if event in names:
        return f'use @btf_tracepoint("{event}"), which has the event\'s own arguments'
    return did_you_mean(event, names)


def _events(btf: kernel.Btf) -> list[str]:
    return [name.removeprefix("btf_trace_") for name, _ in btf.with_prefix("btf_trace_", kernel.Kind.TYPEDEF)]


def arguments(frame: Frame, event: str, node: ast.AST) -> tuple[kernel.Parameter, ...]:
    """A tracepoint's own parameters, without the first, which is the tracepoint's own data."""
    btf = frame.unit.btf
    if event.startswith(_METHOD):
        return interfaces.parameters(frame, event.removeprefix(_METHOD), node)
    for name, kind in ((f"__traceiter_{event}", kernel.Kind.FUNC), (f"btf_trace_{event}", kernel.Kind.TYPEDEF)):
        try:
            return btf.prototype(btf.find(name, kind)).parameters[1:]
        except KeyError:
            continue
    raise frame.error(
        rules.NoSuchEvent, node, what="tracepoint", event=event, suggestion=did_you_mean(event, _events(btf))
    )


def positional(frame: Frame, value: Value, index: int, node: ast.AST) -> Value:
    """The argument at ``index`` of the tracepoint whose context ``value`` is."""
    assert isinstance(value.type, Context)
    parameter = arguments(frame, value.type.name, node)[index]
    found = argument(
        frame,
        ir.ContextField(value.expression, 8 * index),
        parameter.type,
        trusted=value.type.reading is hooks.Context.ARGUMENTS,
        may_be_null=parameter.name.endswith("__nullable"),
        node=node,
    )
    if value.type.name.startswith(_METHOD) and isinstance(found.type, KernelPointer):
        return replace(found, type=interfaces.promoted(frame, found.type))
    return found


def field(frame: Frame, value: Value, name: str, node: ast.Attribute) -> Value:
    """``ctx.name``."""
    type_ = value.type
    assert isinstance(type_, Context)
    if type_.reading in (hooks.Context.ARGUMENTS, hooks.Context.RAW_ARGUMENTS):
        names = [parameter.name.removesuffix("__nullable") for parameter in arguments(frame, type_.name, node)]
        if name not in names:
            raise _no_field(frame, type_, name, names, node)
        return positional(frame, value, names.index(name), node)
    if type_.reading is hooks.Context.STRUCT:
        return _uapi_field(frame, value.expression, type_.name, name, node, type_, value.path)
    return _record_field(frame, value, type_, name, node)


def _no_field(frame: Frame, context: object, name: str, names: list[str], node: ast.AST) -> Exception:
    known = [known for known in names if known and not known.startswith("__data")]
    return frame.error(
        rules.NoContextField, node, context=context, name=name, known=", ".join(known) or "none",
        suggestion=did_you_mean(name, known),
    )  # fmt: skip


def _record_field(frame: Frame, value: Value, type_: Context, name: str, node: ast.AST) -> Value:
    """A field of a tracepoint's record or an iterator's context."""
    btf = frame.unit.btf
    struct = btf.find(type_.name, kernel.Kind.STRUCT)
    names = member_names(btf, struct)
    iterating = type_.reading is hooks.Context.ITERATOR
    if not iterating and f"__data_loc_{name}" in names:
        return _dynamic_text(frame, value.expression, type_.name, name, struct)
    if name not in names:
        raise _no_field(frame, type_, name, [n.removeprefix("__data_loc_") for n in names if n != "ent"], node)
    path = btf.member(struct, name)
    step = ir.CoreMember(name, core_kind(frame.unit.btf, path.type_id, path.bitfield_size))
    access = ir.CoreAccess(type_.name, (step,))
    return read(
        frame, value.expression, access, path.type_id, path.bitfield_size, iterating, name, node,
        may_be_null=iterating and name != "meta",
    )  # fmt: skip


def _dynamic_text(frame: Frame, context: ir.Expression, struct_name: str, name: str, struct: int) -> Value:
    """A ``__data_loc`` field: its u32 holds where the text stands in the record, and its length above that."""
    path = frame.unit.btf.member(struct, f"__data_loc_{name}")
    step = ir.CoreMember(f"__data_loc_{name}", core_kind(frame.unit.btf, path.type_id, 0))
    where = ir.Load(ir.KernelField(context, ir.CoreAccess(struct_name, (step,))), ir.U32)
    start = ir.Binary(ir.BinaryOp.AND, where, ir.Const(0xFFFF, ir.U32))
    record = ir.Convert(context, ir.PointerType(ir.Region.KERNEL_UNTRUSTED))
    return Value(Text(None), recipe=string_recipe(ir.Offset(record, start)))


def socket_field(frame: Frame, value: Value, name: str, node: ast.Attribute) -> Value:
    """A field of ``struct bpf_sock`` or ``struct bpf_tcp_sock``."""
    assert isinstance(value.type, Socket)
    return _uapi_field(frame, value.expression, value.type.name, name, node, value.type, None)


def _uapi_field(
    frame: Frame,
    base: ir.Expression,
    struct_name: str,
    name: str,
    node: ast.AST,
    owner: Context | Socket,
    path: str | None,
) -> Value:
    btf = frame.unit.btf
    struct = btf.find(struct_name, kernel.Kind.STRUCT)
    names = member_names(btf, struct)
    if name not in names or name in ("data", "data_end", "data_meta", "skb_data", "skb_data_end"):
        if name in names:
            raise frame.error(
                rules.UnreadableField, node, name=name, found="where the packet lies", why="not a number",
                suggestion="use bpf.packet(ctx, Header, offset), which checks the bounds",
            )  # fmt: skip
        raise _no_field(frame, owner, name, names, node)
    member = btf.member(struct, name)
    place = ir.ContextField(base, member.byte_offset)
    target = btf.type(btf.resolve(member.type_id))
    if isinstance(target, kernel.Array):
        access = ir.CoreAccess(struct_name, (ir.CoreMember(name, ir.CorePointer()),))
        return Value(KernelObject(btf.resolve(member.type_id), f"{name}[{target.count}]", False, access), place)
    if isinstance(target, kernel.Pointer):
        socket = _SOCKETS.get((struct_name, name))
        if socket is None:
            raise frame.error(
                rules.UnreadableField, node, name=name, found=btf.describe(member.type_id), why="no use for it here"
            )
        return Value(socket, ir.Load(place, ir.PointerType(ir.Region.SOCKET)))
    type_ = Int(8 * btf.size(member.type_id), bool(getattr(target, "is_signed", False)))
    code: ir.Expression = ir.Load(place, type_.code, span=frame.code_span(node))
    # What the program itself may change is not known any longer once it was checked.
    known = f"{path}.{name}" if path and name not in _WRITABLE.get(struct_name, ()) else None
    code, bits = _host_order(code, type_, struct_name, name)
    bounds = frame.state.bounds.get(known) if known else None
    return Value(Int(bits, type_.signed), code, bounds, path=known)


def _host_order(code: ir.Expression, type_: Int, struct_name: str, name: str) -> tuple[ir.Expression, int]:
    bits = _NETWORK_ORDER.get(struct_name, {}).get(name)
    if bits is None:
        return code, type_.bits
    narrow = Int(bits)
    return ir.ByteSwap(code if bits == type_.bits else ir.Convert(code, narrow.code)), bits


def element(frame: Frame, value: Value, index: int, node: ast.AST) -> Value:
    """``ctx.user_ip6[i]``: an element of an array in a UAPI struct."""
    btf = frame.unit.btf
    assert isinstance(value.type, KernelObject) and isinstance(value.code, ir.ContextField)
    array = btf.type(value.type.target)
    assert isinstance(array, kernel.Array)
    if not 0 <= index < array.count:
        raise frame.error(rules.IndexOutOfRange, node, found=f"the index is {index}", length=array.count)
    type_ = Int(8 * btf.size(array.type))
    place = ir.ContextField(value.code.pointer, value.code.offset + index * (type_.bits // 8))
    step = value.type.access.steps[0]
    assert isinstance(step, ir.CoreMember)
    code, bits = _host_order(ir.Load(place, type_.code), type_, value.type.access.root, step.name)
    return Value(Int(bits), code)


def store(frame: Frame, value: Value, name: str, new: Value, node: ast.Attribute, new_node: ast.AST) -> ir.Block:
    """``ctx.name = new``, where the kernel allows it."""
    type_ = value.type
    assert isinstance(type_, Context)
    current = field(frame, value, name, node)
    writable = _WRITABLE.get(type_.name, ())
    if name not in writable or not isinstance(current.type, Int):
        what = f"of {type_.name} these can: {', '.join(writable)}" if writable else f"{type_.name} is read only"
        raise frame.error(rules.ContextReadOnly, node, name=name, context=type_, known=what)
    btf = frame.unit.btf
    member = btf.member(btf.find(type_.name, kernel.Kind.STRUCT), name)
    whole = Int(8 * btf.size(member.type_id), current.type.signed)
    code = fit(frame, new, current.type, new_node, f"ctx.{name}")
    if name in _NETWORK_ORDER.get(type_.name, {}):
        code = ir.ByteSwap(code)
    if whole.bits != current.type.bits:
        code = ir.Convert(code, whole.code)
    return (ir.Store(ir.ContextField(value.expression, member.byte_offset), code),)


def packet_bound(frame: Frame, context: ir.Expression, name: str) -> ir.Expression:
    """``data`` or ``data_end`` of the packet, as a packet pointer."""
    btf = frame.unit.btf
    member = btf.member(btf.find("__sk_buff", kernel.Kind.STRUCT), name)
    load = ir.Load(ir.ContextField(context, member.byte_offset), ir.U32)
    return ir.Convert(load, ir.PointerType(ir.Region.PACKET))
