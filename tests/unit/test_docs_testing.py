"""Every example of docs/testing.md runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

TEXT = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
# Those that compile a program are run by tests/kernel, where there are the types of a kernel.
EXAMPLES = [each for each in re.findall(r"^```python\n(.*?)^```", TEXT, re.M | re.S) if "simulate(" not in each]


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_it_runs(example: str) -> None:
    names: dict[str, Any] = {}
    exec(compile(example, "docs/testing.md", "exec"), names)
    assert names
