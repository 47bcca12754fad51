"""Probes in kernel functions: entry, return, instructions, system calls, many at once, by every way that there is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from counting import COUNTING, UNLINK, cookies, counting, hits, trace_events, unlink, unlink_function

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.hooks import resolve
from beespace.kernel import LoadedObject
from beespace.kernel.links import kprobe, perf_link
from beespace.kernel.links.composite import CompositeLink
from beespace.kernel.links.kernel_functions import matching
from beespace.kernel.links.many import has_multi
from beespace.spec import ObjectSpec
from beespace.syscall import mounts, perf

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks", "kprobes")]

Compile = Callable[[str], ObjectSpec]

HEAD = (
    r"""
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_tracing.h>
volatile __s64 result = 0;
"""
    + COUNTING
)


def source(section: str, more: str = "") -> str:
    return HEAD + f'SEC("{section}") int probe(struct pt_regs *ctx) {{ hit(ctx); {more} return 0; }}\n'


@pytest.fixture(scope="module")
def kprobes() -> None:
    """Skips where kprobes are not in the kernel."""
    try:
        kprobe.event_type("kprobe")
    except NotSupported as error:
        with mounts.tracefs() as tracefs:
            if "kprobe_events" not in mounts.list_at(tracefs):
                pytest.skip(error.message)


@pytest.fixture
def function() -> str:
    return unlink_function()


@pytest.fixture
def make(compile_c: Compile) -> Iterator[Callable[..., LoadedObject]]:
    with ExitStack() as opened:
        yield lambda text, **variables: opened.enter_context(counting(compile_c(text), **variables))


Make = Callable[..., LoadedObject]


def test_entry(make: Make, function: str) -> None:
    loaded = make(source(f"kprobe/{function}"))
    unlink(1)
    assert hits(loaded) == 0
    (link,) = loaded.attach()
    unlink(5)
    assert hits(loaded) == 5
    assert link.explain().startswith(f"probe is attached to kprobe/{function} by perf event")
    loaded.detach()
    unlink(1)
    assert hits(loaded) == 5


def test_return(make: Make, function: str) -> None:
    loaded = make(source("kretprobe", "if (bpf_get_current_pid_tgid() >> 32 == mine) result = PT_REGS_RC(ctx);"))
    loaded.attach(function=function)
    unlink(2)
    result = loaded.variables["result"].get()
    assert isinstance(result, int)
    assert hits(loaded) == 2
    assert (result + 2**31) % 2**32 - 2**31 == -2  # -ENOENT, an int


def test_what_the_kernel_says_of_it(make: Make, function: str) -> None:
    loaded = make(source(f"kprobe/{function}"))
    loaded.attach()
    number = loaded.programs["probe"].info().id
    text = subprocess.run(["bpftool", "perf", "show"], capture_output=True, text=True, check=True).stdout
    (line,) = [each for each in text.splitlines() if f"prog_id {number} " in each]
    assert f"kprobe  func {function}  offset 0" in line


def test_the_first_that_is_there(make: Make, function: str) -> None:
    loaded = make(source("kprobe"))
    (link,) = loaded.attach(functions=("no_such_function_1", *UNLINK))
    unlink(3)
    assert hits(loaded) == 3
    assert "not no_such_function_1, which this kernel does not have" in link.explain()


def test_an_instruction(make: Make, function: str) -> None:
    """The one after the function's first, wherever that ends; its middle is refused."""
    loaded = make(source("kprobe"))
    if os.uname().machine == "x86_64":
        with pytest.raises(UsageError, match=r"in the middle of an instruction|cannot be probed"):
            loaded.attach(function=f"{function}+1")
    for offset in (4, 5, 8):
        try:
            (link,) = loaded.attach(function=function, offset=offset)
        except UsageError:
            continue
        unlink(2)
        assert hits(loaded) == 2
        assert link.via == "perf event"
        return
    pytest.fail("no instruction after the first")


def test_cookie(make: Make, function: str) -> None:
    if not perf_link.has_cookies():
        loaded = make(source(f"kprobe/{function}"))
        with pytest.raises(NotSupported, match=r"a cookie .*needs Linux 5.15"):
            loaded.attach(cookie=5)
        assert loaded.links == ()
        return
    loaded = make(source(f"kprobe/{function}"), with_cookies=1)
    loaded.attach(cookie=0xFEED)
    unlink(2)
    assert cookies(loaded) == [0xFEED] * 2


