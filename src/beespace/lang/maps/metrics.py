"""Samples for monitoring, as Prometheus and OpenMetrics name them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from beespace.schema import Struct

__all__ = ["Sample", "exposition", "labels_of"]


class Sample(NamedTuple):
    """One number: ``name{labels} value``."""

    name: str
    labels: Mapping[str, str]
    value: float


def labels_of(key: Any) -> dict[str, str]:
    """A map's key as labels: the fields of a struct by their names, anything else as ``key``."""
    if isinstance(key, Struct):
        return {name: str(value) for name, value in vars(key).items()}
    return {"key": key.hex() if isinstance(key, bytes) else str(key)}


def exposition(samples: Iterable[Sample]) -> str:
    """Samples in the text format of Prometheus."""
    lines = []
    for sample in samples:
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels.items())
        lines.append(f"{sample.name}{{{labels}}} {sample.value}" if labels else f"{sample.name} {sample.value}")
    return "\n".join(lines) + "\n" if lines else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
