"""``beespace query``: the stored history, in SQL."""

from __future__ import annotations

import argparse
import sys

from beespace.sinks.result import write_result
from beespace.sinks.store.query import query


def run(options: argparse.Namespace) -> int:
    """Ask, and print the answer."""
    write_result(query(options.store, options.sql), options.output, sys.stdout.buffer)
    return 0
