"""Constructs of Python that a front-end for BPF has to answer for: each compiles, or is refused with its place.

The list is that of an audit of another front-end, which dropped some of them silently and gave others the meaning
of C.  What compiles is held against CPython in tests/kernel/test_language_python.py, test_language_flow.py and by
random programs (test_language_fuzz.py); here each is compiled, and each refusal must say where and what.
"""

from __future__ import annotations

import linecache
from enum import IntEnum
from pathlib import Path

import pytest

from beespace import lang
from beespace import types as kinds
from beespace.btf import Btf
from beespace.compiler import ir, lower
from beespace.compiler.ir.walk import walk
from beespace.errors import CompileError
from beespace.lang import Program

MEMBERS = """\
total = Counter()
flows = Hash(key=u32, value=u64)
slots = Array(u64, 8)
last = Global(u64)
ring = Ring(Seen, size="8 KiB")
limit: u32 = 7
WIDTH = 3

@function
def add(self, a: u64, b: u64 = 1) -> u64:
    return a + b
"""


class Shape(IntEnum):
    LINE = 1
    CUBE = 3


class Seen(lang.Event):
    pid: kinds.u32
    name: kinds.Text = kinds.text(16)


class Key(lang.Struct):
    port: kinds.u32
    cells: list[kinds.u32] = kinds.array(kinds.u32, 4)


SEVEN = 7

