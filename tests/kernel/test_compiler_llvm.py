"""Programs made of IR by hand, compiled, loaded and run."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from pathlib import Path

import pytest
from ir_programs import (
    EQ,
    MAP,
    NE,
    RING,
    SOCKET,
    STACK,
    TRUSTED,
    UNTRUSTED,
    VALUE,
    add,
    call,
    ctx,
    is_,
    n,
    null,
    open_module,
    out,
    passes,
    program,
    put,
)

from beespace.compiler import ir
from beespace.compiler.ir import (
    I32,
    U8,
    U32,
    U64,
    VOID,
    AtomicAdd,
    Binary,
    BinaryOp,
    Const,
    ContextField,
    Convert,
    Copy,
    CoreAccess,
    CoreArray,
    CoreElement,
    CoreInt,
    CoreMember,
    CorePointer,
    CoreStruct,
    Declare,
    Evaluate,
    GlobalAddress,
    GlobalDefinition,
    Helper,
    If,
    KernelField,
    Load,
    Local,
    MapAddress,
    MapDefinition,
    Module,
    Offset,
    PointerType,
    Return,
    Section,
    Slot,
    StackSlot,
    Store,
    Zero,
)  # fmt: skip
from beespace.compiler.worker import Worker
from beespace.elf import read
from beespace.isa import MapType, disassemble
from beespace.kernel import LoadedObject, RingBuffer
from beespace.schema import Event
from beespace.types import Pid, Text, Timestamp, text, u32, u64

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

ANY = Const(0, U64)  # BPF_ANY


def lookup(map: str, slot: str = "key", type: ir.Type = VALUE) -> Helper:
    return call("map_lookup_elem", type, MapAddress(map), StackSlot(slot))


def of_task(name: str, kind: ir.CoreKind, *more: CoreMember | CoreElement) -> CoreAccess:
    return CoreAccess("task_struct", (CoreMember(name, kind), *more))


def run(loaded: LoadedObject, packet: bytes = bytes(64), name: str = "f") -> int:
    return loaded.programs[name].test_run(data_in=packet).retval


def text_of(worker: Worker, module: Module, name: str = "f") -> str:
    return "\n".join(disassemble(read(worker.build(module).object, module.name).programs[name].entry.code))


# --- maps, globals, options ---


def test_a_counter_in_a_hash(worker: Worker) -> None:
    module = Module("m", (program(
        Store(StackSlot("key"), n(7)),
        Declare("value", VALUE, lookup("counts")),
        If(is_(NE, Local("value", VALUE), null(VALUE)),
           (AtomicAdd(Local("value", VALUE), n(1, U64)),),
           (Store(StackSlot("one"), n(1, U64)),
            Evaluate(call("map_update_elem", U32, MapAddress("counts"), StackSlot("key"), StackSlot("one"), ANY)))),
        passes(), slots=(Slot("key", 4, 4), Slot("one", 8)),
    ),), maps=(MapDefinition("counts", MapType.HASH, u32, u64, 8),))  # fmt: skip
    with open_module(worker, module) as loaded:
        for _ in range(5):
            run(loaded)
        assert dict(loaded.maps["counts"].raw.items()) == {struct.pack("I", 7): struct.pack("Q", 5)}
    # The plain locked add that every kernel has, not a fetch.
    assert "lock *(u64 *)(r0 +0) +=" in text_of(worker, module)


def test_atomic_add_of_32_bits_and_of_a_negative_number(worker: Worker) -> None:
    module = Module("m", (program(
        AtomicAdd(GlobalAddress("small"), n(3)),
        AtomicAdd(GlobalAddress("out"), n(-1, ir.I64)),
        passes(),
    ),), globals=(out("small", u32, 4), out()))  # fmt: skip
    with open_module(worker, module) as loaded:
        run(loaded), run(loaded)
        assert loaded.variables["small"].get() == 6
        assert loaded.variables["out"].get() == 2**64 - 2


def test_options_are_not_folded_and_prune(worker: Worker) -> None:
    option = GlobalDefinition("answer", u32, Section.RODATA, struct.pack("I", 1))
    table = GlobalDefinition("start", u64, Section.DATA, struct.pack("Q", 41))
    module = Module("m", (program(
        If(is_(EQ, Load(GlobalAddress("answer"), U32), n(0)), (put(call("ktime_get_ns", U64), "start"),)),
        Store(GlobalAddress("start"), add(Load(GlobalAddress("start"), U64), n(1, U64))),
        passes(Load(GlobalAddress("answer"), U32)),
    ),), globals=(option, table))  # fmt: skip
    with open_module(worker, module) as loaded:
        assert run(loaded) == 1
        assert loaded.variables["start"].get() == 42
    with open_module(worker, module, answer=3) as loaded:
        assert run(loaded) == 3
        # The verifier knows the option: the branch that it rules out, and the call in it, is gone.
        assert not any(line.startswith("call ") for line in disassemble(loaded.programs["f"].xlated()))
        assert "call " in text_of(worker, module)


def test_a_map_in_a_map(worker: Worker) -> None:
    inner = MapDefinition("", MapType.ARRAY, u32, u64, 4)
    module = Module("m", (program(
        Store(StackSlot("key"), n(0)),
        Declare("inner", MAP, lookup("outer", type=MAP)),
        If(is_(EQ, Local("inner", MAP), null(MAP)), (passes(2),)),
        Declare("value", VALUE, call("map_lookup_elem", VALUE, Local("inner", MAP), StackSlot("key"))),
        If(is_(NE, Local("value", VALUE), null(VALUE)), (AtomicAdd(Local("value", VALUE), n(1, U64)),)),
        passes(), slots=(Slot("key", 4, 4),),
    ),), maps=(MapDefinition("outer", MapType.ARRAY_OF_MAPS, u32, None, 2, value_size=4, inner=inner),))  # fmt: skip
    spec = read(worker.build(module).object, "m").maps["outer"]
    assert spec.inner is not None
    assert (spec.inner.type, spec.inner.key_size, spec.inner.value_size, spec.inner.max_entries) == (2, 4, 8, 4)
    with open_module(worker, module) as loaded:
        assert run(loaded) == 2  # nothing in it yet


def test_socket_storage_and_per_cpu_maps_load(worker: Worker) -> None:
    class Owner(Event):
        start: Timestamp
        pid: Pid
        name: Text = text(16)

    full = Local("full", SOCKET)
    module = Module("m", (program(
        Declare("sk", SOCKET, Load(ContextField(ctx, 168), SOCKET)),
        If(is_(EQ, Local("sk", SOCKET), null(SOCKET)), (passes(),)),
        Declare("full", SOCKET, call("sk_fullsock", SOCKET, Local("sk", SOCKET))),
        If(is_(EQ, full, null(SOCKET)), (passes(),)),
        Declare("owner", VALUE, call("sk_storage_get", VALUE, MapAddress("owners"), full, null(STACK), n(1, U64))),
        If(is_(NE, Local("owner", VALUE), null(VALUE)), (
            Store(Offset(Local("owner", VALUE), 8), Load(ContextField(full, 4), U32)),
            Store(Local("owner", VALUE), Convert(Load(ContextField(full, 8), U32), U64)),
        )),
        passes(),
    ),), maps=(
        MapDefinition("owners", MapType.SK_STORAGE, u32, Owner, flags=1),
        MapDefinition("per_cpu", MapType.PERCPU_HASH, text(16), Owner, 16, flags=1),
        MapDefinition("lru", MapType.LRU_HASH, Owner, u64, 16),
    ))  # fmt: skip
    with open_module(worker, module) as loaded:
        assert run(loaded) == 1
        assert loaded.maps["per_cpu"].spec.value_size == 32
        assert loaded.maps["owners"].spec.value_type != 0


class Exec(Event):
    time: Timestamp
    pid: Pid
    comm: Text = text(16)


def test_a_ring_record(worker: Worker) -> None:
    record = Local("record", RING)
    module = Module("m", (program(
        Declare("record", RING, call("ringbuf_reserve", RING, MapAddress("ring"), n(Exec.layout.size, U64), n(0, U64))),
        If(is_(EQ, record, null(RING)), (passes(2),)),
        Zero(record, Exec.layout.size, 8),
        Store(record, call("ktime_get_ns", U64)),
        Store(Offset(record, 8), Convert(Binary(BinaryOp.SHR, call("get_current_pid_tgid", U64), n(32, U64)), U32)),
        Evaluate(call("get_current_comm", U64, Offset(record, 12), n(16))),
        Evaluate(call("ringbuf_submit", VOID, record, n(0, U64))),
        passes(), section="raw_tp/sched_switch",
    ),), maps=(MapDefinition("ring", MapType.RINGBUF, max_entries=4096),), events=(Exec,))  # fmt: skip
    with open_module(worker, module) as loaded, RingBuffer(loaded.maps["ring"]) as ring:
        assert loaded.programs["f"].test_run().retval == 1
        (data,) = list(ring)
    time, pid, comm = struct.unpack("QI16s4x", data)
    assert time > 0
    assert pid == os.getpid()
    assert comm.rstrip(b"\0").startswith(b"py")


# --- kernel types ---

TASK_PARENT = of_task("real_parent", CorePointer())
TASK_TGID = of_task("tgid", CoreInt(4, signed=True))
COMM = CoreArray(CoreInt(1, signed=True), 16)


def current_task(type: PointerType) -> Helper:
    return call("get_current_task_btf", type)


@pytest.mark.parametrize("region", [TRUSTED, UNTRUSTED], ids=["trusted", "untrusted"])
def test_a_chain_of_kernel_fields(worker: Worker, region: PointerType) -> None:
    task = Local("task", region)
    module = Module("m", (program(
        Declare("task", region, current_task(region)),
        Declare("parent", region, Load(KernelField(task, TASK_PARENT), region)),
        put(Convert(Load(KernelField(Local("parent", region), TASK_TGID), I32), U32)),
        Copy(GlobalAddress("comm"), KernelField(task, of_task("comm", COMM)), 16, 1),
        put(Load(KernelField(task, of_task("comm", COMM, CoreElement(1))), U8), "letter"),
        passes(), section="raw_tp/sched_switch",
    ),), globals=(out(), out("comm", text(16), 16), out("letter")))  # fmt: skip
    with open_module(worker, module) as loaded:
        assert loaded.programs["f"].test_run().retval == 1
        assert loaded.variables["out"].get() == os.getppid()
        comm = loaded.variables["comm"].get()
        assert comm == Path("/proc/thread-self/comm").read_text().rstrip("\n")
        assert loaded.variables["letter"].get() == ord(comm[1])


# By niceness: sched_prio_to_weight[] in kernel/sched/core.c.
WEIGHTS = (1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15)


def test_embedded_and_anonymous_structs(worker: Worker) -> None:
    """Fields inside named, anonymous and array members, by the struct that they are in."""
    file = of_task("cred", CorePointer())
    uid = CoreAccess("cred", (CoreMember("uid", CoreStruct("")), CoreMember("val", CoreInt(4))))
    start = of_task("start_boottime", CoreInt(8))
    weight = of_task("se", CoreStruct("sched_entity"), CoreMember("load", CoreStruct("load_weight")),
                     CoreMember("weight", CoreInt(8)))  # fmt: skip
    task, cred = Local("task", TRUSTED), Local("cred", TRUSTED)
    names = "out weight start exists missing size no_type comm_size ring"
    module = Module("m", (program(
        Declare("task", TRUSTED, current_task(TRUSTED)),
        Declare("cred", TRUSTED, Load(KernelField(task, file), TRUSTED)),
        put(Load(KernelField(cred, uid), U32)),
        put(Load(KernelField(task, weight), U64), "weight"),
        put(Load(KernelField(task, start), U64), "start"),
        put(ir.CoreInfo(ir.CoreQuestion.FIELD_EXISTS, start), "exists"),
        put(ir.CoreInfo(ir.CoreQuestion.FIELD_EXISTS, of_task("no_such_field", CoreInt(4))), "missing"),
        put(ir.CoreInfo(ir.CoreQuestion.TYPE_SIZE, CoreAccess("cred", ())), "size"),
        put(ir.CoreInfo(ir.CoreQuestion.TYPE_EXISTS, CoreAccess("no_such_struct", ())), "no_type"),
        put(ir.CoreInfo(ir.CoreQuestion.FIELD_SIZE, of_task("comm", COMM)), "comm_size"),
        put(ir.CoreEnumValue("bpf_map_type", "BPF_MAP_TYPE_RINGBUF", 999), "ring"),
        passes(), section="raw_tp/sched_switch",
    ),), globals=tuple(out(name) for name in names.split()))  # fmt: skip
    with open_module(worker, module) as loaded:
        assert loaded.programs["f"].test_run().retval == 1
        found = {name: variable.get() for name, variable in loaded.variables.items()}
    assert found["out"] == os.getuid()
    assert found["weight"] == WEIGHTS[os.nice(0)] << 10
    assert found["start"]
    assert (found["exists"], found["missing"], found["no_type"], found["ring"]) == (1, 0, 0, 27)
    assert (found["comm_size"], found["size"]) == (16, int(pahole("cred")))


def pahole(name: str) -> str:
    done = subprocess.run(
        ["bpftool", "btf", "dump", "file", "/sys/kernel/btf/vmlinux"], capture_output=True, text=True, check=True
    )
    line = next(line for line in done.stdout.splitlines() if f"] STRUCT '{name}' " in line)
    return line.split("size=")[1].split()[0]


def test_a_bit_field(worker: Worker) -> None:
    """One bit that the process can set, and its neighbour that it cannot."""

    def bit(name: str) -> CoreAccess:
        return of_task(name, CoreInt(4, bits=1))

    task = Local("task", TRUSTED)
    module = Module("m", (program(
        Declare("task", TRUSTED, current_task(TRUSTED)),
        put(ir.KernelBitfield(task, bit("sched_reset_on_fork"), U32), "execve"),
        put(ir.KernelBitfield(task, bit("no_cgroup_migration"), U32)),
        passes(), section="raw_tp/sched_switch",
    ),), globals=(out(), out("execve")))  # fmt: skip
    with open_module(worker, module) as loaded:
        loaded.programs["f"].test_run()
        assert loaded.variables["out"].get() == 0
        assert loaded.variables["execve"].get() == 0
        os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
        try:
            loaded.programs["f"].test_run()
        finally:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        assert loaded.variables["execve"].get() == 1
        assert loaded.variables["out"].get() == 0


# --- other loaders ---

SCRIPT = """
set -e
mount -t bpf none "$1"
mkdir "$1/maps" "$1/programs"
bpftool prog loadall "$2" "$1/programs" pinmaps "$1/maps"
bpftool map update pinned "$1/maps/seen" key hex 07 00 00 00 value hex \
  01 00 00 00 00 00 00 00 02 00 00 00 62 65 65 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
