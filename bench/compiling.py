"""Compiling examples/exec_counter.py, and the code that comes out, beside clang -O2 of the C twin."""

from __future__ import annotations

import time
from collections.abc import Iterator

from measure import EXAMPLES, Row, clang, cpu, cpu_of, least, twin, wall

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
            began, before = time.process_time(), cpu_of(worker.pid)
            worker.build(lower(declaration, types))
            return (time.process_time() - began + cpu_of(worker.pid) - before) * 1e3

        def whole() -> float:
            began = time.perf_counter()
            worker.build(lower(declaration, types))
            return (time.perf_counter() - began) * 1e3

        def front() -> float:
            began = time.process_time()
            lower(declaration, types)
            return (time.process_time() - began) * 1e3

        def cold() -> float:
            began = time.perf_counter()
            compile_program(declaration, types)
            return (time.perf_counter() - began) * 1e3

        warm()
        took = least(15, {
            "warm": warm, "whole": whole, "front": front, "cold": cold,
            "clang": lambda: cpu(clang("exec_counter")), "clang clock": lambda: wall(clang("exec_counter")),
        })  # fmt: skip
    yield Row(
        f"compile a program of {lines} lines, warm", took["warm"], "ms", 20,
        peer=f"{took['warm'] / took['clang']:.2f}x clang -O2 of the C twin ({took['clang']:.0f} ms)",
        how=f"CPU of both processes, LLVM's kept; of it Python to IR {took['front']:.1f} ms; by the clock "
        f"{took['whole']:.1f} ms, clang {took['clang clock']:.0f}; least of 15 in turns",
    )  # fmt: skip
    yield Row(
        "the same, with a process for LLVM of its own", took["cold"], "ms",
        peer=f"{took['cold'] / took['clang clock']:.2f}x clang -O2", how="compile_program(), not for the first time",
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
