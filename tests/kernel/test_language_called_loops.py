"""What a body that the kernel calls leaves in memory: structs, arrays and texts, in the kernel and in CPython alike.

Kernels before 6.7 (commit ab5cfac139ab) look at such a body once, and take what they know of the first round for true
of all, so that whatever is compared here would be decided for good if they saw it.
"""

from __future__ import annotations

import os
from types import FunctionType, SimpleNamespace

import pytest

from beespace.compiler import passes
from beespace.compiler.kernel.calls import has_helper
from beespace.errors import NotSupported, VerifierError
from beespace.kernel import vmlinux_btf
from beespace.lang import Array, Global, Program, ProgramArray, bpf, function, raw_tracepoint, tail_call, tc
from beespace.lang.packet import Ethernet, IPv4
from beespace.schema import Struct
from beespace.types import Text, array, boolean, text, u8, u16, u32, u64

pytestmark = pytest.mark.kernel

hook = raw_tracepoint("sched_process_exit")
MANY = 5_000


class Small(Struct):
    phase: u8
    seen: bool
    low: u16
    word: u32
    total: u64


class Inner(Struct):
    flag: u8
    count: u32


class Outer(Struct):
    first: Inner
    name: Text = text(8)
    slots: list[u8] = array(u8, 4)
    inner: list[Inner] = array(Inner, 2)


class Pair(Struct):
    key: u64
    value: u64


