"""The pages of docs/, and the blocks of code in them: for the tests that run what a page says."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["ROOT", "blocks", "lines", "page"]

ROOT = Path(__file__).parents[2]


def page(name: str) -> str:
    """The text of ``docs/NAME.md``."""
    return (ROOT / "docs" / f"{name}.md").read_text()


def blocks(text: str, language: str = "") -> list[str]:
    """What stands in blocks of that language; of none: in those that name none."""
    found = re.findall(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for named, block in found if named == language]


def lines(text: str, language: str = "") -> list[str]:
    """The lines in such blocks, without comments: mostly commands."""
    return [line.partition("  #")[0].strip() for block in blocks(text, language) for line in block.splitlines()]
