"""Statements: control flow and effects.

Invariant: after a statement that leaves its block for good, nothing more is written until a new
block starts; code that nothing reaches is not translated.
"""

from __future__ import annotations

from typing import assert_never

from beespace.compiler import ir
from beespace.compiler.llvm import expressions, memory
from beespace.compiler.llvm.writer import FunctionWriter, llvm_type
from beespace.errors import InternalError

__all__ = ["run", "run_block"]


def run_block(writer: FunctionWriter, body: ir.Block) -> None:
    for node in body:
        if writer.open:
            run(writer, node)


def run(writer: FunctionWriter, node: ir.Statement) -> None:
    """Append the instructions for one statement."""
    with writer.at(node.span):
        _run(writer, node)


def _run(writer: FunctionWriter, node: ir.Statement) -> None:
    evaluate = expressions.evaluate
    match node:
        case ir.Declare():
            value = _zero(node.type) if node.value is None else evaluate(writer, node.value)
            if node.name in writer.assigned:
                _set(writer, writer.local(node.name, node.type), node.type, value)
            else:
                writer.values[node.name] = value
        case ir.Assign():
            value = evaluate(writer, node.value)
            _set(writer, writer.locals[node.name], node.value.type, value)
        case ir.Store():
            pointer = evaluate(writer, node.pointer)
            memory.store(writer, pointer, evaluate(writer, node.value), node)
        case ir.AtomicAdd():
            pointer, value = evaluate(writer, node.pointer), evaluate(writer, node.value)
            type = node.value.type
            # Monotonic, with the result unused: the plain locked add, which every kernel has.  Volatile, or where
            # LLVM finds that zero is added, an or takes its place, which is an instruction of Linux 5.12.
            writer.value(
                f"atomicrmw volatile add {llvm_type(node.pointer.type)} {pointer}, {llvm_type(type)} {value} "
                f"monotonic, align {type.size}"
            )
        case ir.Copy():
            target = evaluate(writer, node.target)
            memory.copy(writer, target, evaluate(writer, node.source), node)
        case ir.Zero():
            memory.zero(writer, evaluate(writer, node.pointer), node)
        case ir.If():
            _if(writer, node)
        case ir.Loop():
            _loop(writer, node)
        case ir.Each() | ir.Guard():
            raise InternalError(f"a {node.__class__.__name__} has come to LLVM: beespace.compiler.passes replaces it")
        case ir.Break():
            writer.jump(writer.loops[-1][1])
        case ir.Continue():
            writer.jump(writer.loops[-1][0])
        case ir.Return():
            writer.leave("" if node.value is None else evaluate(writer, node.value))
        case ir.Evaluate():
            evaluate(writer, node.value)
        case _:
            assert_never(node)


def _zero(type: ir.Type) -> str:
    return "null" if isinstance(type, ir.PointerType) else "0" if isinstance(type, ir.IntType) else "false"


def _set(writer: FunctionWriter, register: str, type: ir.Type, value: str) -> None:
    writer.effect(f"store {llvm_type(type)} {value}, ptr {register}, align {max(1, type.size)}")


def _if(writer: FunctionWriter, node: ir.If) -> None:
    then, otherwise, after = writer.fresh("then"), writer.fresh("else"), writer.fresh("after")
    expressions.branch(writer, node.condition, then, otherwise if node.otherwise else after)
    reached = not node.otherwise
    for label, body in ((then, node.then), (otherwise, node.otherwise)):
        if label == then or body:
            writer.start(label)
            run_block(writer, body)
            reached = reached or writer.open
            writer.jump(after)
    if reached:
        writer.start(after)


def _loop(writer: FunctionWriter, node: ir.Loop) -> None:
    head, body, onward, after = (writer.fresh(what) for what in ("head", "body", "onward", "after"))
    counter = ""
    if node.limit is not None:
        counter = writer.local(node.index or writer.fresh(".round"), ir.U32)
        _set(writer, counter, ir.U32, "0")
    writer.jump(head)
    writer.start(head)
    if counter:
        count = writer.value(f"load i32, ptr {counter}, align 4")
        writer.branch(writer.value(f"icmp ult i32 {count}, {node.limit}"), body, after)
    else:
        writer.jump(body)
    writer.start(body)
    writer.loops.append((onward, after))
    run_block(writer, node.body)
    writer.loops.pop()
    writer.jump(onward)
    writer.start(onward)
    if counter:
        count = writer.value(f"load i32, ptr {counter}, align 4")
        _set(writer, counter, ir.U32, writer.value(f"add i32 {count}, 1"))
    writer.jump(head)
    # After an endless loop without a break this block has no way in, and LLVM removes it.
    writer.start(after)
