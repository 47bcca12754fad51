"""The LLVM process: what it makes is the same every time, and however LLVM fails, we get an exception."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from beespace.btf import Btf, Function, FunctionPrototype, Kind
from beespace.compiler import ir
from beespace.compiler import worker as worker_module
from beespace.compiler.ir import I32, U32, U64, Const, Local, PointerType, Region
from beespace.compiler.llvm import process as process_module
from beespace.compiler.llvm.emit import emit
from beespace.compiler.worker import StackOverflow, Worker, compile_module
from beespace.elf import read
from beespace.errors import BeespaceError, InternalError
from beespace.isa import MapType
from beespace.schema import Event
from beespace.types import Address, Pid, Port, Text, Timestamp, array, be16, boolean, raw, text, u32, u64

pytest.importorskip("llvmlite", reason="the compiler's back half needs llvmlite")

CTX = PointerType(Region.CONTEXT)
TRUSTED = PointerType(Region.KERNEL_TRUSTED)


class Flow(Event):
    time: Timestamp
    address: Address
    port: Port
    network_port: be16
    pid: Pid
    up: boolean
    mac: bytes = raw(6)
    name: Text = text(16)
    slots: list[int] = array(u64, 3)


def program() -> ir.Function:
    access = ir.CoreAccess("task_struct", (ir.CoreMember("tgid", ir.CoreInt(4, True)),))
    task = Local("task", TRUSTED)
    here = ir.Span("probe.py", 3, 5)
    body = (
        ir.Declare("task", TRUSTED, ir.Load(ir.ContextField(Local("ctx", CTX), 0), TRUSTED), here),
        ir.Store(ir.GlobalAddress("pid"), ir.Convert(ir.Load(ir.KernelField(task, access), I32), U32), span=here),
        ir.Return(Const(0, I32), replace(here, line=4)),
    )
    return ir.Function("on_exec", (ir.Parameter("ctx", CTX),), I32, body, "tp_btf/sched_process_exec", span=here)


MODULE = ir.Module(
    "probe", (program(),),
    maps=(
        ir.MapDefinition("flows", MapType.LRU_PERCPU_HASH, Flow, u64, 64),
        ir.MapDefinition("ring", MapType.RINGBUF, max_entries=4096),
    ),
    globals=(ir.GlobalDefinition("pid", u32, ir.Section.BSS, bytes(4)),),
    sources=(ir.Source("probe.py", 'import beespace\n\ndef on_exec(self, task):\n    return "é"\n'),),
    events=(Flow,),
)  # fmt: skip


@pytest.fixture
def worker() -> Iterator[Worker]:
    with Worker() as worker:
        yield worker


def test_the_same_module_gives_the_same_bytes(worker: Worker) -> None:
    """In one process, twice (LLVM's own CO-RE pass breaks the second time), and in another."""
    first = worker.build(MODULE).object
    assert worker.build(MODULE).object == first
    assert compile_module(MODULE) == first


def test_another_hash_seed_gives_the_same_text() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import test_compiler_ir_worker as t; print(t.emit(t.MODULE))"
    texts = {
        subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parent)],
            env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert texts == {emit(MODULE) + "\n"}


def test_what_the_object_holds(worker: Worker) -> None:
    spec = read(worker.build(MODULE).object, "probe")
    entry = spec.programs["on_exec"].entry
    assert spec.programs["on_exec"].section == "tp_btf/sched_process_exec"
    assert [(line.file, line.line, line.column, line.text) for line in entry.lines][:1] == [
        ("probe.py", 3, 5, "def on_exec(self, task):")
    ]
    assert entry.lines[-1].text.strip() == 'return "é"'
    assert [(reloc.access, reloc.kind) for reloc in entry.core] == [("0:0", 0)]
    flows = spec.maps["flows"]
    assert (flows.type, flows.key_size, flows.value_size, flows.max_entries) == (10, Flow.layout.size, 8, 64)
    assert flows.key_type and flows.value_type
    assert (spec.maps["ring"].key_size, spec.maps["ring"].value_size) == (0, 0)


def test_structs_keep_their_layout_in_btf(worker: Worker) -> None:
    from beespace.btf import Btf

    btf = Btf(read(worker.build(replace(MODULE, maps=())).object, "probe").btf)
    found = btf.find("Flow")  # kept although no map and no code names it
    assert btf.size(found) == Flow.layout.size
    for field in Flow.layout.fields:
        path = btf.member(found, field.name)
        assert path.bit_offset == field.offset * 8, field.name
        assert btf.size(path.type_id) == field.size, field.name
    assert btf.name(btf.member(found, "pid").type_id) == "Pid"


def test_the_worker_is_warm_and_can_be_used_again(worker: Worker) -> None:
    worker.build(MODULE)
    assert worker._process is not None
    first = worker._process.child.pid
    worker.build(MODULE)
    assert worker._process.child.pid == first
    worker.close()
    worker.close()
    assert worker.build(MODULE).object


