"""Plain words for a refusal: what is missing, and what to do."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from beespace.errors import NotPermitted
from beespace.syscall import capabilities, mounts, process, refusal, token, verifier_log
from beespace.syscall._attributes import Command
from beespace.syscall.process import Rights

ALL = frozenset(process.CAPABILITIES)


@pytest.fixture(autouse=True)
def known_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "sysctl", lambda name: None)
    monkeypatch.setattr(process, "splits_admin", lambda: True)
    monkeypatch.setattr(mounts, "lockdown", lambda: "none")
    monkeypatch.setattr(process, "confinement", lambda: None)
    monkeypatch.setattr(refusal, "_bpf_arrives", lambda: False)


@pytest.mark.parametrize(
    ("rights", "missing"),
    [
        (Rights(0, ALL, True, False), "the capabilities are there, but the kernel or a security module refuses it"),
        (Rights(0, ALL, True, True), "a seccomp filter refuses the call"),
        (Rights(0, ALL, False, True), "this process is in a user namespace, whose capabilities do not count here"),
        (Rights(7, frozenset({"CAP_BPF"}), True, False), "this process (user 7) lacks CAP_PERFMON"),
        (Rights(7, frozenset(), False, True), "this process (user 7) lacks CAP_BPF and CAP_PERFMON"),
        (
            Rights(7, frozenset({"CAP_SYS_ADMIN"}), True, False),
            "the capabilities are there, but the kernel or a security module refuses it",
        ),
    ],
)
def test_the_first_obstacle_is_named(rights: Rights, missing: str) -> None:
    assert refusal.reason("BPF_PROG_LOAD", rights, capabilities.for_program(5))[0] == missing


def test_a_filter_that_lets_bpf_pass_is_not_to_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusal, "_bpf_arrives", lambda: True)
    filtered = Rights(0, ALL, True, True)
    missing, _ = refusal.reason("BPF_PROG_LOAD", filtered, ("CAP_BPF",))
    assert missing == "the capabilities are there, but the kernel or a security module refuses it"
    assert refusal.reason("perf_event_open", filtered, ("CAP_PERFMON",))[0] == "a seccomp filter refuses the call"


def test_lockdown_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "lockdown", lambda: "integrity")
    missing, help = refusal.reason("BPF_PROG_LOAD", Rights(0, ALL, True, True), ("CAP_BPF",))
    assert missing == "the capabilities are there, but the kernel is locked down (integrity)"
    assert help is not None and "kernel_lockdown(7)" in help


def test_a_refused_mount_does_not_look_for_lockdown_through_a_mount(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "lockdown", lambda: pytest.fail("would never end"))
    assert refusal.reason("fsopen", Rights(0, ALL, True, True), ("CAP_SYS_ADMIN",))[0].startswith("a seccomp filter")


def test_kernels_without_cap_bpf_ask_for_sys_admin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "splits_admin", lambda: False)
    missing, _ = refusal.reason("BPF_PROG_LOAD", Rights(7, frozenset(), True, False), ("CAP_BPF", "CAP_PERFMON"))
    assert missing == "this process (user 7) lacks CAP_SYS_ADMIN"


def test_a_frozen_map_is_not_a_matter_of_rights() -> None:
    error = refusal.error("BPF_MAP_UPDATE_ELEM", errno.EPERM, "write a map entry")
    assert isinstance(error, NotPermitted)
    assert error.missing in (
        "the map is frozen, or was opened for reading only",
        "this process is in a user namespace, whose capabilities do not count here",
    )


@pytest.mark.parametrize(
    ("call", "number", "meaning"),
    [
        ("BPF_PROG_TEST_RUN", 524, "programs of this type cannot be run for a test"),
        ("BPF_ITER_CREATE", 524, "this kernel cannot do that"),
        ("BPF_LINK_CREATE", errno.EBUSY, "another program is there, and does not share the place"),
        ("BPF_ITER_CREATE", errno.EDOM, "Numerical argument out of domain"),
    ],
)
def test_an_errno_has_words(call: str, number: int, meaning: str) -> None:
    assert refusal.words(call, number)[0] == meaning


def test_capabilities_of_programs() -> None:
    assert capabilities.for_program(1) == ("CAP_BPF",)  # socket filter
    assert capabilities.for_program(5) == ("CAP_BPF", "CAP_PERFMON")  # tracepoint
    assert capabilities.for_program(13) == ("CAP_BPF", "CAP_NET_ADMIN")  # sock_ops
    assert capabilities.for_program(28) == ("CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN")  # ext
    assert capabilities.for_program(8) == ("CAP_BPF",)
    assert capabilities.for_attaching(8) == ("CAP_BPF", "CAP_NET_ADMIN")  # cgroup_skb
    assert capabilities.for_map(15) == ("CAP_BPF", "CAP_NET_ADMIN")  # sockmap
    assert capabilities.for_map(27) == ("CAP_BPF",)


LOG = """\
func#0 @0
Live regs before insn:
0: R1=ctx() R10=fp0
; if value > 3: @ probe.py:12
0: (79) r0 = *(u64 *)(r1 +4)
invalid bpf_context access off=4 size=8
processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0

