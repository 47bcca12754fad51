"""Helper number -> function."""

from __future__ import annotations

from collections.abc import Mapping

from beespace.isa import helpers
from beespace.vm.helpers import (
    checksums,
    dynptrs,
    flow,
    inputs,
    maps,
    objects,
    packets,
    printing,
    reading,
    redirects,
    rings,
    sockets,
    stacks,
    storages,
    timing,
)
from beespace.vm.helpers.invoking import Helper

__all__ = ["HELPERS", "Helper"]

_MODULES = (
    checksums, dynptrs, flow, inputs, maps, objects, packets, printing, reading, redirects, rings, sockets, stacks,
    storages, timing,
)  # fmt: skip

#: A module's functions are called as the kernel calls them, without ``bpf_``.
HELPERS: Mapping[int, Helper] = {
    helpers.HELPERS[name].number: getattr(module, name) for module in _MODULES for name in module.__all__
}
