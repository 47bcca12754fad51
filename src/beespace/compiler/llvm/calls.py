"""Calls: helpers by number, sub-programs by symbol, kernel functions by name.

Invariant: what the callee sees in a register has all 64 bits; of what it gives only the bits of its type are used.
"""

from __future__ import annotations

from beespace.compiler import ir
from beespace.compiler.llvm import expressions, memory
from beespace.compiler.llvm.effects import effect_of
from beespace.compiler.llvm.writer import FunctionWriter, Unit, llvm_type, symbol

__all__ = ["call", "helper", "kernel_function", "kernel_function_exists"]


# Operations on maps that the kernel's compiler calls by themselves, and which gave an int before Linux 6.4
# (d7ba4cc900bf): a negative one came back as a large positive number of 64 bits.
_INT_RESULTS = {
    2: "map_update_elem", 3: "map_delete_elem", 51: "redirect_map", 87: "map_push_elem", 88: "map_pop_elem",
    89: "map_peek_elem", 164: "for_each_map_elem",
}  # fmt: skip


def helper(writer: FunctionWriter, node: ir.Helper) -> str:
    effect = effect_of(node.number)
    arguments = _widened(writer, node.arguments, effect.pointers)
    result = "ptr" if isinstance(node.type, ir.PointerType) else "i64"
    value = memory.helper(writer, node.number, arguments, result, effect.group)
    if node.number in _INT_RESULTS and isinstance(node.type, (ir.IntType, ir.BoolType)):
        value = expressions.resize(writer, writer.value(f"trunc i64 {value} to i32"), ir.I32, 64)
    return _narrowed(writer, value, 64, node.type)


def call(writer: FunctionWriter, node: ir.Call) -> str:
    evaluate = expressions.evaluate
    arguments = ", ".join(f"{llvm_type(item.type)} {evaluate(writer, item)}" for item in node.arguments)
    return _call(writer, f"{llvm_type(node.type)} {symbol(node.function)}({arguments})", node.type)


def kernel_function(writer: FunctionWriter, node: ir.KernelFunction) -> str:
    name = _declare(writer.unit, node.name, node.prototype, weak=node.weak)
    arguments = _widened(writer, node.arguments)
    result = node.prototype.result
    value = _call(writer, f"{_result(result)} {name}({arguments})", node.type)
    bits = 8 * result.size if isinstance(result, (ir.CoreInt, ir.CoreEnum)) else 64
    return _narrowed(writer, value, bits, node.type)


def kernel_function_exists(writer: FunctionWriter, node: ir.KernelFunctionExists) -> str:
    name = _declare(writer.unit, node.name, node.prototype, weak=True)
    return writer.value(f"icmp ne ptr {memory.barrier(writer, 'ptr', name)}, null")


def _call(writer: FunctionWriter, text: str, type: ir.Type) -> str:
    if isinstance(type, ir.VoidType):
        writer.effect(f"call {text}")
        return ""
    return writer.value(f"call {text}")


def _widened(writer: FunctionWriter, arguments: tuple[ir.Expression, ...], pointers: str = "") -> str:
    """The arguments as a C caller passes them: integers extended by their own sign; what is known of ``pointers``."""
    texts = []
    for item in arguments:
        value = expressions.evaluate(writer, item)
        match item.type:
            case ir.IntType():
                value = expressions.resize(writer, value, item.type, 64) if not isinstance(item, ir.Const) else value
            case ir.BoolType():
                value = writer.value(f"zext i1 {value} to i64")
            case _:
                pass
        name = f"{llvm_type(item.type)} {pointers}" if isinstance(item.type, ir.PointerType) else "i64"
        texts.append(f"{name} {value}")
    return ", ".join(texts)


def _narrowed(writer: FunctionWriter, value: str, bits: int, type: ir.Type) -> str:
    """A result of ``bits`` bits as the ``type`` that the IR makes of it."""
    match type:
        case ir.IntType():
            return expressions.resize(writer, value, ir.IntType(bits), type.bits)
        case ir.BoolType():
            return writer.value(f"icmp ne i{bits} {value}, 0")
        case ir.PointerType():
            return value
        case ir.VoidType():
            return ""


def _result(kind: ir.CoreKind | None) -> str:
    match kind:
        case None:
            return "void"
        case ir.CoreInt() | ir.CoreEnum():
            return f"i{8 * kind.size}"
        case _:
            return _pointer(kind)


def _pointer(kind: ir.CoreKind | None) -> str:
    return "ptr addrspace(1)" if isinstance(kind, ir.CorePointer) and kind.arena else "ptr"


def _declare(unit: Unit, name: str, prototype: ir.CorePrototype, *, weak: bool) -> str:
    """Declare ``name`` as clang does ``extern ... __ksym``; how it is called."""
    if name not in unit.kernel_functions:
        types = ", ".join(
            _pointer(item) if isinstance(item, ir.CorePointer) else "i64" for item in prototype.parameters
        )
        location = unit.debug.declaration(name, unit.core.prototype(prototype))
        linkage = "extern_weak " if weak else ""
        unit.kernel_functions[name] = (
            f'declare !dbg {location} {linkage}{_result(prototype.result)} {symbol(name)}({types}) section ".ksyms"'
        )
    return symbol(name)
