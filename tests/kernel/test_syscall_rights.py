"""What each user may do, as the syscall room sees it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from beespace.syscall import process

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]


def test_rights_of_root() -> None:
    rights = process.rights()
    assert (rights.uid, rights.initial_user_namespace) == (0, True)
    assert rights.lacks(("CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN")) == ()


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


UNPRIVILEGED = """
import os, re, sys  # re is read by whom it concerns, who may not be able to read Python's files any more
from beespace.errors import NotPermitted
from beespace.syscall import bpf, mounts, perf
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
code = bytes.fromhex("b7000000010000009500000000000000")
for attempt in (
    lambda: bpf.prog_load(13, code, name="ops", expected_attach_type=3),
    lambda: bpf.prog_load(17, code, name="raw"),
    lambda: bpf.map_create(9, 4, 4, 1, name="lru"),
    lambda: list(bpf.ids(bpf.prog_get_next_id)),
    lambda: mounts.detached_mount("tracefs"),
    lambda: perf.open_tracepoint(1),
):
    try:
        attempt()
    except NotPermitted as error:
        print(error.exit_status, str(error).partition(chr(10))[0])
        assert "run it as root, or grant" in error.help
"""


def test_nobody_is_told_what_is_missing() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", UNPRIVILEGED],
        capture_output=True, text=True, check=False, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    disabled = process.sysctl("kernel.unprivileged_bpf_disabled")
    bracket = f" (kernel.unprivileged_bpf_disabled = {disabled})" if disabled else ""
    paranoid = process.sysctl("kernel.perf_event_paranoid")
    assert done.stdout.splitlines() == [
        f"3 not permitted to load program 'ops': this process (user 65534) lacks CAP_BPF and CAP_NET_ADMIN{bracket}: "
        "BPF_PROG_LOAD failed with EPERM",
        f"3 not permitted to load program 'raw': this process (user 65534) lacks CAP_BPF and CAP_PERFMON{bracket}: "
        "BPF_PROG_LOAD failed with EPERM",
        f"3 not permitted to create map 'lru': this process (user 65534) lacks CAP_BPF{bracket}: "
        "BPF_MAP_CREATE failed with EPERM",
        "3 not permitted to list the ids of programs: this process (user 65534) lacks CAP_SYS_ADMIN: "
        "BPF_PROG_GET_NEXT_ID failed with EPERM",
        "3 not permitted to reach the file system tracefs: this process (user 65534) lacks CAP_SYS_ADMIN: "
        "fsopen failed with EPERM",
        "3 not permitted to open a tracepoint: this process (user 65534) lacks CAP_PERFMON "
        f"(kernel.perf_event_paranoid = {paranoid}): perf_event_open failed with EACCES",
    ]
