"""Contexts that are registers: probes of kernel functions, system calls, user functions, static probes.

Invariant: the object is for the machine whose kernel's types it is compiled with, since ``struct pt_regs`` is another
one on each.  Where BTF has the function's prototype, that types the arguments; elsewhere the author's
annotations do, and what has none is a u64.
"""

from __future__ import annotations

import ast

from beespace import btf as kernel
from beespace import hooks
from beespace.compiler import ir, rules
from beespace.compiler.contexts.arguments import function_prototype
from beespace.compiler.contexts.usdt import usdt_argument
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.types import argument, member_names
from beespace.compiler.types import BOOL, I64, SYSCALL_TYPES, U64, Bool, Context, Int, Type
from beespace.compiler.values import Value
from beespace.hooks.registers import ARM64, X86_64, Registers
from beespace.hooks.syscalls import SYSCALLS

__all__ = ["REGISTERS", "all_registers", "context_of", "is_return", "names", "positional", "result"]

REGISTERS = "registers"
_SYSCALLS = ("ksyscall", "kretsyscall")
_KERNEL = ("kprobe", "kretprobe", "kprobe.multi", "kretprobe.multi", "kprobe.session")
_RETURNS = (
    "kretprobe", "kretprobe.multi", "kprobe.session", "kretsyscall", "uretprobe", "uretprobe.multi", "uprobe.session",
)  # fmt: skip
_BOTH = ("kprobe.session", "uprobe.session")
_UNTRUSTED = ir.PointerType(ir.Region.KERNEL_UNTRUSTED)
_USDT_ARGUMENTS = 12


def context_of(attachment: hooks.Attachment) -> Context:
    """The registers at a probe; ``name`` is the function, ``hook`` the kind of probe."""
    section = attachment.hook.section.removesuffix(".s")
    target = attachment.target
    if section in _KERNEL:
        target = target.partition("+")[0].rpartition(":")[2]
    return Context(attachment.hook.context, target, section)


def machine(frame: Frame, node: ast.AST) -> Registers:
    """The machine that the kernel's types are of."""
    btf = frame.unit.btf
    try:
        members = member_names(btf, btf.find("pt_regs", kernel.Kind.STRUCT))
    except KeyError:
        members = []
    if "di" in members:
        return X86_64
    if "user_regs" in members or "pstate" in members:
        return ARM64
    raise frame.error(
        rules.UnreadableField, node, name="the argument", found="in a register", why="of which machine is not known",
        suggestion="probes are compiled for x86-64 and arm64, with the types of such a kernel",
    )  # fmt: skip


def is_return(type_: Context) -> bool:
    """Whether a result is there to be read."""
    return type_.hook in _RETURNS


def _has_arguments(type_: Context) -> bool:
    return type_.hook not in _RETURNS or type_.hook in _BOTH


def _prototype(frame: Frame, type_: Context) -> kernel.FunctionPrototype | None:
    return function_prototype(frame.unit.btf, type_.name) if type_.hook in _KERNEL else None


def names(frame: Frame, type_: Context) -> list[str] | None:
    """The names of the arguments, in order; none at a return; ``None``: not known."""
    if not _has_arguments(type_):
        return []
    if type_.hook in _SYSCALLS:
        known = SYSCALLS.get(type_.name)
        return None if known is None else [name for name, _ in known]
    found = _prototype(frame, type_)
    return None if found is None else [parameter.name for parameter in found.parameters]


def positional(frame: Frame, value: Value, index: int, declared: Type | None, node: ast.AST) -> Value:
    """The argument at ``index``."""
    type_ = value.type
    assert isinstance(type_, Context)
    if type_.hook == "usdt":
        _check_count(frame, index, _USDT_ARGUMENTS, node)
        return _typed(frame, usdt_argument(frame, value.expression, index, machine(frame, node)), declared, node)
    registers = machine(frame, node)
    if type_.hook in _SYSCALLS:
        _check_count(frame, index, len(registers.syscall_arguments), node)
        inner = ir.Load(ir.ContextField(value.expression, registers.arguments[0]), _UNTRUSTED)
        place: ir.Expression = ir.Offset(inner, registers.syscall_arguments[index])
        known = SYSCALLS.get(type_.name)
        if declared is None and known is not None:
            declared = SYSCALL_TYPES[known[index][1]]
        return _typed(frame, ir.Load(place, ir.U64), declared, node)
    prototype = _prototype(frame, type_)
    if prototype is None:
        _check_count(frame, index, len(registers.arguments), node)
        slot = ir.ContextField(value.expression, registers.arguments[index])
        return _typed(frame, ir.Load(slot, ir.U64), declared, node)
    number = sum(_width(frame, each.type, registers) for each in prototype.parameters[:index])
    _check_count(frame, number, len(registers.arguments), node)
    slot = ir.ContextField(value.expression, registers.arguments[number])
    return argument(frame, slot, prototype.parameters[index].type, trusted=False, may_be_null=False, node=node)


def _width(frame: Frame, type_id: int, registers: Registers) -> int:
    """How many registers an argument takes."""
    size = frame.unit.btf.size(type_id)
    if size <= 16:
        return (size + 7) // 8
    return 0 if registers.large_in_memory else 1


def _check_count(frame: Frame, number: int, count: int, node: ast.AST) -> None:
    if number >= count:
        raise frame.error(
            rules.UnreadableField, node, name="the argument", found="not in a register",
            why=f"only the first {count} are",
        )  # fmt: skip


def _typed(frame: Frame, code: ir.Expression, declared: Type | None, node: ast.AST) -> Value:
    """64 bits of a register as what the author calls them."""
    if declared is None or declared == U64:
        return Value(U64, code)
    if isinstance(declared, Int):
        return Value(declared, ir.Convert(code, declared.code))
    if isinstance(declared, Bool):
        return Value(BOOL, ir.Convert(ir.Convert(code, ir.U8), ir.BOOL))
    raise frame.error(
        rules.UnreadableField, node, name="the argument", found=str(declared), why="a register holds a number",
        suggestion="annotate it as u64, and read what is there with bpf.user_text() or bpf.user_bytes()",
    )  # fmt: skip


def result(frame: Frame, value: Value, declared: Type | None, node: ast.AST) -> Value:
    """What the function returned."""
    type_ = value.type
    assert isinstance(type_, Context)
    slot = ir.ContextField(value.expression, machine(frame, node).result)
    if type_.hook == "kretsyscall":
        return _typed(frame, ir.Load(slot, ir.U64), declared or I64, node)
    prototype = _prototype(frame, type_)
    if prototype is None:
        return _typed(frame, ir.Load(slot, ir.U64), declared, node)
    if not prototype.result:
        raise frame.error(
            rules.UnreadableField, node, name="result", found="nothing", why=f"{type_.name}() returns nothing"
        )
    return argument(frame, slot, prototype.result, trusted=False, may_be_null=False, node=node)


def all_registers(frame: Frame, value: Value, node: ast.AST) -> Value:
    """``ctx.registers``: ``struct pt_regs`` itself, its fields by name."""
    struct = "pt_regs" if machine(frame, node) is X86_64 else "user_pt_regs"
    return Value(Context(hooks.Context.STRUCT, struct), value.expression)
