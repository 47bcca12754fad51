"""Attaching to every kind of hook of the running kernel, and letting go."""

from __future__ import annotations

import errno
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pace import patience

from beespace.errors import KernelError, UsageError
from beespace.isa import LinkType
from beespace.kernel import IteratorLink, LoadedObject, load
from beespace.kernel.features.link_types import link_type
from beespace.kernel.links import cgroup as cgroup_links
from beespace.kernel.links import perf_link
from beespace.kernel.links.info import CgroupInfo
from beespace.kernel.links.tracepoint import event_id
from beespace.spec import ObjectSpec
from beespace.syscall import bpf

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[[str], ObjectSpec]
InKernel = Callable[[str], set[int]]
Gone = Callable[..., bool]

# `mine` is set to this process: the programs count what it does, and nothing of the rest of the machine.
HEAD = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
const volatile __u32 mine = 0;
volatile __u64 hits = 0;
static __attribute__((always_inline)) void hit(void)
{
    if (bpf_get_current_pid_tgid() >> 32 == mine)
        __sync_fetch_and_add(&hits, 1);
}
"""

SCHED = (
    HEAD
    + r"""
SEC("tracepoint/task/task_rename") int renamed(void *ctx) { hit(); return 0; }
SEC("raw_tp/task_rename") int raw_renamed(__u64 *ctx) { hit(); return 0; }
SEC("tp_btf/task_rename") int typed_renamed(__u64 *ctx) { hit(); return 0; }
"""
)


def hits(loaded: LoadedObject) -> int:
    value = loaded.variables["hits"].get()
    assert isinstance(value, int)
    return value


def rename() -> None:
    """Makes one task_rename event, in this process."""
    Path("/proc/self/comm").write_text(Path("/proc/self/comm").read_text().strip())


@pytest.mark.parametrize("name", ["renamed", "raw_renamed", "typed_renamed"])
def test_tracepoints_of_all_three_kinds(compile_c: Compile, name: str, gone: Gone) -> None:
    with load(compile_c(SCHED), variables={"mine": os.getpid()}, programs=[name]) as loaded:
        rename()
        assert hits(loaded) == 0
        (link,) = loaded.attach(name)
        for _ in range(3):
            rename()
        assert hits(loaded) == 3
        info = link.info
        if info is None:  # a tracepoint through perf, before there were links of that kind (Linux 5.15)
            assert name == "renamed" and not link_type(LinkType.PERF_EVENT).available
        else:
            assert info.prog_id == loaded.programs[name].info().id
        assert loaded.links == (link,)
        link.detach()
        link.detach()
        assert link.closed and link.info is None and loaded.links == ()
        rename()
        assert hits(loaded) == 3
    assert gone(name)


def test_attaching_all_at_once(compile_c: Compile) -> None:
    with load(compile_c(SCHED), variables={"mine": os.getpid()}) as loaded:
        assert len(loaded.attach()) == 3
        rename()
        assert hits(loaded) == 3
        loaded.detach()
        rename()
        assert hits(loaded) == 3
        loaded.attach("renamed")
        rename()
        assert hits(loaded) == 4


def test_a_link_of_its_own_outlives_the_object(compile_c: Compile, in_kernel: InKernel, gone: Gone) -> None:
    with load(compile_c(SCHED), variables={"mine": os.getpid()}, programs=["raw_renamed"]) as loaded:
        link = loaded.programs["raw_renamed"].attach()
    with link:
        assert len(in_kernel("raw_renamed")) == 1
    assert gone("raw_renamed")


def test_before_perf_links(compile_c: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that knows no perf links (before 5.15) says EINVAL; the perf event holds the program then."""

    monkeypatch.setattr(perf_link.bpf, "link_create", unknown_to_this_kernel)
    with load(compile_c(SCHED), variables={"mine": os.getpid()}, programs=["renamed"]) as loaded:
        (link,) = loaded.attach()
        assert link.info is None
        rename()
        assert hits(loaded) == 1
        link.detach()
        rename()
        assert hits(loaded) == 1


def unknown_to_this_kernel(*_: object, **__: object) -> None:
    raise KernelError("cannot attach", call="BPF_LINK_CREATE", errno=errno.EINVAL)


