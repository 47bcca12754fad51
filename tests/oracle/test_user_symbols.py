"""Places of functions in the libraries and programs of this machine, against readelf and nm."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from beespace.errors import UsageError
from beespace.kernel.binary import Binary
from beespace.kernel.functions import find_function, find_functions
from beespace.kernel.links.locate import locate

pytestmark = pytest.mark.skipif(shutil.which("readelf") is None, reason="readelf is not installed")

NAMES = [
    "libc.so.6",
    "libm.so.6",
    "libz.so.1",
    "libstdc++.so.6",
    "libcrypto.so.3",
    "bash",
    "python3",
    "libselinux.so.1",
]


def path_of(name: str) -> str:
    try:
        return locate(name)
    except UsageError as error:
        pytest.skip(error.message)


def readelf(*options: str) -> str:
    return subprocess.run(["readelf", *options], capture_output=True, text=True, check=True).stdout


def loads(path: str) -> list[tuple[int, int, int]]:
    """Offset, address, size of each executable segment, as readelf says."""
    found = re.findall(r"LOAD\s+(0x\w+) (0x\w+) 0x\w+ (0x\w+) 0x\w+ ..E", readelf("-lW", path))
    return [(int(offset, 16), int(address, 16), int(size, 16)) for offset, address, size in found]


def functions(path: str) -> dict[str, set[int]]:
    """``name`` or ``name@VERSION`` -> addresses, of functions with code, from both symbol tables."""
    found: dict[str, set[int]] = {}
    for line in readelf("-sW", "--dyn-syms", path).splitlines():
        fields = line.split()
        if len(fields) >= 8 and fields[0].endswith(":") and fields[3] == "FUNC" and fields[6] != "UND":
            found.setdefault(fields[7], set()).add(int(fields[1], 16))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_function_is_where_readelf_says(name: str) -> None:
    path = path_of(name)
    theirs = functions(path)
    assert theirs
    segments = loads(path)
    single = {each: at.copy().pop() for each, at in theirs.items() if len(at) == 1 and "@" not in each}
    versioned = {each: at.copy().pop() for each, at in theirs.items() if len(at) == 1 and "@" in each}
    bare: dict[str, set[int]] = {}
    for each, address in {**single, **versioned}.items():
        bare.setdefault(each.partition("@")[0], set()).add(address)
    checked = 0
    with Binary(path) as file:
        for each, address in list({**single, **versioned}.items())[::7]:  # a sample: some libraries have thousands
            if each.partition("@")[0] not in bare or (each in single and len(bare[each.partition("@")[0]]) > 1):
                continue
            expected = [offset + address - start for offset, start, size in segments if start <= address < start + size]
            assert [find_function(file, each)] == expected, each
            checked += 1
            if checked == 400:
                break
    assert checked


@pytest.mark.parametrize("name", ["libc.so.6", "libz.so.1", "bash"])
def test_a_glob_finds_what_nm_lists(name: str) -> None:
    path = path_of(name)
    text = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True, check=True).stdout
    lines = [line.split() for line in text.splitlines()]
    theirs = {int(at, 16) for at, kind, each in (line for line in lines if len(line) == 3)
              if kind in "TWtw" and each.startswith("d") and ("@" not in each or "@@" in each)}  # fmt: skip
    data = functions(path)
    known = {address for addresses in data.values() for address in addresses}
    with Binary(path) as file:
        ours = {place.offset for place in find_functions(file, "d*")}
        assert {file.file_offset(address) for address in theirs & known} <= ours


@pytest.mark.parametrize("name", NAMES)
def test_sections_are_those_of_readelf(name: str) -> None:
    path = path_of(name)
    rows = re.findall(
        r"\[ *\d+\] (\S*) +[A-Z_]+ +(\w+) (\w+) (\w+) ", readelf("-SW", path).replace(" NULL ", "  NULL ")
    )
    with Binary(path) as file:
        ours = [(each.name, each.address, each.offset, each.size) for each in file.sections if each.name]
    theirs = [(each, int(address, 16), int(offset, 16), int(size, 16)) for each, address, offset, size in rows if each]
    assert ours == theirs


def test_linker_scripts_and_names() -> None:
    libc = path_of("libc.so.6")
    for name in ("c", "libc", "libc.so.6", libc, Path(libc)):
        assert Path(locate(name)).samefile(libc)
    shell = locate("sh")
    assert Path(shell).samefile(shutil.which("sh") or "")
