"""What of Python compiles: the same methods run in the kernel and in CPython, over the same inputs.

A method of :class:`Python` reads ``self.inputs`` and writes ``self.results``; in CPython these are lists.
The numbers stay small, so that nothing wraps; what wraps is fuzzed (``tests/fuzz/language``).
"""

from __future__ import annotations

import random
from enum import IntEnum
from types import FunctionType, SimpleNamespace

import pytest

from beespace.lang import Array, Program, Struct, function, raw_tracepoint
from beespace.types import Text, array, boolean, i8, i32, i64, text, u8, u16, u32, u64

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
    def chains(self, ctx):
        """Refused once, when random programs had them: what a chain of comparisons leaves known."""
        a, b = self.inputs[0], self.inputs[1]
        if a != (second := b) == 3:
            self.results[0] = 1
        self.results[1] = second
        self.results[2] = (5 if a < b < 60 else 200) // a if a != 0 else 7
        self.results[3] = 100 // (a or 1)

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


PORTS = (80, 443, 8080)
LETTERS = ("a", "bc", "def")


class Bag(Struct):
    name: Text = text(16)
    slots: list[u32] = array(u32, 6)
    flags: list[bool] = array(boolean, 3)


class Loops(Program):
    inputs = Array(u64, 4)
    results = Array(u64, 12)

    @hook
    def whiles(self, ctx):
        a, b = self.inputs[0], self.inputs[1]
        rounds: u64 = 0
        n = a
        while n > 1:
            n = n // 2 if n % 2 == 0 else n * 3 + 1
            rounds += 1
        self.results[0] = rounds
        while b != 0:
            a, b = b, a % b
        else:
            self.results[1] = 7
        self.results[2] = a
        total: u64 = 0
        while True:
            total += 3
            if total > self.inputs[2]:
                break
            if total % 2:
                continue
            self.results[3] += 1
        self.results[4] = total
        while total > 5:
            total -= 5
            if total == 9:
                break
        else:
            self.results[5] = 1
        self.results[6] = total
        self.results[7] = self.steps(self.inputs[3])

    @function
    def steps(self, n: u64) -> u64:
        count: u64 = 0
        while True:
            if count * count >= n:
                return count
            inner: u64 = 0
            while inner < count:
                inner += 7
            count += 1 if inner != 21 else 2

    @hook
    def sequences(self, ctx):
        a, b = self.inputs[0], self.inputs[1]
        total: u64 = 0
        for port in (22, 80, a):
            if port == b:
                continue
            total += port
        self.results[0] = total
        for port in PORTS:
            if port > 400:
                self.results[1] = port
                break
        bag = Bag(name="bc")
        for i in range(6):
            bag.slots[i] = u32(i * i) + u32(a)
        for at, slot in enumerate(bag.slots):
            self.results[2] += u64(at * slot)
        for at, (slot, flag) in enumerate(zip(bag.slots, bag.flags, strict=False), 1):
            if not flag:
                self.results[3] += u64(slot) * u64(at)
        for slot in reversed(bag.slots):
            self.results[4] = self.results[4] * 2 + u64(slot)
        for i in reversed(range(min(a, 9))):
            self.results[5] = self.results[5] * 3 + u64(i)
        for i in reversed(range(2, 11, 3)):
            self.results[6] = self.results[6] * 3 + u64(i)
        for letter in LETTERS:
            if letter == bag.name:
                self.results[7] += 1
        for letter in ("x", "bc"):
            if letter == bag.name:
                self.results[7] += 10
        for left, right in zip(range(4), range(10, 20), strict=False):
            self.results[8] += u64(left * right)
        for byte in b"abz":
            self.results[9] += u64(byte)

    @hook
    def generators(self, ctx):
        a, b = self.inputs[0], self.inputs[1]
        bag = Bag()
        for i in range(6):
            bag.slots[i] = u32(a) + u32(i * i * 7 % 11)
        bag.flags[1] = a > 50
        self.results[0] = sum(bag.slots)
        self.results[1] = u64(any(slot > 60 for slot in bag.slots))
        self.results[2] = u64(all(slot > 10 for slot in bag.slots if slot != 50))
        self.results[3] = u64(any(bag.flags)) + u64(all(bag.flags))
        self.results[4] = u64(max(bag.slots)) * 1000 + u64(min(bag.slots))
        self.results[5] = sum(u64(i) * b for i in range(10) if i % 3 != 1)
        self.results[6] = sum(1 for port in PORTS if port > b)
        self.results[8] = max((u64(i) * b % 13 for i in range(min(a, 12))), default=99)
        self.results[9] = sum(x * y for x, y in zip(bag.slots, bag.slots, strict=True))
        a = sum(u64(a) for a in bag.slots) + a
        self.results[10] = a
        self.results[11] = u64(len(bag.slots) + len(PORTS)) if not any(x == 3 for x in (1, 2, b)) else 1


class Shape(IntEnum):
    LINE = 1
    SQUARE = 2
    CUBE = 3


LIMITS = SimpleNamespace(LOW=10, HIGH=90)


