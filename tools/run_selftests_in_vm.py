#!/usr/bin/env python3
"""Run the kernel's self-test programs that say what they return in beespace's machine: FOLDER of their objects.

    python tools/run_selftests_in_vm.py FOLDER [--verbose] [--jit] [PROGRAM ...]

Their declaration tags say which results are expected (``__success __retval(N)`` of the kernel's
tools/testing/selftests/bpf/progs/bpf_misc.h; three spellings, of Linux 6.1, 6.12 and 7).  As the self-tests' own runner
does, each is run once on 64 bytes of zero.  The objects are not part of this repository.

Prints how many gave what is expected, and each that did not with the reason.  Exit status 1 if one gave another result.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from beespace import elf
from beespace.btf import Btf, DeclTag, Kind
from beespace.errors import BeespaceError
from beespace.hooks import resolve
from beespace.record import dataclass
from beespace.session.native import native
from beespace.spec import ObjectSpec
from beespace.vm import load
from beespace.vm.contexts import is_packet

DATA = bytes(64)
_TAG = re.compile(r"comment:(?:\d+:)?(test_\w+?)(?:=(?:(\d+)=(?=.))?(.*))?", re.S)
_ANY_POINTER = 0xBADCAFE
_NAMED = {"POINTER_VALUE": _ANY_POINTER, "TEST_DATA_LEN": len(DATA), "INT_MIN": 0x8000_0000, "INT_MAX": 0x7FFF_FFFF}
_SYSCALL_LIKE = "syscall"
_ARGUMENTS = bytes(8 * 12)  # of programs that are not given a packet
# What the self-tests' own runner writes into maps before (tools/testing/selftests/bpf/prog_tests/verifier.c): the first
# value is a struct test_val with 7 * 4 as its index, and a number at the seventh place.
_TEST_VALUE = (28).to_bytes(4, "little") + bytes(24) + (0xABCDEF12).to_bytes(4, "little")
_FILLED = {"verifier_array_access": ("map_array_ro",), "verifier_value_ptr_arith": ("map_array_48b",)}


@dataclass(frozen=True, slots=True)
class Expected:
    """A program that loads, and what it returns (32 bits)."""

    program: str
    result: int
    architectures: tuple[str, ...]
    types: str = ""  # the file of the types that it is to see


def tags(spec: ObjectSpec) -> Mapping[str, list[tuple[str, str]]]:
    """The keys and values of each program's tags."""
    types = Btf(spec.btf)
    found: dict[str, list[tuple[str, str]]] = {}
    for number in types.ids(Kind.DECL_TAG):
        tag = types.type(number)
        if isinstance(tag, DeclTag) and tag.component < 0 and (match := _TAG.fullmatch(tag.name)):
            found.setdefault(types.name(tag.type), []).append((match[1], match[3] or ""))
    return found


def expected(spec: ObjectSpec) -> Iterator[Expected]:
    """The programs that say what they return."""
    for program, said in tags(spec).items():
        keys = dict(said)
        if program not in spec.programs or "test_retval" not in keys or "test_expect_success" not in keys:
            continue
        text = keys["test_retval"]
        value = _NAMED[text] if text in _NAMED else int(text.strip("() \t").rstrip("uUlL"), 0)
        yield Expected(
            program,
            value & 0xFFFF_FFFF,
            tuple(value for key, value in said if key == "test_arch"),
            keys.get("test_btf_path", ""),
        )


def run(spec: ObjectSpec, case: Expected, types: Btf | None, most: int, jit: bool) -> str:
    """``""`` if it gave what is expected, or the reason."""
    try:
        loaded = load(spec, types=types, max_steps=most, jit=native() if jit else None)
        for name in _FILLED.get(spec.name.partition(".")[0], ()):
            loaded.maps[name].write(bytes(4), _TEST_VALUE.ljust(loaded.maps[name].spec.value_size, b"\0"))
        hook = resolve(spec.programs[case.program].section).hook
        data = b"" if spec.programs[case.program].section.startswith(_SYSCALL_LIKE) else DATA
        result = (
            loaded.run(case.program, data, b"" if is_packet(hook.program_type) else _ARGUMENTS).result & 0xFFFF_FFFF
        )
    except BeespaceError as error:
        return f"{type(error).__name__}: {error}"
    if result == case.result or case.result == _ANY_POINTER:
        return ""
    return f"returns {result:#x}, not {case.result:#x}"


def object_types(path: Path) -> bytes:
    """The BTF of an object."""
    return elf.read(path.read_bytes(), path.name).btf


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("programs", nargs="*")
    parser.add_argument("--verbose", action="store_true", help="those that pass, too")
    parser.add_argument("--jit", action="store_true", help="by compiled code")
    parser.add_argument("--max-steps", type=int, default=10_000_000, help="instructions of a program")
    parser.add_argument("--types", type=Path, help="BTF of a kernel, for objects with CO-RE records")
    given = parser.parse_args(arguments)
    types = Btf(given.types.read_bytes()) if given.types else None
    count: Counter[str] = Counter()
    for path in sorted(given.folder.glob("*.o")):
        spec = elf.read(path.read_bytes(), path.name)
        for case in expected(spec):
            if given.programs and case.program not in given.programs:
                continue
            if case.architectures and "X86_64" not in case.architectures:
                count["another architecture"] += 1
                continue
            own = given.folder / Path(case.types).name
            seen = Btf(object_types(own)) if case.types and own.exists() else types
            reason = run(spec, case, seen, given.max_steps, given.jit)
            count["as expected" if not reason else "wrong" if reason.startswith("returns") else "not run"] += 1
            if reason or given.verbose:
                print(f"{path.name}: {case.program}: {reason.splitlines()[0] if reason else 'as expected'}", flush=True)
    print(", ".join(f"{number} {what}" for what, number in sorted(count.items())))
    return 1 if count["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