COMPILES = {
    "if else": "if n > 3:\n    self.total += 1\nelse:\n    self.total += 2",
    "elif": "if n > 3:\n    pass\nelif n == 2:\n    self.total += 2",
    "for range": "for i in range(10):\n    self.total += i",
    "for range with steps": "for i in range(10, 0, -3):\n    self.total += i",
    "for range of a variable": "for i in range(min(n, 10)):\n    self.total += i",
    "while": "while n > 1:\n    n //= 2\nself.total += n",
    "break and continue": "for i in range(9):\n    if i == 3:\n        continue\n    if i == n:\n        break",
    "nested loops": "for i in range(3):\n    for j in range(4):\n        self.total += i * j",
    "for else": "for i in range(9):\n    if i == n:\n        break\nelse:\n    self.total += 1",
    "augmented locals": "n += 1\nn <<= 2\nn //= 3\nn %= 5\nn |= 1\nself.total += n",
    "augmented globals": "self.last.value += n",
    "annotated assignment": "x: u32 = 5\nself.total += x",
    "ternary": "self.total += 1 if n > 3 else 2",
    "chained compare": "if 3 < n <= 9:\n    self.total += 1",
    "walrus": "if (m := n * 2) > 9:\n    self.total += m",
    "is None": "found = self.flows.get(1)\nif found is None:\n    return\nself.total += found",
    "is not None": "found = self.flows.get(1)\nif found is not None:\n    self.total += found",
    "or with values": "self.total += self.flows.get(1) or 5",
    "and with values": "self.total += n and 5",
    "not": "if not n:\n    self.total += 1",
    "invert": "self.total += ~n & 255",
    "negate": "self.total += u64(-i64(n) + 100)",
    "power": "self.total += n ** 2",
    "floor of negatives": "m = -7 // 2\nx = i64(n) // -3\nself.total += u64(x + m)",
    "modulo of negatives": "self.total += u64(i64(n) % -3 + 3)",
    "swap": "a, b = n, n + 1\na, b = b, a\nself.total += a",
    "several targets": "a = b = n\nself.total += a + b",
    "match": "match n:\n    case 1 | 2:\n        self.total += 1\n    case _:\n        pass",
    "match on a text": 'match bpf.comm():\n    case "bash":\n        self.total += 1',
    "with": "with bpf.preempt_disabled():\n    self.total += 1",
    "assert": 'assert n < 100, f"{n} is too much"\nself.total += n',
    "del of an entry": "del self.flows[u32(n)]",
    "del of a local": "m = n\nself.total += m\ndel m",
    "bytes locals": 'data = b"\\x01\\x02"\nself.total += data[1]',
    "indexing": "self.total += self.slots[n % 8]",
    "lookup by item": "self.total += self.flows.get(3, ) or 0",
    "assign item": "self.flows[u32(n)] = 5",
    "add to item": "self.flows[u32(n)] += 5",
    "in a map": "if u32(n) in self.flows:\n    self.total += 1",
    "in a tuple": "if n in (1, 2, 3):\n    self.total += 1",
    "keyword arguments": "self.total += self.add(b=n, a=2)",
    "default arguments": "self.total += self.add(n)",
    "min, max, abs, len": "self.total += min(n, 3) + max(n, 4) + u64(abs(i64(n))) + len(self.slots)",
    "sum": "key = Key(port=1)\nself.total += sum(key.cells)",
    "any, all": "key = Key(port=1)\nself.total += u64(any(key.cells) or all(x > 1 for x in key.cells))",
    "module constants": "self.total += SEVEN",
    "class constants": "self.total += self.WIDTH",
    "options": "self.total += self.limit",
    "enumerations": "if n == Shape.CUBE:\n    self.total += 1",
    "sub-functions": "self.total += self.add(n, 2)",
    "nested attributes": "task = bpf.task()\nself.total += u64(task.real_parent.tgid)",
    "typed records": "self.ring.emit(Seen(pid=bpf.pid(), name=bpf.comm()))",
    "structs": "key = Key(port=80)\nkey.port += 1\nself.total += key.port",
    "f-string print": 'print(f"{n} {n:x} of {bpf.comm()}")',
    "f-string log": 'bpf.log(f"{n:,} of {bpf.comm()!r}")',
    "slices of texts": 'name = bpf.comm()\nif name[:2] == "sh":\n    self.total += 1',
    "docstring, pass": '"a comment"\npass\nself.total += 1',
    "numbers as truth": "if n:\n    self.total += 1",
    "in a range": "if n in range(3, 60):\n    self.total += n",
    "in what is called": "if n in (self.add(1), self.add(2)):\n    self.total += 1",
    "del of several": "m = n\ndel (m, n)\nself.total += 1",
    "None, then an entry": (
        "m: u64 | None = None\nif n:\n    m = self.flows.get(1)\nif m is not None:\n    self.total += m"
    ),
    "a long elif": "if n == 0:\n    self.total += 1\n" + "".join(f"elif n == {i}:\n    pass\n" for i in range(1, 400)),
    "a long sum": "self.total += " + " + ".join(["n"] * 800),
    "print of None and bytes": 'print(None, b"raw", "text")\nself.total += 1',
    "conversions that are known": 'bpf.log(f"{5!s:5}|{5!r:>3}|{SEVEN!a}|{n!r}")',
    "f-string with its expression": 'bpf.log(f"{n=} {n + 1 = }")',
    "divmod": "a, b = divmod(n, 7)\nself.total += a + b",
}

