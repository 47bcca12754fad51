"""The live table: what fits, what is shown first, and that nothing is ever obeyed or crashes."""

from __future__ import annotations

import io
import re
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from beespace.sinks import Summary, human
from beespace.sinks.grid import GridColumn, clean, cut, cut_middle, fit, line
from beespace.sinks.rows import endpoint
from beespace.sinks.terminal import PLAIN_ROWS, TerminalSink
from beespace.stream import TABLES, Batch

FLOWS, EXECS = TABLES["flows"], TABLES["execs"]
SUMMARY = Summary(
    2.0, flows=2, tx_bytes=3_000, rx_bytes=80, lost={"ring": 3, "map": 0}, unattributed={"no socket": 5}, cpu=0.012,
    memory=81_000_000,
)  # fmt: skip


def flow(number: int, **values: Any) -> dict[str, Any]:
    return {
        "interval_s": 2.0,
        "process_name": f"proc-{number}",
        "process_pid": 1000 + number,
        "local_address": "10.0.0.1",
        "local_port": 40_000 + number,
        "remote_address": "2001:db8::1",
        "remote_port": 443,
        "transport": "tcp",
        "role": "client",
        "state": "established",
        "tx_bytes": 2_000 * number,
        "rx_bytes": 0,
        "tx_packets": number,
        "rx_packets": 0,
        "retransmits": 0,
        "rtt_us": 1_234,
        **values,
    }


def flows(*rows: dict[str, Any]) -> Batch:
    return Batch("flows", FLOWS.batch_of(rows))


def execs(*rows: dict[str, Any]) -> Batch:
    return Batch("execs", EXECS.batch_of(rows))


