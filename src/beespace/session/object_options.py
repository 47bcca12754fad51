"""The options of an object: its read-only globals (``const volatile`` in C), settable until it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from beespace.btf import Btf, Kind
from beespace.btf.codec import Codec, codec
from beespace.errors import UsageError
from beespace.record import dataclass
from beespace.spec import ObjectSpec

__all__ = ["Option", "options_of"]

_READERS: dict[type, Callable[[str], Any]] = {int: lambda text: int(text, 0), float: float, bytes: bytes.fromhex}
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class Option:
    """One global: its C ``type``, and its value in the file.  ``flag`` is how the command line spells it."""

    name: str
    type: str
    default: Any

    @property
    def flag(self) -> str:
        return self.name.replace("_", "-")

    def value(self, text: str) -> Any:
        """``text`` as a value of the type: a number, true or false, a text, or hexadecimal digits for other bytes.

        :class:`UsageError` if it is none; whether a number fits is checked when the object is loaded.
        """
        if isinstance(self.default, bool):
            if text.lower() not in _BOOLEANS:
                raise UsageError(f"--{self.flag} takes true or false, not {text!r}")
            return _BOOLEANS[text.lower()]
        if isinstance(self.default, str):
            return text
        reader = _READERS.get(type(self.default))
        if reader is None:
            raise UsageError(f"--{self.flag} is of type {self.type}, which the command line cannot write")
        try:
            return reader(text)
        except ValueError:
            raise UsageError(f"--{self.flag} ({self.type}) cannot be {text!r}") from None


def options_of(spec: ObjectSpec) -> dict[str, Option]:
    """The options of an object by name.  Without types in the object: none."""
    found: dict[str, Option] = {}
    if not spec.btf:
        return found
    types = Btf(spec.btf)
    for variable in spec.variables.values():
        if not variable.map.startswith(".rodata") or not variable.type_id:
            continue
        kind: Codec = codec(types, variable.type_id)
        content = spec.data.get(variable.map, b"").ljust(variable.offset + variable.size, b"\0")
        found[variable.name] = Option(
            variable.name, _type_name(types, variable.type_id), kind.decode(content, variable.offset)
        )
    return found


def _type_name(types: Btf, type_id: int) -> str:
    if types.kind(type_id) is Kind.VAR:
        type_id = types.type(type_id).type  # type: ignore[union-attr]
    return types.describe(type_id).replace("const ", "").replace("volatile ", "")