class Called(Program):
    inputs = Array(u64, 4)
    results = Array(u64, 8)
    cells = Array(u64, 8)
    pairs = Array(Pair, 8)

    @hook
    def phases(self, ctx):
        small = Small()
        for i in range(MANY):
            if u64(i) >= self.inputs[0]:
                break
            if small.phase == 0:
                small.phase = 1
            elif small.phase == 1:
                small.phase = 2
                small.total += 1
            else:
                small.phase = 0
                small.total += 100
            if small.seen:
                small.low += 1
            small.seen = not small.seen
            if small.word == 0:
                small.word = 7
            elif small.word == 7:
                small.word = 0
                small.total += 10_000
        self.results[0] = small.total
        self.results[1] = u64(small.phase)
        self.results[2] = 1 if small.seen else 2
        self.results[3] = u64(small.low)
        self.results[4] = u64(small.word)

    @hook
    def no_rounds(self, ctx):
        small = Small(phase=3, word=3, total=3)
        for _ in range(min(self.inputs[0], 9_000)):
            small.phase = 4
            small.word = 4
            small.total = 4
            small.low = 1
        self.results[0] = 1 if small.phase == 4 else 2
        self.results[1] = 1 if small.word == 4 else 2
        self.results[2] = 1 if small.total == 4 else 2
        self.results[3] = 1 if small.low == 1 else 2

    @hook
    def last_round(self, ctx):
        small = Small(phase=1)
        for i in range(min(self.inputs[0], 9_000)):
            small.phase = 1 if i < 3 else 2
            small.word = i
        if small.phase == 2:
            self.results[0] = 5
        if small.word == 0:
            self.results[1] = 6
        elif small.word == 4:
            self.results[1] = 7

    @hook
    def parts(self, ctx):
        outer = Outer(name="a")
        for i in range(MANY):
            if u64(i) >= self.inputs[0]:
                break
            if outer.name == "a":
                outer.name = "bc"
            elif outer.name == "bc":
                outer.name = "a"
                outer.first.count += 1
            if outer.first.flag == 0:
                outer.first = Inner(flag=1, count=outer.first.count)
            else:
                outer.first = Inner(count=outer.first.count + 100)
            if outer.slots[1] == 0:
                outer.slots = [1, 2, 3, 4]
            elif outer.slots[1] == 2:
                outer.slots[1] = 0
                outer.inner[1].count += 3
            if outer.inner[0].flag == outer.inner[1].flag:
                outer.inner[1].flag = 1
            else:
                outer.inner[0] = Inner(flag=outer.inner[1].flag, count=outer.inner[1].count)
                outer.inner[1].flag = 0
                outer.inner[1].count += 1000
        self.results[0] = u64(outer.first.count)
        self.results[1] = u64(outer.first.flag)
        self.results[2] = 1 if outer.name == "bc" else 0
        self.results[3] = u64(outer.slots[1])
        self.results[4] = u64(outer.inner[1].count)
        self.results[5] = u64(outer.inner[0].count)

    @hook
    def arrays(self, ctx):
        flags = array(u8, 8)
        words = array(u32, 4)
        word = text(8)
        hits: u64 = 0
        for i in range(MANY):
            if u64(i) >= self.inputs[0]:
                break
            if flags[0] == 0:
                flags[0] = 1
            else:
                hits += 1
                flags[0] = 0
            if words[3] == 0:
                words[3] = i + 1
            if word == "":
                word = "x"
            elif word == "x":
                word = "yy"
            else:
                hits += 1000
            for k in range(4):
                if words[k] == 0:
                    words[k] = i + 2
                    break
        self.results[0] = hits
        self.results[1] = u64(words[0])
        self.results[2] = u64(words[3])
        self.results[3] = u64(flags[0])

    @hook
    def nested(self, ctx):
        small = Small()
        for i in range(MANY):
            if u64(i) >= self.inputs[0]:
                break
            mine = Small(word=9)
            for j in range(MANY):
                if u64(j) >= self.inputs[1]:
                    break
                if mine.phase == 0:
                    mine.phase = 1
                elif small.phase == 0:
                    small.phase = 1
                else:
                    mine.phase = 0
                    small.total += 1
                mine.word += 1
            if mine.word == 9:
                small.low += 1
            elif mine.phase == 1:
                small.low += 10
            if small.phase == 1:
                small.phase = 0
                small.total += 1000
        self.results[0] = small.total
        self.results[1] = u64(small.low)
        self.results[2] = u64(small.phase)

    @hook
    def passed(self, ctx):
        small = Small()
        for i in range(MANY):
            if u64(i) >= self.inputs[0]:
                break
            self.step(small)
        self.results[0] = small.total
        self.results[1] = u64(small.phase)
        other = Small(total=5)
        self.results[2] = self.many_steps(other, self.inputs[0])
        self.results[3] = other.total
        self.results[4] = 1 if other.phase == 1 else 2
        self.results[5] = 1 if other.seen else 2

    @function
    def step(self, small: Small):
        if small.phase == 0:
            small.phase = 1
        else:
            small.phase = 0
            small.total += 3

    @function
    def many_steps(self, small: Small, rounds: u64) -> u64:
        for _ in range(min(rounds, 9_000)):
            small.seen = True
            if small.phase == 1:
                small.total += 1
                small.phase = 0
            else:
                small.phase = 1
        return small.total + u64(small.phase)

    @hook
    def whiles(self, ctx):
        small = Small(total=self.inputs[0])
        while small.total > 1:
            if small.seen:
                small.total = small.total // 2
                small.seen = False
            elif small.total % 2 == 1:
                small.total = small.total * 3 + 1
            else:
                small.seen = True
            small.word += 1
        self.results[0] = u64(small.word)
        self.results[1] = 1 if small.seen else 2

    @hook
    def returned(self, ctx):
        self.results[0] = self.first(self.inputs[0])
        self.results[1] = 1 if self.always(self.inputs[0]) else 2
        small = Small()
        self.results[2] = self.found(small, self.inputs[0])
        self.results[3] = u64(small.phase)

    @function
    def first(self, rounds: u64) -> u64:
        for _ in range(min(rounds, 9_000)):
            return 7
        return 8

    @function
    def always(self, rounds: u64) -> boolean:
        for i in range(min(rounds, 9_000)):
            if i == 2:
                return True
        return False

    @function
    def found(self, small: Small, rounds: u64) -> u64:
        for i in range(min(rounds, 9_000)):
            if small.phase == 2:
                return u64(i) + 100
            small.phase += 1
        return u64(small.phase)

    @hook
    def cells_of(self, ctx):
        small = Small()
        for index, cell in self.cells.items():
            if small.phase == 0 and cell >= self.inputs[0]:
                small.phase = 1
                small.word = index
            elif small.phase == 1 and cell >= self.inputs[1]:
                small.phase = 2
                small.low = u16(index)
        self.results[0] = u64(small.phase)
        self.results[1] = u64(small.word)
        self.results[2] = u64(small.low)


class Found(Program):
    inputs = Array(u64, 4)
    results = Array(u64, 8)
    cells = Array(u64, 8)
    pairs = Array(Pair, 8)

    @hook
    def best(self, ctx):
        best = None
        rounds: u64 = 0
        for pair in self.pairs.values():
            if best is None:
                if pair.key >= self.inputs[0]:
                    best = pair
            elif pair.key < best.key:
                rounds += 1
                if pair.key == self.inputs[1]:
                    best = None
                else:
                    best = pair
        self.results[0] = 99 if best is None else best.key
        self.results[1] = rounds

    @hook
    def maybe(self, ctx):
        cell = self.cells.get(20)
        missed: u64 = 0
        for i in range(MANY):
            if u64(i) > self.inputs[0]:
                break
            if cell is None:
                missed += 1
            elif cell == 9:
                missed += 1000
            cell = self.cells.get(i + u32(self.inputs[1]))
        self.results[0] = 99 if cell is None else cell
        self.results[1] = missed


METHODS = [
    (program, name)
    for program in (Called, Found)
    for name, section in program.declaration().sections.items()
    if section
]