HEAD = 'target triple = "bpfel"\n'
DEADLY = {
    "text that is no assembly": ("nonsense", "expected top-level entity"),
    "a module that is not valid": (HEAD + "define i32 @f() {\n ret i64 0\n}", "doesn't match function result type"),
    # exit(1)
    "signed division": (
        HEAD + "define i32 @f(i32 %a, i32 %b) {\n %c = sdiv i32 %a, %b\n ret i32 %c\n}",
        "unsupported signed division",
    ),
    "six arguments": (
        HEAD + "define i64 @f(i64 %a) {\n %c = call i64 inttoptr (i64 6 to ptr)"
        "(i64 %a, i64 %a, i64 %a, i64 %a, i64 %a, i64 %a)\n ret i64 %c\n}",
        "too many arguments",
    ),
    "a stack too large": (
        HEAD + "define void @f() {\n %a = alloca [600 x i8]\n call void inttoptr (i64 6 to ptr)(ptr %a)\n ret void\n}",
        "stack",
    ),
    # abort()
    "inline assembly": (HEAD + 'define void @f() {\n call void asm sideeffect "r0 = 1", ""()\n ret void\n}', ""),
    "a relocation without a type": (
        HEAD + "declare ptr @llvm.preserve.struct.access.index.p0.p0(ptr, i32, i32)\n"
        "define ptr @f(ptr %a) {\n %b = call ptr @llvm.preserve.struct.access.index.p0.p0"
        "(ptr elementtype(i32) %a, i32 0, i32 0)\n ret ptr %b\n}",
        "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", DEADLY)
def test_whatever_kills_llvm_does_not_kill_us(worker: Worker, what: str) -> None:
    code, words = DEADLY[what]
    with pytest.raises(InternalError) as caught:
        worker.compile(code, "deadly")
    message = str(caught.value)
    assert "LLVM does not take the code for module 'deadly'" in message
    assert words in message
    assert len(message.splitlines()) > 2  # something was said
    assert worker.build(MODULE).object  # and it goes on


def test_a_killed_process_is_noticed(worker: Worker) -> None:
    assert worker._process is not None
    os.kill(worker._process.child.pid, signal.SIGKILL)
    with pytest.raises(InternalError, match="Killed"):
        worker.compile("x", "m")


def test_without_llvmlite(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The answer is what to install, not a traceback."""
    (tmp_path / "llvmlite.py").write_text("raise ImportError('No module named llvmlite')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(BeespaceError) as caught, Worker() as worker:
        worker.build(MODULE)
    assert "takes llvmlite" in str(caught.value)
    assert caught.value.help == "pip install 'beespace[compile]'"


def test_what_is_not_well_formed_never_reaches_llvm(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "emit", lambda module: pytest.fail("translated"))
    wrong = replace(program(), body=(ir.Return(Const(0, U64)),))
    with pytest.raises(InternalError, match="not i32"):
        worker.build(replace(MODULE, functions=(wrong,)))


def test_bodies_of_every_length_are_measured(worker: Worker) -> None:
    """The frame of the object is what the verifier will count."""
    for size in (8, 40, 200):
        slot = ir.StackSlot("s")
        body = (
            ir.Zero(slot, size, 8),
            ir.Evaluate(ir.Helper(16, "get_current_comm", (slot, Const(size, U32)), U64)),
            ir.Return(Const(0, I32)),
        )
        function = replace(program(), body=body, slots=(ir.Slot("s", size),))
        assert worker.build(replace(MODULE, functions=(function,))).stack == {"on_exec": -(-size // 32) * 32}


def test_a_frame_that_turns_out_too_large_is_made_smaller(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """LLVM's registers take stack too, and how much is known only afterwards."""
    slot = ir.StackSlot("s")
    body = (
        ir.Zero(slot, 600, 8),
        ir.Evaluate(ir.Helper(16, "get_current_comm", (slot, Const(600, U32)), U64)),
        ir.Return(Const(0, I32)),
    )
    module = replace(MODULE, functions=(replace(program(), body=body, slots=(ir.Slot("s", 600),)),))
    monkeypatch.setattr(worker_module, "BUDGETS", (1000, 400))
    build = worker.build(module)
    assert [spill.function for spill in build.spills] == ["on_exec"]
    monkeypatch.setattr(worker_module, "BUDGETS", (1000,))
    with pytest.raises(StackOverflow, match="stack limit") as caught:
        worker.build(module)
    assert caught.value.function == "on_exec"


def test_an_object_carries_no_dwarf(worker: Worker) -> None:
    code = worker.build(MODULE).object
    assert b".debug" not in code
    assert b".BTF.ext" in code


def test_names_in_btf_have_no_dots(worker: Worker) -> None:
    """Kernels before 6.5 take none in the names of functions and parameters."""
    rounds = ir.Parameter("index.1", U32)
    body = (ir.Assign("total", Local("index.1", U32)),)
    each = ir.Each(181, "loop", (Const(9, U32),), (rounds,), body, (Const(0, U64),))
    function = replace(program(), body=(ir.Declare("total", U32), each, ir.Return(Const(0, I32))))
    btf = Btf(read(worker.build(replace(MODULE, functions=(function,))).object, "m").btf)
    functions = [btf.type(number) for number in btf.ids(Kind.FUNC)]
    prototypes = [btf.type(found.type) for found in functions if isinstance(found, Function)]
    names = [found.name for found in functions if isinstance(found, Function)]
    names += [item.name for found in prototypes if isinstance(found, FunctionPrototype) for item in found.parameters]
    assert {"on_exec__1", "index_1"} <= set(names)
    assert not [name for name in names if "." in name]


def test_objects_are_found_by_all_that_they_are_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEESPACE_LLVM_CACHE", str(tmp_path / "kept"))
    made = compile_module(MODULE)
    (kept,) = (tmp_path / "kept").iterdir()
    monkeypatch.setattr(process_module, "_SCRIPT", tmp_path / "nothing.py")  # nobody can compile any more
    assert compile_module(MODULE) == made
    with pytest.raises(InternalError, match="nothing"):
        compile_module(replace(MODULE, name="another"))
    with pytest.raises(InternalError, match="nothing"):
        compile_module(MODULE, cpu="v2")
    kept.unlink()
    with pytest.raises(InternalError, match="nothing"):
        compile_module(MODULE)