class Matches(Program):
    inputs = Array(u64, 4)
    results = Array(u64, 12)

    @hook
    def values(self, ctx):
        a, b = self.inputs[0], self.inputs[1]
        match a:
            case 0 | 1:
                self.results[0] = 1
            case Shape.SQUARE | Shape.CUBE if b > 50:
                self.results[0] = 2
            case LIMITS.HIGH:
                self.results[0] = 3
            case small if small < 50:
                self.results[0] = small + 4
            case other:
                self.results[0] = other + 1000
        match a % 2 == 0, b:
            case True, 0 | 1:
                self.results[1] = 1
            case False, n if n > 3:
                self.results[1] = n
            case (True, 50) | (False, 1):
                self.results[1] = 3
            case _, rest:
                self.results[1] = rest + 7
        match (a + b) % 5 - a % 5 if a % 5 <= (a + b) % 5 else 9:
            case 4 as four:
                self.results[2] = four
            case 3 | 2 as two:
                self.results[2] = two * 10

    @hook
    def structs(self, ctx):
        a = self.inputs[0]
        bag = Bag(name="ab" if a > 50 else "cron")
        bag.slots[1] = u32(a)
        match bag.name:
            case "ab" | "abc":
                self.results[0] = 1
            case "cron":
                self.results[0] = 2
            case _:
                self.results[0] = 3
        match bag:
            case Bag(name="ab", flags=_) if bag.slots[1] % 2 == 0:
                self.results[1] = 1
            case Bag(name="cron" as word, slots=slots):
                self.results[1] = u64(slots[1]) + u64(word == "cron")
            case Bag():
                self.results[1] = 5


@function
def clamped(value: u64, low: u64 = 10, *, high: u64 = 40) -> u64:
    """A kernel-side function of the module."""
    if value < low:
        return low
    return twice(min(value, high))


@function
def twice(value: u64) -> u64:
    assert value < 1000
    return value * 2


class Functions(Program):
    inputs = Array(u64, 4)
    results = Array(u64, 12)

    @hook
    def calls(self, ctx):
        a, b = self.inputs[0], self.inputs[1]
        self.results[0] = clamped(a)
        self.results[1] = clamped(a, 20) + clamped(b, high=30) * 100
        self.results[2] = clamped(high=a + 50, low=b, value=a)
        self.results[3] = self.many(a, b, 3, 4, 5, a > 50, i8(a) - 50, last=u8(b))
        self.results[4] = self.many(a, b, 3, 4, 5, False, -7)
        self.results[5] = self.six(a, b, 2, 3, 4, 5)
        bag = Bag(name="cron")
        bag.slots[2] = 9
        self.results[6] = self.of_bag(bag, bag.name, a, b, 7, x=u32(a), y=8)
        a = 0
        self.results[7] = self.six(a := a + 1, b=(a := a + 10), d=(a := a * 3), c=(a := a + 100), e=a, f=1)

    @function
    def many(self, a: u64, b: u64, c: u64, d: u32, e: u16, f: boolean, g: i8, h: i64 = -3, last: u8 = 200) -> u64:
        d += 1
        total = a + b * 2 + c * 3 + d * 4 + e * 5 + last
        if f:
            total += 1000
        if g < 0:
            total += u64(-(i64(g) + h)) * 7
        return total

    @function
    def six(self, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> u64:
        assert f != 77
        return a + b * 3 + c * 5 + d * 7 + e * 11 + f * 13

    @function
    def of_bag(self, bag: Bag, name: Text, a: u64, b: u64, c: u64, *, x: u32, y: u32) -> u64:
        return u64(bag.slots[2] + x + y) + a + b + c + u64(name == "cron")


WORDS = ("", "a", "ab", "cron", "bash", "abcabcabcabcabcd", "xabx", "/tmp/log.txt")


class Texts(Program):
    inputs = Array(u64, 4)
    results = Array(u64, 12)

    @hook
    def searches(self, ctx):
        bag = Bag()
        for at, word in enumerate(WORDS):
            if u64(at) == self.inputs[0] % 8:
                bag.name = word
        name = bag.name
        self.results[0] = u64(len(name)) * 100 + u64(len(bag.name[1:3]))
        self.results[1] = u64("ab" in name) + u64("c" not in bag.name) * 2 + u64("" in name) * 4
        self.results[2] = u64(name.endswith("b")) + u64(name.endswith("abcd")) * 2 + u64(name.endswith(".txt")) * 4
        self.results[3] = u64(name.find("c") + 5) + u64(i64(bag.name.find("tmp")) + 5) * 100
        self.results[4] = u64(name[:2] == "ab") + u64(name[1:4] == "bca") * 2 + u64(name[3:] == "") * 4
        self.results[5] = u64(name in ("cron", "bash")) + u64(bag.name not in ("a", "ab")) * 2
        short = name[2:5]
        self.results[6] = u64(short == "con") + u64(len(short))
        self.results[7] = u64(name[0:1] in ("a", "x", "/")) + u64(name[40:] == "") * 2
        self.results[8] = u64(name.startswith("/tmp")) + u64(name[:4].startswith("/t")) * 2
        self.results[9] = u64(bool(name)) + u64(name != "") * 2
        data = b"\x01\xff\x07"
        self.results[10] = u64(data[1]) + u64(data[-1]) + u64(data[self.inputs[0] % 3]) + u64(len(data[1:]))
        bag.name = name[1:9]
        self.results[11] = u64(bag.name == "ron") + u64(len(bag.name)) * 2


PROGRAMS = {
    Functions: ("calls",),
    Texts: ("searches",),
    Matches: ("values", "structs"),
    Loops: ("whiles", "sequences", "generators"),
    Numbers: ("division", "bits", "chains", "powers"),
}
CASES = [(program, method) for program, methods in PROGRAMS.items() for method in methods]


class PlainBag:
    """A Bag as plain Python has it."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.slots = [0] * 6
        self.flags = [False] * 3


def in_python(program: type[Program], method: str, inputs: list[int], length: int) -> list[int]:
    """The method as CPython runs it."""
    probe = SimpleNamespace(inputs=inputs, results=[0] * length)
    for name, found in vars(program).items():
        if callable(found):
            scope = {**found.__globals__, "Bag": PlainBag}
            code = FunctionType(found.__code__, scope, found.__name__, found.__defaults__)
            code.__kwdefaults__ = found.__kwdefaults__
            setattr(probe, name, code.__get__(probe))
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
