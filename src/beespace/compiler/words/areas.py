"""``bpf.find_vma()``: the memory area of a task that has an address, given to a method."""

from __future__ import annotations

import ast

from beespace.btf import Kind
from beespace.compiler import ir, rules
from beespace.compiler.callbacks import callback_of, method_of
from beespace.compiler.expressions.numbers import fit, present
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.types import I64, U64, KernelPointer, StructType
from beespace.compiler.values import Value, sequence
from beespace.compiler.words.arguments import Taken, pass_argument
from beespace.compiler.words.word import Word
from beespace.isa.signatures import SIGNATURES
from beespace.schema.kinds import kind_align

__all__ = ["WORDS"]

_KERNEL = ir.PointerType(ir.Region.KERNEL_TRUSTED)
_STATE = ir.PointerType(ir.Region.STACK)
_WORD = "bpf.find_vma()"


def _find_vma(frame: Frame, node: ast.Call) -> Value:
    """``bpf.find_vma(task, address, self.method, state)``: the method gets task, area and state."""
    task = pass_argument(frame, Taken(_WORD, SIGNATURES["find_vma"].arguments[0]), node.args[0])
    between, address = frame.bind(fit(frame, frame.value(node.args[1], U64), U64, node.args[1], "an address"))
    method = method_of(frame, _WORD, node.args[2])
    state = present(frame, frame.value(node.args[3]), node.args[3])
    if not isinstance(state.type, StructType) or state.code is None or state.code.type != _STATE:
        raise frame.error(
            rules.NotMemory, node.args[3], word=_WORD, argument="state", found=state.type,
            suggestion="make a local first, as `state = State()`, and pass that",
        )  # fmt: skip
    last, pointer = frame.bind_address(state.code)
    given = (
        ("the task", Value(_pointer(frame, "task_struct"), ir.Local("task", _KERNEL))),
        ("the area", Value(_pointer(frame, "vm_area_struct"), ir.Local("area", _KERNEL))),
        ("the state", Value(state.type, ir.Local("state", _STATE), align=kind_align(state.type.cls))),
    )
    # The kernel passes on the stack alone, and the state may be elsewhere: what is passed says where it is.
    parameters = (ir.Parameter("task", _KERNEL), ir.Parameter("area", _KERNEL), ir.Parameter("where", _STATE))
    opening = (ir.Declare("state", _STATE, ir.Load(ir.Local("where", _STATE), _STATE)),)
    name = callback_of(frame, _WORD, node.args[2], method, "find_vma", given, parameters, opening, ())
    where = frame.scope.fixed_slot("where", 8)
    last += (ir.Store(where, pointer),)
    code = call("find_vma", ir.I64, *task.codes, address, ir.FunctionAddress(name), where, ir.Const(0, ir.U64))
    return Value(I64, sequence((*task.before, *between, *last), code))


def _pointer(frame: Frame, struct: str) -> KernelPointer:
    return KernelPointer(frame.unit.btf.find(struct, Kind.STRUCT), f"struct {struct}", True)


WORDS: dict[str, tuple[int, Word]] = {"find_vma": (4, _find_vma)}
