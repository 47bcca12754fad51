"""What objects take from the running kernel: fields, functions, variables, its version."""

from __future__ import annotations

import os
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pace import patience

from beespace.btf import Kind
from beespace.errors import RelocationError, VerifierError
from beespace.kernel import LoadedObject, load, vmlinux, vmlinux_btf
from beespace.spec import ObjectSpec

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[[str], ObjectSpec]
InKernel = Callable[[str], set[int]]
Gone = Callable[..., bool]

HEAD = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
char LICENSE[] SEC("license") = "GPL";
struct bpf_map;
"""
PACKET = bytes(64)


def run(loaded: LoadedObject, name: str) -> int:
    return loaded.programs[name].test_run(data_in=PACKET).retval


CORE = (
    HEAD
    + r"""
#define __relocated __attribute__((preserve_access_index))
struct task_struct___here { int nonsense_before; int tgid; int pid; } __relocated;
struct task_struct___gone { int no_such_field; } __relocated;
const volatile int use_it = 0;
volatile int seen = 0;

SEC("raw_tp/task_rename") int relocated(__u64 *ctx)
{
    struct task_struct___here *task = (void *)ctx[0];
    bpf_probe_read_kernel((void *)&seen, sizeof(seen), &task->tgid);
    if (use_it) {
        struct task_struct___gone *gone = (void *)task;
        bpf_probe_read_kernel((void *)&seen, sizeof(seen), &gone->no_such_field);
    }
    return 0;
}
"""
)


def test_fields_are_where_this_kernel_has_them(compile_c: Compile) -> None:
    with load(compile_c(CORE)) as loaded:
        loaded.attach()
        seen = loaded.variables["seen"]
        deadline = time.monotonic() + patience(10)
        while seen.get() != os.getpid():  # others rename tasks, too
            Path("/proc/self/comm").write_text(Path("/proc/self/comm").read_text().strip())
            assert time.monotonic() < deadline


def test_a_field_that_is_missing_is_named_where_it_is_used(compile_c: Compile) -> None:
    with pytest.raises(RelocationError) as refused:
        load(compile_c(CORE), variables={"use_it": 1})
    message = str(refused.value)
    assert "task_struct" in message and "no_such_field" in message
    assert "which this kernel does not have" in message
    assert "probe.c:" in message
    assert "bpf_core_field_exists()" in message


KSYMS = (
    HEAD
    + r"""
extern const int no_such_variable __ksym __weak;
extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;
extern int bpf_no_such_function(void) __ksym __weak;
volatile __u32 found = 0, missing = 0;
const volatile __u32 process = 0, call_it = 0;

SEC("tp_btf/task_rename") int symbols(__u64 *ctx)
{
    if (&no_such_variable)
        missing = 1;
    struct task_struct *task = bpf_task_from_pid(process);
    if (task) {
        found = 1;
        bpf_task_release(task);
    }
    if (call_it)
        missing = bpf_no_such_function();
    return 0;
}
"""
)


@pytest.fixture
def task_from_pid() -> None:
    """Skips where the kernel does not have the function that KSYMS calls."""
    with Path("/proc/kallsyms").open() as symbols:
        if not any(line.split()[2] == "bpf_task_from_pid" for line in symbols):
            pytest.skip("this kernel has no bpf_task_from_pid() (Linux 6.2)")


@pytest.mark.usefixtures("task_from_pid")
def test_functions_and_variables_of_the_kernel(compile_c: Compile) -> None:
    with load(compile_c(KSYMS), variables={"process": os.getpid()}) as loaded:
        assert loaded.notes == ()
        loaded.attach()
        Path("/proc/self/comm").write_text(Path("/proc/self/comm").read_text().strip())
        assert (loaded.variables["found"].get(), loaded.variables["missing"].get()) == (1, 0)


@pytest.mark.usefixtures("task_from_pid")
def test_a_weak_function_that_is_missing_is_named_if_it_is_called(compile_c: Compile) -> None:
    with pytest.raises(RelocationError, match=r"calls bpf_no_such_function\(\), which this kernel does not have"):
        load(compile_c(KSYMS), variables={"call_it": 1})


@pytest.mark.usefixtures("task_from_pid")
def test_a_strong_function_that_is_missing(compile_c: Compile) -> None:
    with pytest.raises(RelocationError, match="no function 'bpf_no_such_function' for BPF programs"):
        load(compile_c(KSYMS.replace("function(void) __ksym __weak", "function(void) __ksym")))


KSYM_VARIABLE = (
    HEAD
    + r"""
