"""An object is loaded, attached and read by a user with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from beespace.syscall import mounts

NOBODY = 65534

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.usefixtures("no_leaks"),
    pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is not installed (util-linux)"),
]

SOURCE = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
char LICENSE[] SEC("license") = "GPL";

struct task_struct { int pid; } __attribute__((preserve_access_index));
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 64);
    __type(key, __u32);
    __type(value, __u64);
} seen SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} ring SEC(".maps");
const volatile __u32 wanted = 0;

SEC("tp_btf/sched_process_exec")
int on_exec(__u64 *ctx)
{
    struct task_struct *task = (void *)ctx[0];
    __u32 pid = BPF_CORE_READ(task, pid), key = 1;
    __u64 one = 1;
    bpf_map_update_elem(&seen, &key, &one, BPF_ANY);
    bpf_ringbuf_output(&ring, &pid, 4, 0);
    return 0;
}

SEC("raw_tp/sched_process_exec")
int on_raw(void *ctx)
{
    __u32 key = 2;
    __u64 one = wanted;
    bpf_map_update_elem(&seen, &key, &one, BPF_ANY);
    return 0;
}

SEC("cgroup_skb/egress")
int on_packet(struct __sk_buff *skb) { return 1; }

SEC("cgroup/connect4")
int on_connect(void *ctx) { return 1; }

SEC("?xdp")
int on_frame(struct xdp_md *ctx) { return XDP_PASS; }

SEC("?tracepoint/sched/sched_process_exec")
int on_point(void *ctx)
{
    __u32 key = 3;
    __u64 one = 1;
    bpf_map_update_elem(&seen, &key, &one, BPF_ANY);
    return 0;
}
"""

SCRIPT = """
import json, os, subprocess, sys
from beespace.elf import read
from beespace.errors import BeespaceError
from beespace.kernel import load
programs, cgroup = json.loads(sys.argv[1]), sys.argv[2]
spec = read(sys.stdin.buffer.read(), "least")
try:
    with load(spec, programs=programs, variables={"wanted": 7}) as loaded:
        for name in programs:
            told = {"cgroup": int(cgroup)} if name in ("on_packet", "on_connect") else {}
            loaded.attach(name, **({"interface": "lo"} if name == "on_frame" else told))
        subprocess.run(["/bin/true"], check=True)
        seen = getattr(loaded.maps["seen"], "raw", loaded.maps["seen"])
        values = {int.from_bytes(k, "little"): int.from_bytes(v, "little") for k, v in
                  ((k, seen.get(k)) for k in (n.to_bytes(4, "little") for n in (1, 2, 3))) if v is not None}
        print(json.dumps({"links": len(loaded.links), "seen": values, "uid": os.geteuid()}))
except BeespaceError as error:
    print(json.dumps({"error": str(error), "type": type(error).__name__}))
"""


@pytest.fixture
def built(object_file: Callable[[str], Path]) -> bytes:
    return object_file(SOURCE).read_bytes()


@pytest.fixture
def cgroup_fd(cgroup: Path) -> Iterator[int]:
    fd = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


def run(built: bytes, programs: list[str], cgroup: int, owned: str, *before: str) -> dict[str, object]:
    """What the script says when nobody runs it with these capabilities (``+bpf,...``)."""
    command = [
        *before, "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
        f"--bounding-set=-all,{owned}", f"--inh-caps=-all,{owned}", f"--ambient-caps=-all,{owned}",
        sys.executable, "-W", "error", "-c", SCRIPT, json.dumps(programs), str(cgroup),
    ]  # fmt: skip
    path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, input=built, capture_output=True, check=False, env=os.environ | path, pass_fds=(cgroup,)
    )
    assert done.returncode == 0, done.stderr.decode()
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


ALL_THREE = "+bpf,+perfmon,+net_admin"


def test_three_capabilities_are_enough(built: bytes, cgroup_fd: int) -> None:
    programs = ["on_exec", "on_raw", "on_packet", "on_connect"]
    answer = run(built, programs, cgroup_fd, ALL_THREE)
    assert answer == {"links": 4, "seen": {"1": 1, "2": 7}, "uid": NOBODY}


def test_tracing_takes_two(built: bytes, cgroup_fd: int) -> None:
    assert run(built, ["on_exec", "on_raw"], cgroup_fd, "+bpf,+perfmon")["links"] == 2


def test_an_interface_of_a_namespace(built: bytes, cgroup_fd: int) -> None:
    answer = run(built, ["on_frame"], cgroup_fd, ALL_THREE, "unshare", "--net")
    assert answer == {"links": 1, "seen": {}, "uid": NOBODY}


def test_a_tracepoint_if_tracefs_may_be_read(built: bytes, cgroup_fd: int) -> None:
    visible = mounts.visible_mounts("tracefs")
    answer = run(built, ["on_point"], cgroup_fd, "+bpf,+perfmon,+dac_read_search")
    if not visible:
        assert answer["type"] == "NotPermitted" and "tracefs" in str(answer["error"]), answer
        pytest.skip("tracefs is mounted nowhere, and mounting it takes CAP_SYS_ADMIN")
    if "kernel.perf_event_paranoid" in str(answer.get("error")):  # Debian's level 3 takes root
        assert answer["type"] == "NotPermitted" and "lacks CAP_SYS_ADMIN" in str(answer["error"]), answer
        pytest.skip("perf_event_open takes CAP_SYS_ADMIN here (kernel.perf_event_paranoid)")
    assert answer == {"links": 1, "seen": {"3": 1}, "uid": NOBODY}


@pytest.mark.parametrize(
    ("owned", "program", "lacking"),
    [
        ("+perfmon,+net_admin", "on_exec", "CAP_BPF"),
        ("+bpf,+net_admin", "on_exec", "CAP_PERFMON"),
        ("+bpf,+net_admin", "on_raw", "CAP_PERFMON"),
        ("+bpf,+perfmon", "on_packet", "CAP_NET_ADMIN"),
        ("+bpf,+perfmon", "on_connect", "CAP_NET_ADMIN"),
        ("+bpf,+perfmon", "on_frame", "CAP_NET_ADMIN"),
        ("+net_admin", "on_exec", "CAP_BPF"),
    ],
)
def test_one_less_is_named(built: bytes, cgroup_fd: int, owned: str, program: str, lacking: str) -> None:
    answer = run(built, [program], cgroup_fd, owned)
    assert answer["type"] == "NotPermitted", answer
    assert f"this process (user {NOBODY}) lacks {lacking}" in str(answer["error"])
    assert "help: run it as root, or grant " in str(answer["error"])


def test_the_setting_is_named(built: bytes, cgroup_fd: int) -> None:
    value = Path("/proc/sys/kernel/unprivileged_bpf_disabled").read_text().strip()
    said = str(run(built, ["on_exec"], cgroup_fd, "+net_admin")["error"])
    if value == "0":
        pytest.skip("kernel.unprivileged_bpf_disabled is 0 here")
    assert f"(kernel.unprivileged_bpf_disabled = {value})" in said
