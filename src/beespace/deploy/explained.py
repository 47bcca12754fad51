"""``Why``: a value of a manifest together with the reason for it, which becomes a comment in YAML; ``When``: one that
is there only if it was asked for."""

from __future__ import annotations

from typing import Any, TypeAlias

from beespace.record import dataclass

__all__ = ["Data", "When", "Why", "plain"]

Data: TypeAlias = Any  # dicts, lists, strings, numbers, booleans, None; Why anywhere, When in lists


@dataclass(frozen=True, slots=True)
class Why:
    """``value``, because of ``reason`` (plain sentences)."""

    value: Data
    reason: str


@dataclass(frozen=True, slots=True)
class When:
    """``value``, an element of a list, if ``asked`` is set; of a value of the chart (``{{ ... }}``), Helm sees it."""

    asked: str | bool
    value: Data


def plain(data: Data) -> Data:
    """``data`` without its reasons, as JSON has it."""
    if isinstance(data, (Why, When)):
        return plain(data.value)
    if isinstance(data, dict):
        return {key: plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [plain(value) for value in data if not isinstance(value, When) or value.asked]
    return data