class Cells(list):
    def items(self):
        return enumerate(self)

    def values(self):
        return self

    def get(self, index):
        return self[index] if index < len(self) else None


CELLS = [3, 5, 1, 9, 9, 0, 4, 7]


def in_python(program: type[Program], method: str, inputs: list[int]) -> list[int]:
    """The method as CPython runs it."""
    probe = SimpleNamespace(
        inputs=inputs, results=[0] * 8, cells=Cells(CELLS), pairs=Cells(Pair(key=cell) for cell in CELLS)
    )
    for name, found in vars(program).items():
        if callable(found):
            plain = FunctionType(
                found.__code__, {**globals(), "array": lambda _, size: [0] * size, "text": lambda _: ""}
            )
            setattr(probe, name, plain.__get__(probe))
    getattr(probe, method)(None)
    return [int(number) for number in probe.results]


CASES = [(0, 0), (1, 1), (2, 0), (3, 1), (4, 2), (5, 9), (9, 5), (100, 3)]


@pytest.mark.parametrize(("program", "method"), METHODS)
def test_called_loops_do_what_python_does(program, method, loaded_probe) -> None:
    check(program, method, loaded_probe)


@pytest.mark.parametrize("method", ["nested", "passed", "returned", "whiles"])
def test_called_loops_where_there_is_little_stack(method, loaded_probe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "PASSES", passes.PASSES_FOR_LITTLE_STACK)
    check(Called, method, loaded_probe)


def check(program: type[Program], method: str, loaded_probe) -> None:
    if not has_helper(vmlinux_btf(), "loop"):
        raise NotSupported("bpf_loop()", since="5.17")
    probe = loaded_probe(program)
    for index, cell in enumerate(CELLS):
        probe.cells[index] = cell
        probe.pairs[index] = Pair(key=cell)
    for a, b in CASES:
        probe.inputs[0], probe.inputs[1] = a, b
        for index in range(8):
            probe.results[index] = 0
        probe.loaded.programs[method].test_run(ctx_in=bytes(24))
        assert [probe.results[index] for index in range(8)] == in_python(program, method, [a, b, 0, 0]), (a, b)


# --- what a round makes of what the next one finds -------------------------------------------------


class Stale(Program):
    results = Array(u64, 1)

    @tc("ingress")
    def look(self, ctx):
        ip = bpf.packet(ctx, IPv4, 14)
        if ip is None:
            return
        total: u64 = 0
        for i in range(MANY):
            if i > 3:
                break
            total += u64(ip.protocol)
            bpf.store_bytes(ctx, Ethernet(), 0)
        self.results[0] = total


def test_bytes_of_a_packet_that_a_round_may_move_are_gone_in_the_next(loaded_probe) -> None:
    with pytest.raises((VerifierError, NotSupported), match=r"mem access|Invalid dereference|Linux 5\.17") as caught:
        loaded_probe(Stale)
    if caught.type is NotSupported:
        raise caught.value


class Last(Program):
    cells = Array(u64, 8)
    result = Global(u64)

    @hook
    def look(self, ctx):
        found = None
        for cell in self.cells.values():
            task = bpf.task()
            if found is None:
                if cell == 9:
                    found = task
            elif cell == 0:
                found = None
        self.result.value = 1 if found is None else u64(u32(found.tgid))


@pytest.mark.parametrize("zero", [False, True])
def test_kernel_pointers_are_followed_or_refused(zero, loaded_probe) -> None:
    probe = loaded_probe(Last)
    for index, cell in enumerate([1, 2, 9, 1, 9, 0 if zero else 3, 4, 4]):
        probe.cells[index] = cell
    probe.loaded.programs["look"].test_run(ctx_in=bytes(24))
    assert probe.result.value == (1 if zero else os.getpid())


# --- memory off the stack, and jumps that do not come back -----------------------------------------


class Jumps(Program):
    results = Array(u64, 3)
    calls = ProgramArray(4, {1: "there"})

    @hook
    def here(self, ctx):
        slots = array(u64, 8)
        slots[bpf.random() % 8] = 1
        self.results[0] += 1
        self.calls.jump(ctx, 1)
        self.results[2] += slots[0] + slots[1] + slots[2] + slots[3] + slots[4] + slots[5] + slots[6] + slots[7]

    @tail_call
    @hook
    def there(self, ctx):
        self.results[1] += 1


def test_jumps_give_memory_back(no_leaks: None) -> None:
    with Jumps().load() as probe:
        for _ in range(10):
            probe.test_run("here", context=bytes(24))
        assert [probe.results[index] for index in range(3)] == [10, 10, 0]
        del probe.calls[1]
        for _ in range(10):
            probe.test_run("here", context=bytes(24))
        assert [probe.results[index] for index in range(3)] == [20, 10, 10]
