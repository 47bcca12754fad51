"""Calls of helpers with made-up arguments: each compiles or is refused with a place, never an error of ours."""

from __future__ import annotations

import linecache
import random
from pathlib import Path

import pytest

from beespace import lang
from beespace import types as kinds
from beespace.btf import Btf
from beespace.compiler import lower
from beespace.errors import CompileError
from beespace.isa.signatures import SIGNATURES
from beespace.lang.bpf_helpers import parameters

ARGUMENTS = (
    "0", "-1", "None", "ctx", "socket", "task", '"text"', 'b"raw"', "record", "name", "self.entries", "u32(1)", "self",
    "record.value", "task.comm", "task.mm", "bpf", "number",
)  # fmt: skip
HEAD = """class Record(Struct):
    value: u64


class Probe(Program):
    entries = Hash(key=u32, value=u64)

    @cgroup_skb("egress")
    def on_event(self, ctx):
        record = Record()
        name = text(16)
        number: u64 = 1
        task = bpf.task()
        socket = bpf.full_socket(ctx)
        if socket is None:
            return 1
"""


@pytest.fixture(scope="module")
def btf() -> Btf:
    return Btf((Path(__file__).parent.parent / "golden" / "kernel.btf").read_bytes())


@pytest.mark.parametrize("seed", range(4))
def test_no_call_is_an_error_of_ours(seed: int, btf: Btf) -> None:
    chosen = random.Random(seed)
    compiled = refused = 0
    for name in chosen.sample(sorted(SIGNATURES), 60):
        count = max(0, len(parameters(SIGNATURES[name])) - chosen.choice((0, 0, 0, 1)))
        call = f"bpf.{name}({', '.join(chosen.choice(ARGUMENTS) for _ in range(count))})"
        text = f"{HEAD}        {call}\n        return 1\n"
        file = f"<call {seed} {name}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        scope = {**vars(kinds), **vars(lang), "__name__": __name__}
        exec(compile(text, file, "exec", dont_inherit=True), scope)
        try:
            lower(scope["Probe"].declaration(), btf)
            compiled += 1
        except CompileError as error:
            refused += 1
            assert all(diagnostic.render().startswith(file) for diagnostic in error.diagnostics), call
    assert compiled and refused
