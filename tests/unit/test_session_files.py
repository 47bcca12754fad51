"""Probes from files: what is wrong with one is said in the words of its author."""

from __future__ import annotations

from pathlib import Path

import pytest

from beespace.errors import UsageError
from beespace.session.files import program_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("class P(Program):\n    size: Raw = raw(6)\n", "has no size"),
        (
            "class P(Program):\n    path: Text = option(text(8), '/')\n",
            "line 5: NameError: name 'option'",
        ),
        ("class P(Program):\n    @xdp('cpumap')\n    def on_packet(self, ctx):\n        pass\n", "line 5: TypeError"),
    ],
)
def test_mistakes_in_declarations(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "probe.py"
    imports = "from beespace.lang import Program, xdp\nfrom beespace.types import Raw, Text, text\nraw = bytes\n"
    file.write_text(imports + text)
    with pytest.raises(UsageError) as caught:
        program_of(file)
    assert expected in str(caught.value)


def test_where_a_name_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "probe.py"
    file.write_text("x = option\n")
    with pytest.raises(UsageError) as caught:
        program_of(file)
    assert caught.value.help == "from beespace.lang import option"
