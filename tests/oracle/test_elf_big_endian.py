"""One source, built for either byte order: the two specs say the same, and LLVM reads what we write."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from beespace import elf
from beespace.btf import Btf
from beespace.elf.order import turn_spec
from beespace.record import replace
from beespace.spec import MapSpec, ObjectSpec

SOURCES = Path(__file__).parent / "elf_sources"
NAMES = ("externs", "functions", "maps", "relocs", "sections", "statics")
OBJDUMP = next((found for name in ("llvm-objdump", "llvm-objdump-14") if (found := shutil.which(name))), None)

pytestmark = pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")


@pytest.fixture(scope="module", params=NAMES)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The little-endian and the big-endian object of one source."""
    folder = tmp_path_factory.mktemp("orders")
    paths = []
    for target in ("bpfel", "bpfeb"):
        path = folder / target / f"{request.param}.o"
        path.parent.mkdir()
        source = SOURCES / f"{request.param}.c"
        subprocess.run(["clang", "-target", target, "-g", "-O2", "-c", source, "-o", path], check=True)
        paths.append(path)
    return paths[0], paths[1]


def spec_of(path: Path) -> ObjectSpec:
    return elf.read(path.read_bytes(), "x")


def keys_turned(spec: MapSpec) -> MapSpec:
    return replace(spec, contents=tuple((key[::-1], value) for key, value in spec.contents))


def test_both_say_the_same(built: tuple[Path, Path]) -> None:
    little, big = (spec_of(path) for path in built)
    assert (little.byteorder, big.byteorder) == ("little", "big")
    turned = turn_spec(big, "big")
    assert turned.programs.keys() == little.programs.keys()
    functions = [
        *((p.entry, little.programs[n].entry) for n, p in turned.programs.items()),
        *((f, little.subprograms[n]) for n, f in turned.subprograms.items()),
    ]
    for mine, other in functions:
        assert mine.code[::8] == other.code[::8]  # constants that fill a struct at once are another number
        assert replace(mine, code=b"") == replace(other, code=b"")
    assert turned.variables == little.variables
    assert {name: keys_turned(each) for name, each in big.maps.items()} == little.maps
    assert big.kconfig == little.kconfig
    assert (big.data.keys(), {len(each) for each in big.data.values()}) == (
        little.data.keys(), {len(each) for each in little.data.values()},
    )  # fmt: skip
    ours, theirs = Btf(big.btf), Btf(little.btf)
    assert [ours.type(number) for number in range(ours.count)] == [theirs.type(n) for n in range(theirs.count)]


def test_what_is_written_is_read_back(built: tuple[Path, Path]) -> None:
    big = spec_of(built[1])
    got = elf.read(elf.write(big), "x")
    assert replace(got, btf=b"") == replace(big, btf=b"")  # the types may be given names of sections


@pytest.mark.skipif(OBJDUMP is None, reason="llvm-objdump is not installed")
def test_llvm_reads_what_we_write(built: tuple[Path, Path], tmp_path: Path) -> None:
    big = spec_of(built[1])
    path = tmp_path / "written.o"
    path.write_bytes(elf.write(big))
    shown = []
    for each in (built[1], path):
        command = [OBJDUMP, "-d", "-r", "--no-show-raw-insn", each]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # type: ignore[arg-type]
        functions = dict(re.findall(r"^[0-9a-f]+ <(\w+)>:\n(.*?)(?:\n\n|\Z)", text, re.M | re.S))
        # Numbers in front count from the section's start, and references are written in several ways.
        unlike = re.compile(r"^\s*\d+:\s*|\s*<.*>|R_BPF.*|(?<= )-?\w+ ll$|(?<=call ).*")
        shown.append({
            name: [unlike.sub("", line.strip()).strip() for line in body.splitlines()]
            for name, body in functions.items() if not name.startswith("LBB")
        })  # fmt: skip
    assert shown[1].keys() <= shown[0].keys()
    for name in big.programs:
        ours, theirs = (
            ([line for line in each[name] if line and not re.fullmatch("[0-9a-f]{16}:", line)])
            for each in (shown[1], shown[0])
        )
        # clang's labels end what llvm-objdump takes for a function.
        assert ours[: len(theirs)] == theirs, name
