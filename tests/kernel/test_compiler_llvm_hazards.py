"""What LLVM does to correct code and the verifier then refuses, each with the program that showed it."""

from __future__ import annotations

import os
import re
import struct
from array import array

import pytest
from ir_programs import (
    CTX,
    EQ,
    GT,
    NE,
    PACKET,
    STACK,
    TRUSTED,
    UNTRUSTED,
    USER,
    VALUE,
    add,
    call,
    ctx,
    is_,
    n,
    open_module,
    out,
    passes,
    program,
    put,
)

from beespace.compiler import ir
from beespace.compiler.ir import (
    BOOL,
    I32,
    U8,
    U16,
    U32,
    U64,
    VOID,
    And,
    Assign,
    Binary,
    BinaryOp,
    Break,
    Call,
    Const,
    ContextField,
    Continue,
    Convert,
    Copy,
    Declare,
    Evaluate,
    Expression,
    Function,
    FunctionAddress,
    GlobalAddress,
    GlobalDefinition,
    If,
    KernelField,
    Load,
    Local,
    Loop,
    MapAddress,
    MapDefinition,
    Module,
    Not,
    Offset,
    Parameter,
    PointerType,
    Region,
    Return,
    Section,
    Select,
    Sequence,
    Slot,
    StackSlot,
    Statement,
    Store,
    Zero,
)  # fmt: skip
from beespace.compiler.stack import COPIES, SCRATCH
from beespace.compiler.worker import Build, Worker
from beespace.elf import read
from beespace.isa import MapType, disassemble
from beespace.isa.helpers import HELPERS
from beespace.kernel import load
from beespace.types import array as array_of
from beespace.types import u8, u32, u64

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

LEN, PROTOCOL, DATA, DATA_END = 0, 16, 76, 80  # struct __sk_buff
RAW = "raw_tp/sched_switch"
PACKETS = "lwt_in"  # up to Linux 6.12, a test run of cgroup programs gives them no packet, although they may read one
ETHERNET = bytes(12) + b"\x08\x00"  # the test run takes it off again


def masked(value: Expression, mask: int) -> Binary:
    return Binary(BinaryOp.AND, value, Const(mask, value.type))


def skb(offset: int, type: ir.Type = U32) -> Load:
    return Load(ContextField(ctx, offset), type)


def packet(offset: int) -> Convert:
    return Convert(skb(offset), PACKET)


def result(worker: Worker, module: Module, data: bytes = bytes(64), name: str = "out") -> int | bytes:
    with open_module(worker, module) as loaded:
        program = next(iter(loaded.programs.values()))
        if program.attachment.hook.name == "raw_tracepoint":
            program.test_run()
        else:
            program.test_run(data_in=ETHERNET + data)
        return loaded.variables[name].get()


def code_of(build: Build, name: str = "f") -> list[str]:
    spec = read(build.object, "m")
    function = spec.programs[name].entry if name in spec.programs else spec.subprograms[name]
    return disassemble(function.code)


# --- context ---


def test_context_loads_in_two_branches_are_not_sunk(worker: Worker) -> None:
    """Sunk, they are one load at ctx + a computed offset: "dereference of modified ctx ptr"."""
    module = Module("m", (program(
        Declare("x", U32),
        If(is_(GT, call("get_prandom_u32", U32), n(1 << 31)), (Assign("x", skb(LEN)),), (Assign("x", skb(PROTOCOL)),)),
        put(Local("x", U32)), passes(),
    ),), globals=(out(),))  # fmt: skip
    assert result(worker, module) in (64, 0x0008)


def test_neighbouring_context_loads_are_not_merged(worker: Worker) -> None:
    module = Module("m", (program(
        put(Binary(BinaryOp.OR, Convert(skb(LEN), U64), Binary(BinaryOp.SHL, Convert(skb(4), U64), n(32, U64)))),
        passes(),
    ),), globals=(out(),))  # fmt: skip
    assert result(worker, module) == 64
    lines = code_of(worker.build(module))
    assert sum("= *(u32 *)(r" in line for line in lines) == 2


