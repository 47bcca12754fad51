"""Contexts that are UAPI structs: fields at fixed offsets, as the verifier asks, and what may be written.

Invariant: which fields can be written follows from the program type, as in the is_valid_access functions of
net/core/filter.c; fields in network order read as host numbers.
"""

from __future__ import annotations

import ast

from beespace import btf as kernel
from beespace import hooks
from beespace.compiler import ir, rules
from beespace.compiler.diagnostics import did_you_mean
from beespace.compiler.expressions.numbers import fit
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.types import is_network_order, member_names, pointer_type
from beespace.compiler.types import Context, Int, KernelObject, Literal, Optional, Socket, Type
from beespace.compiler.values import Value

__all__ = [
    "PACKETS", "WRITES_PACKETS", "context_of", "element", "field", "is_element", "metadata_bounds", "packet_bounds",
    "socket_field", "store", "store_element",
]  # fmt: skip

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
    "sk_msg_md": {"remote_ip4": 32, "local_ip4": 32, "remote_ip6": 32, "local_ip6": 32, "remote_port": 32},
    "bpf_sk_lookup": {"remote_ip4": 32, "local_ip4": 32, "remote_ip6": 32, "local_ip6": 32, "remote_port": 16},
    "sk_reuseport_md": {"eth_protocol": 16},
    "bpf_flow_keys": {"ipv6_src": 32, "ipv6_dst": 32},
}  # fmt: skip
# The socket behind a context: full sockets, or whatever the packet has.
_SOCKETS: dict[tuple[str, str], Type] = {
    ("__sk_buff", "sk"): Optional(Socket("bpf_sock", full=False)),
    ("bpf_sock_ops", "sk"): Optional(Socket("bpf_sock", full=False)),
    ("bpf_sock_addr", "sk"): Socket("bpf_sock"),
    ("bpf_sockopt", "sk"): Socket("bpf_sock"),
    ("sk_msg_md", "sk"): Socket("bpf_sock"),
    ("bpf_sk_lookup", "sk"): Optional(Socket("bpf_sock")),
    ("sk_reuseport_md", "sk"): Socket("bpf_sock"),
    ("sk_reuseport_md", "migrating_sk"): Optional(Socket("bpf_sock")),
}
# What may be written, by program type; where that says nothing, by struct.
_WRITABLE: dict[int | str, tuple[str, ...]] = {
    1: ("cb",),  # socket filters
    3: ("mark", "priority", "tc_index", "tc_classid", "tstamp", "queue_mapping", "cb"),
    4: ("mark", "priority", "tc_index", "tc_classid", "tstamp", "queue_mapping", "cb"),
    8: ("mark", "priority", "tstamp", "cb"),
    10: ("mark", "priority", "cb"),
    11: ("mark", "priority", "cb"),
    12: ("mark", "priority", "cb"),
    14: ("priority", "tc_index"),
    19: ("mark", "priority", "cb"),
    22: (),
    "bpf_sock_addr": ("user_ip4", "user_ip6", "user_port", "msg_src_ip4", "msg_src_ip6"),
    "bpf_sock": ("bound_dev_if", "mark", "priority"),
    "bpf_sock_ops": ("reply", "sk_txhash"),
    "bpf_sockopt": ("level", "optname", "optlen", "retval"),
    "bpf_sysctl": ("file_pos",),
    "bpf_flow_keys": (
        "nhoff", "thoff", "addr_proto", "is_frag", "is_first_frag", "is_encap", "ip_proto", "n_proto", "sport",
        "dport", "ipv4_src", "ipv4_dst", "ipv6_src", "ipv6_dst", "flags", "flow_label",
    ),
}  # fmt: skip
# Where the packet lies: the fields that bound it, and whether they are pointers (else u32).
PACKETS = {
    "__sk_buff": ("data", "data_end", False),
    "xdp_md": ("data", "data_end", False),
    "sk_msg_md": ("data", "data_end", True),
    "sk_reuseport_md": ("data", "data_end", True),
    "bpf_sockopt": ("optval", "optval_end", True),
    "bpf_sock_ops": ("skb_data", "skb_data_end", True),
}
# What lies in front of a packet, between these two (xdp, tc).
METADATA = {"__sk_buff": ("data_meta", "data"), "xdp_md": ("data_meta", "data")}
_PLACED = "bpf.packet(ctx, Header, offset) gives its bytes, bpf.packet_length(ctx) its length"
_INSTEAD = {"data_meta": "use bpf.metadata(ctx, Header), which checks the bounds"}
_BOUNDS = {"data", "data_end", "data_meta", "skb_data", "skb_data_end", "optval", "optval_end"}
# Program types whose programs may write into the packet (may_access_direct_pkt_data in kernel/bpf/verifier.c).
WRITES_PACKETS = {3, 4, 6, 12, 14, 16, 25}


