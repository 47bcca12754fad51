"""Tests of probes: a pytest plugin, and what tests make up.

May import: ``session`` and below; pytest, hypothesis and coverage where they are used.  Invariant: importing the plugin
loads nothing of a probe's machinery, and a test that asks for none of its fixtures runs as without it.

``docs/testing.md`` is the guide.  ``task``, ``frames`` and ``contents`` are for tests, ``Debugger`` is for
whoever wonders; ``packets`` and ``contexts`` are strategies of hypothesis.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from beespace.testing.debugger import Debugger
    from beespace.testing.fakes import frames, task
    from beespace.testing.snapshots import contents
    from beespace.testing.strategies import contexts, packets

__all__ = ["Debugger", "contents", "contexts", "frames", "packets", "task"]

_HOMES = {
    "Debugger": "debugger",
    "contents": "snapshots",
    "contexts": "strategies",
    "frames": "fakes",
    "packets": "strategies",
    "task": "fakes",
}


def __getattr__(name: str) -> Any:
    """What is imported when it is asked for: pytest imports the plugin in every run."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return found
