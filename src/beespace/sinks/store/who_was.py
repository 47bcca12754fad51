"""Who had an address at a time, as the stored history says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from beespace.sinks.store.query import query

__all__ = ["who_was"]


def who_was(directory: Path, address: str, at: int) -> list[dict[str, Any]]:
    """The rows of ``addresses`` that hold for ``address`` (as the table writes it) at ``at``, ns since 1970.

    More than one: the end of the first was noticed only after the second had begun, and nobody can tell.  Times in the
    rows are ns since 1970.  Raises :class:`~beespace.errors.StoreError`.
    """
    moment = f"make_timestamptz({at // 1000})"
    written = address.replace("'", "''")
    found = query(
        directory,
        f"SELECT * FROM addresses WHERE address = '{written}' AND valid_from <= {moment} "
        f"AND (valid_to IS NULL OR {moment} < valid_to) ORDER BY valid_from",
    )
    columns = {
        name: column.cast("int64").to_pylist() if name in ("valid_from", "valid_to") else column.to_pylist()
        for name, column in zip(found.schema.names, found.columns, strict=True)
    }
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
