"""Recordings: what the pipeline saw, in one file that others can read; docs/recording.md describes it.

May import: ``stream`` and below; pyarrow.  Invariant: a file under its final name is whole; what a crash leaves is a
folder beside it, whose tables can be read up to where it stopped.

==========  ==========================================================================
manifest    what was recorded, where, when: ``manifest.json``
writer      ``RecordingSink``: batches, interval by interval; at the end, one file
reader      ``Recording``: the same again, checked
==========  ==========================================================================
"""

from beespace.sinks.recording.manifest import IDENTITY, PACKETS, Manifest
from beespace.sinks.recording.reader import Interval, Recording
from beespace.sinks.recording.writer import RecordingSink

__all__ = ["IDENTITY", "PACKETS", "Interval", "Manifest", "Recording", "RecordingSink"]
