"""``beespace record``: what ``watch`` sees, into a file."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack

from beespace.cli.readiness import tell_ready
from beespace.cli.showing import LIVE
from beespace.cli.watch import watch_options
from beespace.errors import StoreError, UsageError
from beespace.session.pace import Live
from beespace.session.pump import pump
from beespace.session.recording import Recorder
from beespace.session.watch import Watch
from beespace.stream.tables import table


def run(options: argparse.Namespace) -> int:
    """Record until the time is over or a signal comes."""
    for name in options.tables:
        if table(name).name not in LIVE:
            raise UsageError(f"table {name!r} is not live", help=f"live are {', '.join(LIVE)}")
    facts = frozenset(options.tables or LIVE)
    interval = 1.0 if options.interval is None else options.interval
    troubles: list[StoreError] = []
    with ExitStack() as stack:
        watch = stack.enter_context(Watch(watch_options(options)))
        recorder = Recorder(options.record, watch, interval=interval, facts=facts, packets=options.packets)
        stack.enter_context(recorder)
        for note in watch.notes:
            print(f"beespace: note: {note}", file=sys.stderr)
        print(f"beespace: recording {', '.join(sorted(facts))}; Ctrl-C ends it", file=sys.stderr)
        summary = pump(
            watch,
            [],
            tables=sorted(facts),
            pace=Live(interval, options.duration),
            recorders=[recorder.sink],
            begun=tell_ready,
            collected=recorder.collected,
            trouble=troubles.append,
        )
    print("beespace: " + "  ".join(summary.parts()), file=sys.stderr)
    for trouble in troubles:
        print(f"beespace: {trouble}", file=sys.stderr)
    if not troubles:
        print(f"beespace: {options.record}: {options.record.stat().st_size:,} bytes", file=sys.stderr)
    return 1 if troubles else 0