def test_tracepoints_that_do_not_exist() -> None:
    assert event_id("sched/sched_switch") > 0
    with pytest.raises(UsageError, match=r"no tracepoint 'sched:sched_swich'\n.*sched_switch"):
        event_id("sched/sched_swich")
    with pytest.raises(UsageError, match=r"no tracepoint 'shced:x'\n.*did you mean .*sched"):
        event_id("shced/x")
    for text in ("sched", "sched/", "/x", "a/b/c", "../x", "sched/.."):
        with pytest.raises(UsageError, match="is no tracepoint"):
            event_id(text)


def test_either_all_or_none(compile_c: Compile) -> None:
    source = SCHED + 'SEC("tracepoint/sched/nosuch") int nosuch(void *ctx) { return 0; }\n'
    with load(compile_c(source), variables={"mine": os.getpid()}) as loaded:
        with pytest.raises(UsageError, match=r"no tracepoint 'sched:nosuch'"):
            loaded.attach()
        assert loaded.links == ()
        rename()
        assert hits(loaded) == 0


def test_keywords_are_checked(compile_c: Compile) -> None:
    with load(compile_c(SCHED), programs=["renamed"]) as loaded:
        with pytest.raises(UsageError, match="no hook can be told 'cgruop'"):
            loaded.attach(cgruop="/x")
        with pytest.raises(UsageError, match="has no use for 'cgroup'"):
            loaded.programs["renamed"].attach(cgroup="/x")
        with pytest.raises(UsageError, match="has no program 'other' loaded"):
            loaded.attach("other")
        loaded.attach(cgroup="/x")  # no program here has a use for it


# -- cgroups ---------------------------------------------------------------------------------------------------

CGROUP = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
volatile __u64 sent = 0, received = 0, made = 0, connected = 0, bytes = 0;

SEC("cgroup_skb/egress") int egress(struct __sk_buff *skb)
{
    __sync_fetch_and_add(&sent, 1);
    __sync_fetch_and_add(&bytes, skb->len);
    return 1;
}
SEC("cgroup_skb/ingress") int ingress(struct __sk_buff *skb) { __sync_fetch_and_add(&received, 1); return 1; }
SEC("cgroup/sock_create") int create(struct bpf_sock *sk) { __sync_fetch_and_add(&made, 1); return 1; }
SEC("cgroup/connect4") int connect4(struct bpf_sock_addr *ctx) { __sync_fetch_and_add(&connected, 1); return 1; }
SEC("sockops") int ops(struct bpf_sock_ops *ctx) { return 1; }
"""

# Runs in the cgroup: two datagrams of 100 bytes to itself over loopback, one of them from a connected socket.
TRAFFIC = """
import socket, sys
open(sys.argv[1] + "/cgroup.procs", "w").write("0")
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 0))
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.sendto(bytes(100), server.getsockname())
client.connect(server.getsockname())
client.send(bytes(100))
for _ in range(2):
    assert server.recv(1000) == bytes(100)
"""


def traffic(cgroup: Path) -> None:
    # The path goes through a descriptor of this process.
    path = str(cgroup).replace("/proc/self/", f"/proc/{os.getpid()}/")
    subprocess.run([sys.executable, "-c", TRAFFIC, path], check=True, timeout=patience(30))


def values(loaded: LoadedObject) -> dict[str, int | bytes]:
    return {name: variable.get() for name, variable in loaded.variables.items()}


EXPECTED = {"sent": 2, "received": 2, "made": 2, "connected": 1, "bytes": 2 * (20 + 8 + 100)}


def test_a_cgroup_of_our_own(compile_c: Compile, cgroup: Path) -> None:
    with load(compile_c(CGROUP)) as loaded:
        links = loaded.attach(cgroup=cgroup)
        traffic(cgroup)
        assert values(loaded) == EXPECTED
        for link in links:
            info = link.info
            assert isinstance(info, CgroupInfo) and info.cgroup_id == cgroup.stat().st_ino
        loaded.detach()
        traffic(cgroup)
        assert values(loaded) == EXPECTED


def test_before_cgroup_links(compile_c: Compile, cgroup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that knows no cgroup links (before 5.7) says EINVAL; the program is attached beside others then."""

    monkeypatch.setattr(cgroup_links.bpf, "link_create", unknown_to_this_kernel)
    with load(compile_c(CGROUP)) as loaded:
        links = loaded.attach(cgroup=cgroup)
        assert [link.info for link in links] == [None] * 5
        traffic(cgroup)
        assert values(loaded) == EXPECTED
        with cgroup_links.open_cgroup(cgroup) as fd:
            assert len(bpf.prog_query(1, target_fd=fd).prog_ids) == 1
            loaded.detach()
            assert bpf.prog_query(1, target_fd=fd).prog_ids == ()
        traffic(cgroup)
        assert values(loaded) == EXPECTED


