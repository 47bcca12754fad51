"""Sections of code in which the kernel keeps something still: each is for a ``with``."""

from __future__ import annotations

import ast

from beespace.compiler import ir
from beespace.compiler.frame import Frame
from beespace.compiler.types import Manager
from beespace.compiler.values import Value
from beespace.compiler.words.word import Word

__all__ = ["WORDS"]

_NOTHING = ir.CorePrototype(None)
_FLAGS = ir.CorePrototype(None, (ir.CorePointer(ir.CoreInt(8)),))  # unsigned long *


def _call(name: str, prototype: ir.CorePrototype, *arguments: ir.Expression) -> ir.Statement:
    return ir.Evaluate(ir.KernelFunction(name, arguments, ir.VOID, prototype))


def _section(what: str, begin: str, end: str) -> Word:
    def section(frame: Frame, node: ast.Call) -> Value:
        return Value(Manager(what, (_call(begin, _NOTHING),), (_call(end, _NOTHING),)))

    return section


def _irqs_disabled(frame: Frame, node: ast.Call) -> Value:
    """The state that is put back lies on the stack, where the verifier looks for it."""
    flags = frame.scope.fixed_slot("flags", 8)
    enter, leave = _call("bpf_local_irq_save", _FLAGS, flags), _call("bpf_local_irq_restore", _FLAGS, flags)
    return Value(Manager("bpf.irqs_disabled()", (enter,), (leave,)))


WORDS: dict[str, tuple[int, Word]] = {
    "rcu": (0, _section("bpf.rcu()", "bpf_rcu_read_lock", "bpf_rcu_read_unlock")),
    "preempt_disabled": (0, _section("bpf.preempt_disabled()", "bpf_preempt_disable", "bpf_preempt_enable")),
    "irqs_disabled": (0, _irqs_disabled),
}
