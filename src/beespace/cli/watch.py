"""``beespace watch``: live tables of what happens on this host."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

from beespace.errors import UsageError
from beespace.session.filters import only, only_port
from beespace.session.pump import pump
from beespace.session.watch import Watch, WatchOptions
from beespace.sinks import Sink, Summary
from beespace.sinks.terminal import TerminalSink
from beespace.stream import Stage
from beespace.stream.tables import table

LIVE = ("flows", "execs")


def run(options: argparse.Namespace) -> int:
    """Watch until the time is over or a signal comes."""
    tables = options.tables or ["flows"]
    for name in tables:
        if table(name).name not in LIVE:
            raise UsageError(f"table {name!r} is not live", help=f"live are {', '.join(LIVE)}; query has the others")
    if options.output == "arrow" and len(tables) > 1:
        raise UsageError("an Arrow stream holds one table", help="name one: beespace watch flows -o arrow")
    if not 0 < options.max_flows <= 1 << 22:
        raise UsageError(f"--max-flows takes 1 to {1 << 22}, not {options.max_flows}")
    troubles: list[str] = []
    with ExitStack() as stack:
        recorder: Sink | None = None
        if options.store is not None:
            from beespace.sinks.store.sink import StoreSink

            recorder = StoreSink(options.store, keep_s=options.keep, keep_bytes=options.keep_bytes)
            stack.callback(recorder.close)
        watch = stack.enter_context(
            Watch(
                WatchOptions(
                    cgroup=Path(options.cgroup) if options.cgroup else None,
                    max_flows=options.max_flows,
                    cri=options.cri,
                )
            )
        )
        for note in watch.notes:
            print(f"beespace: note: {note}", file=sys.stderr)
        terminal = TerminalSink(sys.stdout, tables) if options.output == "table" else None
        sink: Sink = terminal or _file_sink(options.output)
        stack.callback(sink.close)
        summary = pump(
            watch,
            [sink],
            tables=tables,
            stages=_stages(options),
            interval=options.interval,
            duration=options.duration,
            recorder=recorder,
            trouble=lambda error: troubles.append(str(error)),
            show=terminal.show if terminal is not None else _silent,
        )
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
