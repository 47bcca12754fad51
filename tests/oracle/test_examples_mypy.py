"""Every file in ``examples/`` as mypy sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FILES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_type_checkers_accept_it(file: Path, tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    # As a user has it: no configuration of ours.  Kernel-side methods have no annotations; they are checked as well.
    options = [
        "--config-file=",
        "--follow-imports=silent",
        "--check-untyped-defs",
        "--cache-dir",
        str(tmp_path / "mypy"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(file)],
        cwd=tmp_path, env={**os.environ, "MYPYPATH": str(ROOT / "src")}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
