"""Values: each expression of the IR becomes instructions that leave it in a register.

Invariant: nothing here is undefined to LLVM.  Shift counts are masked, divisors are never zero, and no
``nsw``, ``nuw``, ``inbounds`` or ``unreachable`` is written: what LLVM may assume, the verifier would have to believe.
"""

from __future__ import annotations

from typing import assert_never

from beespace.compiler import ir
from beespace.compiler.llvm import calls, memory, statements
from beespace.compiler.llvm.core import Relocation
from beespace.compiler.llvm.writer import FunctionWriter, llvm_type, symbol

__all__ = ["branch", "evaluate", "resize"]

_PLAIN = {
    ir.BinaryOp.ADD: "add",
    ir.BinaryOp.SUB: "sub",
    ir.BinaryOp.MUL: "mul",
    ir.BinaryOp.AND: "and",
    ir.BinaryOp.OR: "or",
    ir.BinaryOp.XOR: "xor",
}
_PREDICATES = {
    ir.CompareOp.EQ: "eq",
    ir.CompareOp.NE: "ne",
    ir.CompareOp.LT: "lt",
    ir.CompareOp.LE: "le",
    ir.CompareOp.GT: "gt",
    ir.CompareOp.GE: "ge",
}


def evaluate(writer: FunctionWriter, node: ir.Expression) -> str:
    """Append the instructions for ``node``; the operand that is its value (empty for void)."""
    with writer.at(node.span):
        return _evaluate(writer, node)


def _evaluate(writer: FunctionWriter, node: ir.Expression) -> str:
    match node:
        case ir.Const():
            if isinstance(node.type, ir.PointerType):
                return "null"
            return str(node.value) if isinstance(node.type, ir.IntType) else ("true" if node.value else "false")
        case ir.Local():
            if node.name in writer.values:
                return writer.values[node.name]
            register = writer.locals[node.name]
            return writer.value(f"load {llvm_type(node.type)}, ptr {register}, align {max(1, node.type.size)}")
        case ir.Binary():
            return _binary(writer, node)
        case ir.Compare():
            return _compare(writer, node)
        case ir.Not():
            return writer.value(f"xor i1 {evaluate(writer, node.operand)}, true")
        case ir.And() | ir.Or():
            return _truth(writer, node)
        case ir.Select():
            return _select(writer, node)
        case ir.Sequence():
            for statement in node.body:
                statements.run(writer, statement)
            return evaluate(writer, node.value)
        case ir.Convert():
            return _convert(writer, node)
        case ir.ByteSwap():
            name = llvm_type(node.type)
            writer.unit.intrinsic(f"declare {name} @llvm.bswap.{name}({name})")
            return writer.value(f"call {name} @llvm.bswap.{name}({name} {evaluate(writer, node.operand)})")
        case ir.Load():
            return memory.load(writer, evaluate(writer, node.pointer), node)
        case ir.Offset():
            return _offset(writer, node)
        case ir.ContextField():
            return memory.context_field(writer, evaluate(writer, node.pointer), node.offset)
        case ir.KernelField():
            return memory.kernel_field(writer, evaluate(writer, node.pointer), node.access)
        case ir.KernelBitfield():
            return memory.kernel_bitfield(writer, evaluate(writer, node.pointer), node)
        case ir.CoreInfo():
            return _core_info(writer, node)
        case ir.CoreEnumValue():
            return _relocated(writer, writer.unit.core.enumerator(node))
        case ir.LocalTypeId():
            return _relocated(writer, writer.unit.core.own_type(node.kind))
        case ir.StackSlot():
            slot = next(slot for slot in writer.function.slots if slot.name == node.name)
            return writer.memory(slot.name, slot.size, slot.align)
        case ir.MapAddress() | ir.GlobalAddress() | ir.ArenaAddress() | ir.FunctionAddress():
            return symbol(node.name)
        case ir.Helper():
            return calls.helper(writer, node)
        case ir.Call():
            return calls.call(writer, node)
        case ir.KernelFunction():
            return calls.kernel_function(writer, node)
        case ir.KernelFunctionExists():
            return calls.kernel_function_exists(writer, node)
        case ir.Atomic():
            return _atomic(writer, node)
        case _:
            assert_never(node)