REFUSED = {
    "float": ("x = 1.5", "NotSupported"),
    "true division": ("x = n / 2", "NotSupported"),
    "unknown function": ("foo_bar(1, 2, 3)", "UndefinedName"),
    "unknown helper": ("bpf.foo_bar(1)", "NoWord"),
    "unknown method": ("self.foo_bar(1)", "NoAttribute"),
    "a statement without effect": ("n + 1", "NoEffect"),
    "is between values": ("m = n\nif n is m:\n    pass", "NotSupported"),
    "try": ("try:\n    pass\nexcept ValueError:\n    pass", "NotSupported"),
    "raise": ("raise ValueError", "NotSupported"),
    "lambda": ("f = lambda x: x", "NotSupported"),
    "list": ("x = [1, 2]", "NotSupported"),
    "dict": ("x = {1: 2}", "NotSupported"),
    "set": ("x = {1, 2}", "NotSupported"),
    "list comprehension": ("x = [i for i in range(3)]", "NotSupported"),
    "division by what may be zero": ("x = 5 // n", "DivisorMayBeZero"),
    "index past the end": ("x = self.slots[n]", "IndexOutOfRange"),
    "None used": ("x = self.flows.get(1) + 1", "MayBeNone"),
    "use after del": ("del n\nself.total += n", "NotAssigned"),
    "global": ("global SEVEN\nSEVEN = 3", "NotSupported"),
    "nested function": ("def inner():\n    pass", "NotSupported"),
    "class inside": ("class Inner:\n    pass", "NotSupported"),
    "import inside": ("import os", "NotSupported"),
    "await": ("x = yield n", "NotSupported"),
    "star target": ("a, *b = 1, 2, 3", "Unpacking"),
    "star argument": ("self.add(*(1, 2))", "NotSupported"),
    "text joined": ('x = bpf.comm() + "a"', "NotANumber"),
    "text and number": ("if bpf.comm() == 5:\n    pass", "Comparison"),
    "mixed signs": ("x = n + i64(n)", "MixedSigns"),
    "narrowing": ("x: u8 = 0\nx = n", "VariableType"),
    "try with stars": ("try:\n    pass\nexcept* ValueError:\n    pass", "NotSupported"),
    "dict comprehension": ("x = {i: i for i in range(3)}", "NotSupported"),
    "set comprehension": ("x = {i for i in range(3)}", "NotSupported"),
    "generator as a value": ("x = (i for i in range(3))", "NotSupported"),
    "yield from": ("yield from range(3)", "NotSupported"),
    "lambda that is called": ("x = (lambda a: a)(n)", "NotSupported"),
    "star-star argument": ('self.add(**{"a": 1})', "NotSupported"),
    "text methods": ("x = bpf.comm().upper()", "NotSupported"),
    "format()": ('x = "{}".format(n)', "NotSupported"),
    "percent format": ('x = "%d" % n', "NotANumber"),
    "f-string as a value": ('x = f"{n}"', "NotSupported"),
    "format that is computed": ('bpf.log(f"{n:{n}}")', "NotConstant"),
    "format that does not fit": ('bpf.log(f"{n:zz}")', "FormatMismatch"),
    "int()": ('x = int("12")', "NotSupported"),
    "hex()": ("x = hex(n)", "NotSupported"),
    "sorted()": ("x = sorted((3, 1))", "NotSupported"),
    "map()": ("self.total += sum(map(abs, (1, 2)))", "NotSupported"),
    "getattr()": ('x = getattr(self, "total")', "NotSupported"),
    "super()": ("super().close()", "NotSupported"),
    "a tuple as a value": ("x = (n, 1)", "NotSupported"),
    "ellipsis": ("x = ...", "NotSupported"),
    "complex": ("x = 1j", "NotSupported"),
    "power of a fraction": ("x = n ** -1", "NotSupported"),
    "power that is computed": ("x = 2 ** n", "NotConstant"),
    "a number of 70 bits": ("x = 2 ** 70", "LiteralOutOfRange"),
    "shift by less than nothing": ("x = n << -1", "ShiftMayBeNegative"),
    "division by zero": ("x = n // 0", "DivisorMayBeZero"),
    "matmul": ("x = n @ n", "NotSupported"),
    "bool as a number": ("x = (n > 3) + 1", "BoolAsNumber"),
    "compared with what is never equal": ("if n == -1:\n    pass", "LiteralOutOfRange"),
    "None as a value": ("self.total += None", "TypeMismatch"),
    "negative index": ("x = self.slots[-1]", "IndexOutOfRange"),
    "slice with a step": ("x = bpf.comm()[::2]", "NotSupported"),
    "slice that is assigned": ("key = Key(port=1)\nkey.cells[0:2] = [1, 2]", "NotSupported"),
    "a character": ("x = bpf.comm()[0]", "NotSupported"),
    "for over a text": ('for c in "abc":\n    pass', "NotSupported"),
    "for over a set": ("for c in {1, 2}:\n    pass", "NotSupported"),
    "for without an end": ("for i in range(n):\n    pass", "LoopUnbounded"),
    "for into an attribute": ("for self.x in range(3):\n    pass", "AssignTarget"),
    "in a range with steps": ("if n in range(1, 9, 2):\n    pass", "NotSupported"),
    "star pattern": ("match n, 1:\n    case [a, *b]:\n        pass", "NotSupported"),
    "mapping pattern": ("match n:\n    case {1: 2}:\n        pass", "NotSupported"),
    "pattern of a type": ("match n:\n    case int():\n        pass", "NotSupported"),
    "an attribute of its own": ("self.x = 5", "AssignTarget"),
    "an option that is assigned": ("self.limit = 5", "ReadOnly"),
    "a map that is read by key": ("x = self.flows[1]", "PlainSubscript"),
    "a local of another type": ("x = 5\nx = True", "VariableType"),
    "an annotation of another type": ("x: u64 = n\nx: u32 = 5", "VariableType"),
    "unreachable": ("return\nself.total += 1", "Unreachable"),
    "assigned on one path": ("if n:\n    x = 1\nself.total += x", "NotAssigned"),
    "private name": ("self.total += __limit", "UndefinedName"),
    "a text with a zero byte": ('if bpf.comm() == "a\\0b":\n    pass', "NotSupported"),
    "nested too deeply": ("self.total += " + "~" * 1500 + "n", "TooDeep"),
    "recursion": ("self.total += self.again(n)", "Recursion"),
}


