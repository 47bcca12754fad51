"""``import_quickly``: :func:`importlib.import_module` without a search for garbage among what modules make.

May import: the standard library.  Invariant: the collector is afterwards as it was.

What a module makes lives as long as the process, so there is nothing to find, and looking takes a tenth of the time.
"""

from __future__ import annotations

import gc
from importlib import import_module
from types import ModuleType

__all__ = ["import_quickly"]


def import_quickly(name: str) -> ModuleType:
    """The module, with all that it imports."""
    if not gc.isenabled():
        return import_module(name)
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.enable()
