"""``Why``: a value of a manifest together with the reason for it, which becomes a comment in YAML."""

from __future__ import annotations

from typing import Any, TypeAlias

from beespace.record import dataclass

__all__ = ["Data", "Why", "plain"]

Data: TypeAlias = Any  # dicts, lists, strings, numbers, booleans, None; and Why anywhere among them


@dataclass(frozen=True, slots=True)
class Why:
    """``value``, because of ``reason`` (plain sentences)."""

    value: Data
    reason: str


def plain(data: Data) -> Data:
    """``data`` without its reasons, as JSON has it."""
    if isinstance(data, Why):
        return plain(data.value)
    if isinstance(data, dict):
        return {key: plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [plain(value) for value in data]
    return data
