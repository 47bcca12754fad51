"""docs/loader.md: its examples run as they stand, and its tables are those of the code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import blocks, page

from beespace.hooks import ALIASES, HOOKS
from beespace.kernel.links import _KINDS
from beespace.kernel.maps.kinds import CLASSES

TEXT = page("loader")
EXAMPLES = blocks(TEXT, "python")


@pytest.fixture
def names(object_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    [source] = [block for block in blocks(TEXT, "c") if block.startswith("// execs.bpf.c\n")]
    file = object_file(source)
    file.rename(file.with_name("execs.bpf.o"))
    monkeypatch.chdir(file.parent)
    scope: dict[str, Any] = {}
    exec("import os, subprocess\nimport pytest\nimport beespace", scope)
    yield scope


@pytest.mark.kernel
@pytest.mark.usefixtures("no_leaks")
@pytest.mark.parametrize("example", EXAMPLES, ids=[f"example{place}" for place in range(len(EXAMPLES))])
def test_example(example: str, names: dict[str, Any]) -> None:
    exec(compile(example, "docs/loader.md", "exec"), names)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 7


def test_every_section_name_is_documented() -> None:
    listed = re.findall(r"^\| `([^`]+)` \|", TEXT.partition("<!-- sections -->")[2], re.MULTILINE)
    assert set(listed) == {hook.section for hook in HOOKS} | set(ALIASES)


# Named in the table by the first of their family only, and what is for experts.
_BESIDE = {"PerfEventArray", "CgroupArray", "InodeStorage", "SocketStorage", "CgroupStorage"}
_RARE = {"via", "revision", "preorder", "device"}


def test_every_kind_of_map_and_link_is_documented() -> None:
    classes = {name for name, _ in CLASSES.values()} - _BESIDE
    assert {name for name in classes if f"`{name}`" not in TEXT} == set()
    keywords = {keyword for _, _, words in _KINDS.values() for keyword in words.split()} - _RARE
    assert {keyword for keyword in keywords if f"`{keyword}`" not in TEXT} == set()
