"""Every example of docs/testing.md runs: those that are files together, as a user would have them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pages import ROOT, blocks, page

TEXT = page("testing")
BLOCKS = blocks(TEXT, "python")
FILES = {found[1]: block for block in BLOCKS if (found := re.match(r"# (\w+\.py)\n", block))}
# Those that compile a program are run by tests/kernel, where there are the types of a kernel.
EXAMPLES = [each for each in BLOCKS if "simulate(" not in each and each not in FILES.values()]


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_it_runs(example: str) -> None:
    names: dict[str, Any] = {}
    exec(compile(example, "docs/testing.md", "exec"), names)
    assert names


def beespace_test(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    for name, content in FILES.items():
        (folder / name).write_text(content)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    environment |= {"PYTHONPATH": str(ROOT / "src"), "XDG_CACHE_HOME": str(folder / "cache"), "BEESPACE_BTF": "shipped"}
    return subprocess.run(
        [sys.executable, "-m", "beespace", "test", "-p", "no:cacheprovider", "--on", "vm", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_files_are_a_project(tmp_path: Path) -> None:
    arguments = ("--ignore=test_failing.py", "--snapshot-update", "-v")
    done = beespace_test(tmp_path, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in FILES:
        assert f"{name}::" in done.stdout or name == "test_failing.py", done.stdout
    (snapshot,) = (tmp_path / "__snapshots__").iterdir()
    assert "'packets': list([" in snapshot.read_text()
    again = beespace_test(tmp_path, "test_snapshot.py")
    assert again.returncode == 0, again.stdout


def test_what_a_failing_test_shows(tmp_path: Path) -> None:
    done = beespace_test(tmp_path, "test_failing.py")
    assert done.returncode == 1
    shown = TEXT.partition("# test_failing.py")[2].partition("```\n\n```\n")[2].partition("```")[0]
    for line in shown.splitlines():
        assert line in done.stdout.splitlines(), done.stdout
