"""Helper number -> function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from beespace.isa import helpers
from beespace.vm.helpers import flow, inputs, maps

__all__ = ["HELPERS", "Helper"]

Helper: TypeAlias = Callable[..., int | None]

#: A module's functions are called as the kernel calls them, without ``bpf_``.
HELPERS: Mapping[int, Helper] = {
    helpers.HELPERS[name].number: getattr(module, name) for module in (flow, inputs, maps) for name in module.__all__
}
