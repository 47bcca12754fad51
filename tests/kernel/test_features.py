"""What is found out about this kernel is true of it."""

from __future__ import annotations

import dataclasses
import errno
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from beespace.btf import Kind
from beespace.errors import KernelError, NotPermitted, VerifierError
from beespace.isa import Insn, MapType, ProgramType, encode
from beespace.isa.helpers import HELPERS
from beespace.kernel import features, vmlinux_btf
from beespace.kernel.diagnose import PROBES, Finding, diagnose
from beespace.kernel.features import Feature, feature
from beespace.kernel.features.attach_types import enumerators
from beespace.syscall import bpf, mounts

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]


@pytest.fixture(scope="module")
def everything() -> dict[tuple[str, str], Feature]:
    return {(each.group, each.name): each for each in features.probe()}


@pytest.fixture(scope="module")
def findings() -> dict[str, Finding]:
    return {finding.feature: finding for finding in diagnose()}


@pytest.fixture(scope="module")
def configuration() -> dict[str, str]:
    """This kernel's build configuration, if it tells."""
    packed = Path("/proc/config.gz")
    plain = Path(f"/boot/config-{os.uname().release}")
    if packed.exists():
        text = gzip.decompress(packed.read_bytes()).decode()
    elif plain.exists():
        text = plain.read_text()
    else:
        pytest.skip("this kernel does not tell its configuration")
    return dict(re.findall(r"^(CONFIG_\w+)=(\S+)$", text, re.MULTILINE))


def test_everything_is_said_in_words_and_json(everything: dict[tuple[str, str], Feature]) -> None:
    text = json.dumps([dataclasses.asdict(each) for each in everything.values()])
    assert [Feature(**row) for row in json.loads(text)] == list(everything.values())
    for each in everything.values():
        assert each.available is (each.why == "")
        assert "Traceback" not in each.why and "unknown error" not in each.why.lower()


def test_every_program_type_is_answered(everything: dict[tuple[str, str], Feature]) -> None:
    names = {kind.name.lower() for kind in ProgramType if kind is not ProgramType.UNSPEC}
    assert {name for group, name in everything if group == "program"} == names


@pytest.mark.parametrize(
    ("key", "option"),
    [
        (("program", "lirc_mode2"), "CONFIG_BPF_LIRC_MODE2"),
        (("program", "netfilter"), "CONFIG_NETFILTER_BPF_LINK"),
        (("program", "cgroup_skb"), "CONFIG_CGROUP_BPF"),
        (("program", "struct_ops"), "CONFIG_BPF_JIT"),
        (("map", "xskmap"), "CONFIG_XDP_SOCKETS"),
        (("attach", "kprobe"), "CONFIG_KPROBE_EVENTS"),
        (("attach", "uprobe"), "CONFIG_UPROBE_EVENTS"),
        (("machine", "kernel types (BTF)"), "CONFIG_DEBUG_INFO_BTF"),
    ],
)
def test_what_is_built_in_is_found(
    key: tuple[str, str], option: str, everything: dict[tuple[str, str], Feature], configuration: dict[str, str]
) -> None:
    feature = everything[key]
    if feature.errno == 1:
        pytest.skip(f"the kernel refuses {feature.name}, whether it is built in or not: {feature.why}")
    assert feature.available is (configuration.get(option) == "y"), feature


@pytest.mark.parametrize(
    "key",
    [
        ("map", "hash"), ("map", "ringbuf"), ("map", "sk_storage"), ("map", "array_of_maps"), ("map", "lpm_trie"),
        ("program", "socket_filter"), ("program", "xdp"), ("program", "raw_tracepoint"), ("program", "sock_ops"),
        ("attach", "raw tracepoint"), ("attach", "tracepoint"), ("attach", "cgroup_skb egress"),
        ("attach", "btf tracepoint"), ("attach", "iterator task"), ("machine", "batch operations"),
        ("instruction", "bounded loops"), ("instruction", "set v2"), ("machine", "ring buffer"),
        ("attach type", "cgroup_inet4_connect"), ("attach type", "xdp"), ("link", "cgroup"), ("link", "iter"),
        ("type", "global functions"), ("limit", "verified instructions"), ("setting", "net.core.bpf_jit_enable"),
    ],
)  # fmt: skip
def test_what_every_kernel_since_5_10_has_is_available(
    key: tuple[str, str], everything: dict[tuple[str, str], Feature]
) -> None:
    assert everything[key].available, everything[key]


