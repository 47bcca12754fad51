"""The 512-byte stack: slots that do not fit, or must not be there, move to per-CPU memory.

Invariant: no two runs ever use the same memory at once, and a run that finds none is counted.

A frame of scratch memory is an entry of one per-CPU array.  The same program can be running more than
once on a CPU (a softirq interrupts a task; a preempted task makes way for another), so each function
has several frames, and takes one by an atomic add that must make its counter 1.  If all are taken, the
function returns its fallback, and the frame's second word counts the loss (sum it over the CPUs of
the last frame of each function: entries ``COPIES - 1``, ``2 * COPIES - 1``, ...).

A jump to another program does not come back, so the frame is given back before it.  Where it comes back all the same
(there is no program), the frame is taken again; the third word counts how often it was taken, and tells whether another
run has had it meanwhile: then this one ends as if it had found none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from beespace.compiler import ir
from beespace.compiler.ir.walk import rewrite
from beespace.errors import InternalError
from beespace.isa import InsnClass, MapType
from beespace.record import dataclass, replace
from beespace.spec import FunctionSpec, ObjectSpec

__all__ = ["BUDGETS", "COPIES", "KERNEL_STACK", "SCRATCH", "Spill", "chains_of", "depth_of", "spill"]

#: Bytes of slots a function may keep, tried in turn; what is left of 512 is for registers and callees.
BUDGETS = (400, 320, 240, 160, 80, 0)
KERNEL_STACK = 512  # MAX_BPF_STACK, over a whole chain of calls
SCRATCH = "scratch_memory"
COPIES = 3
_HEADER = 24  # frame in use (u64), how often it was found in use (u64), how often it was taken (u64)
_LOST, _TAKEN = 8, 16  # offsets in it
_MAX_VALUE = 32 << 10  # PCPU_MIN_UNIT_SIZE
_ROUND = 32  # the verifier rounds a frame up to this

_FRAME, _ENTRY = ".frame", ".entry"
_VALUE = ir.PointerType(ir.Region.MAP_VALUE)
_LOOKUP, _JUMP = 1, 12  # bpf_map_lookup_elem(), bpf_tail_call()


@dataclass(frozen=True, slots=True)
class Spill:
    """``slots`` of ``function`` live in scratch memory: ``size`` bytes, in frames from entry ``entry`` on.

    ``room``: there was no room for some of them; else none may be on the stack.
    """

    function: str
    slots: tuple[str, ...]
    size: int
    entry: int
    room: bool = True


def spill(module: ir.Module, budget: int) -> tuple[ir.Module, tuple[Spill, ...]]:
    """Move the largest slots out until each function keeps at most ``budget`` bytes of slots."""
    functions: list[ir.Function] = []
    spills: list[Spill] = []
    for function in module.functions:
        moved = _choose(function, budget)
        if not moved:
            functions.append(function)
            continue
        offsets, size = _place(moved)
        if size > _MAX_VALUE:
            raise InternalError(f"function {function.name!r} needs {size} bytes of memory, more than {_MAX_VALUE}")
        entry = len(spills) * COPIES
        functions.append(_with_frame(function, offsets, entry))
        spills.append(Spill(function.name, tuple(offsets), size, entry, not all(slot.off_stack for slot in moved)))
    if not spills:
        return module, ()
    scratch = ir.MapDefinition(
        SCRATCH, MapType.PERCPU_ARRAY, key_size=4, value_size=max(item.size for item in spills),
        max_entries=len(spills) * COPIES,
    )  # fmt: skip
    return replace(module, functions=tuple(functions), maps=(*module.maps, scratch)), tuple(spills)


def _room(slot: ir.Slot) -> int:
    return -(-slot.size // 8) * 8


def _choose(function: ir.Function, budget: int) -> list[ir.Slot]:
    """The slots that go: those that must; then the largest first, and of equal ones the first."""
    kept = sum(_room(slot) for slot in function.slots)
    moved = []
    movable = (slot for slot in function.slots if not slot.fixed)
    for slot in sorted(movable, key=lambda slot: (slot.off_stack, _room(slot)), reverse=True):
        if kept <= budget and not slot.off_stack:
            break
        moved.append(slot)
        kept -= _room(slot)
    return moved


def _place(slots: list[ir.Slot]) -> tuple[dict[str, int], int]:
    """Offsets in the frame, and the frame's size."""
    offsets, end = {}, _HEADER
    for slot in slots:
        offsets[slot.name] = end
        end += _room(slot)
    return offsets, end


