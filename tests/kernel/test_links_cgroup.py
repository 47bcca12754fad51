"""Programs on cgroups: each kind of them, their order, who shares with whom, pins, and what is attached."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pace import patience

from beespace.errors import KernelError, NotPermitted, NotSupported, UsageError
from beespace.kernel import LoadedObject, load
from beespace.kernel.links import Link, all_links, all_maps, all_programs, open_pinned, query
from beespace.kernel.links.info import CgroupInfo
from beespace.spec import ObjectSpec
from beespace.syscall import mounts

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[..., ObjectSpec]

HEAD = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
volatile __u64 order = 0;
static __attribute__((always_inline)) int hit(int digit)
{
    order = order * 10 + digit;
    return 1;
}
"""
SOURCE = (
    HEAD
    + r"""
SEC("cgroup/sock_create") int a(struct bpf_sock *sk) { return hit(1); }
SEC("cgroup/sock_create") int b(struct bpf_sock *sk) { return hit(2); }
SEC("cgroup/sock_create") int c(struct bpf_sock *sk) { return hit(3); }
"""
)

# Runs in the cgroup, and does what argv[2] says.
INSIDE = """
import socket, sys
from socket import *
open(sys.argv[1] + "/cgroup.procs", "w").write("0")
exec(sys.argv[2])
"""


