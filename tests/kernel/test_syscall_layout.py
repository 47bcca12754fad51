"""The generated layouts against this kernel's own types and against the C compiler."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from beespace.btf import Btf, Enum, Kind, Struct
from beespace.syscall import _attributes
from beespace.syscall.layout import Layout, Slot

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gen_syscall", ROOT / "tools/gen_syscall.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def vmlinux() -> Btf:
    return Btf(Path("/sys/kernel/btf/vmlinux").read_bytes())


LAYOUTS = {name: value for name, value in vars(_attributes).items() if isinstance(value, Layout)}


@pytest.mark.parametrize("name", LAYOUTS)
def test_this_kernel_has_the_fields_where_the_table_says(name: str, generator: ModuleType, vmlinux: Btf) -> None:
    if name.lower() in generator.STRUCTS:
        struct = vmlinux.type(vmlinux.find(name.lower(), Kind.STRUCT))
    else:
        attributes = vmlinux.type(vmlinux.find("bpf_attr", Kind.UNION))
        key = generator.ARMS[name.lower()][0]
        try:
            struct = generator.arm(vmlinux, attributes, key)
        except SystemExit:
            pytest.skip(f"this kernel's union bpf_attr has no arm {key}")
    assert isinstance(struct, Struct)
    here = {field: Slot(*arguments) for field, arguments in generator.flatten(vmlinux, struct)}
    known = LAYOUTS[name].fields
    common = here.keys() & known.keys()
    assert len(common) >= min(len(here), len(known)) > 0
    assert {field: here[field] for field in common} == {field: known[field] for field in common}


# What the C compiler knows by another name, or only a newer header has, is left out by asking it.
NAMES = {
    "MAP_CREATE": ("union bpf_attr", ""),
    "MAP_ELEMENT": ("union bpf_attr", ""),
    "MAP_BATCH": ("union bpf_attr", "batch."),
    "PROG_LOAD": ("union bpf_attr", ""),
    "PROG_TEST_RUN": ("union bpf_attr", "test."),
    "LINK_CREATE": ("union bpf_attr", "link_create."),
    "LINK_UPDATE": ("union bpf_attr", "link_update."),
    "PROG_QUERY": ("union bpf_attr", "query."),
    "RAW_TRACEPOINT": ("union bpf_attr", "raw_tracepoint."),
    "BTF_LOAD": ("union bpf_attr", ""),
    "BPF_PROG_INFO": ("struct bpf_prog_info", ""),
    "BPF_MAP_INFO": ("struct bpf_map_info", ""),
    "BPF_LINK_INFO": ("struct bpf_link_info", ""),
    "PERF_EVENT_ATTR": ("struct perf_event_attr", ""),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_c_compiler_agrees(name: str, tmp_path: Path) -> None:
    compiler = shutil.which("clang") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler is installed")
    aggregate, prefix = NAMES[name]
    fields = [field for field, slot in LAYOUTS[name].fields.items() if not slot.width]
    probe = tmp_path / "offsets.c"
    while True:
        lines = [f'printf("{field} %zu\\n", offsetof({aggregate}, {prefix}{field}));' for field in fields]
        source = "#include <stddef.h>\n#include <stdio.h>\n#include <linux/bpf.h>\n#include <linux/perf_event.h>\n"
        probe.write_text(source + "int main(void) {\n" + "\n".join(lines) + "\nreturn 0;\n}\n")
        done = subprocess.run(
            [compiler, "-ferror-limit=0" if "clang" in compiler else "-fmax-errors=0", "-o", tmp_path / "a", probe],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            break
        unknown = {int(line) - 6 for line in re.findall(r"offsets\.c:(\d+):\d+: error: no member", done.stderr)}
        assert unknown, done.stderr
        fields = [field for index, field in enumerate(fields) if index not in unknown]
    told = subprocess.run([tmp_path / "a"], capture_output=True, text=True, check=True).stdout
    offsets = {field: int(offset) for field, offset in (line.split() for line in told.splitlines())}
    assert offsets == {field: LAYOUTS[name].fields[field].offset for field in fields}
    assert len(offsets) >= 2


def test_the_file_is_what_the_generator_writes(generator: ModuleType, vmlinux: Btf) -> None:
    commands = vmlinux.type(vmlinux.find("bpf_cmd", Kind.ENUM))
    assert isinstance(commands, Enum)
    newest = max(value.value for value in commands.values if value.name not in generator.SKIPPED_COMMANDS)
    struct = vmlinux.type(vmlinux.find("bpf_link_info", Kind.STRUCT))
    assert isinstance(struct, Struct)
    if newest != max(_attributes.Command) or struct.size != _attributes.BPF_LINK_INFO.size:
        release = Path("/proc/sys/kernel/osrelease").read_text().strip()
        pytest.skip(f"the file was made from another kernel than {release}")
    assert generator.generate(vmlinux) == Path(_attributes.__file__).read_text()
