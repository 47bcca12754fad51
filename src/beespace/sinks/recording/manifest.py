"""``manifest.json`` of a recording."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from beespace.errors import FormatError

__all__ = [
    "BESIDE", "FORMAT", "IDENTITY", "INTERVALS", "MANIFEST", "PACKETS", "VERSION", "Manifest", "table_member",
]  # fmt: skip

FORMAT, VERSION = "beespace-recording", 1
MANIFEST, INTERVALS, PACKETS = "manifest.json", "intervals.jsonl", "packets.pcapng"


#: Tables that are no tables of the catalogue: of packets, and of who is who as :mod:`beespace.enrich` has it.
BESIDE, IDENTITY = ("packets", "sockets"), "identity-"


def table_member(table: str) -> str:
    """The file of a table inside the recording."""
    return f"{table}.arrow"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was recorded.  Times are nanoseconds since 1970.

    ``booted`` is when the node booted, by its wall clock at the start; ``monotonic`` what CLOCK_MONOTONIC lacks of
    CLOCK_BOOTTIME (time asleep).  ``packets`` is ``none``, ``headers`` or ``full``.  ``rows`` are by table;
    ``lost`` what the recording itself could not keep, rows by table.  ``title`` is shown by who plays it.
    """

    beespace: str
    node: str
    kernel: str
    machine: str
    started: int
    ended: int
    booted: int
    monotonic: int = 0
    interval: float = 1.0
    packets: str = "none"
    title: str = ""
    notes: tuple[str, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """As it stands in the file."""
        return json.dumps({"format": FORMAT, "version": VERSION, **asdict(self)}, indent=1, ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """:class:`FormatError` for what is no manifest, or one of a later format."""
        try:
            said = json.loads(data)
        except ValueError as error:
            raise FormatError(f"{MANIFEST} is no JSON: {error}") from None
        if not isinstance(said, dict) or said.get("format") != FORMAT:
            raise FormatError(f"{MANIFEST} is not that of a beespace recording")
        if said.get("version") != VERSION:
            raise FormatError(
                f"a recording of version {said.get('version')!r}; this beespace reads {VERSION}",
                help="use the beespace that wrote it, or a newer one",
            )
        known = {name: _checked(name, said[name]) for name in (each.name for each in fields(cls)) if name in said}
        missing = _REQUIRED - known.keys()
        if missing:
            raise FormatError(f"{MANIFEST} lacks {', '.join(sorted(missing))}")
        return cls(**known)


_REQUIRED = {"beespace", "node", "kernel", "machine", "started", "ended", "booted"}
_TIMES = {"started", "ended", "booted", "monotonic"}


def _checked(name: str, value: Any) -> Any:
    """A field of the manifest, if it is of its type."""
    if name in _TIMES:
        right = isinstance(value, int) and abs(value) < 1 << 63
    elif name == "interval":
        right = isinstance(value, int | float) and value > 0
    elif name == "notes":
        right = isinstance(value, list) and all(isinstance(each, str) for each in value)
        value = tuple(value) if right else ()
    elif name in ("rows", "lost"):
        right = isinstance(value, dict) and all(isinstance(each, int) for each in value.values())
    else:
        right = isinstance(value, str)
    if not right:
        raise FormatError(f"{MANIFEST}: {name} is {value!r}")
    return value
