"""The matrix with tests of its own: one that ends its guest, one that wants a fresh kernel, one that is not there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import matrix
import pytest

from beespace.guest import find

pytestmark = [pytest.mark.vm, pytest.mark.usefixtures("can_run")]

TESTS = """
import os
import pytest
from pathlib import Path

MARK = Path("/run/somebody-was-here")
IN_GUEST = os.uname().nodename == "linux-6-12"

def test_passes():
    assert IN_GUEST
    MARK.touch()

def test_fails():
    print("printed before")
    assert MARK.exists() and 1 == 2

def test_skips():
    pytest.skip("no such thing (Linux 9.9)")

def test_is_killed():
    assert IN_GUEST
    os.kill(os.getpid(), 9)

def test_panics():
    assert IN_GUEST
    Path("/proc/sysrq-trigger").write_text("c")

def test_after_the_panic():
    assert not MARK.exists()
    MARK.touch()

@pytest.mark.fresh_kernel
def test_in_a_kernel_of_its_own():
    assert not MARK.exists()

@pytest.mark.host_only
def test_of_this_machine():
    assert not IN_GUEST
"""


def test_every_result_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not os.uname().nodename.startswith("linux-6-12")
    (tmp_path / "src").symlink_to(matrix.ROOT / "src")
    (tmp_path / "tests" / "kernel").mkdir(parents=True)
    (tmp_path / "tests" / "kernel" / "test_own.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n fresh_kernel\n host_only\n")
    monkeypatch.setattr(matrix, "ROOT", tmp_path)
    monkeypatch.delenv("BEESPACE_OBJECT_CACHE", raising=False)

    cache = matrix.Cache()
    tests, broken = matrix.collect(cache)
    assert broken == {}
    assert [inner.name.partition("::")[2] for inner in tests if inner.fresh] == ["test_in_a_kernel_of_its_own"]
    absent = matrix.Inner("tests/kernel/test_own.py::test_that_is_not_there", fresh=False)
    kernel = find("6.12")
    running = matrix.Matrix(cache, {kernel: [*tests, absent]})
    try:
        results = {
            inner.name.partition("::")[2]: running.result(kernel, inner.name) for inner in (*tests, absent)
        }  # fmt: skip
    finally:
        running.close()
    expected = {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_skips": "skipped",
        "test_is_killed": "failed",
        "test_panics": "failed",
        "test_after_the_panic": "passed",
        "test_in_a_kernel_of_its_own": "passed",
        "test_that_is_not_there": "failed",
    }
    assert {name: result.text for name, result in results.items() if result.outcome != expected[name]} == {}
    assert results.keys() == expected.keys()
    told = [json.loads(line) for line in cache.results(kernel).read_text().splitlines()]
    assert {each["test"].partition("::")[2]: each["outcome"] for each in told} == {
        name: result.outcome for name, result in results.items()
    }
    assert "assert (True and 1 == 2)" in results["test_fails"].text
    assert "printed before" in results["test_fails"].text
    assert results["test_skips"].text == "no such thing (Linux 9.9)"
    assert "Kernel panic - not syncing: sysrq triggered crash" in results["test_panics"].text
    assert "pytest in the guest ended in this test" in results["test_is_killed"].text
    assert "did not run this test" in results["test_that_is_not_there"].text


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "src").symlink_to(matrix.ROOT / "src")
    (tmp_path / "tests" / "kernel").mkdir(parents=True)
    (tmp_path / "tests" / "kernel" / "test_own.py").write_text("import no_such_module\n")
    monkeypatch.setattr(matrix, "ROOT", tmp_path)
    tests, broken = matrix.collect(matrix.Cache())
    assert tests == []
    assert "no_such_module" in broken["tests/kernel/test_own.py"]
