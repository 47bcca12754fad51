"""What both kinds of ``beespace run`` share: options of the probe's own, and how contents are printed."""

from __future__ import annotations

import json
import linecache
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from beespace.errors import UsageError

__all__ = ["comments_of", "plain", "print_content", "words_of"]


def words_of(given: Sequence[str], whose: str) -> Iterator[tuple[str, str | None]]:
    """Each ``--flag VALUE`` and ``--flag=VALUE``: the flag without dashes, and its value (``None``: there is none)."""
    words = iter(given)
    for word in words:
        if not word.startswith("--"):
            raise UsageError(f"{word!r} is no option", help=f"options of {whose} are written --name VALUE")
        flag, equals, value = word.removeprefix("--").partition("=")
        yield flag, value if equals else next(words, None)


def comments_of(program: type) -> dict[str, str]:
    """The comment behind each annotated attribute of a class and its bases: ``least: u32 = 2  # segments``."""
    found: dict[str, str] = {}
    for base in reversed(program.__mro__):
        module = sys.modules.get(base.__module__)
        lines = linecache.getlines(getattr(module, "__file__", None) or "")
        for name in getattr(base, "__annotations__", ()):
            for line in lines:
                words = re.match(rf"\s+{name}\s*:[^#]*#\s*(.+)", line)
                if words:
                    found[name] = words[1].strip()
                    break
    return found


def plain(value: Any) -> Any:
    """A value of BTF as JSON knows it: records as objects, tuples as lists, bytes as hex."""
    if hasattr(value, "_asdict"):
        return {name: plain(part) for name, part in value._asdict().items()}
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    return value.hex() if isinstance(value, bytes) else value


def print_content(kind: str, name: str, content: Any, as_json: bool) -> None:
    """What a map (a list of pairs) or a variable holds; ``kind`` is the key of its name in JSON."""
    if as_json:
        print(json.dumps({kind: name, "value": plain(content)}))
    elif isinstance(content, list):
        print(f"{name}: {len(content)} entries")
        for key, value in content:
            print(f"  {key!r}: {value!r}")
    else:
        print(f"{name}: {content!r}")
