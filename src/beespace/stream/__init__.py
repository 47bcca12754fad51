"""Ring buffers and map drains become Arrow columns here, and no Python code runs per event.

May import: ``schema``, ``types``, ``errors``, ``syscall``, numpy and pyarrow; the kernel's live
objects come in through protocols.  Invariant: what leaves this room owns its memory (nothing
points into a ring that the kernel writes), and what was lost on the way is counted in the batch.

=============  =============================================================================
batch          the second waist: rows of one table and what was lost on the way
dtype          layout -> NumPy dtype and Arrow schema
decode         records in memory -> Arrow columns (``text``, ``address``: the two hard kinds)
ring           the ring buffer, read without a loop
interval       keys and values of a map drain -> one array of records
table, tables  the catalogue: every table and column with type, unit, words and OTel name
=============  =============================================================================
"""

from beespace.stream.batch import Batch, Stage, run
from beespace.stream.decode import Decoder, decode
from beespace.stream.dtype import arrow_schema_of, dtype_of
from beespace.stream.interval import joined_layout, keys_of, records_of
from beespace.stream.ring import Drained, RingRegion, drain
from beespace.stream.table import Column, Table
from beespace.stream.tables import TABLES, table

__all__ = [
    "Batch", "Stage", "run",
    "dtype_of", "arrow_schema_of",
    "Decoder", "decode",
    "RingRegion", "Drained", "drain",
    "joined_layout", "keys_of", "records_of",
    "Column", "Table", "TABLES", "table",
]  # fmt: skip
