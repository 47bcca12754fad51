"""Tracepoints with cookies and by keyword, and performance events."""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from counting import COUNTING, cookies, counting, value

from beespace.errors import NotSupported, UsageError
from beespace.kernel import LoadedObject
from beespace.kernel.links import perf_link
from beespace.kernel.links.composite import CompositeLink
from beespace.kernel.links.perf_event import parse_event
from beespace.spec import ObjectSpec
from beespace.syscall import process

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[[str], ObjectSpec]
Make = Callable[..., LoadedObject]

HEAD = (
    r"""
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
volatile __u64 all = 0, period = 0;
"""
    + COUNTING
    + "#define hit(ctx) (__sync_fetch_and_add(&all, 1), hit(ctx))\n"
)
SAMPLE = (
    HEAD
    + """
SEC("perf_event") int probe(struct bpf_perf_event_data *ctx) { if (hit(ctx)) period = ctx->sample_period; return 0; }
"""
)


def source(section: str) -> str:
    return HEAD + f'SEC("{section}") int probe(void *ctx) {{ hit(ctx); return 0; }}\n'


@pytest.fixture
def make(compile_c: Compile) -> Iterator[Make]:
    with ExitStack() as opened:
        yield lambda text, **variables: opened.enter_context(counting(compile_c(text), **variables))


def rename(count: int = 1) -> None:
    for _ in range(count):
        Path("/proc/self/comm").write_text(Path("/proc/self/comm").read_text().strip())


# -- tracepoints -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "event"),
    [("tracepoint", "task:task_rename"), ("tp", "task/task_rename"), ("raw_tp", "task_rename")],
)
def test_the_tracepoint_is_said_when_it_is_attached(make: Make, section: str, event: str) -> None:
    loaded = make(source(section))
    with pytest.raises(UsageError, match=r"is for no tracepoint yet\n.*attach\(event="):
        loaded.attach()
    loaded.attach(event=event)
    rename(3)
    assert value(loaded) == 3


@pytest.mark.parametrize("section", ["tracepoint/task/task_rename", "raw_tp/task_rename", "tp_btf/task_rename"])
def test_cookies_of_tracepoints(make: Make, section: str) -> None:
    try:
        loaded = make(source(section), with_cookies=1)
    except NotSupported as error:
        assert "bpf_get_attach_cookie" in error.message
        pytest.skip(f"programs of {section} cannot read cookies on this kernel (Linux 6.10)")
    loaded.attach(cookie=0xABCD_0123_4567)
    rename(2)
    assert cookies(loaded) == [0xABCD_0123_4567] * 2


@pytest.mark.parametrize(
    "section", ["tracepoint.s/syscalls/sys_enter_getpgid", "raw_tp.s/sys_enter", "tp_btf.s/sys_enter"]
)
def test_tracepoints_that_may_sleep(make: Make, section: str) -> None:
    loaded = make(source(section))
    loaded.attach()
    before = value(loaded)
    os.getpgid(0)
    assert value(loaded) > before


def test_no_such_tracepoint(make: Make) -> None:
    loaded = make(source("raw_tp"))
    with pytest.raises(UsageError, match=r"no raw tracepoint 'task_renamed': did you mean .*task_rename"):
        loaded.attach(event="task_renamed")
    loaded = make(source("tp"))
    with pytest.raises(UsageError, match=r"no tracepoint 'task:task_renamed'\n.*did you mean .*task_rename"):
        loaded.attach(event="task:task_renamed")


# -- performance events ----------------------------------------------------------------------------------------


def burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(1000))


def touch(pages: int) -> None:
    """So many page faults, at least."""
    with mmap.mmap(-1, pages * mmap.PAGESIZE) as memory:
        for page in range(pages):
            memory[page * mmap.PAGESIZE] = 1


def test_a_profile(make: Make) -> None:
    loaded = make(SAMPLE)
    (link,) = loaded.attach(event="cpu-clock", frequency=500)
    assert isinstance(link, CompositeLink) and len(link) == len(process.online_cpus())
    burn(0.4)
    loaded.detach()
    seen = value(loaded)
    assert 20 <= seen <= 300, seen  # 200 on a machine of its own
    burn(0.1)
    assert value(loaded) == seen


def test_each_page_fault_of_this_process(make: Make) -> None:
    loaded = make(SAMPLE)
    loaded.attach(event="page-faults", pid=os.getpid())
    touch(64)
    seen = value(loaded)
    assert seen >= 64
    assert value(loaded, "all") >= seen
    assert value(loaded, "period") == 1


def test_one_in_many(make: Make) -> None:
    loaded = make(SAMPLE)
    loaded.attach(event="page-faults", period=8, pid=os.getpid())
    touch(64)
    assert 8 <= value(loaded) <= 40


