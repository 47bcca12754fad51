"""The examples of docs/testing.md that compile a program."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from pages import blocks, page

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("own_cache")]

BLOCKS = blocks(page("testing"), "python")
EXAMPLES = [each for each in BLOCKS if "simulate(" in each and not each.startswith("# ")]  # others are files


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_it_runs(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "an_example.py").write_text(example)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "an_example", raising=False)
    importlib.import_module("an_example")


def test_there_are_some() -> None:
    assert EXAMPLES
