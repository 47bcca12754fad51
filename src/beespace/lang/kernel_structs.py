"""Types of the kernel by name: any name of this module is one.

What type checkers and editors know of the common ones stands in ``kernel_structs.pyi``; :mod:`beespace.kernel` has
the same names.
"""

from __future__ import annotations

from beespace.lang.kernel_types import KernelType


def __getattr__(name: str) -> KernelType:
    if name.startswith("__") and name.endswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return KernelType(name)