# --- arithmetic ---


def _binary(writer: FunctionWriter, node: ir.Binary) -> str:
    type = node.type
    assert isinstance(type, ir.IntType)  # the IR was verified
    name = llvm_type(type)
    left, right = evaluate(writer, node.left), evaluate(writer, node.right)
    match node.op:
        case ir.BinaryOp.SHL | ir.BinaryOp.SHR:
            count = writer.value(f"and {name} {right}, {type.bits - 1}")
            right_shift = "ashr" if type.signed else "lshr"
            return writer.value(f"{'shl' if node.op is ir.BinaryOp.SHL else right_shift} {name} {left}, {count}")
        case ir.BinaryOp.DIV | ir.BinaryOp.MOD:
            return _divide(writer, node, name, left, right)
        case _:
            return writer.value(f"{_PLAIN[node.op]} {name} {left}, {right}")


def _divide(writer: FunctionWriter, node: ir.Binary, name: str, left: str, right: str) -> str:
    """Unsigned division as the machine does it: x / 0 is 0, x % 0 is x."""
    divides = node.op is ir.BinaryOp.DIV
    operation = "udiv" if divides else "urem"
    if isinstance(node.right, ir.Const) and node.right.value:
        return writer.value(f"{operation} {name} {left}, {right}")
    by_zero = writer.value(f"icmp eq {name} {right}, 0")
    divisor = writer.value(f"select i1 {by_zero}, {name} 1, {name} {right}")
    result = writer.value(f"{operation} {name} {left}, {divisor}")
    return writer.value(f"select i1 {by_zero}, {name} {'0' if divides else left}, {name} {result}")


def _compare(writer: FunctionWriter, node: ir.Compare) -> str:
    type = node.left.type
    left, right = evaluate(writer, node.left), evaluate(writer, node.right)
    predicate = _PREDICATES[node.op]
    if node.op not in (ir.CompareOp.EQ, ir.CompareOp.NE):
        predicate = ("s" if isinstance(type, ir.IntType) and type.signed else "u") + predicate
    return writer.value(f"icmp {predicate} {llvm_type(type)} {left}, {right}")


def _convert(writer: FunctionWriter, node: ir.Convert) -> str:
    source, target = node.operand.type, node.type
    value = evaluate(writer, node.operand)
    match source, target:
        case ir.BoolType(), ir.BoolType():
            return value
        case ((ir.IntType() | ir.PointerType()), ir.BoolType()):
            null = "null" if isinstance(source, ir.PointerType) else "0"
            return writer.value(f"icmp ne {llvm_type(source)} {value}, {null}")
        case ir.BoolType(), ir.IntType():
            return writer.value(f"zext i1 {value} to i{target.bits}")
        case ir.IntType(), ir.IntType():
            return resize(writer, value, source, target.bits)
        case ir.IntType(), ir.PointerType():
            address = memory.barrier(writer, "i64", resize(writer, value, source, 64))
            return writer.value(f"inttoptr i64 {address} to {llvm_type(target)}")
        case ir.PointerType(), ir.IntType():
            return writer.value(f"ptrtoint {llvm_type(source)} {value} to i64")
        case _:
            return value


def resize(writer: FunctionWriter, value: str, source: ir.IntType, bits: int) -> str:
    """An integer of the type ``source`` with ``bits`` bits: cut, or extended by its sign."""
    if source.bits == bits:
        return value
    operation = "trunc" if bits < source.bits else "sext" if source.signed else "zext"
    return writer.value(f"{operation} i{source.bits} {value} to i{bits}")