def test_the_root_is_taken_if_none_is_given(compile_c: Compile) -> None:
    with load(compile_c(CGROUP), programs=["ingress"]) as loaded:
        (link,) = loaded.attach()
        info = link.info
        assert info is not None
        with cgroup_links.open_cgroup(None) as root:
            assert isinstance(info, CgroupInfo) and info.cgroup_id == os.fstat(root.fileno()).st_ino


def test_what_is_no_cgroup(compile_c: Compile, tmp_path: Path) -> None:
    missing = pytest.raises(UsageError, match="nosuch is no cgroup: No such file or directory")
    with load(compile_c(CGROUP), programs=["ingress"]) as loaded, missing:
        loaded.attach(cgroup=tmp_path / "nosuch")


# -- iterators -------------------------------------------------------------------------------------------------

ITERATOR = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
#define __relocated __attribute__((preserve_access_index))
struct seq_file;
struct task_struct { int pid; int tgid; } __relocated;
struct bpf_iter_meta { struct seq_file *seq; } __relocated;
struct bpf_iter__task { struct bpf_iter_meta *meta; struct task_struct *task; } __relocated;

SEC("iter/task") int tasks(struct bpf_iter__task *ctx)
{
    struct task_struct *task = ctx->task;
    if (!task)
        return 0;
    __u32 record[2] = { task->tgid, task->pid };
    bpf_seq_write(ctx->meta->seq, record, sizeof(record));
    return 0;
}
"""


@pytest.fixture
def tasks(compile_c: Compile) -> Iterator[LoadedObject]:
    with load(compile_c(ITERATOR)) as loaded:
        yield loaded


def test_all_tasks(tasks: LoadedObject) -> None:
    (link,) = tasks.attach("tasks")
    assert isinstance(link, IteratorLink)
    for _ in range(2):
        assert (os.getpid(), os.getpid()) in set(struct.iter_unpack("=2I", link.read()))
    with subprocess.Popen(["sleep", "30"]) as child:
        try:
            assert (child.pid, child.pid) in set(struct.iter_unpack("=2I", link.read()))
        finally:
            child.kill()
    assert (child.pid, child.pid) not in set(struct.iter_unpack("=2I", link.read()))


def test_the_tasks_of_one_process(tasks: LoadedObject) -> None:
    (link,) = tasks.attach("tasks", pid=os.getpid())
    assert isinstance(link, IteratorLink)
    found = list(struct.iter_unpack("=2I", link.read()))
    assert {process for process, _ in found} == {os.getpid()}
    assert len(found) == len(list(Path("/proc/self/task").iterdir()))


# -- nothing stays ---------------------------------------------------------------------------------------------

VICTIM = """
import sys, time
from pathlib import Path
from beespace.elf import read
from beespace.kernel import load
loaded = load(read(Path(sys.argv[1]).read_bytes(), "victim"))
loaded.attach(cgroup=sys.argv[2])
print("attached", flush=True)
time.sleep(60)
"""


def test_a_killed_process_leaves_nothing(
    object_file: Callable[[str], Path], cgroup: Path, in_kernel: InKernel, gone: Gone
) -> None:
    file = object_file(SCHED + CGROUP.partition('"GPL";')[2])
    path = str(cgroup).replace("/proc/self/", f"/proc/{os.getpid()}/")
    with subprocess.Popen([sys.executable, "-c", VICTIM, str(file), path], stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "attached\n"
        for name in ("renamed", "raw_renamed", "egress", "ops"):
            assert len(in_kernel(name)) == 1
        victim.send_signal(signal.SIGKILL)
    assert gone("renamed", "raw_renamed", "typed_renamed", "victim.bss")
    assert gone("egress", "ingress", "create", "connect4", "ops")
    with cgroup_links.open_cgroup(cgroup) as fd:
        assert bpf.prog_query(1, target_fd=fd).prog_ids == ()
