"""Plain data as YAML, the same bytes for the same data.

A small part of YAML 1.2 that YAML 1.1 reads the same: block mappings and lists; strings that could be taken for
anything else are quoted as JSON quotes them.  Reasons (:class:`~beespace.deploy.explained.Why`) become comments.
What :class:`~beespace.deploy.explained.When` leaves to Helm stands between ``{{- if }}`` and ``{{- end }}``.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator

from beespace.deploy.explained import Data, When, Why
from beespace.errors import InternalError

__all__ = ["documents", "lines"]

WIDTH = 118
# Begins with a letter or slash and has nothing that means something to YAML.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*\Z")
_TEMPLATE = re.compile(r"\{\{ (.*) \}\}\Z")
# What YAML 1.1 takes for a boolean or null.
_WORDS = {"true", "false", "yes", "no", "on", "off", "y", "n", "null"}


def documents(objects: Iterable[Data]) -> str:
    """Several objects, a document each."""
    return "".join(["---\n" + "".join(f"{line}\n" for line in lines(each)) for each in objects])


def lines(data: Data, indent: str = "") -> Iterator[str]:
    """The lines of a mapping or list that is not empty, or of a scalar."""
    if isinstance(data, Why):
        yield from _comment(data.reason, indent)
        yield from lines(data.value, indent)
    elif isinstance(data, dict) and data:
        for key, value in data.items():
            if isinstance(value, Why):
                yield from _comment(value.reason, indent)
                value = value.value
            yield from _under(f"{indent}{_scalar(key)}:", value, indent)
    elif isinstance(data, (list, tuple)) and data:
        for value in data:
            yield from _element(value, indent)
    else:
        yield f"{indent}{_scalar(data)}"


def _under(head: str, value: Data, indent: str) -> Iterator[str]:
    if isinstance(value, (dict, list, tuple)) and value:
        yield head
        yield from lines(value, indent + "  ")
    else:
        yield f"{head} {_scalar(value)}"


def _element(value: Data, indent: str) -> Iterator[str]:
    if isinstance(value, When):
        template = _TEMPLATE.match(str(value.asked))
        if template:
            yield f"{indent}{{{{- if {template[1]} }}}}"
        if value.asked:
            yield from _element(value.value, indent)
        if template:
            yield f"{indent}{{{{- end }}}}"
        return
    if isinstance(value, Why):
        yield from _comment(value.reason, indent)
        value = value.value
    yield from _item(value, indent)


def _item(value: Data, indent: str) -> Iterator[str]:
    if not (isinstance(value, (dict, list, tuple)) and value):
        yield f"{indent}- {_scalar(value)}"
        return
    pending = True
    for line in lines(value, indent + "  "):
        if pending and not line.lstrip().startswith("#"):
            line, pending = f"{indent}- {line[len(indent) + 2 :]}", False
        yield line


def _comment(reason: str, indent: str) -> list[str]:
    return textwrap.wrap(
        reason, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ", break_on_hyphens=False,
        break_long_words=False,
    )  # fmt: skip


def _quoted(text: str) -> str:
    """As JSON does it, but that YAML has no pairs of surrogates."""
    return '"' + "".join([json.dumps(c)[1:-1] if ord(c) < 0x10000 else f"\\U{ord(c):08X}" for c in text]) + '"'


def _scalar(value: Data) -> str:
    if value is None or isinstance(value, (bool, int)):
        return json.dumps(value)
    if isinstance(value, str):
        return value if _PLAIN.match(value) and value.lower() not in _WORDS else _quoted(value)
    if isinstance(value, (dict, list, tuple)) and not value:
        return "{}" if isinstance(value, dict) else "[]"
    raise InternalError(f"a manifest holds a {type(value).__name__}")