def context_of(frame: Frame, attachment: hooks.Attachment, node: ast.AST) -> Context:
    """The struct of a hook."""
    hook = attachment.hook
    if hook.context_type:
        try:
            frame.unit.btf.find(hook.context_type, kernel.Kind.STRUCT)
        except KeyError:
            raise frame.error(
                rules.NoSuchEvent, node, what=f"struct {hook.context_type} for", event=hook.name, suggestion=""
            ) from None
    return Context(hook.context, hook.context_type, program=hook.program_type)


def _writable(context: Context | Socket) -> tuple[str, ...]:
    if isinstance(context, Socket):
        return ()
    if context.name in _WRITABLE:
        return _WRITABLE[context.name]
    return _WRITABLE.get(context.program, ())


def field(frame: Frame, value: Value, name: str, node: ast.Attribute) -> Value:
    """``ctx.name``."""
    assert isinstance(value.type, Context)
    return _field(frame, value.expression, value.type, name, node, value.path)


def socket_field(frame: Frame, value: Value, name: str, node: ast.Attribute) -> Value:
    """A field of ``struct bpf_sock`` or ``struct bpf_tcp_sock``."""
    assert isinstance(value.type, Socket)
    return _field(frame, value.expression, value.type, name, node, None)


def _no_field(frame: Frame, context: object, name: str, names: list[str], node: ast.AST) -> Exception:
    known = [known for known in names if known and known not in _BOUNDS]
    return frame.error(
        rules.NoContextField, node, context=context, name=name, known=", ".join(known) or "none",
        suggestion=did_you_mean(name, known),
    )  # fmt: skip


def _field(
    frame: Frame, base: ir.Expression, owner: Context | Socket, name: str, node: ast.AST, path: str | None
) -> Value:
    btf = frame.unit.btf
    struct_name = owner.name
    struct = btf.find(struct_name, kernel.Kind.STRUCT)
    names = member_names(btf, struct)
    if name not in names:
        raise _no_field(frame, owner, name, names, node)
    if name in _BOUNDS and struct_name in PACKETS:
        raise frame.error(
            rules.UnreadableField, node, name=name, found="where the packet lies", why="not a number",
            suggestion=_INSTEAD.get(name, _PLACED),
        )  # fmt: skip
    member = btf.member(struct, name)
    at = member.byte_offset + (owner.offset if isinstance(owner, Context) else 0)
    place = ir.ContextField(base, at)
    target = btf.type(btf.resolve(member.type_id))
    if isinstance(target, kernel.Array):
        access = ir.CoreAccess(struct_name, (ir.CoreMember(name, ir.CorePointer()),))
        return Value(KernelObject(btf.resolve(member.type_id), f"{name}[{target.count}]", False, access), place)
    if isinstance(target, kernel.Struct):
        inner = Context(hooks.Context.STRUCT, target.name, offset=at)
        return Value(inner, base)
    if isinstance(target, kernel.Pointer):
        return _pointer(frame, place, struct_name, name, member.type_id, node)
    type_ = Int(8 * btf.size(member.type_id), bool(getattr(target, "is_signed", False)))
    code: ir.Expression = ir.Load(place, type_.code, span=frame.code_span(node))
    # What the program itself may change is not known any longer once it was checked.
    known = f"{path}.{name}" if path and name not in _writable(owner) else None
    bits = _order(frame, struct_name, name, member.type_id)
    code = code if bits is None else _swapped(code, type_, bits)
    bounds = frame.state.bounds.get(known) if known else None
    return Value(Int(bits or type_.bits, type_.signed), code, bounds, path=known)


def _pointer(frame: Frame, place: ir.ContextField, struct_name: str, name: str, type_id: int, node: ast.AST) -> Value:
    btf = frame.unit.btf
    socket = _SOCKETS.get((struct_name, name))
    if socket is not None:
        return Value(socket, ir.Load(place, ir.PointerType(ir.Region.SOCKET)))
    if struct_name == "bpf_nf_ctx":
        pointer = pointer_type(btf, btf.resolve(type_id), trusted=True)
        return Value(pointer, ir.Load(place, ir.PointerType(ir.Region.KERNEL_TRUSTED)))
    if name == "flow_keys":
        keys = Context(hooks.Context.STRUCT, "bpf_flow_keys")
        return Value(keys, ir.Load(place, ir.PointerType(ir.Region.CONTEXT)))
    raise frame.error(rules.UnreadableField, node, name=name, found=btf.describe(type_id), why="no use for it here")


def _order(frame: Frame, struct_name: str, name: str, type_id: int) -> int | None:
    """How many bits of a field in network order count; ``None`` for one in host order."""
    bits = _NETWORK_ORDER.get(struct_name, {}).get(name)
    if bits is None and is_network_order(frame.unit.btf, type_id):
        bits = 8 * frame.unit.btf.size(type_id)
    return bits


def _swapped(code: ir.Expression, type_: Int, bits: int) -> ir.Expression:
    return ir.ByteSwap(code if bits == type_.bits else ir.Convert(code, Int(bits).code))


def is_element(owner: Value) -> bool:
    """Whether ``owner[i]`` is an element of an array in a UAPI struct."""
    return isinstance(owner.type, KernelObject) and isinstance(owner.code, ir.ContextField)


