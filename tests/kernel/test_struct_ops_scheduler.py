"""A scheduler in Python, where the kernel has sched_ext; in a virtual machine it is really switched on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from beespace.btf.kinds import Kind
from beespace.kernel.kernel_types import kernel_types
from beespace.session.files import program_of

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

ROOT = Path(__file__).parent.parent.parent
STATE = Path("/sys/kernel/sched_ext/state")


@pytest.fixture(autouse=True)
def sched_ext(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with kernel_types() as kernel:
        if kernel.find("bpf_struct_ops_sched_ext_ops", Kind.STRUCT) is None:
            pytest.skip("this kernel has no sched_ext")


def test_the_object_is_made() -> None:
    program = program_of(ROOT / "examples" / "scheduler.py")
    spec = program.spec()
    assert set(spec.struct_ops["Fifo"].programs.values()) == {"running", "stopping"}


IN_A_GUEST = any(name.startswith("BEESPACE_GUEST") for name in os.environ)


@pytest.mark.skipif(not IN_A_GUEST, reason="it would schedule everything on this machine")
def test_it_schedules() -> None:
    program: Any = program_of(ROOT / "examples" / "scheduler.py")
    with program() as fifo:
        assert STATE.read_text().strip() == "enabled"
        assert (STATE.parent / "root" / "ops").read_text().strip().startswith("bee_fifo")
        subprocess.run([sys.executable, "-c", "sum(range(100_000))"], check=True)
        time.sleep(0.2)
        assert fifo.ran.value > 0
        assert fifo.time.items()
    assert STATE.read_text().strip() != "enabled"
