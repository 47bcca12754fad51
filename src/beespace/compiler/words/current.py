"""Words about whoever runs: the current task, its CPU, the time."""

from __future__ import annotations

import ast

from beespace.btf import Kind
from beespace.compiler import ir
from beespace.compiler.frame import Frame
from beespace.compiler.kernel_calls import call
from beespace.compiler.types import U32, U64, Int, KernelPointer, Text
from beespace.compiler.values import Recipe, Value, number
from beespace.compiler.words.word import Word

__all__ = ["WORDS"]

_COMM = 16
_KERNEL = ir.PointerType(ir.Region.KERNEL_TRUSTED)


def _helper(name: str, type_: Int) -> Word:
    return lambda frame, node: Value(type_, call(name, type_.code))


def _half(name: str, *, upper: bool) -> Word:
    """One half of a helper's 64 bits."""

    def half(frame: Frame, node: ast.Call) -> Value:
        code: ir.Expression = call(name, ir.U64)
        if upper:
            code = ir.Binary(ir.BinaryOp.SHR, code, ir.Const(32, ir.U64))
        return Value(U32, ir.Convert(code, ir.U32))

    return half


def _comm(frame: Frame, node: ast.Call) -> Value:
    def fill(target: ir.Expression, size: int, align: int) -> ir.Block:
        # Not every kernel's helper writes behind the end of the name (6.1 does not), so it gets zeroes
        # to write over.  It fails for no size that a text can have.
        name = ir.Evaluate(call("get_current_comm", ir.I64, target, number(min(size, _COMM), U32)))
        return (ir.Zero(target, size, align), name)

    return Value(Text(_COMM), recipe=Recipe(fill))


def _task(frame: Frame, node: ast.Call) -> Value:
    target = frame.unit.btf.find("task_struct", Kind.STRUCT)
    return Value(KernelPointer(target, "struct task_struct", True), call("get_current_task_btf", _KERNEL))


WORDS: dict[str, tuple[int, Word]] = {
    "pid": (0, _half("get_current_pid_tgid", upper=True)),
    "tid": (0, _half("get_current_pid_tgid", upper=False)),
    "uid": (0, _half("get_current_uid_gid", upper=False)),
    "gid": (0, _half("get_current_uid_gid", upper=True)),
    "comm": (0, _comm),
    "now": (0, _helper("ktime_get_boot_ns", U64)),
    "cgroup_id": (0, _helper("get_current_cgroup_id", U64)),
    "cpu": (0, _helper("get_smp_processor_id", U32)),
    "random": (0, _helper("get_prandom_u32", U32)),
    "task": (0, _task),
}
