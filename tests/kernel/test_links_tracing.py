"""Programs on trampolines: fentry, fexit, fmod_ret, sessions, LSM, replaced functions, many functions at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from counting import COUNTING, cookies, counting, hits, unlink, unlink_function

from beespace.errors import KernelError, RelocationError, UsageError, VerifierError
from beespace.kernel import LoadedObject, load
from beespace.kernel.links.info import TracingInfo
from beespace.spec import ObjectSpec

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[[str], ObjectSpec]
Make = Callable[..., LoadedObject]

HEAD = "#include <linux/bpf.h>\n" + COUNTING + "volatile __u64 first = 0;\n"
GETPGID = "__x64_sys_getpgid" if os.uname().machine == "x86_64" else "__arm64_sys_getpgid"


def source(section: str, more: str = "") -> str:
    return HEAD + f'SEC("{section}") int probe(__u64 *ctx) {{ if (hit(ctx)) {{ {more} }} return 0; }}\n'


@pytest.fixture
def function() -> str:
    return unlink_function()


@pytest.fixture
def make(compile_c: Compile) -> Iterator[Make]:
    with ExitStack() as opened:
        yield lambda text, **variables: opened.enter_context(counting(compile_c(text), unlocked, **variables))


def unlocked(spec: ObjectSpec, **how: object) -> LoadedObject:
    """The object, loaded; skips where the kernel does not let its function sleep."""
    try:
        return load(spec, **how)  # type: ignore[arg-type]
    except VerifierError as error:
        if "is not sleepable" not in error.reason:
            raise
        pytest.skip(error.reason)  # which functions are has grown from kernel to kernel


@pytest.mark.parametrize("section", ["fentry", "fexit"])
def test_a_function(make: Make, function: str, section: str) -> None:
    loaded = make(source(f"{section}/{function}", "first = ctx[0];"))
    (link,) = loaded.attach()
    unlink(4)
    assert hits(loaded) == 4
    first = loaded.variables["first"].get()
    assert isinstance(first, int) and first & 0xFFFFFFFF == 0xFFFFFF9C  # AT_FDCWD
    assert isinstance(link.info, TracingInfo)
    loaded.detach()
    unlink(1)
    assert hits(loaded) == 4


@pytest.mark.parametrize("section", ["fentry.s", "fexit.s"])
def test_a_program_that_may_sleep(make: Make, section: str) -> None:
    """At a function that the kernel has for such tests, and which it calls when the program is run by hand."""
    loaded = make(source(f"{section}/bpf_fentry_test1"))
    loaded.attach()
    for _ in range(3):
        loaded.programs["probe"].test_run()
    assert hits(loaded) == 3


def test_cookie(make: Make, function: str) -> None:
    loaded = make(source(f"fentry/{function}"), with_cookies=1)
    loaded.attach(cookie=77)
    unlink(2)
    assert cookies(loaded) == [77, 77]


def test_session(make: Make, function: str) -> None:
    loaded = make(source(f"fsession/{function}"))
    loaded.attach()
    unlink(3)
    assert hits(loaded) == 6


def test_instead_of_a_function(make: Make) -> None:
    """A function that allows it: here the one that says whether a process may look at another one."""
    text = HEAD + (
        'SEC("fmod_ret/security_task_getsid") int probe(__u64 *ctx) { return hit(ctx) ? -13 : 0; }\n'
    )  # fmt: skip
    loaded = make(text)
    os.getsid(os.getpid())
    loaded.attach()
    with pytest.raises(PermissionError):
        os.getsid(os.getpid())
    loaded.detach()
    os.getsid(os.getpid())
    assert hits(loaded) == 1


@pytest.mark.parametrize("section", ["lsm", "lsm.s"])
def test_a_security_hook(make: Make, section: str) -> None:
    text = HEAD + f'SEC("{section}/file_open") int probe(__u64 *ctx) {{ return hit(ctx) ? -1 : 0; }}\n'
    try:
        loaded = make(text)
    except RelocationError as error:
        pytest.skip(f"no security hooks for BPF: {error.message}")
    loaded.attach()
    try:
        with pytest.raises(PermissionError):
            open("/dev/null").close()  # noqa: PTH123
    finally:
        loaded.detach()
    open("/dev/null").close()  # noqa: PTH123
    assert hits(loaded) >= 1


# -- many ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("section", "runs"), [("fentry.multi", 1), ("fexit.multi", 1), ("fsession.multi", 2)])
def test_many(make: Make, function: str, section: str, runs: int) -> None:
    loaded = make(source(section))
    loaded.attach(functions=[function, GETPGID])
    unlink(2)
    os.getpgid(0)
    assert hits(loaded) == 3 * runs
    loaded.detach()
    unlink(1)
    assert hits(loaded) == 3 * runs


def test_many_with_cookies(make: Make, function: str) -> None:
    loaded = make(source("fentry.multi"), with_cookies=1)
    loaded.attach(functions=[function, GETPGID], cookies=[5, 6])
    os.getpgid(0)
    unlink(1)
    assert cookies(loaded) == [6, 5]


def test_many_by_glob(make: Make) -> None:
    loaded = make(source("fentry.multi/*_sys_getp?id"))
    loaded.attach()
    before = hits(loaded)
    for _ in range(3):
        os.getpgid(0)
    found = hits(loaded) - before
    assert found >= 3 and found % 3 == 0


def test_many_of_a_module(make: Make) -> None:
    """Files of an overlay file system, which is a module of Debian's kernels and the root of the matrix's guests."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    root = [kind for _, place, kind, *_ in mounts if place == "/"][-1]
    if root != "overlay" or not Path("/sys/kernel/btf/overlay").exists():
        pytest.skip("the root is no overlay file system here, or that is no module with types")
    for section, functions in (
        ("fentry.multi/overlay:ovl_permission", None),
        ("fentry.multi/ovl_permission", None),
        ("fentry.multi/overlay:*", ["overlay:ovl_permission", "ovl_getattr"]),
        ("fentry.multi/overlay:ovl_perm?ssion", None),
    ):
        loaded = make(source(section))
        loaded.attach(**({"functions": functions} if functions else {}))
        before = hits(loaded)
        for _ in range(3):
            Path("/etc/nosuch").exists()
        assert hits(loaded) >= before + 3
        loaded.detach()
    with pytest.raises(UsageError, match=r"is not of overlay.*\n.*fentry.multi/vmlinux:"):
        make(source("fentry.multi/overlay:*")).attach(functions="vmlinux:vfs_read")
    with pytest.raises(RelocationError, match=r"module 'overlai' .*not loaded"):
        make(source("fentry.multi/overlai:*"))


