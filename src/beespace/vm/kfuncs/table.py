"""Kernel function -> function.  Code names one by its number, its place in :data:`KFUNCS`."""

from __future__ import annotations

from collections.abc import Mapping

from beespace.vm.helpers.invoking import Helper
from beespace.vm.kfuncs import arenas, cpumasks, dynptrs, graphs, iterators, objects, sections, texts, work

__all__ = ["KFUNCS", "NUMBERS"]

_MODULES = (arenas, cpumasks, dynptrs, graphs, iterators, objects, sections, texts, work)

#: A module's functions are called as the kernel calls them, without ``bpf_``.
KFUNCS: tuple[tuple[str, Helper], ...] = tuple(
    (f"bpf_{name}", getattr(module, name)) for module in _MODULES for name in module.__all__
)
NUMBERS: Mapping[str, int] = {name: number for number, (name, _) in enumerate(KFUNCS)}
