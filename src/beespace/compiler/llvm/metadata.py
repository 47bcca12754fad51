"""Numbered metadata of an LLVM module.

Invariant: numbers are given in the order of first use, so equal modules number equally; equal nodes are
one node unless they are distinct.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Metadata", "quoted"]


_WRITTEN = [chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:02X}" for b in range(256)]


def quoted(text: str | bytes) -> str:
    """A string as LLVM's assembly writes it: ``"..."`` with everything else than plain ASCII in hex."""
    data = text.encode() if isinstance(text, str) else text
    return '"' + "".join([_WRITTEN[byte] for byte in data]) + '"'


class Metadata:
    """The ``!0 = ...`` part of a module, under construction."""

    def __init__(self) -> None:
        self._nodes: list[str | None] = []
        self._known: dict[str, str] = {}
        self._named: list[str] = []

    def node(self, text: str) -> str:
        """The reference of the node that reads so; equal texts share it."""
        if text not in self._known:
            self._known[text] = self.define(self.reserve(), text)
        return self._known[text]

    def distinct(self, text: str) -> str:
        """The reference of a node of its own."""
        return self.define(self.reserve(), "distinct " + text)

    def reserve(self) -> str:
        """A reference whose node is defined later; for nodes that refer to each other."""
        self._nodes.append(None)
        return f"!{len(self._nodes) - 1}"

    def define(self, reference: str, text: str) -> str:
        self._nodes[int(reference[1:])] = text
        return reference

    def tuple(self, references: Iterable[str]) -> str:
        return self.node("!{" + ", ".join(references) + "}")

    def named(self, name: str, references: Iterable[str]) -> None:
        self._named.append(f"!{name} = !{{{', '.join(references)}}}")

    def lines(self) -> list[str]:
        """All of it, as lines of the module."""
        return self._named + [f"!{number} = {text}" for number, text in enumerate(self._nodes)]
