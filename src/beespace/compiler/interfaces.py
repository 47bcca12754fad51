"""Classes that implement a kernel interface: members by name, functions typed by the interface's own prototypes.

Invariant: what a class sets is a member of the interface of the kernel that it is compiled against; which kernels have
that member, the loader says.
"""

from __future__ import annotations

import ast

from beespace import btf as kernel
from beespace.compiler import ir, rules
from beespace.compiler.diagnostics import Failure, did_you_mean
from beespace.compiler.frame import Frame, Unit
from beespace.compiler.kernel.types import core_kind
from beespace.compiler.types import BOOL, VOID, Bool, Int, KernelPointer, Type
from beespace.errors import UsageError
from beespace.hooks import Attachment

__all__ = [
    "code_of",
    "definition",
    "is_method",
    "is_number",
    "may_write",
    "method_result",
    "parameters",
    "promoted",
    "writable_fields",
]

_HOOKS = ("struct_ops", "struct_ops.s")
# Members of what the kernel keeps of an interface; the second before Linux 6.9 (612d087d4ba5).
_VALUES = (["common", "data"], ["refcnt", "state", "data"])
# What the verifier hands a method instead of what its prototype says (bpf_tcp_ca_is_valid_access in
# net/ipv4/bpf_tcp_ca.c): the struct that the other is the beginning of.
_PROMOTED: dict[str, dict[str, str]] = {"tcp_congestion_ops": {"sock": "tcp_sock"}}
# Fields of kernel objects that methods may write (bpf_tcp_ca_btf_struct_access, and bpf_scx_btf_struct_access in
# kernel/sched/ext.c).
_WRITABLE: dict[str, dict[str, tuple[str, ...]]] = {
    "tcp_congestion_ops": {
        "tcp_sock": ("snd_cwnd", "snd_cwnd_cnt", "snd_cwnd_stamp", "snd_ssthresh", "ecn_flags", "app_limited"),
        "sock": ("sk_pacing_rate", "sk_pacing_status"),
        "inet_connection_sock": ("icsk_ack.pending",),
    },
    "sched_ext_ops": {"task_struct": ("scx.slice", "scx.dsq_vtime", "scx.disallow")},
}


def is_method(attachment: Attachment) -> bool:
    """Whether a program is a function of an interface."""
    return attachment.hook.section in _HOOKS


def _interface(unit: Unit) -> tuple[str, kernel.Struct]:
    interface = unit.declaration.interface
    if interface is None:
        raise UsageError(
            f"{unit.declaration.name} has @struct_ops methods, but implements no interface",
            help='derive it from StructOps: `class Reno(StructOps, implements="tcp_congestion_ops")`',
        )
    btf = unit.btf
    try:
        found = btf.type(btf.find(interface.struct, kernel.Kind.STRUCT))
        btf.find(f"bpf_struct_ops_{interface.struct}", kernel.Kind.STRUCT)
    except KeyError:
        prefix = "bpf_struct_ops_"
        named = {name.removeprefix(prefix): id for name, id in btf.with_prefix(prefix, kernel.Kind.STRUCT)}
        known = [name for name, id in named.items() if _is_value(btf, id)]
        raise UsageError(
            f"{unit.declaration.name} implements {interface.struct!r}, which is no interface of this kernel",
            help=did_you_mean(interface.struct, known) or f"it has {', '.join(sorted(known)) or 'none'}",
        ) from None
    assert isinstance(found, kernel.Struct)
    return interface.struct, found


def _is_value(btf: kernel.Btf, type_id: int) -> bool:
    """Whether a struct is what the kernel keeps of an interface: its own counters, then the interface as ``data``."""
    found = btf.type(type_id)
    if not isinstance(found, kernel.Struct) or [each.name for each in found.members] not in _VALUES:
        return False
    return isinstance(btf.type(btf.resolve(found.members[-1].type)), kernel.Struct)


def parameters(frame: Frame, method: str, node: ast.AST) -> tuple[kernel.Parameter, ...]:
    """The parameters of a method, as the interface has them; those that may be null end in ``__nullable``."""
    btf = frame.unit.btf
    name, _ = _interface(frame.unit)
    found = _prototype(frame, method, node).parameters
    try:  # the interface's own stub has the marks
        marked = btf.prototype(btf.find(f"{name}__{method}", kernel.Kind.FUNC)).parameters
    except KeyError:
        return found
    return marked if len(marked) == len(found) else found


def _prototype(frame: Frame, method: str, node: ast.AST) -> kernel.FunctionPrototype:
    btf = frame.unit.btf
    name, struct = _interface(frame.unit)
    methods = {member.name: _method(btf, member) for member in struct.members}
    found = methods.get(method)
    if found is None:
        known = [each for each, prototype in methods.items() if prototype is not None]
        raise frame.error(
            rules.NoSuchMember, node, interface=name, name=method, found="function", known=", ".join(known),
            suggestion=did_you_mean(method, known),
        )  # fmt: skip
    return found


def _method(btf: kernel.Btf, member: kernel.Member) -> kernel.FunctionPrototype | None:
    pointer = btf.type(btf.resolve(member.type))
    target = btf.type(btf.resolve(pointer.type)) if isinstance(pointer, kernel.Pointer) else None
    return target if isinstance(target, kernel.FunctionPrototype) else None


