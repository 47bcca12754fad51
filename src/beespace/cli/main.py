"""``beespace``: the entry point, and what an exit status means.

======  ======================================================================
status  meaning
======  ======================================================================
0       done
1       something is wrong with what was asked for: a probe, a store, a query's data
2       usage: an option, table, column or query that does not exist
3       not permitted or not supported here; the message says what and why
130     interrupted before there was anything to show
======  ======================================================================
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

from beespace.cli.arguments import parse
from beespace.errors import BeespaceError, InternalError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    try:
        options = parse(arguments)
        command = import_module(f"beespace.cli.{options.command.replace('-', '_')}")
        status: int = command.run(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader has gone (`| head`); that is its right.  Python must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except BeespaceError as error:
        print(f"beespace: {error}", file=sys.stderr)
        return error.exit_status
    except InternalError as error:
        if os.environ.get("BEESPACE_DEBUG"):
            raise
        print(f"beespace: {error}\n  (BEESPACE_DEBUG=1 shows where)", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