extern const int bpf_prog_active __ksym;
volatile __u32 found = 0;
SEC("tp_btf/task_rename") int look(__u64 *ctx) { found = !!bpf_per_cpu_ptr(&bpf_prog_active, 0); return 0; }
"""
)


def test_a_variable_of_the_kernel(compile_c: Compile) -> None:
    spec = compile_c(KSYM_VARIABLE)
    symbols = Path("/proc/kallsyms").read_text()
    if not list(vmlinux_btf().ids(Kind.VAR)):  # those of Debian's 5.10 were made without variables
        with pytest.raises(RelocationError, match="this kernel has no variable 'bpf_prog_active'"):
            load(spec)
    elif " bpf_prog_active\n" in symbols:
        with load(spec) as loaded:
            loaded.attach()
            Path("/proc/self/comm").write_text(Path("/proc/self/comm").read_text().strip())
            assert loaded.variables["found"].get() == 1
    else:  # a kernel without CONFIG_KALLSYMS_ALL knows the type, not the address, and says of which symbol
        with pytest.raises(VerifierError, match="address for kernel symbol 'bpf_prog_active'"):
            load(spec)


def test_a_strong_variable_that_is_missing(compile_c: Compile) -> None:
    with pytest.raises(RelocationError, match="no variable 'bpf_prog_passive' for BPF programs"):
        load(compile_c(KSYM_VARIABLE.replace("bpf_prog_active", "bpf_prog_passive")))


KCONFIG = (
    HEAD
    + r"""
extern int LINUX_KERNEL_VERSION __kconfig;
SEC("cgroup_skb/egress") int version(struct __sk_buff *skb) { return LINUX_KERNEL_VERSION >= 0x050800; }
"""
)


def test_the_version_of_the_kernel_is_filled_in(compile_c: Compile) -> None:
    with load(compile_c(KCONFIG)) as loaded:
        assert run(loaded, "version") == 1
        assert loaded.variables["LINUX_KERNEL_VERSION"].get() == version_in_vdso()


def version_in_vdso() -> int:
    """``LINUX_VERSION_CODE`` as the kernel was built with it: it is a note of the vDSO (arch/x86/entry/vdso/note.S)."""
    with Path("/proc/self/maps").open() as maps, Path("/proc/self/mem").open("rb") as memory:
        start, end = next(line.split()[0].split("-") for line in maps if line.endswith("[vdso]\n"))
        memory.seek(int(start, 16))
        vdso = memory.read(int(end, 16) - int(start, 16))
    note = struct.pack("=III8s", 6, 4, 0, b"Linux")
    at = vdso.index(note) + len(note)
    return int.from_bytes(vdso[at : at + 4], sys.byteorder)


# -- the kernel's types ----------------------------------------------------------------------------------------


def test_the_types_of_this_kernel_are_mapped_where_it_allows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    release = tuple(int(number) for number in os.uname().release.split(".")[:2])
    data = vmlinux._data()
    if release >= (6, 16):  # kernel commit a539e2a6d51d
        assert isinstance(data, memoryview) and data.readonly
    assert bytes(data[:2]) == (0xEB9F).to_bytes(2, sys.byteorder)
    del data
    fresh = vmlinux.vmlinux_btf.__wrapped__  # past the cache, which others hold on to
    assert not fresh().index_was_used
    again = fresh()
    assert again.index_was_used
    assert again.member(again.find("task_struct"), "tgid").byte_offset > 0