def test_a_perf_event_for_one_process_would_not_be_one(make: Make, function: str) -> None:
    """Why there is no ``pid=`` for kprobes: the program runs for all processes all the same."""
    loaded = make(source(f"kprobe/{function}"))
    program = loaded.programs["probe"]
    with pytest.raises(UsageError, match="has no use for 'pid'"):
        program.attach(pid=os.getpid())
    type, _ = kprobe.event_type("kprobe")
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as other:
        fields: dict[str, int | bytes | bytearray | memoryview] = {"kprobe_func": function.encode() + b"\0"}
        event = perf.perf_event_open(type, 0, pid=other.pid, cpu=-1, fields=fields)
        with perf_link.attach_event(program, event):
            unlink(3)
            assert hits(loaded) == 3


# -- by tracefs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", ["kprobe", "kretprobe"])
def test_by_tracefs(make: Make, function: str, section: str) -> None:
    loaded = make(source(f"{section}/{function}"))
    (link,) = loaded.attach(via="tracefs")
    unlink(3)
    assert hits(loaded) == 3
    assert link.via == "tracefs" and len(trace_events("kprobe_events")) == 1
    assert "if this process is killed, the event in tracefs stays" in link.explain()
    loaded.detach()
    assert trace_events("kprobe_events") == []
    unlink(3)
    assert hits(loaded) == 3


