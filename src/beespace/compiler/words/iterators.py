"""Words that a ``for`` goes over: the kernel's own iterators (Linux 6.4), which live on the stack while the loop runs.

Invariant: an iterator that was made is given back, however its loop is left.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from beespace.btf import Btf, Kind
from beespace.compiler import ir, rules
from beespace.compiler.contexts.prototypes import prototype_of
from beespace.compiler.expressions.numbers import fit, present
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.types import address, pointer_type
from beespace.compiler.statements.visits import Visits
from beespace.compiler.types import I32, U64, Iteration, KernelObject, KernelPointer
from beespace.compiler.values import Value, is_null
from beespace.compiler.words.word import Word

__all__ = ["WORDS"]

_KERNEL = ir.PointerType(ir.Region.KERNEL_TRUSTED)
_PLACE = ir.PointerType(ir.Region.MAP_VALUE)
# enum of kernel/bpf/task_iter.c, and enum bpf_cgroup_iter_order (include/uapi/linux/bpf.h).
_ALL_PROCESSES, _ALL_THREADS, _THREADS_OF = 0, 1, 2
_DESCENDANTS = 2
_CSS_PROCESSES = 1  # CSS_TASK_ITER_PROCS of include/linux/cgroup.h
_NO_TASK = ir.Const(0, _KERNEL)

Arguments = Callable[[Frame, ast.Call], tuple[ir.Expression, ...]]


def _iterator(word: str, name: str, since: str, arguments: Arguments) -> Word:
    """A word for ``bpf_iter_<name>_new()`` and its kin, which give pointers."""

    def iterator(frame: Frame, node: ast.Call) -> Value:
        btf = frame.unit.btf
        made = arguments(frame, node)

        def given(frame: Frame, item: ir.Local) -> tuple[ir.Block, Value]:
            target = _result(btf, f"bpf_iter_{name}_next")
            return (), Value(pointer_type(btf, target, trusted=True), item)

        return Value(Iteration(f"bpf.{word}()", _visits(frame, node, name, since, made, _KERNEL, given)))

    return iterator


def _visits(
    frame: Frame, node: ast.Call, name: str, since: str, arguments: tuple[ir.Expression, ...], item_type: ir.Type,
    given: Callable[[Frame, ir.Local], tuple[ir.Block, Value]],
) -> Visits:  # fmt: skip
    btf, struct = frame.unit.btf, f"bpf_iter_{name}"
    try:
        prototypes = {step: prototype_of(btf, f"{struct}_{step}") for step in ("new", "next", "destroy")}
        size = getattr(btf.type(btf.find(struct, Kind.STRUCT)), "size", 0)
    except KeyError:
        raise frame.error(rules.NotInKernel, node, what=f"{struct}_new()", since=since) from None
    iterator, item = frame.scope.fixed_slot("iterator", size), ir.Local(frame.scope.fresh("item"), item_type)

    def step(which: str, type: ir.Type, *more: ir.Expression) -> ir.KernelFunction:
        return ir.KernelFunction(f"{struct}_{which}", (iterator, *more), type, prototypes[which])

    def begin(frame: Frame) -> tuple[ir.Block, Value]:
        taking = ir.Declare(item.name, item_type, step("next", item_type))
        block, value = given(frame, item)
        return (taking, ir.If(is_null(item), (ir.Break(),)), *block), value

    def loop(body: ir.Block) -> ir.Block:
        end = ir.Evaluate(step("destroy", ir.VOID))
        return (ir.Guard((ir.Loop(body),), (end,)),)

    return Visits(begin, loop, (ir.Evaluate(step("new", ir.I32, *arguments)),))


def _result(btf: Btf, function: str) -> int:
    found = btf.type(btf.find(function, Kind.FUNC))
    return int(btf.type(found.type).result)  # type: ignore[union-attr]


# --- what they take ------------------------------------------------------------------------------


def _tasks(flags: int) -> Arguments:
    return lambda frame, node: (_NO_TASK, ir.Const(flags, ir.U32))


def _pointer(frame: Frame, node: ast.expr, word: str, struct: str) -> ir.Expression:
    value = present(frame, frame.value(node), node)
    if isinstance(value.type, KernelObject) and value.type.trusted and value.type.name == f"struct {struct}":
        return address(value)  # a part of something that the kernel vouches for
    if not isinstance(value.type, KernelPointer) or not value.type.trusted or value.type.name != f"struct {struct}":
        raise frame.error(rules.WrongPointer, node, word=f"bpf.{word}()", expected=f"a struct {struct} of the kernel",
                          found=value.type)  # fmt: skip
    return value.expression


def _threads(frame: Frame, node: ast.Call) -> tuple[ir.Expression, ...]:
    return (_pointer(frame, node.args[0], "threads", "task_struct"), ir.Const(_THREADS_OF, ir.U32))


def _areas(frame: Frame, node: ast.Call) -> tuple[ir.Expression, ...]:
    address = present(frame, frame.value(node.args[1], U64), node.args[1])
    task = _pointer(frame, node.args[0], "memory_areas", "task_struct")
    return (task, fit(frame, address, U64, node.args[1], "the address"))


def _descendants(frame: Frame, node: ast.Call) -> tuple[ir.Expression, ...]:
    css = _pointer(frame, node.args[0], "descendants", "cgroup_subsys_state")
    return (css, ir.Const(_DESCENDANTS, ir.U32))


def _css_tasks(flags: int) -> Arguments:
    return lambda frame, node: (
        _pointer(frame, node.args[0], "tasks_of", "cgroup_subsys_state"), ir.Const(flags, ir.U32),
    )  # fmt: skip


def _numbers(frame: Frame, node: ast.Call) -> Value:
    """``bpf.numbers(start, end)``: a range whose rounds the kernel counts."""
    ends = []
    for argument in node.args:
        value = present(frame, frame.value(argument, I32), argument)
        ends.append(fit(frame, value, I32, argument, "bpf.numbers()"))

    def given(frame: Frame, item: ir.Local) -> tuple[ir.Block, Value]:
        block, code = frame.bind(ir.Load(item, ir.I32))
        return block, Value(I32, code)

    return Value(Iteration("bpf.numbers()", _visits(frame, node, "num", "6.4", tuple(ends), _PLACE, given)))


WORDS: dict[str, tuple[int, Word]] = {
    "numbers": (2, _numbers),
    "tasks": (0, _iterator("tasks", "task", "6.7", _tasks(_ALL_PROCESSES))),
    "all_threads": (0, _iterator("all_threads", "task", "6.7", _tasks(_ALL_THREADS))),
    "threads": (1, _iterator("threads", "task", "6.7", _threads)),
    "memory_areas": (2, _iterator("memory_areas", "task_vma", "6.7", _areas)),
    "descendants": (1, _iterator("descendants", "css", "6.7", _descendants)),
    "tasks_of": (1, _iterator("tasks_of", "css_task", "6.7", _css_tasks(_CSS_PROCESSES))),
}
