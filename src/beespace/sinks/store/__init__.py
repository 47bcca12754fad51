"""History: Parquet segments that are renamed into place, and SQL over them from any process.

May import: ``stream`` and below; pyarrow, duckdb (``query`` alone).  Invariant: a file with a
segment's name is whole and never written again, so readers need no lock and a crash at any moment
leaves a readable store.

::

    DIR/beespace.json                  what this directory is: {"format": "beespace-store", "version": 1}
    DIR/lock                           held by the one writer; its pid
    DIR/flows/A-B-OLDEST-NEWEST.parquet     rows number A to B were flushed, of a time from .. to (ms)
    DIR/execs/  DIR/processes/  DIR/containers/  DIR/losses/

=============  ================================================================================
directory      the marker, the lock, what is wrong with a directory that is no store
segment        names of segments; which supersede which
shape          what is stored of each table: facts keep keys, times are microseconds
dimensions     names that come with rows are split off: one row for each thing that changed
writer         one segment after another; compaction and retention
sink           batches to the writer, on a thread of its own
views          the SQL that joins facts with who they were at that time
query          one query, safely; what is wrong with it, in a sentence
=============  ================================================================================
"""
