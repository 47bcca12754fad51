"""Static probes of user programs, read by programs of libbpf's ``usdt.bpf.h``."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pace import patience

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel import LoadedObject, load
from beespace.kernel.binary import Binary
from beespace.kernel.links import many, perf_link, usdt
from beespace.kernel.links.composite import CompositeLink
from beespace.kernel.usdt_notes import static_probes
from beespace.spec import ObjectSpec

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[[str], ObjectSpec]
SOURCE = Path(__file__).with_name("usdt_target.c")

PROGRAMS = r"""
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/usdt.bpf.h>
char LICENSE[] SEC("license") = "GPL";
const volatile __u32 mine = 0;
volatile __u64 hits = 0, count = 0, cookie = 0;
volatile __s64 arguments[12] = {};
static __attribute__((always_inline)) int hit(struct pt_regs *ctx)
{
    if (bpf_get_current_pid_tgid() >> 32 != mine)
        return 0;
    __sync_fetch_and_add(&hits, 1);
    count = bpf_usdt_arg_cnt(ctx);
    cookie = bpf_usdt_cookie(ctx);
    return 1;
}
SEC("usdt") int BPF_USDT(probe, long a, long b, long c, long d, long e, long f)
{
    if (hit(ctx)) {
        arguments[0] = a; arguments[1] = b; arguments[2] = c; arguments[3] = d; arguments[4] = e; arguments[5] = f;
    }
    return 0;
}
SEC("usdt") int BPF_USDT(other, long a) { if (hit(ctx)) arguments[8] += a; return 0; }
"""
PLAIN = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
volatile __u64 hits = 0;
SEC("usdt") int plain(void *ctx) { __sync_fetch_and_add(&hits, 1); return 0; }
"""


class Target:
    """A program with static probes that runs: each number is one round through all of them."""

    def __init__(self, path: Path, fixed: bool) -> None:
        self.path, self.fixed = path, fixed
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None and self.process.stdout.readline() == "ready\n"
        self.pid = self.process.pid

    def round(self, number: int) -> int:
        """Go once through the probes; the semaphore of ``twice``."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(number, file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate(timeout=patience(30))


@pytest.fixture(params=["pie", "fixed"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    if shutil.which("gcc") is None or os.uname().machine != "x86_64":
        pytest.skip("the program with static probes is written for gcc on x86-64")
    path = tmp_path / "target"
    kept = Path(os.environ.get("BEESPACE_OBJECT_CACHE", tmp_path)) / f"usdt_target-{request.param}"
    if not kept.exists() or kept.stat().st_mtime < SOURCE.stat().st_mtime:
        flags = ["-pie", "-fPIE"] if request.param == "pie" else ["-no-pie", "-fno-pie"]
        subprocess.run(["gcc", "-O1", *flags, "-o", path, SOURCE], check=True)
        shutil.copy(path, kept)
    elif kept != path:
        shutil.copy(kept, path)
    running = Target(path, request.param == "fixed")
    try:
        yield running
    finally:
        running.close()


@pytest.fixture
def start(compile_c: Compile, target: Target) -> Iterator[Callable[..., LoadedObject]]:
    from contextlib import ExitStack

    with ExitStack() as opened:
        yield lambda *programs: opened.enter_context(
            load(compile_c(PROGRAMS), variables={"mine": target.pid}, programs=programs)
        )


@pytest.fixture
def single(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without links to many uprobes."""
    monkeypatch.setattr(many, "has_multi", lambda hook: False)


Start = Callable[..., LoadedObject]


def value(loaded: LoadedObject, name: str) -> int:
    found = loaded.variables[name].get()
    assert isinstance(found, int)
    return found


def arguments(loaded: LoadedObject) -> tuple[int, ...]:
    variable = loaded.spec.variables["arguments"]
    whole = loaded.maps[".bss"].raw.get(struct.pack("=I", 0))
    return struct.unpack_from("=12q", whole, variable.offset)


def expected(i: int) -> tuple[int, ...]:
    return (-i, i << 33, 200 + i, -i, -i, -9)


def test_arguments(start: Start, target: Target) -> None:
    loaded = start("probe")
    loaded.attach(binary=target.path, usdt="bee:numbers", pid=target.pid)
    for number in (3, 50):
        target.round(number)
        assert arguments(loaded)[:6] == expected(number)
    assert (value(loaded, "hits"), value(loaded, "count"), value(loaded, "cookie")) == (2, 6, 0)
    loaded.detach()
    target.round(1)
    assert value(loaded, "hits") == 2


