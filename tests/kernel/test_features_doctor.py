"""``beespace doctor``: short and whole, for people and for programs."""

from __future__ import annotations

import json

import pytest

from beespace.cli.main import main
from beespace.kernel import features
from beespace.kernel.features import Feature

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]


def test_json_of_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--all", "-o", "json"]) in (0, 3)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    findings = [row for row in rows if "feature" in row]
    found = [Feature(**row) for row in rows if "group" in row]
    assert len(findings) + len(found) == len(rows)
    assert len(findings) > 20 and len(found) > 1000
    assert features.program_type(6) in found and features.map_type(1) in found
    assert features.helper(6, "xdp_adjust_head") in found
    groups = list(dict.fromkeys(each.group for each in found))
    assert groups[:3] == ["machine", "setting", "limit"] and groups[-1] == "helper"


def test_a_table_of_everything(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor", "--all"])
    said = capsys.readouterr().out
    for line in (
        "program types",
        "  ok  socket_filter",
        "map types",
        "  ok  verified instructions",
        "helper functions",
    ):
        assert f"\n{line}" in said, line
    assert "\n  xdp: " in said and "xdp_adjust_head" in said
    assert max(map(len, said.splitlines())) < 400


def test_the_short_table_counts(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor"])
    said = capsys.readouterr().out
    types = list(features.program_types())
    assert f"This kernel has {sum(each.available for each in types)} of {len(types)} program types, " in said
    assert f"instruction set v{features.instruction_level()} (list: --all)" in said