def _with_frame(function: ir.Function, offsets: dict[str, int], entry: int) -> ir.Function:
    """``function`` with a frame taken at the start, used in place of the slots, and given back at each return."""
    frame = ir.Local(_FRAME, _VALUE)
    results = iter(range(1 << 30))

    def change(node: Any) -> Any:
        match node:
            case ir.StackSlot() if node.name in offsets:
                pointer = ir.Convert(frame, ir.PointerType(ir.Region.STACK), node.span)
                return ir.Offset(pointer, offsets[node.name], node.span)
            case ir.Evaluate(value=ir.Helper(number=number) as call) if number == _JUMP:
                return tuple(_jump(function, call, next(results), node.span))
            case ir.Return(value=None):
                return (_count(frame, -1), node)
            case ir.Return(value=value) if value is not None:
                name = f".result{next(results)}"
                result = ir.Declare(name, value.type, value, node.span)
                return (result, _count(frame, -1), ir.Return(ir.Local(name, value.type), node.span))
            case _:
                return node

    body = (*_take(function, entry), *rewrite(function.body, change))
    if function.result == ir.VOID:
        body = (*body, _count(frame, -1), ir.Return())
    kept = tuple(slot for slot in function.slots if slot.name not in offsets)
    return replace(function, body=body, slots=(*kept, ir.Slot(_ENTRY, 4, 4)))


def _count(pointer: ir.Expression, change: int) -> ir.Statement:
    return ir.AtomicAdd(pointer, ir.Const(change, ir.I64))


def _jump(function: ir.Function, call: ir.Helper, number: int, span: ir.Span | None) -> Iterator[ir.Statement]:
    """Give the frame back, jump, and take it again if that has failed."""
    frame, taken = ir.Local(_FRAME, _VALUE), ir.Local(f".taken{number}", ir.U64)
    *others, index = call.arguments
    yield ir.Declare(f".index{number}", index.type, index, span)
    yield ir.Declare(taken.name, ir.U64, ir.Load(ir.Offset(frame, _TAKEN), ir.U64, volatile=True), span)
    yield _count(frame, -1)
    yield ir.Evaluate(replace(call, arguments=(*others, ir.Local(f".index{number}", index.type))), span)
    yield _count(frame, 1)
    again = ir.Compare(ir.CompareOp.NE, ir.Load(ir.Offset(frame, _TAKEN), ir.U64, volatile=True), taken)
    busy = ir.Compare(ir.CompareOp.NE, ir.Load(frame, ir.U64, volatile=True), ir.Const(1, ir.U64))
    lost = (_count(frame, -1), _count(ir.Offset(frame, _LOST), 1), ir.Return(_fallback(function)))
    yield ir.If(ir.Or(busy, again), lost, span=span)


