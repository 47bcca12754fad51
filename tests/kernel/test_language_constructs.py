"""Constructs that people write, one method each: the kernel's results are those of CPython, over the same inputs.

The list goes on where the audit of ``tests/unit/test_compiler_audit.py`` ends.  What is evaluated, how often and in
which order counts, too: ``self.f()`` writes down each of its calls.
"""

from __future__ import annotations

import linecache
from types import FunctionType, SimpleNamespace

import pytest

from beespace import lang
from beespace import types as kinds
from beespace.lang import Program

pytestmark = pytest.mark.kernel

# One line each, so that the list can be read: hence lines of any length.
# ruff: noqa: E501

CONSTRUCTS = {
    "sum of a generator": "self.results[0] = sum(i for i in range(n & 7))",
    "generator over arrays": "self.results[0] = sum(x * 2 for x in TUPLE if x > 3 if x < 7)",
    "generator in a generator": "self.results[0] = sum(sum(x * y for x in TUPLE) for y in (1, 2))",
    "names of generators": "x = n & 7\nself.results[0] = sum(x for x in TUPLE)\nself.results[1] = x",
    "any and all": "self.results[0] = u64(any(x == n for x in TUPLE)) + 2 * u64(all(x < n for x in TUPLE))",
    "min with a default": "self.results[0] = min((x for x in TUPLE if x > n), default=9)",
    "del of several": "x = n\ny = m\ndel (x, y)\ndel n, m\nself.results[0] = 1",
    "del, then again": "x = n\ndel x\nx = m\nself.results[0] = x",
    "walrus in while": "k = n & 15\nc: u64 = 0\nwhile (k := k >> 1) > 0:\n    c += 1\nself.results[0] = c",
    "walrus in a ternary": "self.results[0] = (y := n + 1) if (z := m) > 3 else (y := 2)\nself.results[1] = y + z",
    "walrus in arguments": "self.results[0] = min((a := n), (b := a + 1))\nself.results[1] = b",
    "walrus in a chain": "if 0 <= (y := n % 5) < 3:\n    self.results[0] = y + 1\nself.results[1] = y",
    "walrus in an f-string": "y = 0\nif n > 2**40:\n    print(f'{(y := n)}')\nself.results[0] = y",
    "walrus beside its name": "x = n & 15\nself.results[0] = x + (x := 100) + x",
    "walrus in a tuple": "if n in ((x := m), (y := 3)):\n    self.results[0] = 1\nself.results[1] = x + y",
    "augmented by a walrus": "x = n & 15\nx += (x := 100)\nself.results[0] = x",
    "chain with calls": "self.results[0] = u64(self.f(1) <= self.f(n & 7) < self.f(3))",
    "chain of mixed operators": "self.results[0] = u64(1 < n == n != 7)",
    "in calls": "if n in (self.f(1), self.f(3), self.f(5)):\n    self.results[0] = 1",
    "call in a tuple": "if self.f(n & 7) not in [1, 3]:\n    self.results[0] = 1",
    "in a range": "self.results[0] = u64(n in range(3, 60)) + u64(n not in range(10)) * 2",
    "in a range of locals": "low = m & 7\nif self.f(n & 63) in range(low, low + 50):\n    self.results[0] = 1",
    "in a set": "self.results[0] = u64(n in {1, 3})",
    "or with calls": "self.results[0] = self.f(n & 1) or self.f(7)",
    "and with zero": "self.results[0] = (n & 1) and 7",
    "values of and, or": "self.results[0] = n and m or 5",
    "not not": "self.results[0] = u64(not not n)",
    "ternaries": "self.results[0] = self.f(1) if n > 3 else self.f(2) if n else self.f(3)",
    "order of operands": "self.results[0] = self.f(1) - self.f(2) * self.f(3) + (self.f(4) if self.f(5) else 0)",
    "order of arguments": "x = n & 15\nself.results[0] = self.g(x, (x := 7), x)",
    "order of a subscript": "self.results[self.f(1) & 3] = self.f(2)",
    "order in a tuple": "a, b = self.f(1), self.f(2)\nself.results[0] = a * 10 + b",
    "index of an assigned name": "i = n & 3\ni, self.results[i] = 5, 7\nself.results[8] = i",
    "swap of elements": (
        "self.results[0], self.results[1] = n, m\nself.results[0], self.results[1] = self.results[1], self.results[0]"
    ),
    "chained assignment": "i: u64 = 1\ni = self.results[i] = 3\nself.results[8] = i",
    "element by itself": "self.results[0] = 5\nself.results[0] += self.results[0] + 1",
    "default of an expression": "self.results[0] = self.h() + self.h(n & 3)",
    "class constants": "self.results[0] = self.WIDTH + self.SIZES[1] + self.SIZES[n % 2]",
    "private names": "__x = n & 7\nself.results[0] = self.__hidden + __x",
    "negative index": "self.results[0] = TUPLE[-1] + TUPLE[-3] + TUPLE[n % 3]",
    "shadowed built-in": "len = n\nself.results[0] = len",
    "loop variable afterwards": "for i in range(5):\n    pass\nself.results[0] = i",
    "loop variable changed": "for i in range(5):\n    i = i * 3\n    self.results[0] += i\nself.results[1] = i",
    "bound changed inside": "k = n & 7\nfor i in range(k):\n    k = 0\n    self.results[0] += 1",
    "bound evaluated once": "for i in range(min(self.f(n & 7), 5)):\n    self.results[0] += i",
    "outer name as loop variable": "i = n\nfor i in range(3):\n    pass\nself.results[0] = i",
    "range below zero": "for i in range(-3, 3):\n    self.results[0] += u64(i + 3)",
    "range downwards": "for i in range(5, -1, -1):\n    self.results[0] = self.results[0] * 10 + u64(i)",
    "empty range": "for i in range(5, 3):\n    self.results[0] += 1\nelse:\n    self.results[1] = 1",
    "else of inner loops": (
        "for i in range(3):\n    for j in range(3):\n        if j == n:\n            break\n    else:\n        continue\n"
        "    break\nelse:\n    self.results[0] = 1\nself.results[1] = i * 10 + j"
    ),
    "while with else": (
        "k = n & 7\nwhile k:\n    k -= 1\n    if k == 3:\n        break\nelse:\n    self.results[0] = 1\n"
        "self.results[1] = k"
    ),
    "list in a for": "for p in [1, 2, n]:\n    self.results[0] += p & 255",
    "enumerate, zip, reversed": (
        "for i, (a, b) in enumerate(zip(reversed(TUPLE), (1, 2)), start=2):\n    self.results[0] += i * 100 + a * 10 + b"
    ),
    "reversed range": "for i in reversed(range(5)):\n    self.results[0] = self.results[0] * 10 + i",
    "match with guards": (
        "match self.f(n & 127):\n    case x if 3 <= x < 60:\n        self.results[0] = x\n"
        "    case 0 | 1 | 127 as y:\n        self.results[0] = y + 1000\n    case _:\n        self.results[0] = 5"
    ),
    "match of two": (
        "match n & 3, m & 3:\n    case 0, y:\n        self.results[0] = y\n    case x, 0:\n        self.results[0] = x + 10\n"
        "    case _:\n        self.results[0] = 99"
    ),
    "shift by the width": "self.results[0] = n >> 64\nself.results[1] = n >> (m & 127)\nself.results[2] = (n << 64) & 255",
    "bits": "x = n | 1\nself.results[0] = x & (x - 1)\nself.results[1] = x ^ (x >> 1)\nself.results[2] = u64(x.bit_count())",
    "power": "n = n % 100\nn **= 2\nself.results[0] = n + 2**3 + n**0 + pow(n, 2)",
    "large numbers that are folded": "self.results[0] = (2**70) >> 66\nself.results[1] = 2**64 - 1",
    "ways to write numbers": "self.results[0] = 0o17 + 0b11 + 0x_ff + 1_000",
    "divisions": "a, b = divmod(i64(n % 100) - 50, -7)\nself.results[0] = u64(a + 100)\nself.results[1] = u64(b + 100)",
    "bools compared": "self.results[0] = u64((n > 3) == (m > 3)) + u64(bool(n)) * 2",
    "None in the end": "x: u64 | None = None\nif n > 3:\n    x = self.flows.get(1)\nself.results[0] = 0 if x is None else 1",
    "a long elif": "if n == 0:\n    pass\n"
    + "".join(f"elif n == {i}:\n    self.results[0] = {i}\n" for i in range(1, 260)),
    "a long sum": "self.results[0] = " + " + ".join(["(n & 1)"] * 400),
    "semicolons and backslashes": "a = n; b = m; self.results[0] = a \\\n    ^ b",
    "names that are not ASCII": "größe = n\nﬁx = m\nself.results[0] = größe ^ fix",
}

