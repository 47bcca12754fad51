"""Where a register's value came from, by the trace of a verifier log; and what complaints mean."""

from __future__ import annotations

import pytest

from beespace.kernel.meanings import meaning_of, register_in
from beespace.kernel.trace import Step, origin, steps

LOG = """\
0: R1=ctx() R10=fp0
; def on_exit(self, task): @ probe.py:9
0: (79) r6 = *(u64 *)(r1 +8)          ; R1=ctx() R6_w=ptr_task_struct()
1: (85) call bpf_get_prandom_u32#7    ; R0_w=scalar()
2: (7b) *(u64 *)(r10 -8) = r0         ; R0_w=scalar(id=1) fp-8_w=scalar(id=1)
3: (15) if r0 == 0x0 goto pc+9        ; R0_w=scalar(id=1)
4: (b7) r2 = 4
from 3 to 13: R0=0 R6=ptr_task_struct() R10=fp0
13: (79) r3 = *(u64 *)(r10 -8)        ; R3_w=scalar(id=1)
14: (bf) r2 = r3                      ; R2_w=scalar(id=1)
15: (07) r2 += 16
16: (0f) r1 += r2
17: (71) r1 = *(u8 *)(r1 +0)
R1 unbounded memory access, make sure to bounds check any such access
"""


def test_steps() -> None:
    found = steps(LOG)
    assert found[0] == Step(0, "r6 = *(u64 *)(r1 +8)")
    assert Step(3, "") in found
    assert found[-1] == Step(17, "r1 = *(u8 *)(r1 +0)")


def test_copies_additions_and_places_on_the_stack_are_followed() -> None:
    found = origin(steps(LOG), 1, 17)
    assert found == Step(1, "call bpf_get_prandom_u32#7")


def test_a_register_that_nothing_in_the_trace_has_set() -> None:
    assert origin(steps(LOG), 9, 17) is None


def test_another_path_is_not_looked_at() -> None:
    """Instruction 4 stands above, but it was not on the way."""
    assert origin(steps(LOG.replace("14: (bf) r2 = r3 ", "14: (bf) r4 = r3 ")), 2, 17) is None


@pytest.mark.parametrize(
    ("reason", "title"),
    [
        ("R1 invalid mem access 'map_value_or_null'", "`entry` may be None here"),
        ("R6 invalid mem access 'trusted_ptr_or_null_'", "`entry` may be None here"),
        ("R2 unbounded memory access, use 'var &= const' or 'if (var < const)'", "`entry` has no upper bound here"),
        ("R2 min value is negative, either use unsigned or 'var &= const'", "`entry` may be negative here"),
        (
            "combined stack size of 3 calls is 576. Too large",
            "3 functions that call each other need 576 bytes of stack",
        ),
        ("tail_calls are not allowed when call stack of previous frames is 288 bytes. Too large", "with 288 bytes"),
        ("program of this type cannot use helper bpf_sk_assign#124", "bpf_sk_assign() cannot be called from"),
        ("unknown func bpf_sk_assign#124", "bpf_sk_assign() cannot be called from"),
        ("At program exit the register R0 has smin=7 smax=7 should have been in [0, 1]", "it returns what this hook"),
        ("At program exit the register R0 has value (0x7; 0x0) should have been in (0x0; 0x1)", "it returns what"),
        ("function calls are not allowed while holding a lock", "a function is called while a lock is held"),
        ("Unreleased reference id=2 alloc_insn=9", "what was acquired is not given back on every path"),
        ("back-edge from insn 9 to 4", "a loop may never end"),
        ("helper call might sleep in a non-sleepable prog", "what is called may sleep, but the program may not"),
    ],
)
def test_meanings(reason: str, title: str) -> None:
    found = meaning_of(reason, "entry")
    assert found is not None and title in found.title
    assert found.note and found.help


def test_what_no_row_has() -> None:
    assert meaning_of("something that only tomorrow's kernel says") is None


def test_the_register_that_a_complaint_is_about() -> None:
    assert register_in("R7 min value is negative") == 7
    assert register_in("The sequence of 8193 jumps is too complex.") is None
