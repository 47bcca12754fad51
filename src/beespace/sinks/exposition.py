"""Metrics as text, as Prometheus reads it.

Two forms: the text format 0.0.4 of Prometheus, and OpenMetrics 1.0, which a scraper asks for with its ``Accept``
header.  They differ in the names of counters (OpenMetrics calls the family without ``_total``) and in how the text
ends.

Source: https://prometheus.io/docs/instrumenting/exposition_formats and
https://prometheus.io/docs/specs/om/open_metrics_spec (sections "Text format" and "Metric types").
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["OPEN_METRICS", "PROMETHEUS", "Family", "Sample", "exposition", "wanted"]

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Sample:
    """One number, with the labels that tell it from its siblings."""

    value: float
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: ``name`` without ``_total``, ``kind`` is ``counter``, ``gauge`` or ``info``; the unit ends the name."""

    name: str
    kind: str
    help: str
    samples: Sequence[Sample]


def wanted(accept: str) -> str:
    """The content type for an ``Accept`` header: OpenMetrics if it is named there, else Prometheus's own."""
    for part in accept.split(","):
        kind, _, parameters = part.partition(";")
        refused = any(each.strip() in ("q=0", "q=0.0") for each in parameters.split(";"))
        if kind.strip().lower() == "application/openmetrics-text" and not refused:
            return OPEN_METRICS
    return PROMETHEUS


def exposition(families: Iterable[Family], content_type: str = PROMETHEUS) -> str:
    """All of ``families`` in the form that ``content_type`` names; a family without samples is left out."""
    open_metrics = content_type == OPEN_METRICS
    lines: list[str] = []
    for family in families:
        if family.samples:
            lines += _family(family, open_metrics)
    if open_metrics:
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines)


def _family(family: Family, open_metrics: bool) -> Iterator[str]:
    suffix = {"counter": "_total", "info": "_info"}.get(family.kind, "")
    sample_name = f"{family.name}{suffix}"
    name = family.name if open_metrics else sample_name
    kind = "gauge" if family.kind == "info" and not open_metrics else family.kind
    yield f"# HELP {name} {_escaped(family.help, quotes=open_metrics)}"
    yield f"# TYPE {name} {kind}"
    for sample in family.samples:
        labels = ",".join(f'{label}="{_escaped(value)}"' for label, value in sample.labels.items())
        yield f"{sample_name}{f'{{{labels}}}' if labels else ''} {_number(sample.value)}"


def _escaped(text: str, *, quotes: bool = True) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1 << 53 else repr(float(value))
