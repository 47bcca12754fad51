"""libbpf (through bpftool) and the kernel as judges: of what we read, and of what we write."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from beespace import elf
from beespace.isa import Insn, MapType, encode
from beespace.isa.constants import MapFlag
from beespace.spec import FunctionSpec, MapSpec, ObjectSpec, ProgramSpec, SymbolKind, SymbolReloc

SOURCES = Path(__file__).parent / "elf_sources"
NAMES = ("externs", "functions", "maps", "relocs", "sections")  # all but what libbpf refuses
BPFTOOL = shutil.which("bpftool") or shutil.which("bpftool", path="/usr/sbin:/sbin") or ""

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not BPFTOOL, reason="bpftool is not installed"),
    pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed"),
]

# Runs in a mount namespace of its own: the file system, and with it all pins, is gone when the script ends.
# What bpftool shows goes to files KIND:NAME of directory $3.
LOAD = """
set -e
mount -t bpf none /sys/fs/bpf
cd /sys/fs/bpf
"$1" prog loadall "$2" /sys/fs/bpf/programs pinmaps /sys/fs/bpf
for map in $(ls | grep -v -e ^programs -e [.]debug); do  # a new bpffs has maps.debug and progs.debug
  "$1" -j map show pinned $map > "$3/map:$map"
  "$1" -j map dump pinned $map > "$3/contents:$map" || true
done
for program in $(ls programs); do
  "$1" -j prog show pinned programs/$program > "$3/program:$program"
  "$1" prog dump xlated pinned programs/$program linum > "$3/code:$program"
  grep -q btf_id "$3/program:$program" || continue
  "$1" btf dump id $(sed 's/.*"btf_id":\\([0-9]*\\).*/\\1/' "$3/program:$program") > "$3/types:$program"
