"""The list of kernels: the one that tests, docs and commands read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from beespace.errors import UsageError
from beespace.guest import KERNELS, find

DOCS = Path(__file__).parent.parent.parent / "docs" / "kernels.md"


def test_names_are_unique_and_found() -> None:
    assert len({kernel.name for kernel in KERNELS}) == len(KERNELS)
    for kernel in KERNELS:
        assert find(kernel.name) is kernel
    assert find("6.12-amd64") is find("6.12")


def test_what_is_promised_is_there() -> None:
    names = {kernel.name for kernel in KERNELS}
    assert {"5.10", "6.1", "6.12", "6.18", "7.3"} <= names
    assert any(kernel.architecture == "arm64" for kernel in KERNELS)


def test_entries_are_complete() -> None:
    for kernel in KERNELS:
        assert re.fullmatch(r"\d+\.\d+", kernel.series)
        assert kernel.tier in ("short", "full")
        assert kernel.note
        assert kernel.packages
        assert all(package.count("{release}") == 1 for package in kernel.packages)
        assert all(package.endswith(kernel.architecture) for package in kernel.packages)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"5\.10, 6\.1, 6\.12"):
        find("4.19")


def test_the_documented_table_is_the_list() -> None:
    rows = [line.strip("| \n").split("|") for line in DOCS.read_text().splitlines() if re.match(r"\| `\d", line)]
    documented = [tuple(cell.strip() for cell in row) for row in rows]
    assert documented == [
        (f"`{kernel.name}`", kernel.architecture, kernel.suite, kernel.tier, kernel.note) for kernel in KERNELS
    ]
