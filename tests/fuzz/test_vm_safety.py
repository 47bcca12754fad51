"""Some of the damaged programs of ``tests/fuzz/vm``: none leaves the memory that is its own."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "vm"))  # tests are collected without packages

import safety
from watched_memory import Escape, watched

from beespace.isa import Insn
from beespace.vm import Code, Machine, Memory, Region, Rights
from beespace.vm.memory import Violation


def test_damaged_programs() -> None:
    known, ends = safety.shipped(), Counter[str]()
    assert safety.batch(900_000, 900_150, known, {}, ends) == []
    assert ends["ends"] > 10
    assert len(ends) > 10  # faults of several kinds


def test_a_missing_check_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second opinion can fail: of a memory that looks at the region alone."""

    def careless(self: Memory, address: int, size: int, right: Rights) -> tuple[Region, int]:
        region = self.find(address)
        if region is None or right not in region.rights:
            raise Violation("nothing there")
        return region, address - region.base

    monkeypatch.setattr(Memory, "locate", careless)
    found = safety.batch(900_000, 900_100, safety.shipped(), {}, Counter())
    assert any("Escape" in line for line in found)


def test_canaries_are_seen() -> None:
    with watched() as watch:
        memory = Memory()
        region = memory.add("some memory", bytearray(8), Rights.BOTH)
        watch.check()
        region = memory.add("some memory", bytearray(8), Rights.BOTH)
        region.data.obj[region.data.nbytes + 600] = 1  # type: ignore[union-attr]
        with pytest.raises(Escape, match="around some memory was written"):
            watch.check()
    with watched() as watch:
        region = Memory().add("some memory", bytearray(8), Rights.BOTH)
        region.data[:] = region.data.obj[:8]  # type: ignore[union-attr]
        with pytest.raises(Escape, match="holds what is around"):
            watch.check()


def test_a_process_that_dies_names_its_program(monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import signal

    def dies(seed: int, *_: object) -> str:
        if seed == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return "ends"

    monkeypatch.setattr(safety, "run", dies)
    ends = Counter[str]()
    assert safety.batch(1, 9, [], {}, ends) == ["3 the process died of SIGKILL"]
    assert ends["ends"] == 2


def test_a_machine_outside_is_not_watched() -> None:
    with watched():
        pass
    machine = Machine()
    assert isinstance(machine.memory.add("some memory", bytearray(8), Rights.BOTH).data, bytearray)
    assert machine.run(Code("p", (Insn(0xB7, 0, imm=3), Insn(0x95)))).result == 3
