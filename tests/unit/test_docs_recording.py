"""The examples of docs/recording.md: Python runs, command lines are understood, the table of members is complete."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pages import blocks, lines, page

from beespace.cli.arguments import parse
from beespace.sinks.recording import Manifest, Recording, RecordingSink
from beespace.stream import TABLES, Batch

TEXT = page("recording")
COMMANDS = [
    part.strip() for line in lines(TEXT) for part in re.split(r"&&|\|", line) if part.strip().startswith("beespace ")
]


def test_python(tmp_path: Path) -> None:
    path = tmp_path / "a.beespace"
    row = {"time": 5, "local_address": "10.0.0.1", "tx_bytes": 7}
    with RecordingSink(path, Manifest("0", "n", "6.1", "x", 1, 2, 0)) as sink:
        sink.write(Batch("flows", TABLES["flows"].batch_of([row])))
    (example,) = blocks(TEXT, "python")
    names: dict[str, Any] = {}
    exec(compile(example, "docs/recording.md", "exec"), names)
    table: pa.Table = names["flows_of"](str(path))
    assert table.column("tx_bytes").to_pylist() == [7]
    with Recording(path) as recording:
        for member in recording.members - {"flows.arrow"}:
            assert f"`{member}`" in TEXT


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(command: str) -> None:
    assert parse(shlex.split(command)[1:]).command in ("watch", "record", "replay", "query", "demo")


def test_there_are_commands() -> None:
    assert {shlex.split(command)[1] for command in COMMANDS} == {"watch", "record", "replay", "query", "demo"}