def test_tracing_is_found_where_bpftool_of_debian_misses_it(everything: dict[tuple[str, str], Feature]) -> None:
    # A plain load without a target is refused for these types, so that is no test of them.
    with pytest.raises(KernelError):
        bpf.prog_load(ProgramType.TRACING, encode((Insn(0xB7), Insn(0x95))))
    assert everything["program", "tracing"].available


def test_a_refusal_is_told_from_an_absence(everything: dict[tuple[str, str], Feature]) -> None:
    locked = mounts.lockdown()
    for name in ("fentry", "lsm"):
        feature = everything["attach", name]
        if feature.errno == 1 and locked not in (None, "none"):
            assert feature.why == f"the capabilities are there, but the kernel is locked down ({locked})"
        else:
            assert feature.available or feature.errno != 1
    if not Path("/sys/bus/event_source/devices/kprobe").exists():
        assert everything["attach", "kprobe"].why == (
            "this kernel does not support kprobes "
            "(built without them: /sys/bus/event_source/devices/kprobe does not exist)"
        )


def test_nothing_stays_behind() -> None:
    before = Path("/proc/self/mountinfo").read_text()
    list(features.probe())
    diagnose()
    assert Path("/proc/self/mountinfo").read_text() == before
    names = set()
    for number in bpf.ids(bpf.prog_get_next_id):
        try:
            with bpf.prog_get_fd_by_id(number) as program:
                names.add(bpf.prog_info(program).name)
        except KernelError as error:
            assert error.errno == errno.ENOENT  # somebody else's, gone meanwhile
    assert "feature" not in names


# -- helpers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program_type", "name", "available"),
    [
        (ProgramType.SOCKET_FILTER, "map_lookup_elem", True),
        (ProgramType.SOCKET_FILTER, "skb_load_bytes", True),
        (ProgramType.XDP, "skb_load_bytes", False),
        (ProgramType.XDP, "xdp_adjust_head", True),
        (ProgramType.CGROUP_SKB, "xdp_adjust_head", False),
        (ProgramType.CGROUP_SKB, "sk_storage_get", True),
        (ProgramType.SOCK_OPS, "sock_ops_cb_flags_set", True),
        (ProgramType.TRACEPOINT, "get_current_comm", True),
        (ProgramType.TRACING, "probe_read_kernel", True),
        (ProgramType.XDP, "seq_write", False),
    ],
)
def test_helpers_of_a_program_type(program_type: ProgramType, name: str, available: bool) -> None:
    feature = features.helper(program_type, name)
    assert (feature.available, feature.name) == (available, f"{name} in {program_type.name.lower()}")
    assert available or feature.why


def test_a_helper_that_no_kernel_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HELPERS, "not_invented", HELPERS["map_lookup_elem"]._replace(number=9999))
    feature = features.helper(ProgramType.SOCKET_FILTER, "not_invented")
    assert not feature.available
    assert "invalid func" in feature.why


def test_the_answer_is_that_of_a_real_call() -> None:
    """A program that really calls the function loads exactly if the function was said to be available."""
    for program_type, name in (
        (ProgramType.SOCKET_FILTER, "ktime_get_ns"),
        (ProgramType.SOCKET_FILTER, "get_prandom_u32"),
        (ProgramType.CGROUP_SKB, "get_hash_recalc"),
        (ProgramType.SCHED_CLS, "get_hash_recalc"),
        (ProgramType.XDP, "get_hash_recalc"),
    ):
        # r1 still holds the context, which is the only argument of all of these.
        code = encode((Insn(0x85, imm=HELPERS[name].number), Insn(0xB7), Insn(0x95)))
        try:
            bpf.prog_load(program_type, code)[0].close()
            loads = True
        except VerifierError:
            loads = False
        assert features.helper(program_type, name).available is loads, name


def test_names_that_are_no_names() -> None:
    with pytest.raises(KeyError):
        features.helper(ProgramType.XDP, "no_such_helper")
    with pytest.raises(KeyError):
        features.attach_kind("nowhere")
    with pytest.raises(ValueError, match="extensions"):
        features.helper(ProgramType.EXT, "map_lookup_elem")
    with pytest.raises(ValueError, match="UNSPEC"):
        features.map_type(MapType.UNSPEC)


