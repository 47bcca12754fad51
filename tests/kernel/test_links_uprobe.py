"""Probes of user programs: functions, instructions, returns, many at once, by every way that there is."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from counting import COUNTING, cookies, counting, trace_events, value

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel.binary import Binary
from beespace.kernel.functions import find_function
from beespace.kernel.links import many, perf_link, uprobe
from beespace.kernel.links.composite import CompositeLink
from beespace.kernel.links.locate import locate
from beespace.kernel.links.many import has_multi
from beespace.spec import ObjectSpec
from beespace.syscall import mounts

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[[str], ObjectSpec]
LIBC = ctypes.CDLL(None)

# `mine` is this process: others call the same functions. `seen` are the cookies, by hit.
HEAD = (
    r"""
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_tracing.h>
volatile __u64 argument = 0, result = 0;
"""
    + COUNTING
)
ENTRY = HEAD + 'SEC("uprobe") int probe(struct pt_regs *ctx) { hit(ctx); argument = PT_REGS_PARM1(ctx); return 0; }\n'
LABS = HEAD + 'SEC("uprobe/libc.so.6:labs") int probe(struct pt_regs *ctx) { hit(ctx); return 0; }\n'
RETURN = (
    HEAD + 'SEC("uretprobe/libc:labs") int probe(struct pt_regs *ctx) { hit(ctx); result = PT_REGS_RC(ctx); return 0; }'
)
MANY = HEAD + 'SEC("uprobe.multi/libc:l*abs") int probe(struct pt_regs *ctx) { hit(ctx); return 0; }\n'
MANY_RETURNS = MANY.replace("uprobe.multi", "uretprobe.multi")
SESSION = MANY.replace("uprobe.multi", "uprobe.session")
SLEEPABLE = HEAD + 'SEC("uprobe.s/libc:labs") int probe(struct pt_regs *ctx) { hit(ctx); return 0; }\n'


def call(count: int) -> None:
    for number in range(count):
        LIBC.labs(number)


@pytest.fixture
def libc() -> str:
    return locate("libc")


def test_a_function_of_a_library(compile_c: Compile, libc: str) -> None:
    with counting(compile_c(LABS)) as loaded:
        call(1)
        assert value(loaded, "hits") == 0
        (link,) = loaded.attach()
        call(5)
        assert value(loaded, "hits") == 5
        assert link.via == "perf event"
        assert "attached to uprobe/libc.so.6:labs by perf event" in link.explain()
        loaded.detach()
        call(1)
        assert value(loaded, "hits") == 5


def test_what_the_kernel_says_of_it(compile_c: Compile, libc: str) -> None:
    with counting(compile_c(LABS)) as loaded:
        (link,) = loaded.attach()
        if link.info is None:
            pytest.skip("this kernel has no perf links")
        with Binary(libc) as file:
            offset = find_function(file, "labs")
        perf = subprocess.run(["bpftool", "perf", "show"], capture_output=True, text=True, check=True).stdout
        (line,) = [each for each in perf.splitlines() if f"prog_id {link.info.prog_id} " in each]
        assert f"uprobe  filename {libc}  offset {offset}" in line


def test_keywords_instead_of_a_section(compile_c: Compile, libc: str) -> None:
    with Binary(libc) as file:
        offset = find_function(file, "labs")
    for where in (
        {"binary": "libc", "symbol": "labs"},
        {"binary": Path(libc), "symbol": "labs"},
        {"binary": libc, "symbol": "labs+0"},
        {"binary": libc, "symbol": hex(offset)},
        {"binary": libc, "offset": offset},
    ):
        with counting(compile_c(ENTRY)) as loaded:
            loaded.attach(**where)
            call(3)
            LIBC.labs(4711)
            assert value(loaded, "hits") == 4, where
            assert value(loaded, "argument") == 4711


def test_the_return(compile_c: Compile) -> None:
    with counting(compile_c(RETURN)) as loaded:
        loaded.attach()
        LIBC.labs(-77)
        assert (value(loaded, "hits"), value(loaded, "result")) == (1, 77)


def test_sleepable(compile_c: Compile) -> None:
    try:
        loaded = counting(compile_c(SLEEPABLE))
    except KernelError as error:
        pytest.skip(f"programs of uprobes cannot sleep here: {error.message}")
    with loaded:
        loaded.attach()
        call(2)
        assert value(loaded, "hits") == 2


def test_one_process(compile_c: Compile) -> None:
    """With ``pid``, the other process goes unseen, though it is the one that is counted."""
    with subprocess.Popen(
        [sys.executable, "-c", "import ctypes; l = ctypes.CDLL(None)\nwhile input(): l.labs(1); print(flush=True)"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdin is not None and child.stdout is not None

        def child_calls() -> None:
            print("go", file=child.stdin, flush=True)
            child.stdout.readline()

        with counting(compile_c(LABS), mine=child.pid) as loaded:
            loaded.attach(pid=os.getpid())
            child_calls()
            call(2)
            assert value(loaded, "hits") == 0
            loaded.detach()
            loaded.attach(pid=child.pid)
            child_calls()
            assert value(loaded, "hits") == 1
        child.kill()


def test_cookies(compile_c: Compile) -> None:
    if not perf_link.has_cookies():
        with counting(compile_c(LABS)) as loaded, pytest.raises(NotSupported, match=r"a cookie .*needs Linux 5.15"):
            loaded.attach(cookie=7)
        return
    with counting(compile_c(LABS), with_cookies=1) as loaded:
        loaded.attach(cookie=0x1234_5678_9ABC)
        call(2)
        assert cookies(loaded) == [0x1234_5678_9ABC] * 2


def test_by_tracefs(compile_c: Compile) -> None:
    with counting(compile_c(LABS)) as loaded:
        (link,) = loaded.attach(via="tracefs")
        call(3)
        assert value(loaded, "hits") == 3
        assert link.via == "tracefs" and "stays" in link.explain()
        assert len(trace_events("uprobe_events")) == 1
        loaded.detach()
        assert trace_events("uprobe_events") == []
        call(1)
        assert value(loaded, "hits") == 3


def test_tracefs_is_next(compile_c: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(kind: str) -> tuple[int, int]:
        raise NotSupported("uprobes as perf events", since="4.17")

    monkeypatch.setattr(uprobe, "event_type", without)
    with counting(compile_c(RETURN)) as loaded:
        (link,) = loaded.attach()
        LIBC.labs(-9)
        assert (value(loaded, "hits"), value(loaded, "result")) == (1, 9)
        assert link.explain().startswith(
            "probe is attached to uretprobe/libc:labs by tracefs; not by perf event: this kernel does not support"
        )


def test_before_perf_links(compile_c: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*arguments: object, **keywords: object) -> None:
        raise KernelError("EINVAL", call="BPF_LINK_CREATE", errno=22)

    monkeypatch.setattr(perf_link.bpf, "link_create", unknown)
    with counting(compile_c(LABS)) as loaded:
        (link,) = loaded.attach()
        call(3)
        assert value(loaded, "hits") == 3
        assert link.info is None and "no perf link" in link.explain()
        loaded.detach()
        call(3)
        assert value(loaded, "hits") == 3


VICTIM = """
import sys, time, os
from pathlib import Path
from beespace.elf import read
from beespace.kernel import load
loaded = load(read(Path(sys.argv[1]).read_bytes(), "victim"))
loaded.attach(via="tracefs")
print("attached", flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_left_is_removed(compile_c: Compile, object_file: Callable[[str], Path]) -> None:
    """Its event has no program any more; the next that makes an event removes it."""
    path = object_file(LABS)
    with subprocess.Popen([sys.executable, "-c", VICTIM, str(path)], stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "attached\n"
        victim.kill()
    with mounts.tracefs() as tracefs:
        assert f"_{victim.pid}_" in mounts.read_at(tracefs, "uprobe_events").decode()
        with counting(compile_c(LABS)) as loaded:
            loaded.attach(via="tracefs")
            assert f"_{victim.pid}_" not in mounts.read_at(tracefs, "uprobe_events").decode()
    assert trace_events("uprobe_events") == []


# -- many at once ----------------------------------------------------------------------------------------------


def call_all(count: int) -> None:
    for number in range(count):
        LIBC.labs(number)
        LIBC.llabs(number)


def test_many_by_glob(compile_c: Compile) -> None:
    """labs and llabs are one function of this libc, or two: each call hits once all the same."""
    with counting(compile_c(MANY)) as loaded:
        (link,) = loaded.attach()
        call_all(3)
        assert value(loaded, "hits") == 6
        if has_multi(loaded.programs["probe"].attachment.hook):
            assert link.via == "multi link"
            assert link.info is not None
        else:
            assert isinstance(link, CompositeLink) and len(link) >= 1
            assert "not by multi link: this kernel does not support links of uprobe.multi" in link.explain()
        loaded.detach()
        call_all(3)
        assert value(loaded, "hits") == 6


def test_many_without_links_for_it(compile_c: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "_has", lambda attach_type: False)
    with counting(compile_c(MANY)) as loaded:
        (link,) = loaded.attach(binary="libc", symbols=["labs", "abs"])
        assert isinstance(link, CompositeLink)
        assert len(link.parts) == 2 and link.via == "single probes"
        LIBC.abs(1)
        call(2)
        assert value(loaded, "hits") == 3
        loaded.detach()
        assert link.closed and all(part.closed for part in link.parts)
        call(2)
        assert value(loaded, "hits") == 3


def test_all_or_none(compile_c: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "_has", lambda attach_type: False)
    opened: list[int] = []
    real = uprobe.perf.perf_event_open

    def third_fails(*arguments: object, **keywords: object) -> object:
        opened.append(1)
        if len(opened) == 3:
            raise KernelError("too many", call="perf_event_open", errno=24)
        return real(*arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(uprobe.perf, "perf_event_open", third_fails)
    with counting(compile_c(MANY)) as loaded:
        with pytest.raises(KernelError, match="too many"):
            loaded.attach(binary="libc", symbols=["labs", "abs", "atoi"])
        call(2)
        assert value(loaded, "hits") == 0


def test_returns_of_many(compile_c: Compile) -> None:
    with counting(compile_c(MANY_RETURNS)) as loaded:
        loaded.attach()
        call_all(3)
        assert value(loaded, "hits") == 6


def test_a_cookie_for_each(compile_c: Compile) -> None:
    with counting(compile_c(MANY), with_cookies=1) as loaded:
        loaded.attach(binary="libc", symbols=["labs", "abs", "atoi"], cookies=[11, 22, 33])
        LIBC.abs(1)
        LIBC.atoi(b"1")
        LIBC.labs(1)
        assert cookies(loaded) == [22, 33, 11]
        loaded.detach()
        loaded.attach(binary="libc", symbols=["labs", "abs"], cookie=5)
        LIBC.abs(1)
        assert cookies(loaded)[3:] == [5]


def test_session(compile_c: Compile) -> None:
    """A program for entry and return runs twice for each call."""
    with counting(compile_c(SESSION)) as loaded:
        loaded.attach()
        call_all(2)
        assert value(loaded, "hits") == 8


# -- what cannot be --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({}, "does not say what to probe.*\n.*attach\\(binary='libc', symbol='malloc'\\)"),
        ({"binary": "libc"}, "does not say what to probe"),
        ({"binary": "libc", "symbol": "labz"}, "has no function 'labz'\n.*did you mean .*labs"),
        ({"binary": "nosuchlib", "symbol": "x"}, "'nosuchlib' is neither a library nor a program"),
        ({"binary": "/nosuch/file", "symbol": "x"}, "there is no file '/nosuch/file'"),
        ({"binary": "/etc/passwd", "symbol": "x"}, "/etc/passwd is no ELF file"),
        ({"binary": "/data/app.apk!/lib/libx.so", "symbol": "x"}, "inside an archive"),
        ({"binary": "libc", "symbol": "memcpy"}, "IFUNC"),
        ({"binary": "libc", "symbol": "labs+x"}, "'x' is no offset in bytes"),
        ({"binary": "libc", "symbol": "labs", "via": "magic"}, "cannot be attached by 'magic'\n.*perf event, tracefs"),
        ({"binary": "libc", "symbol": "labs", "pid": 2**22 - 1}, "process 4194303 cannot be looked at"),
    ],
)
def test_errors(compile_c: Compile, where: dict[str, object], message: str) -> None:
    with counting(compile_c(ENTRY)) as loaded:
        with pytest.raises(UsageError, match=message):
            loaded.attach(**where)
        assert loaded.links == ()
        call(1)
        assert value(loaded, "hits") == 0


def test_errors_of_many(compile_c: Compile) -> None:
    with counting(compile_c(MANY)) as loaded:
        for where, message in (
            ({"symbols": ["labs", "nosuch"]}, "has no function 'nosuch'"),
            ({"symbols": "nosuch*"}, "has no function like 'nosuch\\*'"),
            ({"symbols": "l*abs", "cookies": [1]}, "1 cookies for"),
            ({"symbols": ["labs", "abs"], "cookies": [1]}, "1 cookies for"),
        ):
            with pytest.raises(UsageError, match=message):
                loaded.attach(binary="libc", **where)
