"""Kernel functions, atomics that give the old value, exported functions: IR by hand, compiled, loaded and run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from ir_programs import CTX, TRUSTED

from beespace.btf import Btf, Function, FunctionPrototype, Kind
from beespace.compiler import ir
from beespace.compiler.ir import (
    BOOL,
    I32,
    U32,
    U64,
    VOID,
    Atomic,
    AtomicOp,
    Const,
    Convert,
    CoreInt,
    CorePointer,
    CorePrototype,
    CoreStruct,
    Declare,
    Evaluate,
    GlobalAddress,
    GlobalDefinition,
    If,
    KernelFunction,
    KernelFunctionExists,
    Load,
    Local,
    Module,
    Parameter,
    Return,
    Section,
    Statement,
    Store,
)  # fmt: skip
from beespace.compiler.worker import Worker
from beespace.elf import read
from beespace.errors import NotSupported, RelocationError
from beespace.kernel import LoadedObject, load, vmlinux_btf
from beespace.types import u32, u64

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

TASK = CorePointer(CoreStruct("task_struct"))
FROM_PID = CorePrototype(TASK, (CoreInt(4, True),))
RELEASE = CorePrototype(None, (TASK,))
TGID = ir.CoreAccess("task_struct", (ir.CoreMember("tgid", CoreInt(4, True)),))


def program(*body: Statement) -> ir.Function:
    return ir.Function("f", (Parameter("ctx", CTX),), I32, (*body, Return(Const(0, I32))), "tc")


def variable(name: str, value: int = 0) -> GlobalDefinition:
    return GlobalDefinition(name, u64, Section.DATA, value.to_bytes(8, "little"))


def run(worker: Worker, module: Module) -> LoadedObject:
    loaded = load(read(worker.build(module).object, module.name))
    loaded.programs["f"].test_run(data_in=bytes(64))
    return loaded


def put(name: str, value: ir.Expression) -> Store:
    return Store(GlobalAddress(name), value if value.type == U64 else Convert(value, U64))


def test_atomics_give_the_old_value(worker: Worker) -> None:
    place = GlobalAddress("place")
    steps = [
        (AtomicOp.ADD, 3), (AtomicOp.AND, 0xFF), (AtomicOp.OR, 0x100), (AtomicOp.XOR, 0x11), (AtomicOp.EXCHANGE, 9),
    ]  # fmt: skip
    body: list[Statement] = [
        put(f"old{index}", Atomic(op, place, Const(value, U64))) for index, (op, value) in enumerate(steps)
    ]
    body += [
        put("old5", Atomic(AtomicOp.COMPARE_EXCHANGE, place, Const(7, U64), expected=Const(8, U64))),
        put("old6", Atomic(AtomicOp.COMPARE_EXCHANGE, place, Const(7, U64), expected=Const(9, U64))),
        put("old7", Atomic(AtomicOp.ADD, GlobalAddress("small"), Const(2, U32))),
        Evaluate(Atomic(AtomicOp.OR, place, Const(8, U64))),
    ]
    small = GlobalDefinition("small", u32, Section.DATA, b"\xff\xff\xff\xff")
    variables = (variable("place", 0x1200), small, *(variable(f"old{index}", 1) for index in range(8)))
    with run(worker, Module("m", (program(*body),), globals=variables)) as loaded:
        expected, now = [], 0x1200
        for op, value in steps:
            expected.append(now)
            now = {
                AtomicOp.ADD: now + value, AtomicOp.AND: now & value, AtomicOp.OR: now | value,
                AtomicOp.XOR: now ^ value, AtomicOp.EXCHANGE: value,
            }[op]  # fmt: skip
        old = [loaded.variables[f"old{index}"].get() for index in range(8)]
        assert old == [*expected, 9, 9, 0xFFFFFFFF]
        assert loaded.variables["small"].get() == 1
        assert loaded.variables["place"].get() == 7 | 8


def found_task(name: str = "bpf_task_from_pid", *, weak: bool = False) -> tuple[Statement, ...]:
    task = Local("task", TRUSTED)
    call = KernelFunction(name, (Const(os.getpid(), I32),), TRUSTED, FROM_PID, weak)
    return (
        Declare("task", TRUSTED, call),
        If(Convert(task, BOOL), (
            put("out", Convert(Load(ir.KernelField(task, TGID), I32), U64)),
            Evaluate(KernelFunction("bpf_task_release", (task,), VOID, RELEASE)),
        )),
    )  # fmt: skip


def _needs(function: str, since: str) -> None:
    try:
        vmlinux_btf().find(function, Kind.FUNC)
    except KeyError:
        raise NotSupported(f"no {function}()", since=since) from None


def test_kernel_functions_are_called(worker: Worker) -> None:
    _needs("bpf_task_from_pid", "6.2")
    with run(worker, Module("m", (program(*found_task()),), globals=(variable("out"),))) as loaded:
        assert loaded.variables["out"].get() == os.getpid()


def test_a_kernel_function_that_may_be_missing(worker: Worker) -> None:
    _needs("bpf_task_from_pid", "6.2")
    chosen = tuple(
        If(KernelFunctionExists(name, FROM_PID), found_task(name, weak=True), (put("missing", Const(1, U64)),))
        for name in ("bpf_task_from_pid",)
    )
    absent = If(
        KernelFunctionExists("bpf_no_such_function", FROM_PID),
        (Evaluate(KernelFunction("bpf_no_such_function", (Const(1, I32),), TRUSTED, FROM_PID, weak=True)),),
        (put("missing", Const(2, U64)),),
    )
    variables = (variable("out"), variable("missing"))
    with run(worker, Module("m", (program(*chosen, absent),), globals=variables)) as loaded:
        assert (loaded.variables["out"].get(), loaded.variables["missing"].get()) == (os.getpid(), 2)


def test_a_prototype_that_the_kernel_does_not_have(worker: Worker) -> None:
    _needs("bpf_task_from_pid", "6.2")
    wrong = CorePrototype(TASK, (CorePointer(),))
    call = KernelFunction("bpf_task_from_pid", (Const(0, TRUSTED),), TRUSTED, wrong)
    with pytest.raises(RelocationError, match="is declared as"):
        run(worker, Module("m", (program(Evaluate(call)),)))


def test_an_exported_function_is_global(worker: Worker) -> None:
    number = Parameter("number", U32)
    exported = ir.Function(
        "twice", (number,), U32,
        (Return(ir.Binary(ir.BinaryOp.ADD, Local("number", U32), Local("number", U32))),), exported=True,
    )  # fmt: skip
    caller = program(put("out", ir.Call("twice", (Const(21, U32),), U32)))
    module = Module("m", (exported, caller), globals=(variable("out"),))
    with run(worker, module) as loaded:
        assert loaded.variables["out"].get() == 42
    btf = Btf(read(worker.build(module).object, "m").btf)
    function = btf.type(btf.find("twice", Kind.FUNC))
    assert isinstance(function, Function) and function.linkage == 1
    assert isinstance(btf.type(function.type), FunctionPrototype)


@pytest.mark.skipif(not shutil.which("bpftool"), reason="bpftool is not installed")
def test_bpftool_shows_the_declaration(worker: Worker, tmp_path: Path) -> None:
    path = tmp_path / "m.o"
    path.write_bytes(worker.build(Module("m", (program(*found_task()),), globals=(variable("out"),))).object)
    shown = subprocess.run(["bpftool", "btf", "dump", "file", path], capture_output=True, text=True, check=True).stdout
    assert "FUNC 'bpf_task_from_pid'" in shown and "linkage=extern" in shown
    assert "DATASEC '.ksyms'" in shown
