"""What is taken from verifier logs, in the words of several kernels."""

from __future__ import annotations

import pytest

from beespace.kernel.verdict import Verdict, read_log

OLD = """\
0: R1=ctx() R10=fp0
; return *(int *)0 @ bad.c:7
0: (b7) r1 = 0                        ; R1_w=0
1: (61) r0 = *(u32 *)(r1 +0)
R1 invalid mem access 'scalar'
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""

TWO_LINES = """\
func#0 @0
0: R1=ctx() R10=fp0
16: (79) r1 = *(u64 *)(r0 +8)         ; frame1: R0_w=map_value(map=m,ks=4,vs=4)
invalid access to map value, value_size=4 off=8 size=8
R0 min value is outside of the allowed memory range
verification time 60 usec
stack depth 8
processed 10 insns (limit 1000000) max_states_per_insn 0 total_states 1 peak_states 1 mark_read 0
"""

OLDEST = """\
func#0 @0
0: R1=ctx(id=0,off=0,imm=0) R10=fp0
0: (b7) r0 = 0
1: R0_w=inv0 R1=ctx(id=0,off=0,imm=0) R10=fp0
1: (0f) r0 += r1
last_idx 1 first_idx 0
regs=1 stack=0 before 0: (b7) r0 = 0
math between ctx pointer and register with unbounded min value is not allowed
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""

# From the public discussion of how loaders show Linux 7.3's report.
NEW = """\
0: R1=ctx() R10=fp0
0: (95) exit
R0 !read_ok

Verification failed: Register Type Safety: Unreadable register

Reason:
  R0 has never been initialized on this path, so the verifier cannot use it as an input.

At:
  insn 0
        | ^-- error: R0 is not readable
  Instruction context:
  >>> 0 | (95) exit

Causal path:
  no retained diagnostic events on this path

Suggestion:
  Initialize R0 on every path before this instruction.

processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""

ENDLESS = """\
5: (07) r2 += 1                       ; R2_w=scalar(smin=1)
6: (05) goto pc-3
infinite loop detected at insn 4
cur state: R0=scalar(smin=0,smax=umax=0xffffffff) R1=ctx() R10=fp0 fp-8=mmmm????
old state: R0_r=scalar(smin=0,smax=umax=0xffffffff) R1_r=ctx() R10=fp0 fp-8_r=mmmm????
processed 12 insns (limit 1000000) max_states_per_insn 0 total_states 1 peak_states 1 mark_read 0
"""

STRUCTURE = "unreachable insn 3\nprocessed 0 insns (limit 1000000) max_states_per_insn 0\n"


@pytest.mark.parametrize(
    ("log", "reason", "index"),
    [
        (OLD, "R1 invalid mem access 'scalar'", 1),
        (
            TWO_LINES,
            "invalid access to map value, value_size=4 off=8 size=8; "
            "R0 min value is outside of the allowed memory range",
            16,
        ),
        (ENDLESS, "infinite loop detected at insn 4", 4),
        (OLDEST, "math between ctx pointer and register with unbounded min value is not allowed", 1),
        (
            NEW,
            "Register Type Safety: Unreadable register: "
            "R0 has never been initialized on this path, so the verifier cannot use it as an input.",
            0,
        ),
        (STRUCTURE, "unreachable insn 3", 3),
        ("", "", None),
    ],
)
def test_reason_and_instruction(log: str, reason: str, index: int | None) -> None:
    words = "R0 !read_ok" if log is NEW else reason
    assert read_log(log) == Verdict(reason, index, None, words)


@pytest.mark.parametrize("words", ["invalid func unknown#195896080", "invalid func #195896080"])
def test_the_number_of_an_unknown_function(words: str) -> None:
    log = f"0: R1=ctx() R10=fp0\n0: (85) call unknown#195896080\n{words}\nprocessed 1 insns (limit 1000000)\n"
    verdict = read_log(log)
    assert (verdict.called, verdict.index) == (195896080, 0)
    assert verdict.reason == words


def test_a_known_function_that_may_not_be_called_there() -> None:
    log = "0: (85) call bpf_ktime_get_ns#5\n1: (85) call bpf_probe_read#4\nunknown func bpf_probe_read#4\n"
    assert read_log(log).called == 4
    assert read_log(log.replace("unknown func", "program of this type cannot use helper")).called == 4