def test_a_variable_as_argument_and_a_cookie(start: Start, target: Target) -> None:
    loaded = start("probe")
    loaded.attach(binary=target.path, usdt="bee:none", pid=target.pid, cookie=0xABCDEF0123456789)
    target.round(1)
    assert arguments(loaded)[0] == -5
    assert value(loaded, "cookie") & (2**64 - 1) == 0xABCDEF0123456789
    assert value(loaded, "count") == 1


def test_several_places_and_the_semaphore(start: Start, target: Target) -> None:
    assert target.round(1) == 0
    loaded = start("other")
    (link,) = loaded.attach(binary=target.path, usdt="bee:twice", pid=target.pid)
    assert isinstance(link, CompositeLink) and len(link) == 2
    assert target.round(5) == 2  # one for each place
    assert value(loaded, "hits") == 2
    assert arguments(loaded)[8] == 5 + 1005  # from rbx, and from rax
    loaded.detach()
    assert target.round(5) == 0


def test_one_link_to_all_places_or_one_each(start: Start, target: Target) -> None:
    loaded = start("other")
    (link,) = loaded.attach(binary=target.path, usdt="bee:twice", pid=target.pid, cookie=9)
    assert isinstance(link, CompositeLink)
    if many.has_multi(loaded.programs["other"].attachment.hook):
        assert link.via == "multi link" and len(link.parts) == 1
        with pytest.raises(NotSupported, match="single probes for program 'other', which was loaded for links of usdt"):
            loaded.attach(binary=target.path, usdt="bee:twice", pid=target.pid, via="single probes")
    else:
        assert link.via == "single probes" and len(link.parts) == 2
        assert "not by multi link: this kernel does not support links of usdt to many places" in link.explain()
    assert target.round(5) == 2
    assert (value(loaded, "hits"), value(loaded, "cookie")) == (2, 9)


@pytest.mark.usefixtures("single")
def test_a_kernel_without_links_to_many_places(start: Start, target: Target) -> None:
    loaded = start("other")
    (link,) = loaded.attach(binary=target.path, usdt="bee:twice", pid=target.pid)
    assert isinstance(link, CompositeLink) and len(link) == len(link.parts) == 2
    assert "not by multi link" in link.explain() and "6.6" in link.explain()
    assert target.round(5) == 2
    assert arguments(loaded)[8] == 5 + 1005
    loaded.detach()
    assert target.round(5) == 0


def test_two_programs_share_the_specs(start: Start, target: Target) -> None:
    loaded = start("probe", "other")
    for _ in range(3):
        loaded.attach("probe", binary=target.path, usdt="bee:numbers", pid=target.pid)
        loaded.attach("other", binary=target.path, usdt="bee:twice", pid=target.pid)
        target.round(7)
        assert arguments(loaded)[:6] == expected(7)
        loaded.detach()
    assert value(loaded, "hits") == 9
    assert arguments(loaded)[8] == 3 * (7 + 1007)


def test_the_specs_run_out(compile_c: Compile, target: Target) -> None:
    with load(
        compile_c(PROGRAMS), variables={"mine": target.pid}, programs=["probe"], max_entries={"__bpf_usdt_specs": 2}
    ) as loaded:
        for cookie in (1, 2):
            loaded.attach(binary=target.path, usdt="bee:none", pid=target.pid, cookie=cookie)
        loaded.attach(binary=target.path, usdt="bee:none", pid=target.pid, cookie=2)  # the same entry
        with pytest.raises(UsageError, match="__bpf_usdt_specs is full: 2 kinds"):
            loaded.attach(binary=target.path, usdt="bee:none", pid=target.pid, cookie=3)
        loaded.detach()
        loaded.attach(binary=target.path, usdt="bee:none", pid=target.pid, cookie=3)
        target.round(1)
        assert value(loaded, "cookie") == 3


def test_all_processes(start: Start, target: Target) -> None:
    loaded = start("probe")
    if not perf_link.has_cookies() and not target.fixed:
        with pytest.raises(UsageError, match=r"lies elsewhere in each process.*\n.*pid="):
            loaded.attach(binary=target.path, usdt="bee:numbers")
        return
    loaded.attach(binary=target.path, usdt="bee:numbers")
    target.round(4)
    assert arguments(loaded)[:6] == expected(4)


