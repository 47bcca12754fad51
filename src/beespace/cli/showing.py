"""What ``watch``, ``replay`` and ``demo`` share: tables chosen, rows filtered and shown, a store filled."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from beespace.errors import StoreError, UsageError
from beespace.session.detail import DetailNews
from beespace.session.filters import only, only_port
from beespace.session.own import Own
from beespace.session.pace import Pace
from beespace.session.pump import Source, pump
from beespace.sinks import Sink, Summary
from beespace.sinks.terminal import TerminalSink
from beespace.stream import Stage
from beespace.stream.tables import table

__all__ = ["LIVE", "checked_tables", "show", "store_of"]

LIVE = ("flows", "execs", "dns", "drops", "uplinks", "costs")


def checked_tables(options: argparse.Namespace) -> list[str]:
    """The tables that were asked for; :class:`UsageError` for those that cannot be shown."""
    tables: list[str] = options.tables or ["flows"]
    for name in tables:
        if table(name).name not in LIVE:
            raise UsageError(f"table {name!r} is not live", help=f"live are {', '.join(LIVE)}; query has the others")
    if options.output == "arrow" and len(tables) > 1:
        raise UsageError(
            "an Arrow stream holds one table", help=f"name one: beespace {options.command} {tables[0]} -o arrow"
        )
    return tables


def store_of(
    options: argparse.Namespace, stack: ExitStack, *, keep: float | None, keep_bytes: int | None
) -> list[Sink]:
    """The store, if one is to be filled; it is closed with ``stack``."""
    if options.store is None:
        return []
    from beespace.sinks.store.sink import StoreSink

    store = StoreSink(options.store, keep_s=keep, keep_bytes=keep_bytes)
    stack.callback(store.close)
    return [store]


def show(
    options: argparse.Namespace,
    source: Source,
    tables: Sequence[str],
    pace: Pace,
    *,
    notes: Sequence[str] = (),
    recorders: Sequence[Sink] = (),
    collected: Callable[[], None] = lambda: None,
    own: Callable[[], Own] = Own,
    begun: Callable[[], None] = lambda: None,
) -> int:
    """Run ``source`` to its end; the exit status.

    ``recorders`` see every batch and are closed; ``collected`` is called when each interval is over;
    ``own`` is what beespace says of itself; ``begun`` is called when the first interval begins.
    """
    troubles: list[str] = []
    news = DetailNews()

    def over() -> None:
        if options.output != "table":  # a table says so below its rows
            for said in news.take(own().detail):
                print(f"beespace: {said}", file=sys.stderr)
        collected()

    for note in notes:
        print(f"beespace: note: {note}", file=sys.stderr)
    with ExitStack() as stack:
        terminal = TerminalSink(sys.stdout, tables) if options.output == "table" else None
        sink: Sink = terminal or _file_sink(options.output)
        stack.callback(sink.close)
        summary = pump(
            source,
            [sink],
            tables=tables,
            stages=_stages(options),
            pace=pace,
            recorders=recorders,
            collected=over,
            own=own,
            begun=begun,
            trouble=lambda error: troubles.append(str(error)),
            show=terminal.show if terminal is not None else _silent,
        )
        for recorder in recorders:
            try:
                recorder.close()
            except StoreError as error:
                troubles.append(str(error))
        if terminal is not None:
            terminal.show(summary)
        else:
            print("beespace: " + "  ".join(summary.parts()), file=sys.stderr)
    for trouble in dict.fromkeys(troubles):
        print(f"beespace: {trouble}", file=sys.stderr)
    return 1 if troubles else 0


def _file_sink(output: str) -> Sink:
    if output == "arrow":
        if sys.stdout.isatty():
            raise UsageError("an Arrow stream is not for terminals", help="send it to a file or a program: > FILE")
        from beespace.sinks.arrow import ArrowSink

        return ArrowSink(sys.stdout.buffer)
    from beespace.sinks.json import JsonSink

    return JsonSink(sys.stdout.buffer)


def _silent(summary: Summary) -> None:
    """The rows say it all."""


def _stages(options: argparse.Namespace) -> list[Stage]:
    stages: list[Stage] = []
    if options.pid:
        stages.append(only("process_pid", options.pid))
    if options.port:
        stages.append(only_port(options.port))
    if options.namespace:
        stages.append(only("namespace", [options.namespace]))
    if options.pod:
        stages.append(only("pod_name", [options.pod]))
    return stages
