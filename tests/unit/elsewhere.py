"""A Python without Linux, as far as a test can make one: no epoll, no eventfd, no /proc, no /sys, no CLOCK_BOOTTIME.

``python elsewhere.py ARGUMENTS`` runs ``beespace ARGUMENTS`` in it.
"""

from __future__ import annotations

import errno
import os
import select
import sys
import time


def refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and str(arguments[0]).startswith(("/proc", "/sys")):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(arguments[0]))


if __name__ == "__main__":
    import numpy  # noqa: F401  # these look for what they have at their own leisure
    import pyarrow.compute
    import pyarrow.parquet  # noqa: F401

    for module, name in ((select, "epoll"), (os, "eventfd"), (os, "sched_getaffinity"), (time, "CLOCK_BOOTTIME")):
        if hasattr(module, name):
            delattr(module, name)
    sys.platform = "darwin"
    sys.addaudithook(refuse)
    from beespace.cli.main import main

    sys.exit(main(sys.argv[1:]))
