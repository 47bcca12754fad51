"""What is watched follows from what is shown and what is kept."""

from __future__ import annotations

import pytest

from beespace.cli.arguments import parse
from beespace.cli.watch import watch_options


@pytest.mark.parametrize(
    ("command", "drops", "costs"),
    [
        ("watch", False, False),
        ("watch flows costs", False, True),
        ("watch flows drops", True, False),
        ("watch --store=/tmp/x", True, False),
        ("watch --record=/tmp/x.bee", True, False),
        ("record -o /tmp/x.bee", True, False),
        ("serve", True, False),
        ("serve --costs", True, True),
    ],
)
def test_rows_are_made_where_somebody_takes_them(command: str, drops: bool, costs: bool) -> None:
    options = watch_options(parse(command.split()))
    assert (options.drops, options.costs) == (drops, costs)
