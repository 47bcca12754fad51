"""Wires programs to back-ends and pipelines, and owns their lifetime.

May import: everything below the faces.  Invariant: whatever a session starts, it ends: when the
context closes, on an error and on a signal, nothing stays attached.

``driver`` starts :class:`beespace.Program` classes; :func:`open` gives an object file the same
maps, variables, programs and links; ``watch`` turns the shipped probes into tables.  Each is imported when it is asked
for: who opens an object does not pay for the language.
"""

from importlib import import_module

from beespace.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from beespace.session.driver import driver
    from beespace.session.objects import open

__all__ = ["driver", "open"]

_HOMES = {"driver": "driver", "open": "objects"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return found