def test_one_cpu(make: Make) -> None:
    cpus = process.online_cpus()
    loaded = make(SAMPLE)
    (link,) = loaded.attach(event="page-faults", cpu=cpus[-1])
    assert isinstance(link, CompositeLink) and len(link) == 1
    allowed = os.sched_getaffinity(0)
    if cpus[-1] not in allowed:
        pytest.skip(f"this process may not run on CPU {cpus[-1]}")
    try:
        os.sched_setaffinity(0, {cpus[-1]})
        touch(16)
        assert value(loaded) >= 16
    finally:
        os.sched_setaffinity(0, allowed)


def test_a_thread_of_another_process(make: Make) -> None:
    code = "import sys\nwhile input():\n    bytearray(64 * 4096); print(flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        loaded = make(SAMPLE, mine=child.pid)
        loaded.attach(event="page-faults", tid=child.pid)
        touch(16)
        print("go", file=child.stdin, flush=True)
        child.stdout.readline()
        assert value(loaded) == value(loaded, "all") > 0
        child.kill()


def test_cookie_of_an_event(make: Make) -> None:
    if not perf_link.has_cookies():
        loaded = make(SAMPLE)
        with pytest.raises(NotSupported, match=r"a cookie .*5.15"):
            loaded.attach(event="page-faults", pid=os.getpid(), cookie=9)
        return
    loaded = make(SAMPLE, with_cookies=1)
    loaded.attach(event="page-faults", period=16, pid=os.getpid(), cookie=9)
    touch(64)
    assert set(cookies(loaded)[:16]) == {9}


def test_a_watchpoint(make: Make) -> None:
    """Each write to four bytes of this process, and none to the next four."""
    with mmap.mmap(-1, mmap.PAGESIZE) as memory:
        cell = ctypes.c_char.from_buffer(memory)
        address = ctypes.addressof(cell)
        del cell
        loaded = make(SAMPLE)
        try:
            loaded.attach(event=f"breakpoint:{address:#x}/4:w", pid=os.getpid())
        except NotSupported as error:
            pytest.skip(error.message)
        for _ in range(5):
            memory[8] = 1
        assert value(loaded) == 0
        for number in range(5):
            memory[0] = number
        assert value(loaded) >= 5  # an emulated processor may tell of one write twice
        loaded.detach()
        seen = value(loaded)
        memory[0] = 9
        assert value(loaded) == seen


def test_hardware_counters_or_why_not(make: Make) -> None:
    loaded = make(SAMPLE)
    try:
        loaded.attach(event="cycles", pid=os.getpid())
    except NotSupported as error:
        assert "event 'cycles' on this machine" in error.message
        assert error.help is not None and "cpu-clock" in error.help
        return
    burn(0.3)
    assert value(loaded) > 0


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({}, r"is for no event yet\n.*event='cpu-clock', frequency=99"),
        ({"event": "cpu-clok"}, "'cpu-clok' is no performance event\n.*did you mean cpu-clock"),
        ({"event": "sched:sched_switch"}, "tracepoint is attached to by a program in"),
        ({"event": "cpu-clock", "frequency": 9, "period": 9}, "exclude each other"),
        ({"event": "cpu-clock", "cpu": 4095}, "CPU 4095 does not run"),
        ({"event": "cpu-clock", "frequency": 10**9}, "refuses 1000000000 Hz"),
        ({"event": "cpu-clock", "pid": 2**22 - 1}, "no process 4194303"),
        ({"event": "cpu-clock", "tid": 2**22 - 1}, "no process 4194303"),
    ],
)
def test_errors(make: Make, where: dict[str, object], message: str) -> None:
    loaded = make(SAMPLE)
    with pytest.raises(UsageError, match=message):
        loaded.attach(**where)
    assert loaded.links == ()


def test_names() -> None:
    assert (parse_event("cpu-clock").type, parse_event("cpu-clock").config) == (1, 0)
    assert (parse_event("cs").type, parse_event("cs").config) == (1, 3)
    assert (parse_event("cgroup-switches").type, parse_event("cgroup-switches").config) == (1, 11)
    assert (parse_event("instructions").type, parse_event("instructions").config) == (0, 1)
    assert parse_event("LLC-load-misses").config == 2 | 0 << 8 | 1 << 16
    assert parse_event("dTLB-stores").config == 3 | 1 << 8
    assert (parse_event("r1a8").type, parse_event("r1a8").config) == (4, 0x1A8)
    assert (parse_event("4:0x3c").type, parse_event("4:0x3c").config) == (4, 0x3C)
    assert dict(parse_event("breakpoint:0x1000:x").fields) == {"bp_addr": 0x1000, "bp_len": 8, "bp_type": 4}
    assert dict(parse_event("breakpoint:4096/2:w").fields) == {"bp_addr": 4096, "bp_len": 2, "bp_type": 2}