def test_errors_of_many(make: Make) -> None:
    loaded = make(source("fentry.multi"))
    for where, message in (
        ({}, "is for no functions yet"),
        ({"functions": ["nosuch_1", "vfs_read"]}, "no function 'nosuch_1'"),
        ({"functions": "nosuch_*"}, "is like 'nosuch_"),
        ({"functions": ["vfs_read"], "cookies": [1, 2]}, "2 cookies for 1 functions"),
    ):
        with pytest.raises(UsageError, match=message):
            loaded.attach(**where)


# -- replaced functions ----------------------------------------------------------------------------------------

TARGET = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
__attribute__((noinline)) int verdict(struct __sk_buff *skb) { return skb->len == 12345 ? 2 : 1; }
__attribute__((noinline)) int second(struct __sk_buff *skb) { return skb->len == 12345 ? 20 : 10; }
SEC("tc") int main_program(struct __sk_buff *skb) { return verdict(skb) + second(skb); }
"""
REPLACEMENT = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
SEC("freplace/verdict") int replacement(struct __sk_buff *skb) { return 5; }
"""


def run(loaded: LoadedObject) -> int:
    return loaded.programs["main_program"].test_run(bytes(64)).retval


def test_a_function_of_a_program(compile_c: Compile) -> None:
    with load(compile_c(TARGET)) as target:
        assert run(target) == 11
        main = target.programs["main_program"]
        with unlocked(compile_c(REPLACEMENT), targets={"replacement": (main, "verdict")}) as replacing:
            replacing.attach()
            assert run(target) == 15
            replacing.detach()
            assert run(target) == 11


def test_another_function_than_at_load_time(compile_c: Compile) -> None:
    with load(compile_c(TARGET)) as one, load(compile_c(TARGET)) as other:
        main = one.programs["main_program"]
        with unlocked(compile_c(REPLACEMENT), targets={"replacement": (main, "verdict")}) as replacing:
            program = replacing.programs["replacement"]
            with program.attach(program=other.programs["main_program"]) as link:
                assert (run(one), run(other)) == (11, 15)
                with program.attach(program=other.programs["main_program"], function="second"):
                    assert (run(one), run(other)) == (11, 10)
                with pytest.raises(KernelError, match="'verdict' of the target is replaced already"):
                    program.attach(program=other.programs["main_program"])
            assert link.closed
            assert (run(one), run(other)) == (11, 11)
            with pytest.raises(UsageError, match=r"no function 'third'\n.*verdict"):
                program.attach(program=main, function="third")
            with pytest.raises(UsageError, match="of which program"):
                program.attach(function="second")


# -- what cannot be --------------------------------------------------------------------------------------------


def test_no_such_function(make: Make) -> None:
    with pytest.raises(RelocationError, match="no function 'vfs_unlinkk'"):
        make(source("fentry/vfs_unlinkk"))


def test_a_process_cannot_be_said(make: Make) -> None:
    loaded = make(HEAD + 'SEC("tp_btf/task_rename") int probe(__u64 *ctx) { hit(ctx); return 0; }\n')
    with pytest.raises(UsageError, match="has no use for 'pid'"):
        loaded.programs["probe"].attach(pid=1)
