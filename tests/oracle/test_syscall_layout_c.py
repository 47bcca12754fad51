"""The generated layouts of bpf(2) against the C compiler and this machine's headers."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from beespace.syscall import _attributes
from beespace.syscall.layout import Layout

LAYOUTS = {name: value for name, value in vars(_attributes).items() if isinstance(value, Layout)}

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