bpftool -j map dump pinned "$1/maps/seen"
bpftool prog dump xlated pinned "$1/programs/f" linum
"""


def test_libbpf_loads_the_object_and_knows_its_types(worker: Worker, tmp_path: Path) -> None:
    here = ir.Span("probe.py", 2, 5)
    body = (
        Declare("task", TRUSTED, Load(ContextField(ctx, 0), TRUSTED), here),
        put(Convert(Load(KernelField(Local("task", TRUSTED), TASK_TGID), I32), U32)),
        Return(Const(0, I32)),
    )
    module = Module(
        "m", (program(*body, section="tp_btf/sched_process_exec"),),
        maps=(
            MapDefinition("seen", MapType.HASH, u32, Exec, 8),
            MapDefinition("ring", MapType.RINGBUF, max_entries=4096),
        ),
        globals=(out(), GlobalDefinition("limit", u32, Section.RODATA, bytes(4))),
        sources=(ir.Source("probe.py", "def f(self, task):\n    self.pid = task.tgid\n"),),
        events=(Exec,),
    )  # fmt: skip
    (tmp_path / "m.bpf.o").write_bytes(worker.build(module).object)
    (tmp_path / "bpffs").mkdir()
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", SCRIPT, "sh", tmp_path / "bpffs", tmp_path / "m.bpf.o"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    dump, *code = done.stdout.splitlines()
    (entry,) = json.loads(dump)
    assert entry["formatted"]["key"] == 7
    assert entry["formatted"]["value"]["time"] == 1
    assert entry["formatted"]["value"]["pid"] == 2
    assert any("self.pid = task.tgid [file:probe.py line_num:2 line_col:5]" in line for line in code)
