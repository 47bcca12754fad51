"""The records of tracepoints against tracefs, which prints the layout that the kernel itself uses."""

from __future__ import annotations

import re

import pytest

from beespace import btf as kernel
from beespace.compiler.contexts.event_classes import records_of
from beespace.kernel import vmlinux_btf
from beespace.syscall.mounts import list_at, read_at, tracefs

pytestmark = pytest.mark.kernel

FIELD = re.compile(r"^\tfield:(?P<declaration>[^;]+);\toffset:(?P<offset>\d+);\tsize:(?P<size>\d+);", re.MULTILINE)
# Made by macros of their own: the file describes the call, not the record.
NOT_RECORDS = ("syscalls", "ftrace", "bpf_trace")
SETTINGS = ("enable", "filter", "header_event", "header_page")


def printed(text: str) -> dict[str, int]:
    """Fields and their offsets."""
    found = {}
    for match in FIELD.finditer(text):
        declaration = re.sub(r"\[[^\]]*\]$", "", match["declaration"]).split()
        name = declaration[-1].lstrip("*")
        found[("__data_loc_" if declaration[0] == "__data_loc" else "") + name] = int(match["offset"])
    return {name: offset for name, offset in found.items() if not name.startswith("common_")}


def declared(btf: kernel.Btf, record: str) -> dict[str, int]:
    struct = btf.type(btf.find(record, kernel.Kind.STRUCT))
    assert isinstance(struct, kernel.Struct)
    fields = {member.name: member.bit_offset // 8 for member in struct.members}
    return {name: offset for name, offset in fields.items() if name not in ("ent", "__data")}


def test_every_event_has_the_record_that_the_kernel_prints() -> None:
    btf = vmlinux_btf()
    with tracefs() as root:
        systems = [name for name in list_at(root, "events") if name not in NOT_RECORDS + SETTINGS]
        formats = {
            event: read_at(root, f"events/{system}/{event}/format").decode()
            for system in systems
            for event in list_at(root, f"events/{system}")
            if event not in SETTINGS
        }
    alone, shared, several = 0, 0, 0
    # Each search for a shared record reads all names: every event that has its own, and each eighth of the others.
    own = {name for name, _ in btf.with_prefix("trace_event_raw_", kernel.Kind.STRUCT)}
    sharing = sorted(event for event in formats if f"trace_event_raw_{event}" not in own)
    for event in sorted(set(formats) - set(sharing)) + sharing[::8]:
        text = formats[event]
        records = records_of(btf, event)
        if len(records) == 1:
            expected = {name: at for name, at in printed(text).items() if not name.startswith("__rel_loc")}
            assert declared(btf, records[0]).items() >= expected.items(), f"{event}: {records[0]}"
            alone += records[0] == f"trace_event_raw_{event}"
            shared += records[0] != f"trace_event_raw_{event}"
        elif records:
            several += 1
            fitting = [name for name in records if declared(btf, name).items() >= printed(text).items()]
            assert fitting, f"{event}: none of {records}"
    assert alone > 300 and shared > 50, (alone, shared, several)
