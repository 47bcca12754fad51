"""Kernel types by name, as Python sees them and as the compiler does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from beespace.btf import Btf
from beespace.compiler import lower
from beespace.errors import UsageError
from beespace.kernel import sock, task_struct
from beespace.lang import Counter, KernelStruct, KernelType, Program, bpf, exists, raw_tracepoint, sizeof
from beespace.types import i64, u64

TYPES = Path(__file__).parent.parent / "golden" / "kernel.btf"


class task_struct___other(KernelStruct):
    missing: i64


class Guarded(Program):
    total = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, task):
        if exists(task.tgid):
            self.total += 1
        if exists(task.missing):
            self.total += task.missing
        if exists(task_struct___other, "missing"):
            self.total += u64(bpf.cast(task, task_struct___other).missing)
        self.total += sizeof(task_struct)


def test_names() -> None:
    assert isinstance(task_struct, KernelType)
    assert (task_struct.name, repr(sock)) == ("task_struct", "<kernel type sock>")
    assert task_struct == KernelType("task_struct") != sock
    assert not hasattr(task_struct, "tgid")
    assert (task_struct | None) == task_struct
    with pytest.raises(UsageError, match="is read, not made"):
        task_struct___other()
    for question in (lambda: exists(task_struct), lambda: sizeof(task_struct)):
        with pytest.raises(UsageError, match="answered by the kernel"):
            question()


def test_real_names_come_first() -> None:
    """Names of the package, its modules among them, are what they were; so is a look for what is not there."""
    script = (
        "import beespace.kernel as kernel, sys\n"
        "from beespace.kernel import load, vmlinux_btf, ring, links, file\n"
        "assert type(ring).__name__ == 'module' and callable(load), ring\n"
        "assert file.name == 'file'\n"
        "assert not hasattr(kernel, '__wrapped__')\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    script = "import sys, beespace.kernel\nassert not [name for name in sys.modules if 'beespace.lang' in name]"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_what_is_left_out_is_noted() -> None:
    module = lower(Guarded.declaration(), Btf(TYPES.read_bytes()))
    (note,) = module.notes
    assert note.endswith("struct task_struct * of this kernel has no missing; what asks is left out")
    text = "\n".join(map(repr, module.functions))
    assert "task_struct___other" in text  # the loader is asked, and reads it where it is
    assert text.count("FIELD_EXISTS") == 2
