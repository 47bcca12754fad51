"""Text in columns that fit a width: the less important columns go first, numbers are never cut.

No escape codes and no terminal here: cells in, lines out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

ROOMY = 80
_ELLIPSIS = "…"
_END = 6  # what a cut in the middle keeps of the end: a port


@dataclass(frozen=True, slots=True)
class GridColumn:
    """How one column is shown.

    ``rank``: the lowest stays longest when room is short.  ``shrinks_to``: cells may be cut down
    to so many places (``None``: never, as a number that is cut is another number), and have
    ``comfort`` places before columns of higher rank come in, if the terminal has 80 or more.
    ``middle``: cut out of the middle, because the end matters too.  ``style`` is rich's.
    """

    title: str
    rank: int
    shrinks_to: int | None = None
    comfort: int = 0
    middle: bool = False
    right: bool = False
    style: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """A column that is shown: which one, and how wide."""

    index: int
    width: int


def fit(columns: Sequence[GridColumn], rows: Sequence[Sequence[str]], width: int | None) -> list[Placed]:
    """Choose columns and widths for ``rows`` in ``width`` places; ``None`` is as wide as it gets.

    The column of lowest rank is always there, cut if it must be.
    """
    natural = [
        max([cell_len(column.title), *(cell_len(row[index]) for row in rows)]) for index, column in enumerate(columns)
    ]
    if width is None:
        return [Placed(index, wanted) for index, wanted in enumerate(natural)]
    least = [
        wanted if column.shrinks_to is None else min(wanted, column.shrinks_to)
        for column, wanted in zip(columns, natural, strict=True)
    ]
    by_rank = sorted(range(len(columns)), key=lambda index: columns[index].rank)
    gap = gap_of(width)
    chosen: dict[int, int] = {}
    room = width + gap  # the first column has no gap before it
    for index in by_rank:
        comfort = columns[index].comfort if width >= ROOMY else 0
        good = min(natural[index], max(least[index], comfort))
        if chosen and least[index] + gap > room:
            continue
        chosen[index] = min(good, room - gap)
        room -= chosen[index] + gap
    for index in by_rank:  # what is left goes to the most important first
        if index in chosen:
            more = min(natural[index] - chosen[index], room)
            chosen[index] += more
            room -= more
    return [Placed(index, chosen[index]) for index in sorted(chosen)]


def gap_of(width: int | None) -> int:
    """Places between columns."""
    return 1 if width is not None and width < 60 else 2


def line(columns: Sequence[GridColumn], placed: Sequence[Placed], cells: Sequence[str], width: int | None) -> list[str]:
    """The cells of one line, cut or padded; joined with nothing between they are the line.

    The last one is not padded on its right.
    """
    gap = " " * gap_of(width)
    parts: list[str] = []
    for number, place in enumerate(placed):
        column = columns[place.index]
        text = (cut_middle if column.middle else cut)(cells[place.index], place.width)
        padding = " " * (place.width - cell_len(text))
        last = number == len(placed) - 1
        if column.right:
            text = padding + text
        elif not last:
            text += padding
        parts.append(text if last else text + gap)
    return parts


def cut(text: str, width: int) -> str:
    """``text`` in at most ``width`` places, ending in … if something is missing."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + _ELLIPSIS if width > 0 else ""


def cut_middle(text: str, width: int) -> str:
    """The same, keeping the last places: ``[2001:db8…]:443``."""
    end = text[-_END:]
    if cell_len(text) <= width or width < 2 * _END or cell_len(end) > _END:
        return cut(text, width)
    return cut(text[:-_END] + _ELLIPSIS, width - _END) + end


def clean(text: str) -> str:
    """``text`` without anything that a terminal would obey: names come from whoever runs a program."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
