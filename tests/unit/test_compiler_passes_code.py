"""What each pass over the IR does, and what it leaves alone."""

from __future__ import annotations

from ir_modules import CTX, DATA, END, LEAVE, NULL, PACKET, RING, VALUE, after, missing, module, packet

from beespace.compiler import ir
from beespace.compiler.ir import (
    U32,
    U64,
    AtomicAdd,
    Compare,
    CompareOp,
    Const,
    Declare,
    Evaluate,
    Helper,
    If,
    Load,
    Local,
    MapAddress,
    Module,
    Offset,
    Return,
    Slot,
    StackSlot,
    Store,
)
from beespace.compiler.passes.certain_entries import certain_entries
from beespace.compiler.passes.checked_packets import checked_packets
from beespace.compiler.passes.late_values import late_values
from beespace.compiler.passes.packet_ends import packet_ends


def header(name: str, size: int) -> tuple[ir.Statement, ...]:
    there = Compare(CompareOp.LE, Offset(DATA, size), END)
    return (Declare(name, PACKET, ir.Select(there, DATA, Const(0, PACKET))),)


# --- packet_ends ---


def test_a_packets_ends_are_read_once() -> None:
    lines = after(packet_ends, module(*header("a", 14), *header("b", 34)))
    assert lines[0] == ".packet.0: *packet = *packet(u32[ctx->0])"
    assert sum("ctx->0" in line for line in lines) == sum("ctx->4" in line for line in lines) == 1


def test_what_may_change_the_packet_keeps_every_read() -> None:
    pull = Evaluate(Helper(39, "skb_pull_data", (CTX, Const(0, U32)), ir.I64))
    made = module(*header("a", 14), pull, *header("b", 34))
    assert packet_ends(made) == made


def test_one_read_stays_where_it_is() -> None:
    made = module(Declare("a", PACKET, DATA))
    assert packet_ends(made) == made


# --- late_values ---


def reserve(*before: ir.Statement, then: tuple[ir.Statement, ...], slots: tuple[Slot, ...] = ()) -> Module:
    record = Local("r", RING)
    return module(
        *before,
        Declare("r", RING, Helper(131, "ringbuf_reserve", (MapAddress("ring"), Const(16, U64), Const(0, U64)), RING)),
        If(
            Compare(CompareOp.NE, record, Const(0, RING)),
            (*then, Evaluate(Helper(132, "ringbuf_submit", (record, Const(0, U64)), ir.VOID))),
        ),
        slots=slots,
    )


NOW = Declare("now", U64, Helper(125, "ktime_get_boot_ns", (), U64))


def test_values_of_a_record_are_worked_out_when_there_is_room() -> None:
    lines = after(late_values, reserve(NOW, then=(Store(Local("r", RING), Local("now", U64)),)))
    assert lines[0].startswith("r: *ring")
    assert lines[2].startswith("now: u64")


def test_each_value_is_worked_out_beside_its_place() -> None:
    who = Declare("who", U64, Helper(14, "get_current_pid_tgid", (), U64))
    record = Local("r", RING)
    places = (Store(record, Local("now", U64)), Store(Offset(record, 8), Local("who", U64)))
    lines = after(late_values, reserve(NOW, who, then=places))
    assert [line.partition(":")[0] for line in lines[2:6]] == ["now", "u64[r] = now", "who", "u64[(r + 8 bytes)] = who"]


def test_what_is_stored_elsewhere_keeps_values_where_they_are() -> None:
    record = Local("r", RING)
    elsewhere = Store(StackSlot("k"), Const(1, U32))
    made = reserve(NOW, then=(elsewhere, Store(record, Local("now", U64))), slots=(Slot("k", 4, 4),))
    assert after(late_values, made)[2].startswith("now: u64")


def test_values_that_others_use_stay() -> None:
    made = reserve(NOW, then=(Store(Local("r", RING), Local("now", U64)),))
    function = made.functions[0]
    other = module(*function.body[:-1], Declare("x", U64, Local("now", U64)))
    assert late_values(other) == other


def test_calls_that_do_something_stay() -> None:
    acting = Declare("now", U64, Helper(3, "map_delete_elem", (MapAddress("table"), StackSlot("k")), U64))
    made = module(
        acting,
        Declare("r", RING, Helper(131, "ringbuf_reserve", (MapAddress("ring"), Const(16, U64), Const(0, U64)), RING)),
        If(
            Compare(CompareOp.NE, Local("r", RING), Const(0, RING)),
            (
                Store(Local("r", RING), Local("now", U64)),
                Evaluate(Helper(132, "ringbuf_submit", (Local("r", RING), Const(0, U64)), ir.VOID)),
            ),
        ),
        slots=(Slot("k", 4, 4),),
    )
    assert late_values(made) == made


# --- certain_entries ---


def adding(map_name: str, index: int) -> Module:
    lookup = Helper(1, "map_lookup_elem", (MapAddress(map_name), StackSlot("k")), VALUE)
    return module(
        Store(StackSlot("k"), Const(index, U32)),
        Declare("t", VALUE, lookup),
        If(Compare(CompareOp.EQ, Local("t", VALUE), NULL), (Return(Const(2, ir.I32)),)),
        AtomicAdd(Local("t", VALUE), Const(1, U64)),
        slots=(Slot("k", 4, 4),),
    )


def test_adding_to_an_entry_that_is_there_needs_no_way_out() -> None:
    lines = after(certain_entries, adding("counts", 1))
    assert lines[2:4] == ["if (t != null):", "atomic u64[t] += 1:u64"]
    assert lines.count("return 2:i32") == 1


def test_entries_that_may_be_missing_keep_it() -> None:
    for made in (adding("counts", 2), adding("table", 0)):
        assert certain_entries(made) == made


# --- checked_packets ---


def test_a_header_that_is_checked_at_once_is_a_plain_pointer() -> None:
    short = Compare(CompareOp.NE, Load(Local("a", PACKET), ir.U8), Const(4, ir.U8))
    lines = after(checked_packets, module(Declare("a", PACKET, packet(14)), If(ir.Or(missing("a"), short), LEAVE)))
    assert lines[2:4] == ["a: *packet = d14", "if (not ((d14 + 14 bytes) <= e14) or (u8[a] != 4:u8)):"]


def test_a_header_that_is_only_asked_for() -> None:
    gone = Compare(CompareOp.EQ, packet(14), Const(0, PACKET))
    assert after(checked_packets, module(If(gone, LEAVE)))[2] == "if not ((d14 + 14 bytes) <= e14):"


def test_headers_that_are_checked_later_may_be_none() -> None:
    later = module(
        Declare("a", PACKET, packet(14)), Declare("b", PACKET, packet(34)), If(ir.Or(missing("a"), missing("b")), LEAVE)
    )
    assert checked_packets(later) == later
    goes_on = module(Declare("a", PACKET, packet(14)), If(missing("a"), (Evaluate(Const(0, U64)),)))
    assert checked_packets(goes_on) == goes_on
