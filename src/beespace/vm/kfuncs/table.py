"""Kernel function -> function.  Code names one by its number, its place in :data:`KFUNCS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from beespace.vm.kfuncs import arenas, cpumasks, dynptrs, graphs, iterators, objects, sections, texts, work

__all__ = ["KFUNCS", "NUMBERS", "Kfunc"]

Kfunc: TypeAlias = Callable[..., int | None]

_MODULES = (arenas, cpumasks, dynptrs, graphs, iterators, objects, sections, texts, work)

#: A module's functions are called as the kernel calls them, without ``bpf_``.
KFUNCS: tuple[tuple[str, Kfunc], ...] = tuple(
    (f"bpf_{name}", getattr(module, name)) for module in _MODULES for name in module.__all__
)
NUMBERS: Mapping[str, int] = {name: number for number, (name, _) in enumerate(KFUNCS)}