def element(frame: Frame, array: Value, node: ast.Subscript) -> Value:
    """``ctx.user_ip6[i]``: an element of an array in a UAPI struct."""
    place, whole, bits = _element(frame, array, node)
    code: ir.Expression = ir.Load(place, whole.code)
    return Value(Int(bits or whole.bits), code if bits is None else _swapped(code, whole, bits))


def _element(frame: Frame, array: Value, node: ast.Subscript) -> tuple[ir.ContextField, Int, int | None]:
    """Where the element stands, its type there, and the bits that count if it is in network order."""
    btf = frame.unit.btf
    assert isinstance(array.type, KernelObject) and isinstance(array.code, ir.ContextField)
    known = btf.type(array.type.target)
    assert isinstance(known, kernel.Array)
    index = frame.value(node.slice)
    if not isinstance(index.type, Literal):
        raise frame.error(
            rules.NotConstant, node.slice, what="the index of an array of the context",
            suggestion="write a number, or one branch for each index",
        )  # fmt: skip
    if not 0 <= index.type.value < known.count:
        raise frame.error(
            rules.IndexOutOfRange, node, found=f"the index is {index.type.value}", length=known.count
        )  # fmt: skip
    whole = Int(8 * btf.size(known.type))
    place = ir.ContextField(array.code.pointer, array.code.offset + index.type.value * (whole.bits // 8))
    step = array.type.access.steps[0]
    assert isinstance(step, ir.CoreMember)
    return place, whole, _order(frame, array.type.access.root, step.name, known.type)


def store(frame: Frame, value: Value, name: str, new: Value, node: ast.Attribute, new_node: ast.AST) -> ir.Block:
    """``ctx.name = new``, where the kernel allows it."""
    type_ = value.type
    assert isinstance(type_, Context)
    current = field(frame, value, name, node) if type_.reading is hooks.Context.STRUCT else Value(type_)
    _check_writable(frame, type_, name, node, isinstance(current.type, Int))
    btf = frame.unit.btf
    member = btf.member(btf.find(type_.name, kernel.Kind.STRUCT), name)
    assert isinstance(current.type, Int)
    whole = Int(8 * btf.size(member.type_id), current.type.signed)
    place = ir.ContextField(value.expression, member.byte_offset + type_.offset)
    return _written(frame, place, whole, _order(frame, type_.name, name, member.type_id), new, new_node, f"ctx.{name}")


def store_element(frame: Frame, array: Value, node: ast.Subscript, new: Value, new_node: ast.AST) -> ir.Block:
    """``ctx.name[i] = new``, where the kernel allows it: whole elements, each by a store of its own."""
    assert isinstance(node.value, ast.Attribute)
    owner = frame.value(node.value.value).type
    assert isinstance(owner, Context)
    _check_writable(frame, owner, node.value.attr, node.value)
    place, whole, bits = _element(frame, array, node)
    return _written(frame, place, whole, bits, new, new_node, ast.unparse(node))


def _check_writable(frame: Frame, type_: Context, name: str, node: ast.AST, is_number: bool = True) -> None:
    writable = _writable(type_) if type_.reading is hooks.Context.STRUCT else ()
    if name not in writable or not is_number:
        what = f"of {type_.name} these can: {', '.join(writable)}" if writable else f"{type_.name} is read only"
        raise frame.error(rules.ContextReadOnly, node, name=name, context=type_, known=what)


def _written(
    frame: Frame, place: ir.ContextField, whole: Int, bits: int | None, new: Value, new_node: ast.AST, what: str
) -> ir.Block:
    """``bits``: those that count of a number in network order."""
    shown = Int(bits or whole.bits, whole.signed)
    code = fit(frame, new, shown, new_node, what)
    if bits is not None:
        code = ir.ByteSwap(code)
    if whole.bits != shown.bits:
        code = ir.Convert(code, whole.code)
    return (ir.Store(place, code),)


def packet_bounds(frame: Frame, value: Value) -> tuple[ir.Expression, ir.Expression] | None:
    """Where the packet of a context begins and ends, as packet pointers; ``None`` if it has none."""
    if not isinstance(value.type, Context) or value.type.name not in PACKETS:
        return None
    return _pointers(frame, value, *PACKETS[value.type.name])


def metadata_bounds(frame: Frame, value: Value) -> tuple[ir.Expression, ir.Expression]:
    """The same of what XDP put in front of a packet."""
    assert isinstance(value.type, Context)
    return _pointers(frame, value, *METADATA[value.type.name], False)


def _pointers(frame: Frame, value: Value, start: str, end: str, wide: bool) -> tuple[ir.Expression, ir.Expression]:
    assert isinstance(value.type, Context)
    btf = frame.unit.btf
    struct = btf.find(value.type.name, kernel.Kind.STRUCT)

    def bound(name: str) -> ir.Expression:
        place = ir.ContextField(value.expression, btf.member(struct, name).byte_offset)
        packet = ir.PointerType(ir.Region.PACKET)
        return ir.Load(place, packet) if wide else ir.Convert(ir.Load(place, ir.U32), packet)

    return bound(start), bound(end)
