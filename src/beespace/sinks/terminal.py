"""The live table: every flow of the last interval, busiest first, fitted to the terminal.

On a terminal the table is redrawn in place and leaves the screen as it found it; anywhere else
every :meth:`TerminalSink.show` prints a plain snapshot without escape codes.  ``execs`` scroll by,
or stand below the flows if both are watched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TextIO

import pyarrow as pa
from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from beespace.sinks.grid import GridColumn, Placed, cut, fit, gap_of, line
from beespace.sinks.rows import COSTS, EXECS, FLOWS, Shown, busiest, cells_of
from beespace.sinks.sink import Closing
from beespace.sinks.summary import Summary
from beespace.stream.batch import Batch

PLAIN_ROWS = 50  # of one snapshot; -o json has them all
_PLAIN_ASCII = str.maketrans({"…": "~", "µ": "u", "↑": "tx", "↓": "rx", "·": "|", "\N{REPLACEMENT CHARACTER}": "?"})


class TerminalSink(Closing):
    """Shows batches of ``tables`` on ``stream``.

    :meth:`write` only takes rows of ``flows`` in; :meth:`show` draws them with a summary, once an
    interval.  A summary that is ``final`` is printed below everything, and stays.
    """

    def __init__(self, stream: TextIO, tables: Sequence[str] = ("flows",), *, console: Console | None = None) -> None:
        self._stream = stream
        self._console = console or Console(file=stream, highlight=False)
        self._on_terminal = self._console.is_terminal and not self._console.is_dumb_terminal
        self._flows: Batch | None = None
        self._execs: deque[list[str]] = deque(maxlen=200)
        self._exec_header: tuple[int | None] | None = None  # the width that the header was printed for
        self._with_flows = "flows" in tables
        self._live: Live | None = None

    def write(self, batch: Batch) -> None:
        """Take rows in; ``execs`` and ``costs`` without flows are printed at once."""
        if batch.table == "flows":
            self._flows = batch
        elif batch.table == "execs":
            rows = cells_of(EXECS, batch.records)
            if self._with_flows:
                self._execs.extend(rows)
            else:
                self._scroll(rows)
        elif batch.table == "costs" and not self._with_flows:  # with flows, the line below them says what it comes to
            self._snapshot(COSTS, batch.records)

    def show(self, summary: Summary) -> None:
        """Draw what was taken in, and the summary."""
        if summary.final:
            self._leave()
            self._print([Text("  ".join(summary.parts()))], wrap=True)
        elif not self._with_flows:
            return
        elif self._on_terminal:
            self._draw(summary)
        else:
            self._print(
                [*self._table(PLAIN_ROWS, None), *self._tail(None, PLAIN_ROWS), self._status(summary, None), Text()]
            )

    def close(self) -> None:
        """Give the screen back."""
        self._leave()

    # -- the screen ------------------------------------------------------------------------------------------

    def _draw(self, summary: Summary) -> None:
        width, height = self._console.size
        tail = self._tail(width, (height - 2) // 3)
        table = self._table(max(0, height - 2 - len(tail)), width)
        room = height - 1 - len(tail) - len(table)
        lines = [*table, *[Text()] * max(0, room), *tail, self._status(summary, width)]
        screen = Group(*(self._encodable(text) for text in lines[-height:]))
        if self._live is None:
            self._live = Live(
                screen,
                console=self._console,
                screen=True,
                auto_refresh=False,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start(refresh=True)
        else:
            self._live.update(screen, refresh=True)

    def _leave(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    # -- lines -----------------------------------------------------------------------------------------------

    def _table(self, rows: int, width: int | None) -> list[Text]:
        """The header and up to ``rows`` lines of flows."""
        if self._flows is None:
            return [Text("waiting for the first packets …", no_wrap=True, overflow="crop")]
        records = self._flows.records
        hidden = records.num_rows - rows
        if hidden > 0:
            rows = max(0, rows - 1)
        shown = _with_something_to_say(FLOWS, cells := cells_of(FLOWS, busiest(records, rows)))
        columns = [FLOWS[index][0] for index in shown]
        picked = [[row[index] for index in shown] for row in cells]
        places = fit(columns, picked, width)
        lines = [_header(columns, places, width), *(_styled(columns, places, row, width) for row in picked)]
        if hidden > 0:
            more = f"… {records.num_rows - rows} more flows" if rows else f"… {records.num_rows} flows"
            lines.append(_cropped(more, width, "dim"))
        return lines

    def _tail(self, width: int | None, lines: int) -> list[Text]:
        """The last programs that were executed, under a header; printed once where lines stay."""
        rows = list(self._execs)[-max(0, lines - 1) :]
        if width is None:
            self._execs.clear()
        if not rows or lines < 2:
            return []
        columns = [column for column, _cell in EXECS]
        places = fit(columns, rows, width)
        return [_header(columns, places, width), *(_styled(columns, places, row, width) for row in rows)]

    def _scroll(self, rows: list[list[str]]) -> None:
        """Lines that follow one another: places do not depend on the rows, so that columns stay under each other."""
        if not rows:
            return
        columns = [column for column, _cell in EXECS]
        width = self._console.width if self._on_terminal else None
        places = _exec_places(columns, width)
        lines = [_styled(columns, places, row, width) for row in rows]
        if self._exec_header != (width,):
            self._exec_header = (width,)
            lines.insert(0, _header(columns, places, width))
        self._print(lines)

    def _snapshot(self, shown: Sequence[Shown], records: pa.RecordBatch) -> None:
        """All rows under a header, and an empty line."""
        columns, rows = [column for column, _cell in shown], cells_of(shown, records)
        width = self._console.width if self._on_terminal else None
        places = fit(columns, rows, width)
        self._print([_header(columns, places, width), *(_styled(columns, places, row, width) for row in rows), Text()])

    def _status(self, summary: Summary, width: int | None) -> Text:
        """As many parts of the summary as fit; a loss is red."""
        parts = summary.parts()
        while width is not None and len(parts) > 1 and cell_len("  ".join(parts)) > width:
            parts.pop()
        text = Text(no_wrap=True, overflow="crop")
        for number, part in enumerate(parts):
            alarm = part.startswith("lost ") and any(summary.lost.values())
            text.append(
                ("  " if number else "") + part, "bold red" if alarm else "reverse" if width is not None else ""
            )
        if width is not None:
            text.truncate(width)
        return text

    # -- output ----------------------------------------------------------------------------------------------

    def _print(self, lines: list[Text], wrap: bool = False) -> None:
        if not self._on_terminal:
            self._stream.write("".join(self._encodable(text).plain.rstrip() + "\n" for text in lines))
            self._stream.flush()
            return
        for text in lines:
            self._console.print(
                self._encodable(text), soft_wrap=False, no_wrap=not wrap, overflow="fold" if wrap else "crop"
            )

    def _encodable(self, text: Text) -> Text:
        """``text`` in what the stream's encoding has: no character may end the program."""
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            text.plain.encode(encoding)
            return text
        except UnicodeEncodeError:
            simple = text.plain.translate(_PLAIN_ASCII).encode(encoding, "replace").decode(encoding)
            return Text(simple, no_wrap=text.no_wrap, overflow=text.overflow)