"""


def test_the_decisive_line_of_a_log() -> None:
    assert verifier_log.says_something(LOG)
    assert verifier_log.reason(LOG) == "invalid bpf_context access off=4 size=8"
    assert verifier_log.source(LOG) == "probe.py:12: if value > 3:"


def test_a_log_of_statistics_says_nothing() -> None:
    log = "func#0 @0\nverification time 57 usec\nstack depth 0\nprocessed 0 insns (limit 1000000) max_states 0\n"
    assert not verifier_log.says_something(log)
    assert verifier_log.reason(log) == ""
    assert verifier_log.source(log) is None


def test_older_logs_have_the_source_without_its_place() -> None:
    assert verifier_log.source("; return value;\n0: (95) exit\nR0 !read_ok\n") == "return value;"


def test_the_report_of_linux_7_3_follows_the_decisive_line() -> None:
    log = (
        "0: R1=ctx() R10=fp0\n0: (95) exit\nR0 !read_ok\n\n"
        "Verification failed: Register Type Safety: Unreadable register\n\n"
        "Reason:\n  R0 has never been initialized on this path.\n\n"
        "Suggestion:\n  Initialize R0 on every path before this instruction.\n\n"
        "processed 1 insns (limit 1000000) max_states_per_insn 0\n"
    )
    assert verifier_log.reason(log) == "R0 !read_ok"


def test_the_profile_of_a_security_module_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "confinement", lambda: "docker-default (enforce)")
    missing, help = refusal.reason("BPF_PROG_LOAD", Rights(0, ALL, True, False), ("CAP_BPF",))
    assert missing.endswith("a security module refuses it (this process is docker-default (enforce))")
    assert help is not None and help.startswith("allow it in the profile")


@pytest.mark.parametrize(
    ("text", "profile"),
    [
        ("unconfined\n", None),
        ("", None),
        ("kernel\0", None),
        ("_", None),
        ("unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023\0", None),
        ("docker-default (enforce)\n", "docker-default (enforce)"),
        ("system_u:system_r:container_t:s0:c5,c9\0", "system_u:system_r:container_t:s0:c5,c9"),
    ],
)
def test_confinement_is_read(text: str, profile: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(process, "_text", lambda path: text if path == "/proc/self/attr/current" else "")
    assert process.confinement() == profile


@pytest.mark.parametrize(
    ("mask", "asked", "missing"),
    [
        ("0x21", {"command": 5}, None),
        ("0x1", {"command": 5}, "BPF_PROG_LOAD (delegate_cmds)"),
        ("any", {"command": 5}, None),
    ],
)
def test_what_a_token_carries(
    mask: str, asked: dict[str, int], missing: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = f"pos:\t0\nallowed_cmds:\t{mask}\nallowed_maps:\t0x6\nallowed_progs:\t0x40\nallowed_attachs:\tany\n"
    monkeypatch.setattr(token, "read_text", lambda path: text)
    command = Command(asked["command"])
    said = token.not_delegated(7, command)
    assert said == (missing and f"the BPF token does not delegate {missing}")
    assert token.not_delegated(None, command) is None
    if missing is None:
        assert token.not_delegated(7, command, prog_type=6, map_type=2, attach_type=37) is None
        assert "programs of this type (delegate_progs)" in str(token.not_delegated(7, command, prog_type=5))
        assert "maps of this type (delegate_maps)" in str(token.not_delegated(7, command, map_type=27))
