"""Options that the kernel was built with, and its variables, as programs read them."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

import pytest

from beespace.btf import Kind
from beespace.errors import RelocationError
from beespace.kernel import rq, vmlinux_btf
from beespace.lang import Array, Global, KernelVariable, PerCpuVariable, Program, bpf, kconfig, raw_tracepoint
from beespace.types import Text, text, u8, u32, u64

pytestmark = pytest.mark.kernel

hook = raw_tracepoint("sched_process_exit")


class Options(Program):
    hz: u32 = kconfig("CONFIG_HZ")
    bpf_syscall: bool = kconfig("CONFIG_BPF_SYSCALL")
    no_such: u64 = kconfig("CONFIG_NO_SUCH_OPTION")
    off: bool = kconfig("CONFIG_NO_SUCH_OPTION_EITHER")
    version: u32 = kconfig("LINUX_KERNEL_VERSION")
    log: u8 = kconfig("CONFIG_LOG_BUF_SHIFT")
    name: Text = kconfig("CONFIG_DEFAULT_HOSTNAME", text(16))
    results = Array(u64, 8)
    host = Global(text(16))

    @hook
    def look(self, ctx):
        self.results[0] = self.hz
        if self.bpf_syscall:
            self.results[1] = 1
        self.results[2] = self.no_such
        self.results[3] = u64(self.off)
        self.results[4] = self.version
        self.results[5] = self.log
        self.host.value = self.name


class Variables(Program):
    jiffies = KernelVariable("jiffies", u64)
    queues = PerCpuVariable("runqueues", rq)
    results = Array(u64, 8)

    @hook
    def look(self, ctx):
        self.results[0] = self.jiffies.value
        queue = self.queues.here()
        self.results[1] = u64(u32(queue.cpu))
        first = self.queues.on(0)
        if first is not None:
            self.results[2] = u64(u32(first.cpu)) + 100
        if self.queues.on(1 << 20) is None:
            self.results[3] = 1
        self.results[4] = bpf.cpu()
        self.results[5] = u64(u32(queue.curr.tgid))


def test_options(loaded_probe) -> None:
    probe = loaded_probe(Options)
    probe.loaded.programs["look"].test_run(ctx_in=bytes(32))
    results = [probe.results[number] for number in range(6)]
    assert results[0] in (100, 250, 300, 1000)
    assert results[1:4] == [1, 0, 0]
    major, minor = (int(part) for part in platform.release().split(".")[:2])
    assert results[4] >> 8 == major << 8 | minor
    assert 10 <= results[5] <= 30
    assert probe.host.value.startswith("(none)") or probe.host.value


def test_variables(loaded_probe) -> None:
    symbols = {line.split()[2] for line in Path("/proc/kallsyms").read_text().splitlines()}
    types = vmlinux_btf()
    if not {"runqueues", "jiffies"} <= symbols or not types.find_all("runqueues", Kind.VAR):
        with pytest.raises(RelocationError, match=r"'jiffies'|'runqueues'"):  # never read as zero
            loaded_probe(Variables)
        pytest.skip("this kernel was built without CONFIG_KALLSYMS_ALL, or its types have no variables of CPUs")
    probe = loaded_probe(Variables)
    before = 0
    for _ in range(2):
        probe.loaded.programs["look"].test_run(ctx_in=bytes(32))
        results = [probe.results[number] for number in range(6)]
        assert results[0] >= before > -1
        before = results[0]
        time.sleep(0.05)
    assert results[1] == results[4] < os.cpu_count()
    assert results[2:4] == [100, 1]
    assert results[5] == os.getpid()
