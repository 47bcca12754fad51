"""Where programs attach, as ``beespace run`` is told it: ``--interface``, ``--pid``, ``--attach NAME=VALUE``, ..."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from typing import Any

from beespace.errors import UsageError

__all__ = ["pair", "places"]

_FLAGS = ("interface", "netns", "pid", "binary")


def places(options: argparse.Namespace, own: Collection[str]) -> dict[str, Any]:
    """Fields of :class:`beespace.kernel.links.Where`.

    A flag that is one of the probe's ``own`` options, too, is the probe's: it goes to ``options.rest``.
    """
    where: dict[str, Any] = {"cgroup": options.cgroup} if options.cgroup else {}
    for name in _FLAGS:
        value = getattr(options, name)
        if value is None:
            continue
        if name in own:
            options.rest.append(f"--{name}={value}")
        else:
            where[name] = _number(value, "--pid") if name == "pid" else value
    for text in options.attach:
        name, value = pair(text, "--attach", "NAME=VALUE")
        where[name] = int(value, 0) if value.removeprefix("-").isdigit() or value.startswith("0x") else value
    return where


def pair(text: str, flag: str, form: str) -> tuple[str, str]:
    """``name=value`` taken apart."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise UsageError(f"{flag} takes {form}, not {text!r}")
    return name, value


def _number(text: str, flag: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise UsageError(f"{flag} takes a number, not {text!r}") from None
