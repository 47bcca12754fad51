"""Where the names of the language are imported from, for messages about names that nobody has imported."""

from __future__ import annotations

from importlib import import_module

__all__ = ["import_of"]

_SUBMODULES = ("packet", "uapi", "verdicts")

# In this order: the first that has a name is named.
_MODULES = (
    "beespace.lang", "beespace.types", "beespace.lang.packet", "beespace.lang.verdicts", "beespace.lang.uapi",
)  # fmt: skip


def import_of(name: str) -> str:
    """``from beespace.lang import exists``; an empty text if the language has no such name."""
    if not name or name.startswith("_"):
        return ""
    for module in _MODULES:
        found = getattr(import_module(module), name, None)
        if found is not None and name in _public(module):
            return f"from {module} import {name}"
    return ""


def _public(module: str) -> list[str]:
    found = import_module(module)
    names: list[str] = getattr(found, "__all__", None) or dir(found)
    return [*names, *_SUBMODULES] if module == "beespace.lang" else names
