"""``beespace demo``: a recorded shop, without root and without Linux."""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from importlib.resources import files
from io import BytesIO
from pathlib import Path

from beespace.cli.showing import checked_tables, show, store_of
from beespace.errors import UsageError
from beespace.session.pace import Played
from beespace.session.recorded_flows import RecordedFlows
from beespace.sinks.recording import Recording

_TERMINAL_SPEED = 5.0


def run(options: argparse.Namespace) -> int:
    """Play it, or ask it a question."""
    with ExitStack() as stack:
        if options.query is not None:
            if options.store is not None or options.tables:
                raise UsageError("--query asks all of the demonstration", help="leave out --store and tables")
            options.store = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="beespace-demo-"))) / "store"
            return _asked(options)
        tables = checked_tables(options)
        recording = _recording(stack)
        watching = options.output == "table" and sys.stdout.isatty()
        speed = (_TERMINAL_SPEED if watching else None) if options.speed == "auto" else options.speed
        played = RecordedFlows(recording)
        recorders = store_of(options, stack, keep=None, keep_bytes=None)
        notes = [f"this is a recording: {recording.manifest.title}"]
        return show(options, played, tables, Played(played, speed), notes=notes, recorders=recorders)


def _recording(stack: ExitStack) -> Recording:
    data = (files("beespace.session") / "demo.beespace").read_bytes()
    return stack.enter_context(Recording(BytesIO(data), "the demonstration"))


def _asked(options: argparse.Namespace) -> int:
    from beespace.session.pump import pump
    from beespace.sinks.result import write_result
    from beespace.sinks.store.query import query
    from beespace.sinks.store.sink import StoreSink

    with ExitStack() as stack:
        played = RecordedFlows(_recording(stack))
        print("beespace: note: this is a recording", file=sys.stderr)
        with StoreSink(options.store, keep_s=None, keep_bytes=None) as store:
            pump(played, [], tables=(), pace=Played(played, None), recorders=[store])
    write_result(query(options.store, options.query), options.output, sys.stdout.buffer)
    return 0