def screen(width: int, height: int, *batches: Batch, tables: tuple[str, ...] = ("flows",), raw: bool = False) -> str:
    """What a terminal of that size is sent for one refresh."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, height=height, color_system=None)
    with TerminalSink(stream, tables, console=console) as sink:
        for batch in batches:
            sink.write(batch)
        sink.show(SUMMARY)
    return stream.getvalue() if raw else re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", stream.getvalue())


def plain(*batches: Batch, tables: tuple[str, ...] = ("flows",), summary: Summary = SUMMARY) -> list[str]:
    """What a file gets."""
    stream = io.StringIO()
    with TerminalSink(stream, tables) as sink:
        for batch in batches:
            sink.write(batch)
        sink.show(summary)
    return stream.getvalue().splitlines()


# -- the table -----------------------------------------------------------------------------------------------------


def test_a_plain_snapshot_has_everything_and_no_escape_codes() -> None:
    header, first, second, status, empty = plain(flows(flow(1), flow(2)))
    assert re.split(r"\s{2,}", header) == [
        "PROCESS", "PID", "LOCAL", "REMOTE", "PROTO", "TX/s", "RX/s", "TX pkts", "RX pkts", "RTT", "RETR", "ROLE",
        "STATE",
    ]  # fmt: skip
    assert re.split(r"\s{2,}", first.strip()) == [
        "proc-2", "1002", "10.0.0.1:40002", "[2001:db8::1]:443", "tcp", "2.0 kB", "0 B", "2", "0", "1.2 ms", "0",
        "client", "established",
    ]  # fmt: skip
    assert second.startswith("proc-1")
    assert status == (
        "2 flows  lost 3 (ring 3)  ↑ 1.5 kB/s  ↓ 40 B/s  unattributed 5 (no socket 5)  cpu 1.2 %  mem 81 MB"
    )
    assert empty == ""


def test_pods_show_when_there_are_any() -> None:
    header, first, second, *_ = plain(
        flows(flow(2, pod_name="web-1", namespace="shop"), flow(1, container_id="0123456789abcdef"))
    )
    assert "POD/CONTAINER" in header
    assert "shop/web-1" in first
    assert "0123456789ab " in second


@pytest.mark.parametrize("width", [20, 30, 40, 60, 80, 120, 200])
@pytest.mark.parametrize("height", [1, 2, 3, 8, 24])
def test_every_size_of_terminal_works(width: int, height: int) -> None:
    rows = flows(*(flow(n, process_name="名前が長いプロセス" if n % 2 else "x" * 40) for n in range(40)))
    lines = screen(width, height, rows, tables=("flows", "execs")).split("\n")
    shown = [text for text in lines if text]
    assert 1 <= len(shown) <= height
    assert all(cell_len(text) <= width for text in shown)
    assert "2 flows" in shown[-1]


def test_twenty_columns_keep_who_and_how_much() -> None:
    lines = screen(20, 6, flows(flow(3), flow(1))).split("\n")
    assert lines[0].split() == ["PROCE…", "TX/s", "RX/s"] or lines[0].split() == ["PROCESS", "TX/s", "RX/s"]
    assert "3.0 kB" in lines[1] and "proc-3" in lines[1]


def test_what_does_not_fit_is_counted() -> None:
    lines = screen(80, 6, flows(*(flow(n) for n in range(10)))).split("\n")
    assert [text.split()[0] for text in lines if text] == ["PROCESS", "proc-9", "proc-8", "proc-7", "…", "2"]
    assert "… 7 more flows" in lines[4]
    many = plain(flows(*(flow(n) for n in range(PLAIN_ROWS + 5))))
    assert f"… {6} more flows" in many


def test_the_screen_is_given_back() -> None:
    sent = screen(80, 10, flows(flow(1)), raw=True)
    assert sent.startswith("\x1b[?1049h") or "\x1b[?1049h" in sent
    assert sent.rindex("\x1b[?1049l") > sent.index("\x1b[?1049h")
    assert sent.rindex("\x1b[?25h") > sent.index("\x1b[?25l")


def test_names_cannot_command_the_terminal() -> None:
    evil = "a\x1b[2Jb\r\n\x07\x9b31m\u202e[red]x[/red]"
    sent = screen(160, 8, flows(flow(1, process_name=evil)), raw=True)
    assert "\x1b[2J" not in sent and "\x07" not in sent and "\x9b" not in sent and "\u202e" not in sent
    assert "[red]x[/red]" in sent
    assert "\x1b" not in "\n".join(plain(flows(flow(1, process_name=evil))))


def test_nothing_yet_and_nothing_known() -> None:
    assert plain()[0] == "waiting for the first packets …"
    header, row, *_rest = plain(flows({}))
    assert header.startswith("PROCESS")
    assert set(row.split()) == {"-"}


def test_a_terminal_without_unicode() -> None:
    binary = io.BytesIO()
    stream = io.TextIOWrapper(binary, encoding="ascii")
    with TerminalSink(stream) as sink:
        sink.write(flows(flow(1, process_name="naïve", rtt_us=85)))
        sink.show(SUMMARY)
    text = binary.getvalue().decode("ascii")
    assert "na?ve" in text and "85 us" in text and "tx 1.5 kB/s" in text


# -- execs ---------------------------------------------------------------------------------------------------------

RAN = {
    "time": 1_700_000_000_000_000_000, "process_pid": 5, "parent_pid": 1, "process_uid": 0, "process_name": "sh",
    "process_args": "sh -c 'echo\nhello'",
}  # fmt: skip


def test_execs_scroll_under_one_header() -> None:
    stream = io.StringIO()
    with TerminalSink(stream, ("execs",)) as sink:
        sink.write(execs(RAN))
        sink.show(SUMMARY)
        sink.write(execs())
        sink.write(execs({**RAN, "exit_code": 3, "duration_s": 1.5, "process_name": "sh" * 20}))
    header, first, second = stream.getvalue().splitlines()
    assert header.split() == ["TIME", "PID", "PPID", "UID", "PROCESS", "POD/CONTAINER", "EXIT", "RAN", "COMMAND"]
    assert first.index("sh -c 'echo") == second.index("sh -c 'echo") == header.index("COMMAND")
    assert first.endswith("sh -c 'echo\N{REPLACEMENT CHARACTER}hello'")
    assert " 3  " in second and "1.5 s" in second and "…" in second


def test_execs_stand_below_flows() -> None:
    lines = screen(100, 14, flows(flow(1)), execs(RAN), tables=("flows", "execs")).split("\n")
    assert lines[0].startswith("PROCESS") and lines[1].startswith("proc-1")
    assert lines[-2].rstrip().endswith("hello'")
    assert lines[-3].split() == ["TIME", "PID", "PPID", "UID", "PROCESS", "POD/CONTAINER", "EXIT", "RAN", "COMMAND"]
    crowded = screen(100, 14, flows(flow(1)), execs(*[RAN] * 30), tables=("flows", "execs")).split("\n")
    starts = [re.sub(r"^\d\d:\d\d:\d\d$", "at", text.split()[0]) for text in crowded[-5:]]  # whatever the time zone
    assert starts == ["TIME", "at", "at", "at", "2"]
    assert lines[-1].startswith("2 flows")
    text = plain(flows(flow(1)), execs(RAN), tables=("flows", "execs"))
    assert sum("hello'" in each for each in text) == 1


@pytest.mark.parametrize("width", [20, 40, 80])
def test_execs_fit_the_terminal(width: int) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, height=10, color_system=None)
    with TerminalSink(stream, ("execs",), console=console) as sink:
        sink.write(execs({**RAN, "process_args": "x" * 300}))
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue()).splitlines()
    assert len(lines) == 2
    assert all(len(text) <= width for text in lines)


# -- summaries and numbers -----------------------------------------------------------------------------------------


def test_the_last_words() -> None:
    final = Summary(3_725, flows=2, tx_bytes=10**9, tx_packets=1, execs=1, cpu=0.034, memory=50_000_000, final=True)
    assert plain(flows(flow(1)), summary=final) == [
        "1h 02m: 2 flows  1 exec event  sent 1.0 GB in 1 packet  received 0 B in 0 packets  nothing lost  "
        "unattributed 0 packets  cpu 3.4 % of one core  memory 50 MB"
    ]
    lost = Summary(1, lost={"ring": 1_234, "flow table full": 2}, final=True)
    assert any("lost 1236 (ring 1.2k, flow table full 2)" in text for text in plain(summary=lost))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (999, "999 B"), (999.6, "1.0 kB"), (1_000, "1.0 kB"), (9_949, "9.9 kB"), (9_950, "10 kB"),
     (999_499, "999 kB"), (999_500, "1.0 MB"), (34e6, "34 MB"), (10**30, "1000000000000 EB"), (None, "-")],
)  # fmt: skip
def test_sizes(value: float | None, text: str) -> None:
    assert human.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 µs"), (999, "999 µs"), (1_000, "1.0 ms"), (85_400, "85 ms"), (999_499, "999 ms"), (999_500, "1.0 s"),
     (59_400_000, "59 s"), (60_000_000, "1m 00s"), (3_599_600_000, "1h 00m"), (90_061_000_000, "1d 01h"), (None, "-")],
)  # fmt: skip
def test_spans(value: float | None, text: str) -> None:
    assert human.span(value) == text


def test_percent_and_count() -> None:
    assert [human.percent(share) for share in (0, 0.0042, 0.12, 1.8)] == ["0.0 %", "0.4 %", "12 %", "180 %"]
    assert [human.count(value) for value in (0, 950, 1_200, float("nan"))] == ["0", "950", "1.2k", "-"]


@pytest.mark.parametrize(
    ("name", "port", "text"),
    [("10.1.2.3", 443, "10.1.2.3:443"), ("fe80::1", 53, "[fe80::1]:53"), ("fe80::1", None, "fe80::1"),
     ("shop/web", 80, "shop/web:80"), (None, 80, "-")],
)  # fmt: skip
def test_endpoints(name: str | None, port: int | None, text: str) -> None:
    assert endpoint(name, port) == text


# -- the grid ------------------------------------------------------------------------------------------------------

_COLUMNS = st.lists(
    st.builds(
        GridColumn,
        title=st.text("ABC/", max_size=9),
        rank=st.integers(0, 9),
        shrinks_to=st.none() | st.integers(1, 12),
        comfort=st.integers(0, 30),
        middle=st.booleans(),
        right=st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@given(_COLUMNS, st.data(), st.integers(1, 200))
@settings(deadline=None)
def test_lines_never_exceed_the_width(columns: list[GridColumn], data: st.DataObject, width: int) -> None:
    cells = st.lists(st.text("ab名…", max_size=30), min_size=len(columns), max_size=len(columns))
    rows = data.draw(st.lists(cells, max_size=4))
    places = fit(columns, rows, width)
    least = min(columns, key=lambda column: column.rank)
    assert columns.index(least) in [place.index for place in places]
    for row in rows:
        assert cell_len("".join(line(columns, places, row, width))) <= width
        for place in places:  # numbers are whole, unless there is room for nothing else
            if columns[place.index].shrinks_to is None and len(places) > 1 and columns[place.index] is not least:
                assert place.width >= cell_len(row[place.index])


@given(st.text("ab:[]名", max_size=40), st.integers(0, 50))
def test_cuts_fit_and_say_so(text: str, width: int) -> None:
    for short in (cut(text, width), cut_middle(text, width)):
        assert cell_len(short) <= width
        assert short == text if cell_len(text) <= width else ("…" in short or width == 0)


def test_cut_in_the_middle_keeps_the_port() -> None:
    assert cut_middle("[2001:db8:1:2:3:4:5:6]:8443", 16) == "[2001:db8…]:8443"


@given(st.text())
def test_clean_is_printable(text: str) -> None:
    assert clean(text).isprintable()
    assert len(clean(text)) == len(text)


def test_rows_of_any_batch_can_be_shown() -> None:
    text = plain(Batch("flows", FLOWS.conform(pa.RecordBatch.from_pydict({"tx_bytes": [None, 5]}))))
    assert len(text) == 5


def test_what_beespace_costs_is_a_table_of_its_own() -> None:
    row = {"interval_s": 2.0, "kind": "program", "probe": "flows", "name": "on_egress", "cpu_ns": 10_000_000}
    row |= {"runs": 5000, "memory_bytes": 8200}
    ring = {"interval_s": 2.0, "kind": "map", "probe": "execs", "name": "processes", "entries": 1, "max_entries": 4}
    batch = Batch("costs", TABLES["costs"].batch_of([row, ring]))
    header, program, a_map, *_ = plain(batch, tables=("costs",))
    assert header.split() == ["KIND", "PROBE", "NAME", "CPU", "RUNS/s", "MEMORY", "FULL"]
    assert program.split() == ["program", "flows", "on_egress", "0.5", "%", "2.5k", "8.2", "kB", "-"]
    assert a_map.split() == ["map", "execs", "processes", "-", "-", "-", "25", "%"]
    assert "on_egress" not in "".join(plain(batch, tables=("flows", "costs")))  # the line below the flows says it
