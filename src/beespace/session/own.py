"""``Own``: what is said of beespace itself beside what it saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from beespace.session.detail import Detail

__all__ = ["Own"]


@dataclass(frozen=True, slots=True)
class Own:
    """As of the last interval.

    ``kernel_seconds`` of CPU its programs used since they are counted, ``None`` if they are not; ``kernel_memory``
    is what its maps and programs hold, in bytes; ``fill`` how full maps are; ``detail`` what is left out.
    """

    kernel_seconds: float | None = None
    kernel_memory: int | None = None
    fill: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    detail: Detail = Detail.FULL
