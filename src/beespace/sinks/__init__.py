"""Where batches go: the terminal, JSON, CSV, Arrow, the store.

May import: ``stream`` and below; pyarrow, rich (``terminal``) and duckdb (``store``).  Invariant: a
sink never changes what it is given, and what it cannot keep it counts and says.

Every sink is a module of its own and is imported only by who uses it.
"""

from beespace.sinks.sink import Output, Sink
from beespace.sinks.summary import Summary

__all__ = ["Output", "Sink", "Summary"]
