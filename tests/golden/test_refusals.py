"""What authors see when the kernel refuses a program that compiles.

Beside each program of ``refusals`` stand one or more records ``NAME.KERNEL.json`` (a kernel's log, and the source of
the instructions) and what is made of it, ``NAME.KERNEL.txt``.  ``tests/kernel/test_refusals.py`` has the kernel refuse
the same programs, and with ``UPDATE_GOLDEN=1`` writes the records; here ``UPDATE_GOLDEN=1`` writes the texts.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from beespace.compiler.source import SourceFile
from beespace.errors import VerifierError
from beespace.session.refusals import explain

FOLDER = Path(__file__).parent / "refusals"
RECORDS = sorted(path.stem for path in FOLDER.glob("*.json"))


def refusal(record: dict[str, object], text: str) -> VerifierError:
    lines = text.splitlines()
    return VerifierError(
        str(record["program"]), errno=13, log=str(record["log"]), reason="", source=None,
        lines=[
            SimpleNamespace(index=index, file=file, line=line, column=column, text=lines[line - 1] if line else "")
            for index, file, line, column in record["lines"]
        ],
    )  # fmt: skip


@pytest.mark.parametrize("name", RECORDS)
def test_explanation(name: str) -> None:
    record = json.loads((FOLDER / f"{name}.json").read_text())
    program = f"{name.partition('.')[0]}.py"
    text = (FOLDER / program).read_text()
    found = explain(refusal(record, text), [SourceFile(program, program, tuple(text.splitlines(keepends=True)))])
    expected = FOLDER / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        expected.write_text(f"{found}\n")
    assert f"{found}\n" == expected.read_text()


def test_every_program_has_a_record() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == {name.partition(".")[0] for name in RECORDS}


def test_without_the_source_there_is_no_explanation() -> None:
    record = json.loads((FOLDER / f"{RECORDS[0]}.json").read_text())
    assert explain(refusal(record, (FOLDER / f"{RECORDS[0].partition('.')[0]}.py").read_text()), []) is None