def test_tracefs_is_next(make: Make, function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(kind: str) -> tuple[int, int]:
        raise NotSupported("kprobes as perf events", since="4.17")

    monkeypatch.setattr(kprobe, "event_type", without)
    loaded = make(source(f"kprobe/{function}"))
    (link,) = loaded.attach()
    unlink(2)
    assert hits(loaded) == 2
    assert "by tracefs; not by perf event: this kernel does not support kprobes as perf events" in link.explain()


def test_nothing_stays_in_tracefs_after_an_error(make: Make, function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **keywords: object) -> None:
        raise KernelError("no", call="BPF_LINK_CREATE", errno=1)

    loaded = make(source(f"kprobe/{function}"))
    monkeypatch.setattr(perf_link.bpf, "link_create", refuse)
    with pytest.raises(KernelError, match="no"):
        loaded.attach(via="tracefs")
    assert trace_events("kprobe_events") == []
    monkeypatch.undo()
    with pytest.raises(UsageError, match="no function 'no_such_function'"):
        loaded.attach(function="no_such_function", via="tracefs")
    assert trace_events("kprobe_events") == []


VICTIM = """
import sys, time
from pathlib import Path
from beespace.elf import read
from beespace.kernel import load
loaded = load(read(Path(sys.argv[1]).read_bytes(), "victim"))
loaded.attach(via="tracefs")
print("attached", flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_left_is_removed(
    make: Make, function: str, object_file: Callable[[str], Path]
) -> None:  # fmt: skip
    path = object_file(source(f"kprobe/{function}"))
    with subprocess.Popen([sys.executable, "-c", VICTIM, str(path)], stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "attached\n"
        victim.kill()
    with mounts.tracefs() as tracefs:
        assert f"_{victim.pid}_" in mounts.read_at(tracefs, "kprobe_events").decode()
        make(source(f"kprobe/{function}")).attach(via="tracefs")
        assert f"_{victim.pid}_" not in mounts.read_at(tracefs, "kprobe_events").decode()


# -- system calls ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", ["ksyscall/getpgid", "kretsyscall/getpgid"])
def test_a_system_call(make: Make, section: str) -> None:
    loaded = make(source(section))
    loaded.attach()
    for _ in range(7):
        os.getpgid(0)
    assert hits(loaded) == 7


def test_a_system_call_that_is_none(make: Make) -> None:
    loaded = make(source("ksyscall"))
    with pytest.raises(UsageError, match=r"is for no system call yet\n.*function='openat'"):
        loaded.attach()
    with pytest.raises(UsageError, match=r"has no system call 'getpgidd'\n.*did you mean .*getpgid"):
        loaded.attach(function="getpgidd")


# -- many ------------------------------------------------------------------------------------------------------

SYSTEM_CALLS = ("getpgid", "getsid", "getpriority")


def call_each(count: int) -> None:
    for _ in range(count):
        os.getpgid(0)
        os.getsid(0)
        os.getpriority(os.PRIO_PROCESS, 0)


def names() -> list[str]:
    prefix = {"x86_64": "__x64_sys_", "aarch64": "__arm64_sys_"}[os.uname().machine]
    return [prefix + name for name in SYSTEM_CALLS]


def multi() -> bool:
    return has_multi(resolve("kprobe.multi/x").hook)


@pytest.mark.parametrize("section", ["kprobe.multi", "kretprobe.multi"])
def test_many_by_name(make: Make, section: str) -> None:
    loaded = make(source(section))
    (link,) = loaded.attach(functions=names())
    call_each(3)
    assert hits(loaded) == 9
    if multi():
        assert link.via == "multi link"
    else:
        assert isinstance(link, CompositeLink) and len(link) == 3
        assert "by single probes; not by multi link: this kernel does not support links of" in link.explain()
    loaded.detach()
    call_each(1)
    assert hits(loaded) == 9


def test_many_by_glob(make: Make) -> None:
    loaded = make(source("kprobe.multi/*_sys_getp?id"))
    loaded.attach()
    expected = [each.name for each in matching("*_sys_getp?id")]
    assert any(name.endswith("_sys_getpgid") for name in expected)
    before = hits(loaded)
    for _ in range(4):
        os.getpgid(0)
    found = hits(loaded) - before
    assert found >= 4 and found % 4 == 0  # a wrapper and what it calls may both be like the glob


def test_functions_of_the_file_system(make: Make, tmp_path: Path) -> None:
    """``vfs_*`` has names that several functions bear, and some that cannot be probed singly."""
    loaded = make(source("kprobe.multi/vfs_*"))
    if not multi() and sum(1 for _ in matching("vfs_*")) > 300:
        pytest.skip("too many for single probes")
    loaded.attach()
    before = hits(loaded)
    (tmp_path / "x").mkdir()
    assert hits(loaded) > before


def test_a_cookie_for_each(make: Make) -> None:
    loaded = make(source("kprobe.multi"), with_cookies=int(perf_link.has_cookies()))
    loaded.attach(functions=names(), cookies=[30, 10, 20])
    os.getpriority(os.PRIO_PROCESS, 0)
    os.getpgid(0)
    os.getsid(0)
    assert cookies(loaded) == [20, 30, 10]


def test_session(make: Make) -> None:
    loaded = make(source("kprobe.session"))
    loaded.attach(functions=names())
    call_each(2)
    assert hits(loaded) == 12


def test_one_of_many_is_missing(make: Make) -> None:
    loaded = make(source("kprobe.multi"))
    with pytest.raises(UsageError, match="no function 'no_such_function'"):
        loaded.attach(functions=[*names(), "no_such_function"])
    with pytest.raises(UsageError, match=r"that can be traced is like 'no_such_\*'"):
        loaded.attach(functions="no_such_*")
    call_each(1)
    assert hits(loaded) == 0


# -- what cannot be --------------------------------------------------------------------------------------------


def test_no_such_function(make: Make) -> None:
    loaded = make(source("kprobe"))
    with pytest.raises(UsageError, match=r"is for no function yet\n.*function='vfs_read'"):
        loaded.attach()
    with pytest.raises(UsageError, match=r"no function 'vfs_unlinkk'\n.*did you mean .*vfs_unlink.*functions="):
        loaded.attach(function="vfs_unlinkk")
    with pytest.raises(UsageError, match=r"no function 'one_nosuch' \(nor two_nosuch\)"):
        loaded.attach(functions=("one_nosuch", "two_nosuch"))
    with pytest.raises(UsageError, match="'zero' is no offset"):
        loaded.attach(function="vfs_unlink+zero")
    assert loaded.links == ()


def test_a_function_that_may_not_be_probed(make: Make) -> None:
    loaded = make(source("kprobe"))
    with pytest.raises(NotSupported, match="function 'notify_die': it is there, but may not be probed"):
        loaded.attach(function="notify_die")


def test_returns_have_no_offset(make: Make, function: str) -> None:
    loaded = make(source("kretprobe"))
    with pytest.raises(UsageError, match="a function returns as a whole"):
        loaded.attach(function=f"{function}+8")
