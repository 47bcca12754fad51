"""Words about whoever runs: the current task, its CPU, the time, where the program is attached."""

from __future__ import annotations

import ast

from beespace.btf import Kind
from beespace.compiler import ir, rules
from beespace.compiler.contexts.fields import context_of
from beespace.compiler.expressions.numbers import fit
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.types import I32, I64, U32, U64, Int, KernelPointer, Text
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
        # From Linux 5.18 to 6.4 (f3f213497797) the helper leaves what is behind the end of the name as it was, so it
        # gets zeroes to write over: keys of maps are compared to the last byte.  It fails for no size of a text.
        name = ir.Evaluate(call("get_current_comm", ir.I64, target, number(min(size, _COMM), U32)))
        return (ir.Zero(target, size, align), name)

    return Value(Text(_COMM), recipe=Recipe(fill))


def _task(frame: Frame, node: ast.Call) -> Value:
    target = frame.unit.btf.find("task_struct", Kind.STRUCT)
    return Value(KernelPointer(target, "struct task_struct", True), call("get_current_task_btf", _KERNEL))


def _named(word: str, helper: str, type_: Int, argument: Int) -> Word:
    """A helper that takes one number."""

    def named(frame: Frame, node: ast.Call) -> Value:
        value = frame.value(node.args[0], argument)
        code = fit(frame, value, argument, node.args[0], f"bpf.{word}()")
        return Value(type_, call(helper, type_.code, code, span=frame.code_span(node)))

    return named


def _context(frame: Frame, word: str, node: ast.Call) -> Value:
    """The program's context, which sub-programs have only if it is passed to them."""
    if frame.attachment is None:
        raise frame.error(
            rules.NotSupported, node, what=f"bpf.{word}() in a function",
            suggestion="call it in the program, and pass what it gives",
        )  # fmt: skip
    type_ = context_of(frame, frame.attachment, node)
    return Value(type_, ir.Local("ctx", ir.PointerType(ir.Region.CONTEXT)))


def _ctx(frame: Frame, node: ast.Call) -> Value:
    return _context(frame, "ctx", node)


def _of_context(word: str, helper: str) -> Word:
    """A helper that takes the context and gives a number."""

    def of_context(frame: Frame, node: ast.Call) -> Value:
        context = _context(frame, word, node)
        if word == "cookie" and frame.attachment is not None and frame.attachment.hook.name == "usdt":
            raise frame.error(
                rules.NotSupported, node, what="bpf.cookie() of a static probe",
                suggestion="its number says where the probe's arguments are; use an option of the program instead",
            )  # fmt: skip
        return Value(U64, call(helper, ir.U64, context.expression, span=frame.code_span(node)))

    return of_context


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
    "monotonic": (0, _helper("ktime_get_ns", U64)),
    "coarse": (0, _helper("ktime_get_coarse_ns", U64)),
    "tai": (0, _helper("ktime_get_tai_ns", U64)),
    "jiffies": (0, _helper("jiffies64", U64)),
    "numa_node": (0, _helper("get_numa_node_id", U32)),
    "ancestor_cgroup_id": (1, _named("ancestor_cgroup_id", "get_current_ancestor_cgroup_id", U64, I32)),
    "signal": (1, _named("signal", "send_signal", I64, U32)),
    "signal_thread": (1, _named("signal_thread", "send_signal_thread", I64, U32)),
    "ctx": (0, _ctx),
    "cookie": (0, _of_context("cookie", "get_attach_cookie")),
    "function_address": (0, _of_context("function_address", "get_func_ip")),
}
