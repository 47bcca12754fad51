"""Programs that compile and that the kernel refuses: the author sees the line, the name and what to change.

With ``UPDATE_GOLDEN=1`` what this kernel says is written to ``tests/golden/refusals``, for tests without a kernel.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from beespace.errors import BeespaceError, CompileError, VerifierError
from beespace.session.files import program_of

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

FOLDER = Path(__file__).parent.parent / "golden" / "refusals"
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.py"))
KERNEL = ".".join(os.uname().release.split(".")[:2])
_KEPT = 120  # lines of a log that a record keeps from its end


def write_record(name: str, error: VerifierError) -> None:
    lines = [[line.index, line.file, line.line, line.column] for line in error.lines]
    log = "\n".join(error.log.splitlines()[-_KEPT:]) + "\n"
    record = json.dumps({"program": error.program, "log": log, "lines": lines}, indent=1)
    (FOLDER / f"{name}.{KERNEL}.json").write_text(record + "\n")


@pytest.mark.parametrize("name", PROGRAMS)
def test_refusal(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(FOLDER)
    try:
        with program_of(FOLDER / f"{name}.py")() as running:
            assert running
        pytest.skip("this kernel takes it")
    except VerifierError as refused:
        error = refused
    except CompileError:
        raise
    except BeespaceError as other:
        pytest.skip(f"this kernel cannot be asked: {other}")
    if os.environ.get("UPDATE_GOLDEN"):
        write_record(name, error)
    # Kernels stop at different instructions; what is said is of one of the recorded kinds.
    titles = {path.read_text().partition("error: ")[2].partition("\n")[0] for path in FOLDER.glob(f"{name}.*.txt")}
    said = str(error)
    assert said.startswith(f"{name}.py:"), said
    assert said.partition("error: ")[2].partition("\n")[0] in titles
    assert f"the kernel says: {error.reason}" in said
    assert "    = help: " in said
    assert "^" in said.splitlines()[2]