def run_in(cgroup: Path, what: str = "socket(AF_INET, SOCK_DGRAM).close()") -> str:
    path = str(cgroup).replace("/proc/self/", f"/proc/{os.getpid()}/")  # it goes through a descriptor of this process
    done = subprocess.run(
        [sys.executable, "-c", INSIDE, path, what], capture_output=True, text=True, check=False, timeout=patience(30)
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def ordered(loaded: LoadedObject, cgroup: Path) -> int:
    """The order in which the programs ran for one new socket, a digit each."""
    loaded.variables["order"].set(0)
    run_in(cgroup)
    return int(loaded.variables["order"].get())


def ids(loaded: LoadedObject, names: str) -> list[int]:
    return [loaded.programs[name].info().id for name in names]


@pytest.fixture
def loaded(compile_c: Compile) -> Iterator[LoadedObject]:
    with load(compile_c(SOURCE)) as opened:
        yield opened


@pytest.fixture
def below(cgroup: Path) -> Iterator[Path]:
    """A cgroup below the one of the test."""
    path = cgroup / "below"
    path.mkdir()
    yield path
    path.rmdir()


@pytest.fixture
def bpffs() -> Iterator[Path]:
    """A bpf file system that no mount table shows."""
    with mounts.detached_mount("bpf") as root:
        yield Path(f"/proc/self/fd/{root.fileno()}")


# -- each kind -------------------------------------------------------------------------------------------------

ADDRESS = "struct bpf_sock_addr *ctx"
# section -> the type of its context, and what makes it run once in the cgroup
KINDS = {
    "cgroup_skb/ingress": ("struct __sk_buff *skb", "UDP.sendto(b'x', UDP.getsockname()); UDP.recv(1)"),
    "cgroup_skb/egress": ("struct __sk_buff *skb", "UDP.sendto(b'x', UDP.getsockname()); UDP.recv(1)"),
    "cgroup/sock_create": ("struct bpf_sock *sk", "socket(AF_INET, SOCK_DGRAM).close()"),
    "cgroup/sock_release": ("struct bpf_sock *sk", "UDP.close()"),
    "cgroup/post_bind4": ("struct bpf_sock *sk", "socket(AF_INET, SOCK_DGRAM).bind(('127.0.0.1', 0))"),
    "cgroup/post_bind6": ("struct bpf_sock *sk", "socket(AF_INET6, SOCK_DGRAM).bind(('::1', 0))"),
    "cgroup/bind4": (ADDRESS, "socket(AF_INET, SOCK_DGRAM).bind(('127.0.0.1', 0))"),
    "cgroup/bind6": (ADDRESS, "socket(AF_INET6, SOCK_DGRAM).bind(('::1', 0))"),
    "cgroup/connect4": (ADDRESS, "UDP.connect(('127.0.0.1', 9))"),
    "cgroup/connect6": (ADDRESS, "socket(AF_INET6, SOCK_DGRAM).connect(('::1', 9))"),
    "cgroup/connect_unix": (ADDRESS, "UNIX.connect(UNIX.getsockname())"),
    "cgroup/sendmsg4": (ADDRESS, "UDP.sendto(b'x', UDP.getsockname())"),
    "cgroup/sendmsg6": (ADDRESS, "socket(AF_INET6, SOCK_DGRAM).sendto(b'x', ('::1', 9))"),
    "cgroup/sendmsg_unix": (ADDRESS, "UNIX.sendto(b'x', UNIX.getsockname())"),
    "cgroup/recvmsg4": (ADDRESS, "UDP.sendto(b'x', UDP.getsockname()); UDP.recvfrom(1)"),
    "cgroup/recvmsg6": (
        ADDRESS,
        "s = socket(AF_INET6, SOCK_DGRAM); s.bind(('::1', 0)); s.sendto(b'x', s.getsockname()); s.recvfrom(1)",
    ),
    "cgroup/recvmsg_unix": (ADDRESS, "UNIX.sendto(b'x', UNIX.getsockname()); UNIX.recvfrom(1)"),
    "cgroup/getpeername4": (ADDRESS, "UDP.connect(('127.0.0.1', 9)); UDP.getpeername()"),
    "cgroup/getpeername6": (ADDRESS, "s = socket(AF_INET6, SOCK_DGRAM); s.connect(('::1', 9)); s.getpeername()"),
    "cgroup/getpeername_unix": (ADDRESS, "UNIX.connect(UNIX.getsockname()); UNIX.getpeername()"),
    "cgroup/getsockname4": (ADDRESS, "UDP.getsockname()"),
    "cgroup/getsockname6": (ADDRESS, "socket(AF_INET6, SOCK_DGRAM).getsockname()"),
    "cgroup/getsockname_unix": (ADDRESS, "UNIX.getsockname()"),
    "cgroup/getsockopt": ("struct bpf_sockopt *ctx", "UDP.getsockopt(SOL_SOCKET, SO_SNDBUF)"),
    "cgroup/setsockopt": ("struct bpf_sockopt *ctx", "UDP.setsockopt(SOL_SOCKET, SO_SNDBUF, 4096)"),
    "cgroup/sysctl": ("struct bpf_sysctl *ctx", "open('/proc/sys/net/core/somaxconn').read()"),
    "cgroup/dev": ("struct bpf_cgroup_dev_ctx *ctx", "open('/dev/null').close()"),
    "sockops": (
        "struct bpf_sock_ops *ctx",
        "s = socket(AF_INET, SOCK_STREAM); s.bind(('127.0.0.1', 0)); s.listen(); create_connection(s.getsockname())",
    ),
}
# Python asks for the name of a socket by itself, and reads a file to its end.
OFTEN = {"sockops", "cgroup/sysctl", *(f"cgroup/getsockname{family}" for family in ("4", "6", "_unix"))}
PREPARE = r"""
UDP = socket(AF_INET, SOCK_DGRAM); UDP.bind(("127.0.0.1", 0))
UNIX = socket(AF_UNIX, SOCK_DGRAM); UNIX.bind("\0beespace-%d" % __import__("os").getpid())
print("ready", flush=True); sys.stdin.readline()
"""


def known(spec: ObjectSpec, section: str) -> LoadedObject:
    """The object loaded; a kernel that does not know programs for Unix sockets is older than those."""
    try:
        return load(spec)
    except KernelError as error:
        if not section.endswith("_unix"):
            raise
        raise NotSupported(section, since="6.7", call=error.call, errno=error.errno) from error


@pytest.mark.parametrize("section", KINDS)
def test_each_kind_runs_for_the_processes_of_the_cgroup(compile_c: Compile, cgroup: Path, section: str) -> None:
    context, what = KINDS[section]
    source = HEAD.replace("order", "hits").partition("static")[0] + (
        f'SEC("{section}") int counter({context}) {{ __sync_fetch_and_add(&hits, 1); return 1; }}\n'
    )
    if "6" in section and not Path("/proc/net/if_inet6").exists():
        pytest.skip("there is no IPv6 here")
    path = str(cgroup).replace("/proc/self/", f"/proc/{os.getpid()}/")
    with (
        known(compile_c(source), section) as loaded,
        subprocess.Popen(
            [sys.executable, "-c", INSIDE, path, PREPARE + what + "\nprint('done', flush=True)\nsys.stdin.readline()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as process,
    ):  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (link,) = loaded.attach("counter", cgroup=cgroup)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        hits = int(loaded.variables["hits"].get())
        assert hits >= 1 if section in OFTEN else hits == 1
        assert query(section, cgroup=cgroup).programs[0].prog_id == loaded.programs["counter"].info().id
        assert link.via in ("cgroup link", "prog_attach")
        link.detach()
        assert query(section, cgroup=cgroup).programs == ()
        process.stdin.write("\n")
        process.stdin.close()


def test_packets_in_the_direction_that_is_said(compile_c: Compile, cgroup: Path) -> None:
    source = HEAD + 'SEC("cgroup/skb") int packet(struct __sk_buff *skb) { return hit(1); }\n'
    send = "s = socket(AF_INET, SOCK_DGRAM); s.bind(('127.0.0.1', 0)); s.sendto(b'x', s.getsockname()); s.recv(1)"
    with load(compile_c(source)) as loaded:
        program = loaded.programs["packet"]
        with pytest.raises(UsageError, match="its direction is not said"):
            program.attach(cgroup=cgroup)
        with program.attach(cgroup=cgroup, direction="egress"):
            told = query("cgroup/skb", cgroup=cgroup, direction="egress")
            assert [each.prog_id for each in told.programs] == [program.info().id]
            assert query("cgroup_skb/ingress", cgroup=cgroup).programs == ()
            run_in(cgroup, send)
        assert int(loaded.variables["order"].get()) == 1


LSM = HEAD + 'SEC("lsm_cgroup/socket_bind") int bound(__u64 *ctx) { return hit(1); }\n'


def test_security_hooks_of_a_cgroup(compile_c: Compile, cgroup: Path) -> None:
    try:
        loaded = load(compile_c(LSM))
    except KernelError as error:
        pytest.skip(f"LSM programs are not for this kernel: {error.message}")
    with loaded:
        try:
            (link,) = loaded.attach("bound", cgroup=cgroup)
        except KernelError as error:
            if error.errno != 524:  # ENOTSUPP: no trampolines on this machine
                raise
            pytest.skip(f"this kernel cannot attach to security hooks: {error.message}")
        assert link.via == "cgroup link"
        run_in(cgroup, "socket(AF_INET, SOCK_DGRAM).bind(('127.0.0.1', 0))")
        assert int(loaded.variables["order"].get()) == 1


# -- order, sharing --------------------------------------------------------------------------------------------


def test_places_among_others(loaded: LoadedObject, cgroup: Path) -> None:
    (a,) = loaded.attach("a", cgroup=cgroup)
    try:
        (b,) = loaded.attach("b", cgroup=cgroup, before=a)
    except NotSupported as error:
        assert error.since == "6.17"
        loaded.attach("b", cgroup=cgroup)
        assert ordered(loaded, cgroup) == 12
        raise
    assert ordered(loaded, cgroup) == 21
    with pytest.raises(UsageError, match=r"the neighbour of program 'c' is not in the list(?s:.*)give the link"):
        loaded.attach("c", cgroup=cgroup, after=loaded.programs["b"])
    loaded.attach("c", cgroup=cgroup, after=b)
    assert ordered(loaded, cgroup) == 231
    told = query("cgroup/sock_create", cgroup=cgroup)
    assert [each.prog_id for each in told.programs] == ids(loaded, "bca")
    b.detach()
    with pytest.raises(KernelError, match="has changed meanwhile") as stale:
        loaded.attach("b", cgroup=cgroup, revision=told.revision)
    assert stale.value.errno == errno.ESTALE
    loaded.attach("b", cgroup=cgroup, before=True, revision=query("cgroup/sock_create", cgroup=cgroup).revision)
    assert ordered(loaded, cgroup) == 231


@pytest.mark.parametrize("via", ["cgroup link", "prog_attach"])
def test_cgroups_below_run_first_unless_it_is_said(loaded: LoadedObject, cgroup: Path, below: Path, via: str) -> None:
    loaded.attach("a", cgroup=cgroup, via=via)
    loaded.attach("b", cgroup=below, via=via)
    assert ordered(loaded, below) == 21
    assert ordered(loaded, cgroup) == 1
    told = query("cgroup/sock_create", cgroup=below, effective=True)
    assert [each.prog_id for each in told.programs] == ids(loaded, "ba")
    assert [each.prog_id for each in query("cgroup/sock_create", cgroup=below).programs] == ids(loaded, "b")
    loaded.attach("c", cgroup=cgroup, via=via, preorder=True)
    assert ordered(loaded, below) == 321


def test_sharing(loaded: LoadedObject, cgroup: Path, below: Path) -> None:
    (above,) = loaded.attach("a", cgroup=cgroup, sharing="override")
    assert above.via == "prog_attach" and above.info is None
    loaded.attach("b", cgroup=below)
    assert (ordered(loaded, cgroup), ordered(loaded, below)) == (1, 2)
    above.update(loaded.programs["c"])
    assert (ordered(loaded, cgroup), ordered(loaded, below)) == (3, 2)
    loaded.detach()
    loaded.attach("a", cgroup=cgroup, sharing="none")
    with pytest.raises(NotPermitted, match="a program there does not let others in"):
        loaded.attach("b", cgroup=below)
    with pytest.raises(UsageError, match="its sharing is 'all'"):
        loaded.attach("b", cgroup=below, sharing="all")


def test_taking_a_place(loaded: LoadedObject, cgroup: Path) -> None:
    (a,) = loaded.attach("a", cgroup=cgroup, via="prog_attach")
    loaded.attach("b", cgroup=cgroup, via="prog_attach")
    (c,) = loaded.attach("c", cgroup=cgroup, replace=loaded.programs["a"])
    assert ordered(loaded, cgroup) == 32
    a.detach()  # its place is another's
    assert ordered(loaded, cgroup) == 32
    with pytest.raises(UsageError, match="cannot be attached by 'cgroup link'"):
        loaded.attach("a", cgroup=cgroup, replace=loaded.programs["b"], via="cgroup link")
    assert "if this process is killed, it stays until the cgroup is removed" in c.explain()


# -- update, pins, by force ------------------------------------------------------------------------------------


@pytest.mark.parametrize("via", ["cgroup link", "prog_attach"])
def test_update(loaded: LoadedObject, cgroup: Path, via: str) -> None:
    (a,) = loaded.attach("a", cgroup=cgroup, via=via)
    loaded.attach("c", cgroup=cgroup, via=via)
    a.update(loaded.programs["b"])
    assert ordered(loaded, cgroup) == 23
    a.detach()
    assert ordered(loaded, cgroup) == 3


def test_update_to_a_program_of_another_kind(loaded: LoadedObject, compile_c: Compile, cgroup: Path) -> None:
    (a,) = loaded.attach("a", cgroup=cgroup, via="cgroup link")
    with (
        load(compile_c(HEAD + 'SEC("socket") int other(void *ctx) { return hit(0); }\n')) as other,
        pytest.raises(KernelError, match="or the new one is of another type"),
    ):
        a.update(other.programs["other"])
    assert a.program == "a" and ordered(loaded, cgroup) == 1


def test_a_pin_outlives_the_object(compile_c: Compile, cgroup: Path, bpffs: Path) -> None:
    with load(compile_c(SOURCE)) as loaded:
        (link,) = loaded.attach("a", cgroup=cgroup, via="cgroup link")
        link.pin(bpffs / "kept")
        assert link.pins == (bpffs / "kept",)
        with pytest.raises(KernelError, match="something is pinned there already"):
            link.pin(bpffs / "kept")
        with pytest.raises(KernelError, match="its directory is not there"):
            link.pin(bpffs / "nosuch" / "kept")
        program = loaded.programs["a"].info().id
    assert [each.prog_id for each in query("cgroup/sock_create", cgroup=cgroup).programs] == [program]
    with open_pinned(bpffs / "kept") as again:
        assert (again.program, again.section) == ("a", "cgroup/sock_create")
        info = again.info
        assert isinstance(info, CgroupInfo) and info.cgroup_id == cgroup.stat().st_ino
        assert "by pin" not in again.explain() and str(bpffs / "kept") in again.explain()
    assert len(query("cgroup/sock_create", cgroup=cgroup).programs) == 1
    with open_pinned(bpffs / "kept") as again:
        again.unpin()
        assert not (bpffs / "kept").exists()
        assert len(query("cgroup/sock_create", cgroup=cgroup).programs) == 1
    deadline = time.monotonic() + patience(20)
    while query("cgroup/sock_create", cgroup=cgroup).programs:  # a removed name lets go a grace period later
        assert time.monotonic() < deadline
        time.sleep(0.05)


PINS = """
import sys
from pathlib import Path
from beespace.elf import read
from beespace.kernel import load
with load(read(Path(sys.argv[1]).read_bytes(), "pins"), programs=["a"]) as loaded:
    (link,) = loaded.attach("a", cgroup=sys.argv[2], via="cgroup link")
    link.pin(sys.argv[3])
"""


def test_a_pin_outlives_the_process(
    object_file: Callable[[str], Path], loaded: LoadedObject, cgroup: Path, bpffs: Path
) -> None:
    mine, theirs = "/proc/self/", f"/proc/{os.getpid()}/"
    paths = [str(path).replace(mine, theirs) for path in (cgroup, bpffs / "kept")]
    subprocess.run([sys.executable, "-c", PINS, object_file(SOURCE), *paths], check=True, timeout=patience(60))
    (there,) = query("cgroup/sock_create", cgroup=cgroup).programs
    with open_pinned(bpffs / "kept") as link:
        info = link.info
        assert info is not None and info.prog_id == there.prog_id
        link.update(loaded.programs["b"])
    assert ordered(loaded, cgroup) == 2
    with open_pinned(bpffs / "kept") as link:
        link.detach()
    assert query("cgroup/sock_create", cgroup=cgroup).programs == ()
    assert not (bpffs / "kept").exists()


def test_detaching_by_force(loaded: LoadedObject, cgroup: Path, bpffs: Path) -> None:
    (link,) = loaded.attach("a", cgroup=cgroup, via="cgroup link")
    link.pin(bpffs / "first")
    link.pin(bpffs / "second")
    with open_pinned(bpffs / "second") as other:
        link.detach()
        assert query("cgroup/sock_create", cgroup=cgroup).programs == ()
        assert not any((bpffs / name).exists() for name in ("first", "second"))
        info = other.info
        assert isinstance(info, CgroupInfo) and info.cgroup_id == 0
    assert ordered(loaded, cgroup) == 0


def test_what_is_no_link(loaded: LoadedObject, cgroup: Path, bpffs: Path) -> None:
    (link,) = loaded.attach("a", cgroup=cgroup, via="prog_attach")
    with pytest.raises(NotSupported, match=r"a link of a to cgroup/sock_create.*prog_attach: it cannot be pinned"):
        link.pin(bpffs / "kept")
    link.detach()
    with pytest.raises(UsageError, match="not attached to cgroup/sock_create any more: it cannot be pinned"):
        link.pin(bpffs / "kept")
    with pytest.raises(KernelError, match="nothing is pinned there"):
        open_pinned(bpffs / "kept")
    loaded.maps[next(iter(loaded.maps))].pin(bpffs / "map")
    with pytest.raises(UsageError, match=r"is a pinned .*map.*, not a link"):
        open_pinned(bpffs / "map")


def test_the_cgroup_goes(loaded: LoadedObject, cgroup: Path) -> None:
    path = cgroup / "short"
    path.mkdir()
    links: list[Link] = []
    for via in ("cgroup link", "prog_attach"):
        links += loaded.attach("a" if via == "cgroup link" else "b", cgroup=path, via=via)
    path.rmdir()
    for link in links:
        link.detach()


# -- what there is ---------------------------------------------------------------------------------------------


def test_walking_everything(loaded: LoadedObject, cgroup: Path) -> None:
    (link,) = loaded.attach("a", cgroup=cgroup, via="cgroup link")
    info = link.info
    assert info is not None
    with all_links() as links:
        mine = [each.info for each in links if each.id == info.id]
    assert mine == [info]
    with all_programs() as programs:
        for program in programs:
            if program.id == info.prog_id:
                assert program.info.name == "a"
                kept = program.keep()
    with kept:
        assert os.fstat(kept.fileno())
    with all_maps() as maps:
        first = next(maps)
        assert first.info.id == first.id
    with pytest.raises(ValueError, match="closed"):
        first.fileno()


def test_bpftool_sees_the_same(loaded: LoadedObject, cgroup: Path) -> None:
    if shutil.which("bpftool") is None:
        pytest.skip("bpftool is not installed")
    loaded.attach("a", cgroup=cgroup)
    loaded.attach("b", cgroup=cgroup)
    path = str(cgroup).replace("/proc/self/", f"/proc/{os.getpid()}/")
    shown = subprocess.run(["bpftool", "-j", "cgroup", "show", path], capture_output=True, check=False)
    if shown.returncode:
        pytest.skip("this bpftool cannot ask this kernel about cgroups")
    told = json.loads(shown.stdout)
    assert [each["id"] for each in told] == ids(loaded, "ab")
    assert [each.prog_id for each in query("cgroup/sock_create", cgroup=cgroup).programs] == ids(loaded, "ab")


def test_what_cannot_be_asked(cgroup: Path, wire: Any) -> None:
    with pytest.raises(UsageError, match="cannot be asked by place"):
        query("kprobe/x")
    with pytest.raises(UsageError, match="effective= is for cgroups"):
        query("xdp", interface="lo", netns=wire.left.netns, effective=True)
    with pytest.raises(UsageError, match="which interface"):
        query("xdp")
    assert query("xdp", interface="lo", netns=wire.left.netns).programs == ()
