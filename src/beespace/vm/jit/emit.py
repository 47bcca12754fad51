"""A program becomes the text of a module in LLVM's language, with a function for each of its own.

Invariant: pure and deterministic.  ``enter0``, ``enter7`` and so on take the state's address and run the function at
that instruction, with the arguments that stand in the state; they give how it ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from beespace.isa.insn import Insn
from beespace.isa.opcodes import CALL, CALL_LOCAL, InsnClass, Mode
from beespace.vm.jit import layout
from beespace.vm.jit.flow import blocks, called_from_outside, checkpoints, entries, leaves_registers
from beespace.vm.jit.function import AFTER_MISS, FIND, PLAIN, RESULT, Function, GaveUp, which_limit
from beespace.vm.jit.instructions import FORMS

__all__ = ["emit", "name_of"]

_CLASS = 0x07
_FRAME_POINTER = 10
_MEMORY = (InsnClass.LDX, InsnClass.ST, InsnClass.STX)

#: The slot that holds an address: its own, or Python fills it; null where the program may not.  Who calls it keeps its
#: registers, or the seldom way would cost the usual one.
_FIND_FUNCTION = f"""\
define internal preserve_mostcc ptr @find(ptr noalias %s, i64 %address, i64 %which) #1 {{
entry:
  %number = lshr i64 %address, 32
  %index = and i64 %number, {layout.SLOT_COUNT - 1}
  %place = mul i64 %index, {layout.SLOT_SIZE}
  %slots = getelementptr i8, ptr %s, i64 {layout.SLOTS}
  %slot = getelementptr i8, ptr %slots, i64 %place
  %base = load i64, ptr %slot
  %distance = sub i64 %address, %base
  %limits = getelementptr i8, ptr %slot, i64 16
  %at = getelementptr i32, ptr %limits, i64 %which
  %narrow = load i32, ptr %at
  %limit = zext i32 %narrow to i64
  %inside = icmp ult i64 %distance, %limit
  br i1 %inside, label %found, label %ask, !prof !0
ask:
  %answer = call preserve_mostcc i1 @ask(ptr %s, i64 %address, i64 %which)
  br i1 %answer, label %found, label %nowhere
found:
  ret ptr %slot
nowhere:
  ret ptr null
}}
define internal preserve_mostcc i1 @ask(ptr noalias %s, i64 %address, i64 %which) #1 {{
  %callback = getelementptr i8, ptr %s, i64 {8 * (layout.CALLBACKS + FIND)}
  %function = load ptr, ptr %callback
  %answer = call i32 %function(ptr %s, i64 %address, i64 %which)
  %there = icmp ne i32 %answer, 0
  ret i1 %there
}}"""

_ATTRIBUTES = """\
declare i16 @llvm.bswap.i16(i16)
declare i32 @llvm.bswap.i32(i32)
declare i64 @llvm.bswap.i64(i64)
attributes #0 = { nounwind noimplicitfloat "no-builtins" "no-jump-tables"="true" }
attributes #1 = { nounwind noinline noimplicitfloat "no-builtins" }
!0 = !{!"branch_weights", i32 2000, i32 1}
"""


def name_of(entry: int) -> str:
    """The symbol that runs the function at an instruction."""
    return f"enter{entry}"


def emit(insns: Sequence[Insn]) -> tuple[str, list[int]]:
    """The text, and the instructions where functions begin that can be entered."""
    functions = {entry: blocks(insns, entry) for entry in entries(insns)}
    quiet = _quiet(insns, functions)
    lines = [_FIND_FUNCTION]
    for entry, parts in functions.items():
        lines += _function(insns, entry, parts, quiet)
    shown = called_from_outside(insns)
    lines += [line for entry in shown for line in _enter(entry)]
    return "\n".join([*lines, _ATTRIBUTES]), shown


def _function(insns: Sequence[Insn], entry: int, parts: Mapping[int, list[int]], quiet: set[int]) -> list[str]:
    every = [insns[index] for part in parts.values() for index in part]
    uses_stack = any(_FRAME_POINTER in (insn.dst, insn.src) for insn in every)
    accesses, (looks, loops) = _accesses(every), checkpoints(insns, parts, entry)
    function = Function(
        insns, entry, accesses,
        uses_stack=uses_stack, quiet=quiet, looks=looks, loops=loops, most=len(every),
    )  # fmt: skip
    for copy in (PLAIN, AFTER_MISS) if loops and accesses else (PLAIN,):
        function.begin_copy(copy)
        for leader, part in parts.items():
            function.begin_block(leader, len(part))
            try:
                _block(function, part)
            except GaveUp:
                continue
    return function.text()


def _block(function: Function, part: Sequence[int]) -> None:
    for done, index in enumerate(part):
        function.begin_instruction(index, len(part) - done)
        insn = function.insns[index]
        form = FORMS.get(insn.opcode)
        if form is None:
            raise function.give_up()
        form(function, insn)
    if function.falls_through():
        function.effect(f"br label %{function.at_target(function.at + (2 if insn.is_wide else 1))}")


def _accesses(insns: Sequence[Insn]) -> dict[int, set[int]]:
    """By which registers memory is reached, and which limits that takes."""
    found: dict[int, set[int]] = {}
    for insn in insns:
        number = insn.opcode & _CLASS
        if number not in _MEMORY:
            continue
        if insn.mode == Mode.ATOMIC:
            wanted = [(register, writes) for register in (insn.src, insn.dst) for writes in (False, True)]
        else:
            wanted = [(insn.src, False)] if number == InsnClass.LDX else [(insn.dst, True)]
        for register, writes in wanted:
            found.setdefault(register, set()).add(which_limit(insn.size.width, writes))
    return found


def _quiet(insns: Sequence[Insn], functions: Mapping[int, Mapping[int, list[int]]]) -> set[int]:
    """Functions that never call anything but each other."""
    calls = {
        entry: [index for part in parts.values() for index in part if leaves_registers(insns[index])]
        for entry, parts in functions.items()
    }
    quiet = set(functions)
    while True:
        loud = {entry for entry in quiet for index in calls[entry] if not _is_quiet(index, insns[index], quiet)}
        if not loud:
            return quiet
        quiet -= loud


def _is_quiet(index: int, insn: Insn, quiet: set[int]) -> bool:
    return insn.opcode == CALL and insn.src == CALL_LOCAL and index + 1 + insn.imm in quiet


def _enter(entry: int) -> list[str]:
    places = {"left": layout.LEFT, "next": layout.NEXT, "depth": layout.DEPTH}
    places |= {f"a{number}": layout.REGISTERS + number for number in range(1, 6)} | {"given": layout.WRITTEN}
    lines = [f"define i32 @{name_of(entry)}(ptr noalias %s) #0 {{"]
    for name, place in (*places.items(), ("r0", layout.REGISTERS)):
        lines.append(f"  %at.{name} = getelementptr i8, ptr %s, i64 {8 * place}")
    lines += [f"  %{name} = load i64, ptr %at.{name}" for name in places]
    arguments = ", ".join(f"i64 %{name}" for name in places)
    lines.append(f"  %got = call {RESULT} @f{entry}(ptr %s, {arguments})")
    lines += [f"  %got{place} = extractvalue {RESULT} %got, {place}" for place in range(3)]
    return [
        *lines,
        "  store i64 %got0, ptr %at.r0",
        "  store i64 %got1, ptr %at.left",
        "  %number = lshr i64 %got2, 2",
        "  store i64 %number, ptr %at.next",
        "  %wide = and i64 %got2, 3",
        "  %status = trunc i64 %wide to i32",
        "  ret i32 %status",
        "}",
    ]