@pytest.mark.usefixtures("single")
def test_a_kernel_without_cookies(start: Start, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """The addresses of the places are in a map then; the program is told so before it is loaded."""
    from beespace.kernel import kconfig

    monkeypatch.setattr(usdt, "has_cookies", lambda: False)
    monkeypatch.setitem(kconfig._FACTS, "LINUX_HAS_BPF_COOKIE", lambda kernel: 0)  # type: ignore[index]
    loaded = start("probe")
    loaded.attach(binary=target.path, usdt="bee:numbers", pid=target.pid)
    target.round(9)
    assert arguments(loaded)[:6] == expected(9)
    entries = loaded.maps["__bpf_usdt_ip_to_spec_id"].raw
    assert len(list(entries.keys())) == 1
    loaded.detach()
    assert list(entries.keys()) == []


def test_by_section(compile_c: Compile, target: Target) -> None:
    text = PROGRAMS.replace(
        'SEC("usdt") int BPF_USDT(probe', 'SEC("usdt//proc/self/exe:bee:numbers") int BPF_USDT(probe'
    )
    with load(compile_c(text), variables={"mine": target.pid}, programs=["probe"]) as loaded:
        loaded.attach("probe", binary=target.path, pid=target.pid)
        target.round(2)
        assert arguments(loaded)[:6] == expected(2)


def test_a_program_that_reads_no_arguments(compile_c: Compile, target: Target) -> None:
    with load(compile_c(PLAIN)) as loaded:
        loaded.attach(binary=target.path, usdt="bee:*", pid=target.pid)
        target.round(1)
        assert value(loaded, "hits") == 5


def test_an_indexed_argument(start: Start, target: Target) -> None:
    """Read where the program was compiled with a header that knows of them, and refused where it was not."""
    loaded = start("probe")
    if b"BPF_USDT_ARG_SIB" not in loaded.spec.btf:
        with pytest.raises(UsageError, match=r"register plus another.*\n.*libbpf 1.7"):
            loaded.attach(binary=target.path, usdt="bee:indexed", pid=target.pid)
        return
    loaded.attach(binary=target.path, usdt="bee:indexed", pid=target.pid)
    target.round(2)
    assert arguments(loaded)[:2] == (13, 12)


def test_errors(start: Start, target: Target) -> None:
    loaded = start("probe")
    for where, message in (
        ({}, r"does not say what to probe\n.*usdt/BINARY:provider:name"),
        ({"binary": target.path, "usdt": "bee:nmbers"}, r"no static probe bee:nmbers\n.*did you mean bee:numbers"),
        ({"binary": target.path, "usdt": "wasp:x"}, r"no static probe wasp:x\n.*it has: bee:indexed"),
        ({"binary": "/bin/true", "usdt": "bee:numbers"}, "it has none at all"),
        ({"binary": target.path, "usdt": "bee"}, "does not say what to probe"),
    ):
        with pytest.raises(UsageError, match=message):
            loaded.attach(**where)
    assert loaded.links == ()


@pytest.mark.usefixtures("single")
def test_nothing_stays_after_an_error(start: Start, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = usdt.attach_at

    def second_fails(*given: object, **more: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise KernelError("no more", call="perf_event_open", errno=24)
        return real(*given, **more)  # type: ignore[arg-type]

    loaded = start("other")
    with monkeypatch.context() as patched, pytest.raises(KernelError, match="no more"):
        patched.setattr(usdt, "attach_at", second_fails)
        loaded.attach(binary=target.path, usdt="bee:twice", pid=target.pid)
    assert target.round(1) == 0
    loaded.attach(binary=target.path, usdt="bee:twice", pid=target.pid)
    target.round(1)
    assert value(loaded, "hits") == 2


def test_notes_are_those_of_readelf(target: Target) -> None:
    text = subprocess.run(["readelf", "-n", target.path], capture_output=True, text=True, check=True).stdout
    theirs = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("    Arguments:")]
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("    Name:")]
    places = [int(line.split()[1].rstrip(","), 16) for line in text.splitlines() if line.startswith("    Location:")]
    with Binary(target.path) as file:
        ours = list(static_probes(file))
    assert [(each.name, each.address, each.arguments) for each in ours] == list(zip(names, places, theirs, strict=True))
