"""Wires programs to back-ends and pipelines, and owns their lifetime.

May import: everything below the faces.  Invariant: whatever a session starts, it ends: when the
context closes, on an error and on a signal, nothing stays attached.

``driver`` starts :class:`beespace.Program` classes; :func:`open` gives an object file the same
maps, variables, programs and links; ``watch`` turns the shipped probes into tables.
"""

from beespace.session.driver import driver
from beespace.session.objects import open

__all__ = ["driver", "open"]
