"""The cases of bpf_conformance (github.com/Alan-Jowett/bpf_conformance), which are not part of this repository.

``$BEESPACE_CONFORMANCE`` names a file with a case a line, in JSON: ``name``; ``hex``, the program; ``mem``, its memory;
``result``, what it leaves in r0.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from beespace.session.native import native
from beespace.vm import Code, Machine, Rights

FILE = os.environ.get("BEESPACE_CONFORMANCE")
CASES = [json.loads(line) for line in Path(FILE).read_text().splitlines()] if FILE else []

needs_cases = pytest.mark.skipif(not CASES, reason="$BEESPACE_CONFORMANCE names no file with bpf_conformance's cases")


@needs_cases
@pytest.mark.parametrize("jit", [False, True], ids=["interpreter", "jit"])
def test_every_case(jit: bool) -> None:
    wrong = {}
    for case in CASES:
        machine = Machine(jit=native() if jit else None)
        memory = bytearray.fromhex(case["mem"])
        address = machine.memory.add("the memory", memory, Rights.BOTH).base if memory else 0
        result = machine.run(Code.of(bytes.fromhex(case["hex"])), address, len(memory)).result
        if result != int(case["result"], 16):
            wrong[case["name"]] = f"{result:#x} for {case['result']}"
    assert not wrong


@needs_cases
def test_the_plugin_gives_the_same() -> None:
    case: dict[str, Any] = next(case for case in CASES if case["mem"])
    for more in ((), ("--jit",)):
        assert int(plugin(spaced(case["hex"]), spaced(case["mem"]), *more).stdout, 16) == int(case["result"], 16)


def spaced(text: str) -> str:
    """As bpf_conformance writes it."""
    return "".join(f"{byte:02x}  " for byte in bytes.fromhex(text))


def plugin(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "beespace", "vm-plugin", *arguments], input=program, capture_output=True, text=True
    )


@pytest.mark.parametrize("more", [(), ("--jit",)])
def test_the_plugin_s_protocol(more: tuple[str, ...]) -> None:
    answer = plugin("7910000000000000 0f20000000000000 9500000000000000\n", "ff  00  00  00  00  00  00  80  ", *more)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "0x8000000000000107\n", "")


def test_without_memory_both_arguments_are_0() -> None:
    assert plugin("bf10000000000000 0f20000000000000 9500000000000000").stdout == "0x0\n"
    assert plugin("", "--program", "b700000005000000 9500000000000000").stdout == "0x5\n"


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("7910000000000000 9500000000000000", "reads 8 bytes at 0x0, where there is nothing"),
        ("b70000000000000", "the program is not hexadecimal"),
        ("b7000000", "not a multiple of 8"),
        ("05 00 ff ff 00 00 00 00", "has not ended after 1000 instructions"),
        ("8500000063020000", "helper 611"),
    ],
)
def test_errors_go_to_standard_error(program: str, says: str) -> None:
    answer = plugin(program, "--max-steps", "1000")
    assert answer.returncode != 0
    assert answer.stdout == ""
    assert says in answer.stderr
    assert "Traceback" not in answer.stderr


def test_an_object_file() -> None:
    from beespace.elf import write
    from beespace.spec import FunctionSpec, ObjectSpec, ProgramSpec

    code = bytes.fromhex("b700000009000000 9500000000000000")
    spec = ObjectSpec("made", "GPL", {"main": ProgramSpec("main", "xdp", FunctionSpec("main", code))})
    assert plugin(write(spec).hex(), "--elf").stdout == "0x9\n"
