"""When a skip in a guest is a failure: the kernel is new enough for what the test says is missing."""

from __future__ import annotations

import re

from beespace.guest import Kernel

__all__ = ["objection"]

# As NotSupported says it, and as the skips of the tests do: "(needs Linux 5.15)", "(Linux 5.15)".
_SINCE = re.compile(r"\bLinux (\d+)\.(\d+)")


def objection(reason: str, kernel: Kernel) -> str | None:
    """Why a test may not be skipped on ``kernel`` for ``reason``; None if it may.

    ``lacks`` of kernels.toml names what a kernel is built without, however new it is.
    """
    named = [(int(major), int(minor)) for major, minor in _SINCE.findall(reason)]
    if not named:
        return None
    since = max(named)
    major, minor = kernel.series.split(".")
    if (int(major), int(minor)) < since or any(word in reason for word in kernel.lacks):
        return None
    return f"skipped although Linux {kernel.series} is not older than {since[0]}.{since[1]}: {reason}"