# -- kernel functions ----------------------------------------------------------------------------------------


def test_kernel_functions_for_programs() -> None:
    listed = features.kfunc_names()
    if not listed:
        pytest.skip("this kernel's types do not tell which functions are for programs")
    assert {"bpf_task_acquire", "bpf_cast_to_kern_ctx"} <= listed
    assert features.kfunc("bpf_task_acquire").available
    other = features.kfunc("vfs_read")
    assert not other.available and "not for them" in other.why
    assert "no func nonsense" in features.kfunc("nonsense").why


@pytest.mark.parametrize(
    ("name", "program_type", "available"),
    [
        ("bpf_cast_to_kern_ctx", ProgramType.SCHED_CLS, True),
        ("vfs_read", ProgramType.SCHED_CLS, False),
        ("bpf_dynptr_from_skb", ProgramType.SCHED_CLS, True),
        ("bpf_sock_addr_set_sun_path", ProgramType.CGROUP_SOCK_ADDR, True),
        ("bpf_sock_addr_set_sun_path", ProgramType.XDP, False),
    ],
)
def test_who_may_call_a_kernel_function(name: str, program_type: ProgramType, available: bool) -> None:
    if not vmlinux_btf().find_all(name, Kind.FUNC):
        pytest.skip(f"this kernel has no {name}()")
    feature = features.kfunc(name, program_type)
    assert feature.available is available, feature
    assert feature.name == f"{name} in {program_type.name.lower()}"


# -- numbers, answers that are kept --------------------------------------------------------------------------


def test_limits_and_settings_are_numbers(everything: dict[tuple[str, str], Feature]) -> None:
    assert features.limit("verified instructions").value == 1_000_000
    assert features.limit("instructions of a program").value == 1_000_000
    assert features.limit("bytes of stack").value == 512
    assert features.setting("net.core.bpf_jit_enable").value in (0, 1, 2)
    assert features.setting("net.core.nothing") == Feature(
        "setting", "net.core.nothing", False, "this kernel has no such setting, or does not show it"
    )


def test_the_level_is_that_of_its_instructions(everything: dict[tuple[str, str], Feature]) -> None:
    level = features.instruction_level()
    assert 2 <= level <= 4
    assert [everything["instruction", f"set v{number}"].available for number in range(1, 5)] == [
        number <= level for number in range(1, 5)
    ]
    assert everything["instruction", "sign-extending moves"].available is (level == 4)
    assert everything["instruction", "atomic fetch and exchange"].available is (level >= 3)


def test_links_agree_with_what_is_attached(everything: dict[tuple[str, str], Feature]) -> None:
    for link, kind in (("perf_event", "perf link"), ("tcx", "tcx"), ("kprobe_multi", "kprobe multi")):
        assert everything["link", link].available is everything["attach", kind].available, link
    if everything["link", "netfilter"].available:
        assert everything["program", "netfilter"].available and everything["attach type", "netfilter"].available
    for name in ("tcx_ingress", "netkit_primary", "sk_skb_verdict", "trace_uprobe_multi", "cgroup_unix_connect"):
        listed = enumerators("bpf_attach_type") or frozenset()
        assert everything["attach type", name].available is (f"BPF_{name.upper()}" in listed)


def test_an_answer_is_kept_until_it_is_forgotten() -> None:
    asked: list[int] = []

    def ask() -> int:
        asked.append(1)
        return 7

    assert [feature.attempt("machine", "kept", ask).value for _ in range(3)] == [7, 7, 7]
    assert len(asked) == 1
    features.forget()
    assert feature.attempt("machine", "kept", ask).available and len(asked) == 2


def test_a_lack_of_rights_is_not_kept() -> None:
    answers = iter([NotPermitted("try", missing="CAP_BPF", errno=1), None])

    def ask() -> None:
        error = next(answers)
        if error is not None:
            raise error

    assert not feature.attempt("machine", "forbidden", ask).available
    assert feature.attempt("machine", "forbidden", ask).available
    features.forget()