def _take(function: ir.Function, entry: int) -> Iterator[ir.Statement]:
    """Take the first frame that is free, or return the fallback."""
    found = ir.Local(".found", _VALUE)
    null = ir.Const(0, _VALUE)
    number = ir.Binary(ir.BinaryOp.ADD, ir.Local(".copy", ir.U32), ir.Const(entry, ir.U32))
    lookup = ir.Helper(_LOOKUP, "map_lookup_elem", (ir.MapAddress(SCRATCH), ir.StackSlot(_ENTRY)), _VALUE)
    mine = ir.Compare(ir.CompareOp.EQ, ir.Load(found, ir.U64, volatile=True), ir.Const(1, ir.U64))
    yield ir.Declare(_FRAME, _VALUE)
    yield ir.Loop((
        ir.Store(ir.StackSlot(_ENTRY), number),
        ir.Declare(".found", _VALUE, lookup),
        ir.If(ir.Compare(ir.CompareOp.EQ, found, null), (ir.Break(),)),
        _count(found, 1),
        ir.If(mine, (ir.Assign(_FRAME, found), _count(ir.Offset(found, _TAKEN), 1), ir.Break())),
        _count(found, -1),
        _count(ir.Offset(found, _LOST), 1),
    ), limit=COPIES, index=".copy")  # fmt: skip
    yield ir.If(ir.Compare(ir.CompareOp.EQ, ir.Local(_FRAME, _VALUE), null), (ir.Return(_fallback(function)),))


def _fallback(function: ir.Function) -> ir.Const | None:
    return None if function.result == ir.VOID else ir.Const(_fitting(function), function.result)


def _fitting(function: ir.Function) -> int:
    return function.fallback if isinstance(function.result, ir.IntType) else 0


# --- measuring -----------------------------------------------------------------------------------


def depth_of(spec: ObjectSpec) -> dict[str, int]:
    """Bytes of stack that each program of an object needs, callees included, as the verifier counts."""
    return {name: _bytes(chain) for name, chain in chains_of(spec).items()}


def chains_of(spec: ObjectSpec) -> dict[str, tuple[tuple[str, int], ...]]:
    """The deepest chain of calls of each program: every function of it, and the bytes of its frame."""
    functions = dict(spec.subprograms)
    called = {
        name: function.calls
        for name, function in (*functions.items(), *((name, item.entry) for name, item in spec.programs.items()))
    }
    known: dict[str, tuple[tuple[str, int], ...]] = {}

    def deepest(name: str, function: FunctionSpec) -> tuple[tuple[str, int], ...]:
        if name not in known:
            known[name] = ()  # a timer's callback may name itself; it runs later, on a stack of its own
            below = max((deepest(callee, functions[callee]) for callee in called[name]), key=_bytes, default=())
            known[name] = ((name, _frame(function.code)), *below)
        return known[name]

    return {name: deepest(name, program.entry) for name, program in spec.programs.items()}


def _bytes(chain: tuple[tuple[str, int], ...]) -> int:
    return sum(frame for _, frame in chain)


_INSN = struct.Struct("<BBhi")  # struct bpf_insn
_ST, _STX, _LDX = int(InsnClass.ST), int(InsnClass.STX), int(InsnClass.LDX)
_COMPUTES = frozenset(map(int, (InsnClass.ALU, InsnClass.ALU64, InsnClass.LD, InsnClass.LDX)))
_MOVE, _ADD, _FRAME_POINTER = 0xBF, 0x07, 10  # r1 = r2; r1 += constant; r10


def _frame(code: bytes) -> int:
    """Bytes below r10 that a function's instructions name."""
    lowest = 0
    addresses = {_FRAME_POINTER: 0}
    for opcode, registers, off, imm in _INSN.iter_unpack(code):
        kind, dst, src = opcode & 7, registers & 15, registers >> 4
        stores = kind in (_ST, _STX) and dst == _FRAME_POINTER
        if stores or (kind == _LDX and src == _FRAME_POINTER):
            lowest = min(lowest, off)
        if opcode == _MOVE and src in addresses:
            addresses[dst] = addresses[src]
        elif opcode == _ADD and dst in addresses:
            addresses[dst] += imm
            lowest = min(lowest, addresses[dst])
        elif kind in _COMPUTES and opcode:  # 0: the second half of a 64-bit constant
            addresses.pop(dst, None)
    return max(_ROUND, -(lowest // _ROUND) * _ROUND)
