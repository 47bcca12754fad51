"""What is found out about this kernel, held against ``bpftool feature probe``, where that is right."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from beespace.isa import MapType, ProgramType
from beespace.kernel import features

pytestmark = pytest.mark.kernel

# Types that bpftool loads without a target, which they cannot be without: it calls them missing on every kernel.
NEED_A_TARGET = {"tracing", "struct_ops", "ext", "lsm"}
# It makes these without the types of a struct, or is older than they are.
MAPS = {"struct_ops"}
# We ask for these helpers at the attach type where they are, it at another one.
MORE_AT_ANOTHER_ATTACH_TYPE = {"cgroup_sockopt": {"getsockopt", "setsockopt"}}
# It does not know the complaint about helpers that only some targets allow ("helper call is not allowed in probe").
ONLY_SOME_TARGETS = {"syscall": {"d_path", "sk_storage_get", "sk_storage_delete"}}
# It does not try these, which write to the kernel log when a program with them is loaded, unless asked ("full").
NOT_TRIED = {"trace_printk", "trace_vprintk", "probe_write_user"}


@pytest.fixture(scope="module")
def bpftool() -> dict[str, Any]:
    if shutil.which("bpftool") is None:
        pytest.skip("bpftool is not installed")
    done = subprocess.run(["bpftool", "--json", "feature", "probe"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"bpftool cannot probe here: {done.stderr.strip()}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_program_types(bpftool: dict[str, Any]) -> None:
    compared = 0
    for key, available in bpftool["program_types"].items():
        name = key.removeprefix("have_").removesuffix("_prog_type")
        if name.upper() not in ProgramType.__members__ or name in NEED_A_TARGET:
            continue
        assert features.program_type(ProgramType[name.upper()]).available is available, name
        compared += 1
    assert compared > 25


def test_types_with_a_target_are_found_where_bpftool_misses_them(bpftool: dict[str, Any]) -> None:
    for name in NEED_A_TARGET:
        answer = features.program_type(ProgramType[name.upper()])
        assert answer.available or answer.errno == 1, answer
    assert features.program_type(ProgramType.TRACING).available


def test_map_types(bpftool: dict[str, Any]) -> None:
    compared = 0
    for key, available in bpftool["map_types"].items():
        name = key.removeprefix("have_").removesuffix("_map_type")
        if name.upper() not in MapType.__members__ or name in MAPS or name == "unspec":
            continue
        assert features.map_type(MapType[name.upper()]).available is available, name
        compared += 1
    assert compared > 28


def test_helpers(bpftool: dict[str, Any]) -> None:
    said = {
        key.removesuffix("_available_helpers"): {each.removeprefix("bpf_") for each in helpers} - NOT_TRIED
        for key, helpers in bpftool["helpers"].items()
        if helpers
    }
    known = set().union(*said.values())
    # bpftool before 7.5 does not know Linux 6.10's "program of this type cannot use helper", and takes it for a yes.
    knows_this_kernel = said["xdp"] != said["tracepoint"]
    compared = 0
    for name, theirs in said.items():
        if name.upper() not in ProgramType.__members__ or name in NEED_A_TARGET:
            continue
        kind = ProgramType[name.upper()]
        ours = {each.name.partition(" ")[0] for each in features.helpers(kind) if each.available}
        ours &= known  # it may be older than some
        if knows_this_kernel:
            more = MORE_AT_ANOTHER_ATTACH_TYPE.get(name, set()) & known
            assert ours - more == theirs - ONLY_SOME_TARGETS.get(name, set()) - more, name
        else:
            assert 20 < len(ours) < len(theirs), name
        compared += 1
    assert compared > 20