def test_the_same_field_of_two_sockets(worker: Worker) -> None:
    """bpf_sock through two pointers in two branches: offsets stay constant."""
    socket = PointerType(Region.SOCKET)
    full, listener = Local("full", socket), Local("listener", socket)
    module = Module("m", (program(
        Declare("sk", socket, skb(168, socket)),
        If(is_(EQ, Local("sk", socket), Const(0, socket)), (passes(),)),
        Declare("full", socket, call("sk_fullsock", socket, Local("sk", socket))),
        If(is_(EQ, full, Const(0, socket)), (passes(),)),
        Declare("listener", socket, call("get_listener_sock", socket, full)),
        Declare("state", U32),
        If(is_(NE, listener, Const(0, socket)),
           (Assign("state", Load(ContextField(listener, 72), U32)),),
           (Assign("state", Load(ContextField(full, 4), U32)),)),
        put(Local("state", U32)), passes(),
    ),), globals=(out(),))  # fmt: skip
    with open_module(worker, module) as loaded:
        assert loaded.programs["f"].test_run(data_in=ETHERNET + bytes(64)).retval == 1


def test_kernel_fields_in_two_branches_are_not_sunk(worker: Worker) -> None:
    """Sunk, they are one load at task + a computed offset, which no trusted pointer may have."""
    task = Local("task", TRUSTED)

    def field(name: str) -> Load:
        access = ir.CoreAccess("task_struct", (ir.CoreMember(name, ir.CoreInt(4, signed=True)),))
        return Load(KernelField(task, access), I32)

    half = is_(GT, call("get_prandom_u32", U32), n(1 << 31))
    module = Module("m", (program(
        Declare("task", TRUSTED, call("get_current_task_btf", TRUSTED)),
        Declare("x", I32),
        If(half, (Assign("x", field("tgid")),), (Assign("x", field("pid")),)),
        put(Convert(Local("x", I32), U32)), passes(), section=RAW,
    ),), globals=(out(),))  # fmt: skip
    assert result(worker, module) == os.getpid()


# --- packets ---

IPV4 = bytes.fromhex("4500001c000000004011000001020304050607080035001400080000") + bytes(36)


def test_packet_bounds_with_a_variable_offset(worker: Worker) -> None:
    """The checked pointer is the one that is read, whatever LLVM knows about the sum."""
    ip, udp = Local("ip", PACKET), Local("udp", PACKET)
    header = Binary(BinaryOp.SHL, masked(Convert(Load(ip, U8), U32), 15), n(2))
    module = Module("m", (program(
        Declare("ip", PACKET, packet(DATA)),
        If(is_(GT, Offset(ip, 20), packet(DATA_END)), (passes(),)),
        Declare("udp", PACKET, Offset(ip, masked(header, 0x7FF))),
        If(is_(GT, Offset(udp, 8), packet(DATA_END)), (passes(),)),
        put(add(Convert(ir.ByteSwap(Load(udp, U16)), U32),
                Binary(BinaryOp.SHL, Convert(ir.ByteSwap(Load(Offset(udp, 4), U16)), U32), n(16)))),
        passes(), section=PACKETS,
    ),), globals=(out(),))  # fmt: skip
    assert result(worker, module, IPV4) == 0x00080035


def test_packet_pointers_are_compared_as_64_bits(worker: Worker) -> None:
    """data and data_end are u32 in the struct and pointers in the kernel; a 32-bit comparison is refused."""
    module = Module("m", (program(
        Declare("data", PACKET, packet(DATA)),
        Declare("end", PACKET, packet(DATA_END)),
        put(Convert(is_(EQ, Local("data", PACKET), Local("end", PACKET)), U32)),
        put(Binary(BinaryOp.SUB, Convert(Local("end", PACKET), U64), Convert(Local("data", PACKET), U64)), "size"),
        passes(), section=PACKETS,
    ),), globals=(out(), out("size")))  # fmt: skip
    assert result(worker, module) == 0
    assert result(worker, module, name="size") == 64
    assert not [line for line in code_of(worker.build(module)) if re.search(r"if w\d+ \S+ w\d+", line)]