MEMBERS = """\
inputs = Array(u64, 2)
results = Array(u64, 12)
flows = Hash(key=u32, value=u64)
WIDTH = 5 * 3
SIZES = (5, 3)
__hidden = 4

@function
def f(self, a: u64) -> u64:
    self.results[11] = (self.results[11] * 10 + a + 1) & 0xFFFFFFFF
    return a

@function
def g(self, a: u64, b: u64, c: u64) -> u64:
    return a * 10000 + b * 100 + c

@function
def h(self, a: u64 = 2 * 3 + 1) -> u64:
    return a

@raw_tracepoint("sched_process_exit")
def calls(self, ctx):
    self.results[0] = self.f(1) + self.g(1, 2, 3) + self.h()
"""


def source(bodies: list[str]) -> str:
    lines = ["class Constructs(Program):", *(f"    {line}" for line in MEMBERS.splitlines())]
    for number, body in enumerate(bodies):
        lines += ['    @raw_tracepoint("sched_process_exit")', f"    def construct_{number}(self, ctx):"]
        lines += ["        n, m = self.inputs[0], self.inputs[1]", *(f"        {line}" for line in body.splitlines())]
    return "\n".join(lines) + "\n"


def constructs(bodies: list[str]) -> type[Program]:
    text = source(bodies)
    file = f"<constructs {len(text)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    scope = {**vars(lang), **vars(kinds), "TUPLE": (3, 5, 7), "__name__": __name__}
    exec(compile(text, file, "exec", dont_inherit=True), scope)
    return scope["Constructs"]