@pytest.fixture(scope="module")
def btf() -> Btf:
    return Btf((Path(__file__).parent.parent / "golden" / "kernel.btf").read_bytes())


def program(body: str, members: str = MEMBERS) -> type[Program]:
    lines = ["class Probe(Program):", *(f"    {line}" for line in members.splitlines()),
             '    @raw_tracepoint("sched_process_exit")', "    def on_event(self, ctx):",
             "        n = u64(bpf.random())",
             *(f"        {line}" for line in body.splitlines())]  # fmt: skip
    if "def add" in members:
        lines += ["        self.total += self.add(1)"] if "return" not in body and "raise" not in body else []
    text = "\n".join(lines) + "\n"
    file = f"<audit {abs(hash(text))}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    scope = {
        **vars(lang),
        **vars(kinds),
        "Shape": Shape,
        "Seen": Seen,
        "Key": Key,
        "SEVEN": SEVEN,
        "__name__": __name__,
    }
    exec(compile(text, file, "exec", dont_inherit=True), scope)
    return scope["Probe"]


@pytest.mark.parametrize("name", COMPILES)
def test_compiles(name: str, btf: Btf) -> None:
    members = MEMBERS if "self.add" in COMPILES[name] else MEMBERS.partition("@function")[0]
    module = lower(program(COMPILES[name], members).declaration(), btf)
    (made,) = [function for function in module.functions if function.name == "on_event"]
    # Something came of it: no statement is left out.
    assert [node for node in walk(made.body) if not isinstance(node, ir.Return | ir.Const)]


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused(name: str, btf: Btf) -> None:
    body, rule = REFUSED[name]
    members = MEMBERS.partition("@function")[0]
    if "self.add" in body:
        members = MEMBERS
    if "self.again" in body:
        members += "@function\ndef again(self, n: u64) -> u64:\n    return self.again(n)\n"
    with pytest.raises(CompileError) as caught:
        lower(program(body, members).declaration(), btf)
    found = caught.value.diagnostics
    assert rule in [type(each).__name__ for each in found]
    assert all(each.span.line > 0 and each.render().count("^") for each in found)


def test_the_audit_has_all_constructs() -> None:
    assert len(COMPILES) + len(REFUSED) >= 58 + 60