def method_result(frame: Frame, method: str, node: ast.AST) -> Type:
    """What a method returns."""
    btf = frame.unit.btf
    prototype = _prototype(frame, method, node)
    target = btf.type(btf.resolve(prototype.result))
    match target:
        case kernel.Void():
            return VOID
        case kernel.Int() if target.encoding & kernel.IntEncoding.BOOL:
            return BOOL
        case kernel.Int() | kernel.Enum() if target.size in (1, 2, 4, 8):
            return Int(8 * target.size, target.is_signed)
        case _:
            raise frame.error(
                rules.MemberKind, node, interface=_interface(frame.unit)[0], name=method,
                found=f"returns {btf.describe(prototype.result)}", why="numbers, bool and nothing can be returned",
            )  # fmt: skip


def code_of(result: Type) -> ir.IntType:
    """The type of the program's result register."""
    return ir.I64 if isinstance(result, Int) and result.bits == 64 else ir.I32


def promoted(frame: Frame, type_: KernelPointer) -> KernelPointer:
    """What the verifier takes a method's parameter for."""
    interface = frame.unit.declaration.interface
    bigger = _PROMOTED.get(interface.struct, {}).get(type_.name.removeprefix("struct ")) if interface else None
    if bigger is None:
        return type_
    return KernelPointer(frame.unit.btf.find(bigger, kernel.Kind.STRUCT), f"struct {bigger}", trusted=True)


def may_write(frame: Frame, struct: str, path: str) -> bool:
    """Whether a method of this program's interface may write that field."""
    interface = frame.unit.declaration.interface
    if interface is None or frame.attachment is None or not is_method(frame.attachment):
        return False
    return path in _WRITABLE.get(interface.struct, {}).get(struct, ())


def writable_fields(frame: Frame, struct: str) -> str:
    """Their names, for messages."""
    interface = frame.unit.declaration.interface
    if interface is None or frame.attachment is None or not is_method(frame.attachment):
        return ""
    return ", ".join(_WRITABLE.get(interface.struct, {}).get(struct, ()))


# --- the variable ----------------------------------------------------------------------------------------------


def definition(unit: Unit) -> ir.StructOpsDefinition | None:
    """The variable that implements the interface; mistakes in its data are added to the unit's diagnostics."""
    interface = unit.declaration.interface
    if interface is None:
        return None
    name, struct = _interface(unit)
    members: list[ir.InterfaceMember] = []
    known = {member.name: member for member in struct.members if member.name}
    data = [each for each, member in known.items() if _method(unit.btf, member) is None]
    for each, value in interface.data.items():
        frame, place = _assignment(unit, each)
        try:
            if each not in data:
                raise frame.error(
                    rules.NoSuchMember, place, interface=name, name=each, found="data", known=", ".join(data),
                    suggestion=did_you_mean(each, data) or f"annotate it to make it an option: `{each}: u32 = ...`",
                )  # fmt: skip
            members.append(_data(frame, known[each], value, name, place))
        except Failure as failure:
            unit.diagnostics.add(failure)
    methods = [each for each, section in unit.declaration.sections.items() if section.partition("/")[0] in _HOOKS]
    members += [ir.InterfaceMember(each, None, each) for each in methods]
    return ir.StructOpsDefinition(unit.declaration.name, name, tuple(members))


def _assignment(unit: Unit, name: str) -> tuple[Frame, ast.AST]:
    """Where the class, or one that it is derived from, sets ``name``."""
    frames = [Frame(unit, unit.sources.function(each), None) for each in unit.declaration.functions.values()]
    for frame in frames:
        for found in ast.walk(ast.parse(frame.source.file.text)):
            lines = {node.lineno for node in found.body} if isinstance(found, ast.ClassDef) else ()
            if frame.source.node.lineno not in lines:
                continue
            assert isinstance(found, ast.ClassDef)
            for node in found.body:
                if isinstance(node, ast.Assign) and any(ast.unparse(target) == name for target in node.targets):
                    return frame, node
    return frames[0], frames[0].source.node


def _data(
    frame: Frame, member: kernel.Member, value: int | str | bytes, name: str, place: ast.AST
) -> ir.InterfaceMember:
    btf = frame.unit.btf
    target = btf.type(btf.resolve(member.type))
    size = btf.size(member.type)
    kind = core_kind(btf, member.type, 0)
    why = f"in this kernel it is {btf.describe(member.type)}"
    if isinstance(target, kernel.Array) and btf.size(target.type) == 1 and isinstance(value, str | bytes):
        text = value.encode() if isinstance(value, str) else value
        if len(text) < size:
            return ir.InterfaceMember(member.name, kind, text.ljust(size, b"\0"))
        why = f"it may have {size - 1} bytes"
    elif isinstance(target, (kernel.Int, kernel.Enum)) and isinstance(value, int) and not member.bitfield_size:
        try:
            return ir.InterfaceMember(member.name, kind, int(value).to_bytes(size, "little", signed=target.is_signed))
        except OverflowError:
            pass
    raise frame.error(rules.MemberKind, place, interface=name, name=member.name, found=f"is {value!r}", why=why)


def is_number(result: Type | None) -> bool:
    """Whether a method must return a value."""
    return isinstance(result, (Int, Bool))