def in_python(program: type[Program], method: str, inputs: list[int]) -> list[int]:
    probe = SimpleNamespace(inputs=inputs, results=[0] * 12, flows={})
    for name, found in vars(program).items():
        if isinstance(found, FunctionType):
            setattr(probe, name, found.__get__(probe))
        elif isinstance(found, int | tuple):
            setattr(probe, name, found)
    getattr(probe, method)(None)
    return [int(found) % 2**64 for found in probe.results]


INPUTS = ((3, 4), (0, 0), (1, 200), (50, 7), (255, 256), (2**31, 2**33 + 5), (97, 13))


WHILES = [name for name, body in CONSTRUCTS.items() if "while" in body]  # bpf_loop(): Linux 5.17


@pytest.mark.parametrize("names", [[name for name in CONSTRUCTS if name not in WHILES], WHILES], ids=["most", "whiles"])
def test_same_as_python(names: list[str], loaded_probe) -> None:
    program = constructs([CONSTRUCTS[name] for name in names])
    probe = loaded_probe(program)
    wrong = []
    for number, name in enumerate(names):
        method = f"construct_{number}"
        for inputs in INPUTS:
            for at, value in enumerate(inputs):
                probe.inputs[at] = value
            for at in range(12):
                probe.results[at] = 0
            probe.loaded.programs[method].test_run(ctx_in=bytes(32))
            found = [probe.results[at] for at in range(12)]
            if found != (wanted := in_python(program, method, list(inputs))):
                wrong.append((name, inputs, found, wanted))
    assert wrong == []
