"""``beespace replay``: the rows of a recording, as they came."""

from __future__ import annotations

import argparse
from contextlib import ExitStack

from beespace.cli.showing import checked_tables, show, store_of
from beespace.session.pace import Played
from beespace.session.replay import Replay
from beespace.sinks.recording import Recording


def run(options: argparse.Namespace) -> int:
    """Play it to its end, or until a signal comes."""
    tables = checked_tables(options)
    with ExitStack() as stack:
        recording = stack.enter_context(Recording(options.file))
        # A recording may be older than what a store keeps of today: what is played into one stays.
        recorders = store_of(options, stack, keep=None, keep_bytes=None)
        notes = [f"{recording.name} has {name}, which this beespace does not know" for name in recording.unknown]
        missing = [name for name in tables if name not in recording.manifest.rows]
        notes += [f"{recording.name} has no {name}" for name in missing]
        replay: Replay
        if options.recount:
            from beespace.session.recorded_flows import RecordedFlows

            replay = RecordedFlows(recording)
        else:
            replay = Replay(recording)
        return show(options, replay, tables, Played(replay, options.speed), notes=notes, recorders=recorders)
