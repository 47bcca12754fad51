"""Sections of code in which the kernel keeps something still: each is for a ``with``."""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.contexts.prototypes import lacks_function
from beespace.compiler.frame import Frame
from beespace.compiler.types import Manager
from beespace.compiler.values import Value
from beespace.compiler.words.word import Word

__all__ = ["WORDS"]

_NOTHING = ir.CorePrototype(None)
_FLAGS = ir.CorePrototype(None, (ir.CorePointer(ir.CoreInt(8)),))  # unsigned long *


def _call(name: str, prototype: ir.CorePrototype, *arguments: ir.Expression) -> ir.Statement:
    return ir.Evaluate(ir.KernelFunction(name, arguments, ir.VOID, prototype))


def _check(frame: Frame, node: ast.AST, name: str, since: str) -> None:
    if lacks_function(frame.unit.btf, name):
        raise frame.error(rules.NotInKernel, node, what=f"{name}()", since=since)


def _section(what: str, begin: str, end: str, since: str) -> Word:
    def section(frame: Frame, node: ast.Call) -> Value:
        _check(frame, node, begin, since)
        return Value(Manager(what, (_call(begin, _NOTHING),), (_call(end, _NOTHING),)))

    return section


def _irqs_disabled(frame: Frame, node: ast.Call) -> Value:
    """The state that is put back lies on the stack, where the verifier looks for it."""
    _check(frame, node, "bpf_local_irq_save", "6.14")
    flags = frame.scope.fixed_slot("flags", 8)
    enter, leave = _call("bpf_local_irq_save", _FLAGS, flags), _call("bpf_local_irq_restore", _FLAGS, flags)
    return Value(Manager("bpf.irqs_disabled()", (enter,), (leave,)))


WORDS: dict[str, tuple[int, Word]] = {
    "rcu": (0, _section("bpf.rcu()", "bpf_rcu_read_lock", "bpf_rcu_read_unlock", "6.2")),
    "preempt_disabled": (0, _section("bpf.preempt_disabled()", "bpf_preempt_disable", "bpf_preempt_enable", "6.10")),
    "irqs_disabled": (0, _irqs_disabled),
}