def test_packet_walk_in_a_loop(worker: Worker) -> None:
    """Type-length headers, one after another, as IPv6 extensions are."""
    at = Local("at", PACKET)
    module = Module("m", (program(
        Declare("offset", U32, n(0)),
        Declare("sum", U32, n(0)),
        Loop((
            Declare("at", PACKET, Offset(packet(DATA), masked(Local("offset", U32), 0x7FF))),
            If(is_(GT, Offset(at, 4), packet(DATA_END)), (Break(),)),
            If(is_(EQ, Load(at, U8), n(0, U8)), (Break(),)),
            Assign("sum", add(Local("sum", U32), Convert(Load(Offset(at, 2), U8), U32))),
            Assign("offset", add(Local("offset", U32), Convert(Load(Offset(at, 1), U8), U32))),
        ), limit=6),
        put(Local("sum", U32)), passes(), section=PACKETS,
    ),), globals=(out(),))  # fmt: skip
    data = bytes([1, 4, 10, 0, 1, 8, 20, 0, 0, 0, 0, 0, 1, 4, 30, 0]) + bytes(48)
    assert result(worker, module, data) == 60


# --- blocks of bytes ---


@pytest.mark.parametrize("align", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [1, 7, 8, 63, 300, 3000])
def test_blocks_of_bytes_become_no_library_call(worker: Worker, size: int, align: int) -> None:
    """memset() and memcpy() do not exist; LLVM makes calls of them out of loops and runs of stores."""
    kind = array_of(u8, 3000)
    source = GlobalDefinition("source", kind, Section.DATA, bytes(i % 251 for i in range(3000)))
    target = GlobalDefinition("target", kind, Section.DATA, b"\xff" * 3000)
    empty = GlobalDefinition("empty", kind, Section.DATA, b"\xff" * 3000)
    rounded = -(-size // align) * align
    module = Module("m", (program(
        Copy(GlobalAddress("target"), GlobalAddress("source"), size, align),
        Zero(GlobalAddress("empty"), size, align),
        passes(),
    ),), globals=(GlobalDefinition("pad", u64, Section.DATA, bytes(8)), source, target, empty))  # fmt: skip
    with open_module(worker, module) as loaded:
        loaded.programs["f"].test_run(data_in=ETHERNET + bytes(64))
        assert loaded.variables["target"].get() == source.initial[:size] + b"\xff" * (3000 - size)
        assert loaded.variables["empty"].get() == bytes(size) + b"\xff" * (3000 - size)
    assert rounded - size < align


def test_a_loop_that_looks_like_memset(worker: Worker) -> None:
    kind = array_of(u8, 1024)
    target = GlobalDefinition("target", kind, Section.DATA, b"\xff" * 1024)
    module = Module("m", (program(
        Loop((Store(Offset(GlobalAddress("target"), masked(Local("i", U32), 1023)), n(0, U8)),), 1024, "i"),
        passes(),
    ),), globals=(target,))  # fmt: skip
    assert result(worker, module, name="target") == bytes(1024)


def test_a_stack_value_copied_to_a_map(worker: Worker) -> None:
    module = Module("m", (program(
        Zero(StackSlot("value"), 64, 8),
        Store(Offset(StackSlot("value"), 8), n(5, U64)),
        Store(StackSlot("key"), n(0)),
        Evaluate(call("map_update_elem", I32, MapAddress("m1"), StackSlot("key"), StackSlot("value"), n(0, U64))),
        passes(), slots=(Slot("key", 4, 4), Slot("value", 64)),
    ),), maps=(MapDefinition("m1", MapType.ARRAY, u32, array_of(u64, 8), 1),))  # fmt: skip
    with open_module(worker, module) as loaded:
        loaded.programs["f"].test_run(data_in=ETHERNET + bytes(64))
        assert loaded.maps["m1"].raw.get(bytes(4)) == struct.pack("8Q", 0, 5, 0, 0, 0, 0, 0, 0)


# --- control flow ---


def test_null_checks_inside_conditions(worker: Worker) -> None:
    """A pointer is checked and followed in one condition, and the check is not turned into arithmetic."""
    value = Local("value", VALUE)
    found = Sequence(
        (Store(StackSlot("key"), n(1)),), call("map_lookup_elem", VALUE, MapAddress("a"), StackSlot("key"))
    )
    module = Module("m", (program(
        Declare("value", VALUE, found),
        If(And(And(is_(NE, value, Const(0, VALUE)), is_(GT, skb(LEN), n(10))), is_(EQ, Load(value, U64), n(0, U64))),
           (Store(value, n(9, U64)),)),
        put(Select(is_(NE, value, Const(0, VALUE)), Load(value, U64), n(77, U64))),
        passes(), slots=(Slot("key", 4, 4),),
    ),), maps=(MapDefinition("a", MapType.ARRAY, u32, u64, 4),), globals=(out(),))  # fmt: skip
    assert result(worker, module) == 9


@pytest.mark.parametrize("limit", [0, 1, 10, 1000])
def test_bounded_loops(worker: Worker, limit: int) -> None:
    module = Module("m", (program(
        Declare("sum", U32),
        Loop((
            If(is_(EQ, Local("i", U32), n(3)), (Continue(),)),
            If(is_(EQ, Local("i", U32), skb(LEN)), (Break(),)),
            Assign("sum", add(Local("sum", U32), Local("i", U32))),
        ), limit, "i"),
        put(Local("sum", U32)), passes(),
    ),), globals=(out(),))  # fmt: skip
    assert result(worker, module) == sum(i for i in range(min(limit, 64)) if i != 3)


def test_a_loop_without_a_limit_that_breaks(worker: Worker) -> None:
    module = Module("m", (program(
        Declare("x", U32, n(1)),
        Loop((
            Assign("x", Binary(BinaryOp.MUL, Local("x", U32), n(3))),
            If(is_(GT, Local("x", U32), n(1000)), (Break(),)),
        )),
        put(Local("x", U32)), passes(),
    ),), globals=(out(),))  # fmt: skip
    assert result(worker, module) == 2187


def test_nested_loops(worker: Worker) -> None:
    module = Module("m", (program(
        Declare("count", U32),
        Loop((Loop((
            If(is_(GT, Local("j", U32), Local("i", U32)), (Break(),)),
            Assign("count", add(Local("count", U32), n(1))),
        ), 8, "j"),), 8, "i"),
        put(Local("count", U32)), passes(),
    ),), globals=(out(),))  # fmt: skip
    assert result(worker, module) == 36


# --- sub-programs ---


def test_sub_programs(worker: Worker) -> None:
    """Static functions with their own types: context, stack, flags; unused parameters; no result."""
    pair = Local("pair", STACK)
    swap = Function("swap", (Parameter("pair", STACK), Parameter("unused", U32)), VOID, (
        Declare("first", U64, Load(pair, U64)),
        Store(pair, Load(Offset(pair, 8), U64)),
        Store(Offset(pair, 8), Local("first", U64)),
    ))  # fmt: skip
    long = Function("long", (Parameter("ctx", CTX), Parameter("than", U8)), BOOL, (
        Return(is_(GT, skb(LEN), Convert(Local("than", U8), U32))),
    ))  # fmt: skip
    twice = Function("twice", (Parameter("x", U16),), U16, (Return(add(Local("x", U16), Local("x", U16))),))
    four_times = Call("twice", (Call("twice", (Convert(skb(LEN), U16),), U16),), U16)
    module = Module("m", (program(
        Store(StackSlot("pair"), n(1, U64)),
        Store(Offset(StackSlot("pair"), 8), n(2, U64)),
        *(Evaluate(Call("swap", (StackSlot("pair"), n(0)), VOID)) for _ in range(3)),
        If(Call("long", (ctx, n(63, U8)), BOOL), (
            If(Not(Call("long", (ctx, n(64, U8)), BOOL)), (
                put(add(Load(StackSlot("pair"), U64), Convert(four_times, U64))),
            )),
        )),
        passes(), slots=(Slot("pair", 16),),
    ), swap, long, twice), globals=(out(),))  # fmt: skip
    build = worker.build(module)
    assert result(worker, module) == 2 + 256
    assert set(read(build.object, "m").subprograms) == {"swap", "long", "twice"}


def test_a_callback_of_bpf_loop(worker: Worker) -> None:
    data = Local("data", STACK)
    body = Function("body", (Parameter("index", U32), Parameter("data", STACK)), ir.I64, (
        Store(data, add(Load(data, U64), Convert(Local("index", U32), U64))),
        Return(Const(0, ir.I64)),
    ))  # fmt: skip
    module = Module("m", (program(
        Store(StackSlot("sum"), n(0, U64)),
        Evaluate(call("loop", I32, n(100_000), FunctionAddress("body"), StackSlot("sum"), n(0, U64))),
        put(Load(StackSlot("sum"), U64)), passes(), slots=(Slot("sum", 8),),
    ), body), globals=(out(),))  # fmt: skip
    assert result(worker, module) == sum(range(100_000))


# --- untrusted memory ---


def test_a_callback_that_counts(worker: Worker) -> None:
    """Followed from round to round, the counter is news for ever: a million instructions later, "too large"."""
    count, here = Local("count", U64), Local("here", U64)
    place = StackSlot("place")
    each = ir.Each(
        HELPERS["loop"].number, "loop", (n(1000),), (Parameter("index", U32),),
        (
            Assign("count", add(count, n(1, U64))),
            Declare("here", U64, add(Load(place, U64), n(3, U64))),
            Store(place, here),
            If(is_(EQ, count, n(7, U64)), (Break(),)),
            If(is_(EQ, here, n(900, U64)), (Break(),)),
        ), (n(0, U64),),
    )  # fmt: skip
    module = Module("m", (program(
        Declare("count", U64), Store(place, n(0, U64)), each,
        put(add(count, Binary(BinaryOp.MUL, Load(place, U64), n(100, U64)))), passes(),
        slots=(Slot("place", 8),),
    ),), globals=(out(),))  # fmt: skip
    assert result(worker, module) == 7 + 21 * 100


def test_user_memory_and_faults(worker: Worker) -> None:
    """A fault reads as zero; what is there is read as it is."""
    address = Load(GlobalAddress("address"), U64)
    module = Module("m", (program(
        put(Load(Convert(address, USER), U32), "user"),
        put(Load(Convert(n(8, U64), UNTRUSTED), U64), "kernel"),
        Copy(GlobalAddress("copied"), Convert(address, USER), 8, 1),
        passes(), section="raw_tp/sched_switch",
    ),), globals=tuple(out(name) for name in ("address", "user", "kernel", "copied")))  # fmt: skip
    words = array("Q", b"beespace")
    with open_module(worker, module) as loaded:
        loaded.variables["address"].set(words.buffer_info()[0])
        loaded.variables["kernel"].set(5)
        loaded.programs["f"].test_run()
        assert loaded.variables["user"].get() == int.from_bytes(b"bees", "little")
        assert loaded.variables["kernel"].get() == 0
        assert loaded.variables["copied"].get() == words[0]


# --- the stack ---


def big(name: str, slots: int, size: int, *body: Statement, section: str | None = "cgroup_skb/egress") -> Function:
    """A function that fills ``slots`` blocks of stack and adds up what it finds there."""
    fill: list[Statement] = []
    for number in range(slots):
        slot = StackSlot(f"s{number}")
        fill += [Zero(slot, size, 8), Store(Offset(slot, size - 8), n(number + 1, U64))]
    fill.append(Evaluate(call("get_prandom_u32", U32)))
    total: Expression = n(0, U64)
    for number in range(slots):
        total = add(total, Load(Offset(StackSlot(f"s{number}"), size - 8), U64))
        fill.append(Evaluate(call("get_current_comm", U64, StackSlot(f"s{number}"), n(16))))
    parameters = (Parameter("ctx", CTX),)
    made = tuple(Slot(f"s{number}", size) for number in range(slots))
    end = (
        (put(total), *body, passes())
        if section
        else (*body, put(add(total, Load(GlobalAddress("out"), U64))), passes())
    )
    return Function(name, parameters, I32, (*fill, *end), section, made, fallback=2)


def test_what_does_not_fit_the_stack_moves_to_scratch_memory(worker: Worker) -> None:
    module = Module("m", (big("f", 5, 256, section=RAW),), globals=(out(),))
    build = worker.build(module)
    (spill,) = build.spills
    assert spill.function == "f"
    assert spill.size == 24 + 4 * 256
    assert build.stack["f"] <= 512
    with load(read(build.object, "m")) as loaded:
        for _ in range(3):  # the frame is given back
            assert loaded.programs["f"].test_run().retval == 1
            assert loaded.variables["out"].get() == 15
            loaded.variables["out"].set(0)
        assert loaded.maps[SCRATCH].spec.max_entries == COPIES
        for entry in range(COPIES):
            values = loaded.maps[SCRATCH].raw.get(struct.pack("I", entry))
            assert values is not None
            assert not any(values[i] for i in range(16))


def test_a_run_that_finds_no_scratch_memory_is_counted(worker: Worker) -> None:
    module = Module("m", (big("f", 5, 256, section=RAW),), globals=(out(),))
    with load(read(worker.build(module).object, "m")) as loaded:
        scratch = loaded.maps[SCRATCH].raw
        for entry in range(COPIES):
            key = struct.pack("I", entry)
            value = scratch.get(key)
            assert value is not None
            size = scratch.spec.value_size
            busy = struct.pack("Q", 1) + bytes(size - 8)
            scratch.update(key, busy * (len(value) // size))
        assert loaded.programs["f"].test_run().retval == 2
        last = scratch.get(struct.pack("I", COPIES - 1))
        assert last is not None
        size = scratch.spec.value_size
        frames = [struct.unpack_from("QQ", last, start) for start in range(0, len(last), size)]
        assert sum(missed for _, missed in frames) == 1
        assert all(users == 1 for users, _ in frames)


def test_the_stack_of_a_chain_of_calls(worker: Worker) -> None:
    """512 bytes are for the whole chain."""
    inner = big("inner", 1, 248, section=None)
    middle = big("middle", 1, 248, Evaluate(Call("inner", (ctx,), I32)), section=None)
    outer = big("f", 1, 248, Evaluate(Call("middle", (ctx,), I32)), section=RAW)
    module = Module("m", (outer, middle, inner), globals=(out(),))
    build = worker.build(module)
    assert build.stack["f"] <= 512
    assert {spill.function for spill in build.spills} == {"f", "middle", "inner"}
    with load(read(build.object, "m")) as loaded:
        assert loaded.programs["f"].test_run().retval == 1
        assert loaded.variables["out"].get() == 3


def test_small_frames_stay_on_the_stack(worker: Worker) -> None:
    build = worker.build(Module("m", (big("f", 3, 64),), globals=(out(),)))
    assert build.spills == ()
    assert SCRATCH not in read(build.object, "m").maps
