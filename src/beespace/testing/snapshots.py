"""``contents``: what a probe's maps hold, as numbers, texts, lists and dicts, the same every time."""

from __future__ import annotations

import json
from typing import Any

from beespace.errors import BeespaceError
from beespace.lang import Events, Global, Program
from beespace.lang.maps.declaration import Map, plain

__all__ = ["contents"]


def contents(probe: Program) -> dict[str, Any]:
    """The maps of a running probe by name, for a snapshot: ``assert contents(probe) == snapshot``.

    The entries of tables are sorted by key.  Rings are not in it: reading takes their events away
    (``list(probe.ring.available())``).  Maps that cannot be listed are not either.
    """
    found = {name: (live, live.plain()) for name, live in probe.live_maps() if not isinstance(live, Events)}
    return {name: _sorted(live, value) for name, (live, value) in found.items() if value is not None}


def shown(probe: Program, most: int = 20) -> list[str]:
    """The same in lines, with the events that nobody has read; what cannot be read says why."""
    lines: list[str] = []
    for name, live in probe.live_maps():
        try:
            held = [plain(event) for event in live.available()] if isinstance(live, Events) else live.plain()
            picture = None if isinstance(live, Events) else live.render()
        except BeespaceError as error:
            lines.append(f"{name}: {error.message}")
            continue
        if picture is not None:
            lines += [f"{name}:", *(f"  {line}" for line in picture.splitlines())]
        elif isinstance(held, list) and not isinstance(live, Global):
            lines.append(f"{name}: {len(held)} {'unread events' if isinstance(live, Events) else 'entries'}")
            lines += [f"  {_line(each)}" for each in held[:most]]
            lines += [f"  ... and {len(held) - most} more"] if len(held) > most else []
        elif held is not None:
            lines.append(f"{name}: {json.dumps(held, default=str)}")
    return lines


def _line(entry: Any) -> str:
    """A key and its value, or an event."""
    if isinstance(entry, list) and len(entry) == 2:
        return ": ".join(json.dumps(each, default=str) for each in entry)
    if isinstance(entry, dict):
        return " ".join(f"{name}={json.dumps(value, default=str)}" for name, value in entry.items())
    return json.dumps(entry, default=str)


def _sorted(live: Map, value: Any) -> Any:
    if isinstance(value, list) and not isinstance(live, Global):
        return sorted(value, key=_order)
    return value


def _order(entry: Any) -> tuple[int, str]:
    """By key: numbers as such, all else as text."""
    key = entry.get("key") if isinstance(entry, dict) else entry[0] if isinstance(entry, list) and entry else entry
    return (key, "") if isinstance(key, int) else (0, json.dumps(key, default=str))
