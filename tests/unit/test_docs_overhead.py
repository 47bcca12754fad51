"""docs/overhead.md: its commands are understood, its tables are those of the code."""

from __future__ import annotations

import re
import shlex

import pytest
from pages import ROOT, lines, page

from beespace.cli.arguments import parse
from beespace.session.detail import LEFT_OUT, Detail
from beespace.stream.tables import COSTS

TEXT = page("overhead")
LINES = lines(TEXT)


def test_there_are_commands() -> None:
    assert len(LINES) >= 3


@pytest.mark.parametrize("line", LINES)
def test_commands_are_understood(line: str) -> None:
    words = shlex.split(line)
    assert words[0] == "beespace"
    assert parse(words[1:]).command == "watch"


def test_the_steps_are_those_of_the_code() -> None:
    told = re.findall(r"^\| (\d) \| (null|`\w+`) \| (.*) \|$", TEXT, re.M)
    assert [(int(step), word.strip("`")) for step, word, _ in told] == [
        (step.value, step.word or "null") for step in Detail
    ]
    assert len(told) == len(LEFT_OUT)


def test_the_columns_are_those_of_the_table() -> None:
    rows = TEXT.partition("| column of `costs` |")[2].partition("\n\n")[0]
    named = set(re.findall(r"^\| (.*?) \|", rows, re.M)) - {"---"}
    columns = {column for cell in named for column in re.findall(r"`(\w+)`", cell)}
    assert columns == set(COSTS.names) - {"time", "interval_s", "node", "kind", "probe", "name"}


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", TEXT):
        assert target.startswith("https://") or (ROOT / "docs" / target).exists(), target


def test_the_bench_has_a_place_for_its_table() -> None:
    assert TEXT.count("<!-- overhead: begin -->\n") == TEXT.count("<!-- overhead: end -->\n") == 1
    assert "overhead.py --write docs/overhead.md" in (ROOT / "Makefile").read_text()