_USUAL_EXEC = ("00:00:00", "4194304", "4194304", "65534", "kworker/u256:12", "-" * 24, "255", "59m 59s", "")
_UNBOUNDED = 1 << 20


def _exec_places(columns: Sequence[GridColumn], width: int | None) -> list[Placed]:
    """Room for usual values; the command takes the rest of the line."""
    places = fit(columns, [_USUAL_EXEC], width)
    *others, last = places
    if columns[last.index].title != "COMMAND":
        return places
    rest = _UNBOUNDED if width is None else width - sum(place.width + gap_of(width) for place in others)
    return [*others, Placed(last.index, rest)]


def _with_something_to_say(shown: Sequence[Shown], rows: list[list[str]]) -> list[int]:
    """All columns, without the place of processes if none is in a container."""
    silent = {"POD/CONTAINER"} if all(row[2] == "-" for row in rows) else set()
    return [index for index, (column, _cell) in enumerate(shown) if column.title not in silent]


def _header(columns: Sequence[GridColumn], places: Sequence[Placed], width: int | None) -> Text:
    titles = [column.title for column in columns]
    return Text("".join(line(columns, places, titles, width)), "bold underline", no_wrap=True, overflow="crop")


def _styled(columns: Sequence[GridColumn], places: Sequence[Placed], cells: Sequence[str], width: int | None) -> Text:
    text = Text(no_wrap=True, overflow="crop")
    for place, part in zip(places, line(columns, places, cells, width), strict=True):
        text.append(part, columns[place.index].style)
    return text


def _cropped(text: str, width: int | None, style: str) -> Text:
    return Text(text if width is None else cut(text, width), style, no_wrap=True, overflow="crop")
