"""The generated layouts against this kernel's own types."""

from __future__ import annotations

import importlib.util
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