def test_all_helpers_of_a_type_in_less_than_a_second() -> None:
    features.forget()
    start = time.process_time()
    found = [each for each in features.helpers(ProgramType.SCHED_CLS) if each.available]
    assert len(found) > 80
    assert time.process_time() - start < 1 * (10 if "BEESPACE_GUEST_FD" in os.environ else 1)


# -- diagnosis -----------------------------------------------------------------------------------------------


# What a kernel before 5.11 lacks.
NEW_IN_5_11 = {"socket storage from every hook", "iterators over open files"}


@pytest.fixture(scope="module")
def too_old() -> set[str]:
    names = list(vmlinux_btf().with_prefix("bpf_sock_from_file", Kind.FUNC))
    return set() if names else NEW_IN_5_11


def test_root_has_what_the_probes_need(findings: dict[str, Finding], too_old: set[str]) -> None:
    needed = [finding for finding in findings.values() if set(finding.needed_by) & set(PROBES)]
    assert len(needed) > 15
    assert {finding.feature for finding in needed if not finding.available} == too_old


def test_every_finding_says_what_to_do(findings: dict[str, Finding]) -> None:
    for finding in findings.values():
        assert finding.why
        assert bool(finding.help) is not finding.available, finding
    json.dumps([dataclasses.asdict(finding) for finding in findings.values()])


def run_as(script: str, *prefix: str) -> list[dict[str, object]]:
    done = subprocess.run(
        [*prefix, sys.executable, "-W", "error", "-c", script],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, object]] = json.loads(done.stdout)
    return rows


DIAGNOSE = """
import dataclasses, json, os, sys
import difflib, hashlib, tempfile  # imported late by others; nobody may not read the interpreter's own files
from beespace.kernel import features, vmlinux_btf
from beespace.kernel.diagnose import diagnose
{before}
list(features.probe())
print(json.dumps([dataclasses.asdict(finding) for finding in diagnose()]))
"""


def test_nobody_is_told_what_to_grant() -> None:
    before = "os.setgroups([]); os.setgid(65534); os.setuid(65534)"
    findings = {row["feature"]: row for row in run_as(DIAGNOSE.format(before=before))}
    rights = findings["root or capabilities"]
    assert rights["available"] is False
    assert str(rights["why"]).startswith("this process (user 65534) lacks CAP_BPF and CAP_PERFMON and CAP_NET_ADMIN")
    assert str(findings["least privilege of flows"]["help"]).startswith(
        "run it as root, or grant BPF, PERFMON, NET_ADMIN"
    )
    assert str(findings["least privilege of execs"]["help"]).startswith("run it as root, or grant BPF, PERFMON (")
    for row in findings.values():
        assert row["why"]
        assert bool(row["help"]) is not row["available"], row
    missing = [row["feature"] for row in findings.values() if not row["available"]]
    assert {"bpf system call", "BTF tracepoints", "packet hooks of cgroups", "ring buffer"} <= set(missing)


def test_the_least_privilege_is_enough(too_old: set[str]) -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed (util-linux)")
    if not mounts.visible_mounts("cgroup2"):
        pytest.skip("cgroup v2 is mounted nowhere, so CAP_SYS_ADMIN is needed too")
    only = ("setpriv", "--bounding-set=-all,+bpf,+perfmon,+net_admin")
    findings = run_as(DIAGNOSE.format(before=""), *only)
    refused = {
        row["feature"]
        for row in findings
        if not row["available"] and set(PROBES) & set(row["needed_by"])  # type: ignore[call-overload]
    }
    assert refused == too_old
    missing = {str(row["feature"]) for row in findings if not row["available"]}
    assert "executables of other users" in missing  # which costs names, and no probe


def test_less_is_not_enough() -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed (util-linux)")
    findings = {
        str(row["feature"]): row
        for row in run_as(DIAGNOSE.format(before=""), "setpriv", "--bounding-set=-all,+bpf,+perfmon")
    }
    assert findings["least privilege of execs"]["available"] is True
    assert findings["BTF tracepoints"]["available"] is True
    assert findings["least privilege of flows"]["available"] is False
    assert "lacks CAP_NET_ADMIN" in str(findings["packet hooks of cgroups"]["why"])
    assert "lacks CAP_NET_ADMIN" in str(findings["socket hooks of cgroups"]["why"])
