"""Words of a command line to values, by kind.

Invariant: what is parsed fits the kind, or :class:`UsageError` says what would.
"""

from __future__ import annotations

from typing import Any

from beespace.errors import UsageError
from beespace.schema.codec import pack
from beespace.schema.kinds import (
    AddressKind,
    ArrayKind,
    BoolKind,
    BytesKind,
    EnumKind,
    IntKind,
    Kind,
    TextKind,
    kind_name,
)

__all__ = ["parse"]

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def parse(kind: Kind, word: str) -> Any:
    """The value of ``kind`` that ``word`` says.

    Numbers as in Python (``0x1f``, ``1_000``); bools as ``true``, ``false``, ``1``, ``0``, ``yes``, ``no``; members of
    enumerations by name (flags joined by ``|``) or number; raw bytes as hexadecimal digits, with or without colons;
    arrays as their elements joined by commas, the rest zero.  :class:`UsageError` if it says none.
    """
    value = _parsed(kind, word)
    pack(kind, value)
    return value


def _parsed(kind: Kind, word: str) -> Any:
    if isinstance(kind, EnumKind):
        return _member(kind, word)
    if isinstance(kind, IntKind):
        return _number(kind, word)
    if isinstance(kind, BoolKind):
        if word.lower() not in _TRUE + _FALSE:
            raise UsageError(f"{word!r} is neither true nor false")
        return word.lower() in _TRUE
    if isinstance(kind, TextKind | AddressKind):
        return word
    if isinstance(kind, BytesKind):
        try:
            return bytes.fromhex(word.replace(":", ""))
        except ValueError:
            raise UsageError(f"{word!r} are no hexadecimal digits, as in 0a:1b:2c") from None
    if isinstance(kind, ArrayKind):
        words = word.split(",") if word else []
        if len(words) > kind.length:
            raise UsageError(f"{word!r} has {len(words)} values, more than the {kind.length} of {kind_name(kind)}")
        from beespace.schema.struct import zero

        values = [_parsed(kind.element, each.strip()) for each in words]
        return values + [zero(kind.element) for _ in range(kind.length - len(words))]
    raise UsageError(f"a {kind_name(kind)} can not be written on a command line")


def _number(kind: IntKind, word: str) -> int:
    try:
        return int(word, 0)
    except ValueError:
        raise UsageError(f"{word!r} is no number") from None


def _member(kind: EnumKind, word: str) -> Any:
    members = kind.enum.__members__
    number = 0
    for name in word.split("|"):
        found = next((member for known, member in members.items() if known.lower() == name.strip().lower()), None)
        if found is None:
            try:
                found = kind.enum(int(name, 0))
            except ValueError:
                raise UsageError(f"{name!r} is no {kind.name}", help=f"one of {', '.join(members)}") from None
        number |= int(found)
    return kind.enum(number)
