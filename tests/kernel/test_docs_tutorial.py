"""docs/tutorial.md: its files are written, its commands run, and what they print is what the page says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pages
import pytest
from pace import patience
from pages import ROOT

pytestmark = pytest.mark.kernel

TEXT = pages.page("tutorial")
FILES = {text.split("\n", 1)[0].removeprefix("# "): text.split("\n", 1)[1] for text in pages.blocks(TEXT, "python")}
COMMANDS = [line.removeprefix("sudo ") for line in pages.lines(TEXT, "sh") if "beespace " in line and "pip" not in line]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A folder with the page's files."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def said(folder: Path, *command: str, status: int = 0) -> str:
    """What a command prints while something opens files."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "XDG_CACHE_HOME": str(folder / "cache")}
    worker = subprocess.Popen(["sh", "-c", "while cat /dev/null; do :; done"])
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=patience(120), check=False
        )
    finally:
        worker.kill()
        worker.wait()
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def beespace(folder: Path, line: str, status: int = 0) -> str:
    words = re.sub(r"--for \ds", f"--for {patience(1)}s", line.removeprefix("venv/bin/")).split()
    assert words[0] == "beespace"
    return said(folder, sys.executable, "-m", *words, status=status)


def test_the_page_is_known() -> None:
    assert list(FILES) == ["opened.py", "counting.py", "opens.py", "waits.py", "wrong.py"]
    assert len(COMMANDS) == 9


def test_counting(page: Path) -> None:
    out = beespace(page, COMMANDS[1])
    assert re.search(r"^by_command: \d+ entries\n", out, re.MULTILINE)
    assert re.search(r"^  'cat': \d+$", out, re.MULTILINE)
    assert re.fullmatch(r"\d+\n", said(page, sys.executable, "counting.py"))


def test_events(page: Path) -> None:
    assert re.search(r"pid=\d+ comm='cat' path='/dev/null'", beespace(page, COMMANDS[2]))
    events = [json.loads(line) for line in beespace(page, COMMANDS[3]).splitlines()]
    assert any(event.get("path") == "/dev/null" for event in events)
    alone = beespace(page, COMMANDS[4])
    assert "comm='cat'" not in alone
    assert "--only-pid" in beespace(page, COMMANDS[5])


@pytest.mark.host_only
def test_a_histogram(page: Path) -> None:
    out = beespace(page, COMMANDS[6])
    assert re.search(r"\d.*\|@*", out), out


@pytest.mark.host_only
def test_what_is_wrong(page: Path) -> None:
    out = beespace(page, COMMANDS[7], status=1)
    line = next(text for text in pages.blocks(TEXT, "text") if text.startswith("wrong.py"))
    assert line.strip() in out


@pytest.mark.host_only
def test_an_object(page: Path) -> None:
    beespace(page, COMMANDS[8])
    out = said(page, sys.executable, "-m", "beespace", "run", "waits.bpf.o", "--for", f"{patience(1)}s")
    assert "waits" in out
