"""``beespace tables``: what there is to see."""

from __future__ import annotations

import argparse
import json

from beespace.stream.tables import TABLES, table


def run(options: argparse.Namespace) -> int:
    """All tables in a line each, or the columns of those that were named."""
    chosen = [table(name) for name in options.tables] or list(TABLES.values())
    if options.output == "json":
        for each in chosen:
            columns = [
                {"name": c.name, "type": str(c.type), "unit": c.unit, "doc": c.doc, "otel": c.otel}
                for c in each.columns
            ]
            print(json.dumps({"table": each.name, "kind": each.kind, "doc": each.doc, "columns": columns}))
        return 0
    for each in chosen:
        print(f"{each.name:<12} {each.kind:<10} {each.doc}")
        if options.tables:
            for column in each.columns:
                print(f"  {column.name:<20} {column.type!s:<20} {column.unit or '':<10} {column.doc}")
    return 0
