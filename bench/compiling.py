"""Compiling examples/exec_counter.py, and the code that comes out, beside clang -O2 of the C twin."""

from __future__ import annotations

import time
from collections.abc import Iterator

from measure import EXAMPLES, Row, clang, least, twin, wall

from beespace.compiler import compile_program, lower
from beespace.compiler.worker import Worker
from beespace.elf import read
from beespace.kernel import load, vmlinux_btf
from beespace.session.files import program_of
from beespace.spec import ObjectSpec


def rows() -> Iterator[Row]:
    file = EXAMPLES / "exec_counter.py"
    lines = len(file.read_text().splitlines())
    declaration, types = program_of(file).declaration(), vmlinux_btf()

    with Worker() as worker:

        def warm() -> float:
            began = time.perf_counter()
            worker.build(lower(declaration, types))
            return (time.perf_counter() - began) * 1e3

        def front() -> float:
            began = time.perf_counter()
            lower(declaration, types)
            return (time.perf_counter() - began) * 1e3

        def cold() -> float:
            began = time.perf_counter()
            compile_program(declaration, types)
            return (time.perf_counter() - began) * 1e3

        warm()
        took = least(11, {"warm": warm, "front": front, "cold": cold, "clang": lambda: wall(clang("exec_counter"))})
    yield Row(
        f"compile a program of {lines} lines, warm", took["warm"], "ms", 20,
        peer=f"{took['warm'] / took['clang']:.2f}x clang -O2 of the C twin ({took['clang']:.0f} ms)",
        how=f"LLVM's process kept; of it Python to IR {took['front']:.1f} ms; least of 11 in turns",
    )  # fmt: skip
    yield Row(
        "the same, with a process for LLVM of its own", took["cold"], "ms",
        peer=f"{took['cold'] / took['clang']:.2f}x clang -O2", how="compile_program(), not for the first time",
    )  # fmt: skip
    ours = _length(read(compile_program(declaration, types).object, "exec_counter"))
    theirs = _length(twin("exec_counter"))
    yield Row(
        "its code, after the verifier", ours, "instructions",
        peer=f"{ours / theirs:.2f}x the C twin ({theirs}; budget 1.00x)", how="xlated instructions of on_exec",
    )  # fmt: skip


def _length(spec: ObjectSpec) -> int:
    with load(spec) as loaded:
        return len(loaded.programs["on_exec"].xlated()) // 8
