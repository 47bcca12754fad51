"""The compiler: a Program class becomes a BPF object.

May import: ``lang``, ``types``, ``elf``, ``reloc``, ``spec``, ``schema``, ``hooks``, ``btf``, ``isa``, ``errors``.
Invariant: compile exactly or refuse.  What compiles means what Python means; the same module gives
the same bytes on every machine.

Two halves meet in :mod:`beespace.compiler.ir`: the front half turns Python into checked, typed IR, the
back half (:mod:`beespace.compiler.llvm`) turns IR into an object.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from beespace.compiler.lost import LOST_MAP, lost_index
    from beespace.compiler.program import Compiled, Report, compile_program, lower

__all__ = ["LOST_MAP", "Compiled", "Report", "compile_program", "lost_index", "lower"]

_HOMES = {"LOST_MAP": "lost", "lost_index": "lost"}


def __getattr__(name: str) -> Any:
    """What is imported when it is asked for, so that :mod:`beespace.compiler.llvm.process` comes before all else."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'program')}"), name)
    return found
