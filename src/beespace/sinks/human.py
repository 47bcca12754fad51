"""Numbers for people: three digits and a unit."""

from __future__ import annotations

import math

_STEPS = ("", "k", "M", "G", "T", "P", "E")
UNKNOWN = "-"


def count(value: float | None) -> str:
    """``950``, ``1.2k``, ``34M``."""
    return UNKNOWN if value is None else "".join(_scaled(value))


def size(value: float | None) -> str:
    """Bytes: ``950 B``, ``1.2 kB``, ``34 MB`` (SI, as network people count)."""
    if value is None:
        return UNKNOWN
    digits, step = _scaled(value)
    return f"{digits} {step}B"


def span(microseconds: float | None) -> str:
    """A time: ``85 µs``, ``1.2 ms``, ``3.4 s``, ``5m 10s``, ``2h 05m``, ``3d 04h``."""
    if microseconds is None:
        return UNKNOWN
    if microseconds < 1_000:
        return f"{microseconds:.0f} µs"
    if microseconds < 999_500:
        return f"{_three(microseconds / 1e3)} ms"
    seconds = microseconds / 1e6
    if seconds < 60:
        return f"{_three(seconds)} s"
    whole = round(seconds)
    if whole < 3_600:
        return f"{whole // 60}m {whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h {whole % 3600 // 60:02}m"
    return f"{whole // 86400}d {whole % 86400 // 3600:02}h"


def percent(share: float) -> str:
    """A share of one: ``0.4 %``, ``12 %``, ``180 %``."""
    hundredths = share * 100
    return f"{hundredths:.1f} %" if hundredths < 10 else f"{hundredths:.0f} %"


def _scaled(value: float) -> tuple[str, str]:
    if not math.isfinite(value):
        return UNKNOWN, ""
    step = 0
    while abs(value) >= 999.5 and step < len(_STEPS) - 1:
        value /= 1000
        step += 1
    return (f"{value:.0f}" if step == 0 else _three(value)), _STEPS[step]


def _three(value: float) -> str:
    """At most three digits: ``1.2``, ``34``, ``560``."""
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
