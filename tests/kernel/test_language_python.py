"""What of Python compiles: the same methods run in the kernel and in CPython, over the same inputs.

A method of :class:`Python` reads ``self.inputs`` and writes ``self.results``; in CPython these are lists.
The numbers stay small, so that nothing wraps; what wraps is fuzzed (``tests/fuzz/language``).
"""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from beespace.lang import Array, Program, raw_tracepoint
from beespace.types import i8, i32, i64, u8, u32, u64

pytestmark = pytest.mark.kernel

hook = raw_tracepoint("sched_process_exit")


class Numbers(Program):
    inputs = Array(u64, 4)
    results = Array(u64, 12)

    @hook
    def division(self, ctx):
        a, b = i64(self.inputs[0]) - 50, i64(self.inputs[1]) - 50
        if b != 0:
            self.results[0] = u64(a // b + 1000)
            self.results[1] = u64(a % b + 1000)
            whole, rest = divmod(a, b)
            self.results[2] = u64(whole * b + rest == a)
            self.results[3] = u64(rest + 1000)
            narrow = i8(b)
            if narrow != 0:
                self.results[4] = u64(i64(i8(a) // narrow) + 1000)
                self.results[5] = u64(i64(i8(a) % narrow) + 1000)
        self.results[6] = u64(a // -3 + 1000)
        self.results[7] = u64(a % -3 + 1000)
        quotient, remainder = divmod(self.inputs[2], 7)
        self.results[8] = quotient * 100 + remainder

    @hook
    def bits(self, ctx):
        a, b = self.inputs[0], self.inputs[1]
        self.results[0] = u64(a.bit_length())
        self.results[1] = u64((a << 40).bit_length()) if a < 1000 else 0
        self.results[2] = u64(b.bit_count())
        small, signed = u8(a), i64(b) - 60
        self.results[3] = u64(small.bit_length() + small.bit_count())
        self.results[4] = u64(signed.bit_length() + signed.bit_count() * 100)
        self.results[5] = u64(i8(signed).bit_length())
        self.results[6] = u64(i32(signed).bit_count())
        self.results[min(7 + u32(a).bit_length(), 11)] = 1

    @hook
    def powers(self, ctx):
        a = self.inputs[0] % 50
        self.results[0] = a**2
        self.results[1] = a**5 + a**0 + a**1
        self.results[2] = pow(a, 3)
        signed = i64(a) - 20
        self.results[3] = u64(signed**3 + 10000)
        self.results[4] = u64(signed**2)
        self.results[5] = 2**10 + a


PROGRAMS = {Numbers: ("division", "bits", "powers")}
CASES = [(program, method) for program, methods in PROGRAMS.items() for method in methods]


def in_python(program: type[Program], method: str, inputs: list[int], length: int) -> list[int]:
    """The method as CPython runs it."""
    probe = SimpleNamespace(inputs=inputs, results=[0] * length)
    for name, found in vars(program).items():
        if callable(found):
            setattr(probe, name, found.__get__(probe))
    getattr(probe, method)(None)
    return probe.results


@pytest.mark.parametrize(("program", "method"), CASES, ids=[f"{p.__name__}-{m}" for p, m in CASES])
def test_same_as_python(program: type[Program], method: str, loaded_probe) -> None:
    probe = loaded_probe(program)
    chance = random.Random(method)
    length = len(probe.results)
    for _ in range(60):
        inputs = [chance.choice((0, 1, 2, 3, 49, 50, 51, chance.randrange(120))) for _ in range(4)]
        for number, value in enumerate(inputs):
            probe.inputs[number] = value
        for number in range(length):
            probe.results[number] = 0
        probe.loaded.programs[method].test_run(ctx_in=bytes(32))
        found = [probe.results[number] for number in range(length)]
        assert found == in_python(program, method, inputs, length), inputs