done
"""


@dataclass
class Loaded:
    """What bpftool shows of an object in the kernel, by name."""

    maps: dict[str, dict[str, Any]]
    contents: dict[str, Any]
    programs: dict[str, dict[str, Any]]
    code: dict[str, str]
    types: dict[str, str]


def load(path: Path) -> Loaded:
    with TemporaryDirectory() as directory:
        command = ["unshare", "-m", "sh", "-c", LOAD, "sh", BPFTOOL, str(path), directory]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        shown: dict[str, dict[str, str]] = {}
        for file in Path(directory).iterdir():
            kind, name = file.name.split(":")
            shown.setdefault(kind, {})[name] = file.read_text()
    maps, programs = ({name: json.loads(text) for name, text in shown[kind].items()} for kind in ("map", "program"))
    contents = {name: json.loads(text) for name, text in shown["contents"].items() if text.startswith("[")}
    # Ids differ from one load to the next.
    names = {str(each["id"]): each["name"] for each in maps.values()}
    code = {
        name: re.sub(r"map\[id:(\d+)\]", lambda match: f"map[{names[match[1]]}]", text)
        for name, text in shown["code"].items()
    }
    return Loaded(maps, contents, programs, code, shown.get("types", {}))


@pytest.fixture(scope="module", params=NAMES)
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("elf") / f"{request.param}.o"
    source = SOURCES / f"{request.param}.c"
    subprocess.run(["clang", "-target", "bpf", "-g", "-O2", "-c", source, "-o", target], check=True)
    return target


@pytest.fixture(scope="module")
def spec(built: Path) -> ObjectSpec:
    return elf.read(built.read_bytes(), built.stem)


@pytest.fixture(scope="module")
def written(built: Path, spec: ObjectSpec) -> Path:
    # The same file name: libbpf calls the maps of data sections after it.
    target = built.parent / "written" / built.name
    target.parent.mkdir()
    target.write_bytes(elf.write(spec))
    return target


@pytest.fixture(scope="module")
def original(built: Path) -> Loaded:
    return load(built)


@pytest.fixture(scope="module")
def rewritten(written: Path) -> Loaded:
    return load(written)


def pin_name(spec: ObjectSpec, name: str) -> str:
    """What libbpf calls a map: data sections after the object, with no dots in the name of a pin."""
    if name in (".data", ".rodata", ".bss", ".kconfig"):
        return f"{spec.name[:8]}{name}"[:15].replace(".", "_")
    return name.replace(".", "_")


FACTS = ("type", "bytes_key", "bytes_value", "max_entries", "flags")


def facts(spec: MapSpec) -> Mapping[str, object]:
    kind = MapType(spec.type).name.lower()
    return dict(zip(FACTS, (kind, spec.key_size, spec.value_size, spec.max_entries, spec.flags), strict=True))


@pytest.mark.parametrize("which", ["original", "rewritten"])
def test_maps(which: str, spec: ObjectSpec, request: pytest.FixtureRequest) -> None:
    loaded: Loaded = request.getfixturevalue(which)
    shown = {name: {key: each[key] for key in FACTS} for name, each in loaded.maps.items()}
    assert shown == {pin_name(spec, name): facts(each) for name, each in spec.maps.items()}
    frozen = {name for name, each in loaded.maps.items() if each.get("frozen")}
    read_only = {pin_name(spec, name) for name, each in spec.maps.items() if each.flags & MapFlag.RDONLY_PROG}
    assert frozen == read_only


def test_programs(spec: ObjectSpec, original: Loaded, rewritten: Loaded) -> None:
    assert set(original.programs) == set(rewritten.programs) == set(spec.programs)
    for name in spec.programs:
        old, new = original.programs[name], rewritten.programs[name]
        for fact in ("type", "tag", "gpl_compatible", "bytes_xlated"):
            assert old[fact] == new[fact], (name, fact)


def test_code_and_lines_in_the_kernel_are_the_same(original: Loaded, rewritten: Loaded) -> None:
    assert original.code == rewritten.code
    assert any("[file:" in code for code in original.code.values())


def test_initial_contents(spec: ObjectSpec, original: Loaded, rewritten: Loaded) -> None:
    for loaded in (original, rewritten):
        ids = {each["id"]: each["name"] for each in loaded.maps.values()}
        ids |= {each["id"]: each["name"] for each in loaded.programs.values()}
        for name, each in spec.maps.items():
            if not each.contents:
                continue
            shown = {}
            for row in loaded.contents[pin_name(spec, name)]:
                value = row.get("value", row.get("inner_map_id"))
                if isinstance(value, list):
                    key = bytes(int(byte, 16) for byte in row["key"])
                    shown[key] = ids[int.from_bytes(bytes(int(byte, 16) for byte in value), "little")]
            assert shown == dict(each.contents)


def test_skeleton(built: Path, written: Path, spec: ObjectSpec) -> None:
    old, new = (
        subprocess.run([BPFTOOL, "gen", "skeleton", path], check=True, capture_output=True, text=True).stdout
        for path in (built, written)
    )
    declared = re.compile(r"^struct \w+ \{$.*?^\};$", re.M | re.S)
    assert declared.findall(old)[0] == declared.findall(new)[0]
    shown = {}
    for section, body in re.findall(r"struct \w+?__(\w+) \{(.*?)\} \*\w+;", old, re.S):
        names = re.findall(r"(\w+)(?:\[\d+\])*;", body)
        shown["." + section.replace("_", ".")] = [name for name in names if not name.startswith("__pad")]
    ours: dict[str, list[str]] = {}
    for variable in sorted(spec.variables.values(), key=lambda each: each.offset):
        ours.setdefault(variable.map, []).append(variable.name)
    assert {name: names for name, names in shown.items() if names} == ours


# libbpf rewrites declarations of kernel functions before it loads them, so "externs" is no oracle here.
@pytest.mark.parametrize("built", [name for name in NAMES if name != "externs"], indirect=True)
def test_types_are_what_libbpf_loads(spec: ObjectSpec, original: Loaded, tmp_path: Path) -> None:
    blob = tmp_path / "types.btf"
    blob.write_bytes(spec.btf)
    ours = subprocess.run([BPFTOOL, "btf", "dump", "file", blob], check=True, capture_output=True, text=True).stdout
    for theirs in original.types.values():
        assert ours.splitlines() == theirs.splitlines()


@pytest.mark.parametrize("built", ["functions"], indirect=True)
def test_map_of_another_size(spec: ObjectSpec, tmp_path: Path) -> None:
    path = tmp_path / "functions.o"
    path.write_bytes(
        elf.write(replace(spec, maps={**spec.maps, "counts": replace(spec.maps["counts"], max_entries=9)}))
    )
    loaded = load(path)
    assert loaded.maps["counts"]["max_entries"] == 9
    # The types of its key and value came along.
    assert loaded.maps["counts"]["btf_id"] == loaded.programs["one"]["btf_id"]


def test_maps_that_only_the_spec_defines(tmp_path: Path) -> None:
    inner = MapSpec("outer.inner", MapType.ARRAY, 4, 8, 1)
    maps = [
        MapSpec("by_name", MapType.HASH, 16, 40, 10_240, flags=MapFlag.NO_PREALLOC),
        MapSpec("ring", MapType.RINGBUF, 0, 0, 1 << 14),
        MapSpec("bloom", MapType.BLOOM_FILTER, 0, 8, 64, map_extra=5),
        MapSpec("outer", MapType.HASH_OF_MAPS, 4, 4, 9, inner=inner, contents=((bytes([7, 0, 0, 0]), "inside"),)),
        MapSpec("inside", MapType.ARRAY, 4, 8, 1),
        MapSpec("jumps", MapType.PROG_ARRAY, 4, 4, 2, contents=((bytes([1, 0, 0, 0]), "main"),)),
    ]
    get = Insn(0x18, 1, 1, 0, 0), Insn(0, 0, 0, 0, 0)
    code = encode([*get * len(maps), Insn(0xB7, 0, 0, 0, 0), Insn(0x95, 0, 0, 0, 0)])
    symbols = tuple(SymbolReloc(2 * at, SymbolKind.MAP, each.name) for at, each in enumerate(maps))
    main = ProgramSpec("main", "socket", FunctionSpec("main", code, symbols))
    path = tmp_path / "hand.o"
    path.write_bytes(elf.write(ObjectSpec("hand", "GPL", {"main": main}, maps={each.name: each for each in maps})))
    loaded = load(path)
    shown = {name: {key: each[key] for key in FACTS} for name, each in loaded.maps.items()}
    assert shown == {each.name: facts(each) for each in maps}
    used = {loaded.maps[each.name]["id"] for each in maps}
    assert set(loaded.programs["main"]["map_ids"]) == used
