"""What authors see when the kernel refuses a program that compiles: real refusals of every kernel of the matrix.

``tests/kernel/test_refusals.py`` has the running kernel refuse the same programs, and with ``UPDATE_GOLDEN=1`` writes
its records; here ``UPDATE_GOLDEN=1`` writes the texts (``refusals_store`` says what stands where).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are collected without packages

from refusals_store import PYTHON, C, joined, refusals

from beespace.compiler.source import SourceFile
from beespace.session.refusals import explain, explain_object

IN_PYTHON = sorted(path.stem for path in PYTHON.glob("*.json"))
IN_C = sorted(path.stem for path in C.glob("*.json"))
STYLES = (lambda kernel: kernel != "7.3", lambda kernel: kernel == "7.3")  # of logs, see kernel/verdict.py


def source_of(name: str) -> SourceFile:
    file = f"{name}.py"
    return SourceFile(file, file, tuple((PYTHON / file).read_text().splitlines(keepends=True)))


def held(text: str, path: Path) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("name", IN_PYTHON)
def test_explanation(name: str) -> None:
    found = {kernel: str(explain(error, [source_of(name)])) for kernel, error in refusals(PYTHON, name).items()}
    held(joined(found), PYTHON / f"{name}.txt")


@pytest.mark.parametrize("name", IN_C)
def test_explanation_of_c(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(C)
    found = {kernel: str(explain_object(error)) for kernel, error in refusals(C, name).items()}
    held(joined(found), C / f"{name}.txt")


@pytest.mark.parametrize("name", IN_C)
def test_c_is_explained_without_its_source(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    errors = refusals(C, name)
    monkeypatch.chdir(tmp_path)
    for error in errors.values():
        found = explain_object(error)
        assert found is not None and found.splitlines()[0] in (C / f"{name}.txt").read_text()


def test_every_explanation_is_one() -> None:
    """A line of the source, what it is about, the kernel's words, the rule and what to change."""
    for path in (*PYTHON.glob("*.txt"), *C.glob("*.txt")):
        for text in path.read_text().split("\nLinux "):
            assert "error: the kernel refused " in text and "^" in text, path
            for part in ("= note: the kernel says: ", "= help: "):
                assert part in text, path


def test_every_program_has_records() -> None:
    assert {path.stem for path in PYTHON.glob("*.py")} == set(IN_PYTHON)
    assert len(IN_PYTHON) >= 14 and len(IN_C) >= 14
    for style in STYLES:
        assert sum(any(style(kernel) for kernel in refusals(PYTHON, name)) for name in IN_PYTHON) >= 14


def test_without_the_source_there_is_no_explanation() -> None:
    (error, *_) = refusals(PYTHON, IN_PYTHON[0]).values()
    assert explain(error, []) is None
