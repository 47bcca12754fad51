"""Whatever system call fails while an object is loaded and attached: nothing that was made before stays."""

from __future__ import annotations

import errno
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fd_tracer
import pytest

from beespace.errors import BeespaceError
from beespace.kernel import features, kernel_program, load, loading, vmlinux_btf
from beespace.spec import ObjectSpec
from beespace.syscall import bpf, door
from beespace.syscall.door import Argument

pytestmark = pytest.mark.kernel

# Data sections, maps in maps, a table of programs, shared code, CO-RE, four ways to attach, an alternative.
SOURCE = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
char LICENSE[] SEC("license") = "GPL";
struct task_struct { int pid; struct task_struct *parent; } __attribute__((preserve_access_index));

const volatile int limit = 3;
int count;
struct inner { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 2); __type(key, __u32); __type(value, __u32); };
struct inner faulty_one SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, 2);
    __type(key, __u32);
    __array(values, struct inner);
} faulty_outer SEC(".maps") = { .values = { [0] = &faulty_one } };
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } faulty_ring SEC(".maps");

int faulty_packet(struct __sk_buff *skb);
struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 2);
    __uint(key_size, 4);
    __array(values, int(void *));
} faulty_jumps SEC(".maps") = { .values = { [1] = (void *)&faulty_packet } };

static __attribute__((noinline)) int parent(struct task_struct *task)
{
    return BPF_CORE_READ(task, parent, pid);
}

SEC("tp_btf/sched_process_exec") int faulty_exec(__u64 *ctx)
{
    int pid = parent((void *)ctx[0]);
    bpf_ringbuf_output(&faulty_ring, &pid, sizeof(pid), 0);
    return count += limit;
}

SEC("raw_tp/sched_process_exec") int faulty_raw(void *ctx) { return 0; }

SEC("cgroup_skb/egress") int faulty_packet(struct __sk_buff *skb)
{
    __u32 zero = 0;
    return bpf_map_lookup_elem(&faulty_outer, &zero) ? 1 : 0;
}

SEC("cgroup_skb/egress") int faulty_filter(struct __sk_buff *skb) { bpf_tail_call(skb, &faulty_jumps, 0); return 1; }
SEC("iter/task") int faulty_walk(void *ctx) { return 0; }
SEC("?fentry/no_such_function_anywhere") int faulty_first(void *ctx) { return 0; }
SEC("?raw_tp/sched_process_exit") int faulty_second(void *ctx) { return 0; }
"""

# Without faulty_jumps: a program array is emptied by deferred work when its last descriptor closes, and who opens it by
# its id and closes it before that work has run (as `gone` does, or bpftool) has the kernel count a reference that is
# never given back (prog_array_map_clear() in kernel/bpf/arraymap.c).  The tracer accounts for its descriptor.
NAMES = (
    "faulty_exec", "faulty_raw", "faulty_packet", "faulty_filter", "faulty_walk", "faulty_second", "faulty_one",
    "faulty_outer", "faulty_ring",
)  # fmt: skip


@pytest.fixture
def built(compile_c: Callable[[str], ObjectSpec]) -> ObjectSpec:
    return compile_c(SOURCE)


def load_and_attach(spec: ObjectSpec, cgroup: Path) -> None:
    """All of it, and read from what was attached."""
    with load(spec, either=[("faulty_first", "faulty_second")], log_level=4) as loaded:
        loaded.attach(cgroup=cgroup)
        loaded.programs["faulty_packet"].test_run(bytes(64))
        loaded.programs["faulty_raw"].info()


@contextmanager
def failing(number: int, error: int) -> Iterator[list[str]]:
    """The ``number``-th system call through the door fails; the calls that were made are listed."""
    real, made = door.issue, list[str]()

    def issue(name: str, arguments: tuple[Argument, ...]) -> int:
        made.append(name)
        return -error if len(made) == number else real(name, arguments)

    door.issue = issue
    try:
        yield made
    finally:
        door.issue = real


@pytest.fixture
def clean() -> Iterator[None]:
    vmlinux_btf()  # stays mapped
    features.forget()
    yield
    features.forget()
    loading._without_attach_type.clear()


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("error", [errno.EPERM, errno.EINVAL, errno.ENOMEM, errno.E2BIG])
def test_every_system_call_may_fail(built: ObjectSpec, cgroup: Path, error: int, gone: Callable[..., bool]) -> None:
    raised = survived = number = 0
    while True:
        number += 1
        with warnings.catch_warnings(), fd_tracer.traced() as tracer, failing(number, error) as made:
            warnings.simplefilter("error", ResourceWarning)
            try:
                load_and_attach(built, cgroup)
                survived += 1
            except BeespaceError:
                raised += 1
            loading._without_attach_type.clear()
        assert tracer.left() == [], f"call {number} ({made[number - 1] if number <= len(made) else 'none'})"
        if len(made) < number:
            break  # the object needs fewer calls than that
    assert number > 25
    assert raised > 15 and survived >= 1
    time.sleep(1)  # so that the work on program arrays is done before anybody looks at maps
    assert gone(*NAMES)


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("function", ["open", "dup"])
def test_every_descriptor_may_be_one_too_many(
    built: ObjectSpec, cgroup: Path, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., Any] = getattr(os, function)
    number = 0
    while True:
        number += 1
        calls = 0

        def one_too_many(*arguments: Any, _fail: int = number, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == _fail:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return real(*arguments, **options)

        with fd_tracer.traced() as tracer, monkeypatch.context() as patched:
            patched.setattr(os, function, one_too_many)
            try:
                load_and_attach(built, cgroup)
            except (BeespaceError, OSError):
                pass
        assert tracer.left() == [], f"{function} {number}"
        if calls < number:
            break


@pytest.mark.usefixtures("no_leaks")
def test_an_interrupt_leaves_nothing(built: ObjectSpec, monkeypatch: pytest.MonkeyPatch, cgroup: Path) -> None:
    for name in ("test_run", "info"):
        with monkeypatch.context() as patched:

            def interrupted(*_: object, **__: object) -> None:
                raise KeyboardInterrupt

            patched.setattr(kernel_program.KernelProgram, name, interrupted)
            with pytest.raises(KeyboardInterrupt):
                load_and_attach(built, cgroup)


def test_the_tracer_sees_what_is_left() -> None:
    with fd_tracer.traced() as tracer:
        kept = bpf.map_create(2, 4, 4, 1, name="kept")
        (said,) = tracer.left()
        assert said.startswith(f"{kept.fileno()} -> anon_inode:bpf-map: MAP_CREATE by maps.py:")
        assert "test_programs_faults.py" in said
        kept.close()
        assert tracer.left() == []


def test_the_tracer_sees_what_nobody_owned() -> None:
    with fd_tracer.traced() as tracer, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bpf.map_create(2, 4, 4, 1, name="lost")
        (said,) = tracer.left()
    assert said.startswith("closed by the garbage collector: <map lost, fd ")


def test_the_tracer_sees_a_stranger_s_descriptor_closed() -> None:
    other = os.open("/dev/null", os.O_RDONLY)
    with fd_tracer.traced() as tracer:
        os.close(other)
        assert tracer.left() == [f"{other} -> /dev/null was closed, and is not ours"]