def _offset(writer: FunctionWriter, node: ir.Offset) -> str:
    pointer = evaluate(writer, node.pointer)
    if isinstance(node.bytes, int):
        return memory.add(writer, pointer, node.bytes, llvm_type(node.type))
    type = node.bytes.type
    assert isinstance(type, ir.IntType)  # the IR was verified
    distance = resize(writer, evaluate(writer, node.bytes), type, 64)
    moved = memory.add(writer, pointer, distance, llvm_type(node.type))
    return memory.barrier(writer, "ptr", moved) if memory.region_of(node) is ir.Region.PACKET else moved


# Each as the name of LLVM's operation.
_ATOMIC = {
    ir.AtomicOp.ADD: "add",
    ir.AtomicOp.AND: "and",
    ir.AtomicOp.OR: "or",
    ir.AtomicOp.XOR: "xor",
    ir.AtomicOp.EXCHANGE: "xchg",
}


def _atomic(writer: FunctionWriter, node: ir.Atomic) -> str:
    """One atomic instruction that gives the old value; the machine has no weaker order for these."""
    name, size = llvm_type(node.type), node.type.size
    pointer = evaluate(writer, node.pointer)
    if node.expected is None:
        value = evaluate(writer, node.value)
        place = f"{llvm_type(node.pointer.type)} {pointer}"
        return writer.value(f"atomicrmw {_ATOMIC[node.op]} {place}, {name} {value} seq_cst, align {size}")
    expected = evaluate(writer, node.expected)
    operands = f"{llvm_type(node.pointer.type)} {pointer}, {name} {expected}, {name} {evaluate(writer, node.value)}"
    pair = writer.value(f"cmpxchg {operands} seq_cst seq_cst, align {size}")
    return writer.value(f"extractvalue {{ {name}, i1 }} {pair}, 0")


# --- what the kernel says ---


def _core_info(writer: FunctionWriter, node: ir.CoreInfo) -> str:
    core, relocation = writer.unit.core, Relocation(node.question.value)
    return _relocated(
        writer, core.field(relocation, node.access) if node.access.steps else core.type(relocation, node.access)
    )


def _relocated(writer: FunctionWriter, name: str) -> str:
    return memory.pass_through(writer, "i64", writer.value(f"load i64, ptr {name}, align 8"))


# --- choices ---


def branch(writer: FunctionWriter, condition: ir.Expression, then: str, otherwise: str) -> None:
    """End the block: to ``then`` if ``condition`` holds, else to ``otherwise``."""
    with writer.at(condition.span):
        match condition:
            case ir.Not():
                branch(writer, condition.operand, otherwise, then)
            case ir.And():
                right = writer.fresh("and")
                branch(writer, condition.left, right, otherwise)
                writer.start(right)
                branch(writer, condition.right, then, otherwise)
            case ir.Or():
                right = writer.fresh("or")
                branch(writer, condition.left, then, right)
                writer.start(right)
                branch(writer, condition.right, then, otherwise)
            case _:
                writer.branch(evaluate(writer, condition), then, otherwise)


def _truth(writer: FunctionWriter, node: ir.And | ir.Or) -> str:
    yes, no, join = writer.fresh("yes"), writer.fresh("no"), writer.fresh("join")
    branch(writer, node, yes, no)
    writer.start(yes)
    writer.jump(join)
    writer.start(no)
    writer.jump(join)
    writer.start(join)
    return writer.phi("i1", [("true", yes), ("false", no)])


def _select(writer: FunctionWriter, node: ir.Select) -> str:
    then, otherwise, join = writer.fresh("then"), writer.fresh("else"), writer.fresh("join")
    branch(writer, node.condition, then, otherwise)
    incoming = []
    for label, value in ((then, node.then), (otherwise, node.otherwise)):
        writer.start(label)
        incoming.append((evaluate(writer, value), writer.block))
        writer.jump(join)
    writer.start(join)
    return writer.phi(llvm_type(node.type), incoming)
