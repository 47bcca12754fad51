"""What the compiler says to an author: a rule, a place, and how to mend it.

Invariant: each mistake is a class of its own (see :mod:`beespace.compiler.rules`), with its words as
templates over its fields; nothing here knows any particular rule.

::

    probe.py:12:15: error: Exec has no field pth
       12 |         self.execs.emit(Exec(pth=ctx.filename))
          |                              ^^^ not a field
          = note: its fields are time, pid, path
          = help: did you mean path?
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, ClassVar

from beespace.compiler import ir
from beespace.compiler.source import SourceFile
from beespace.errors import CompileError, InternalError
from beespace.record import dataclass

__all__ = ["Diagnostic", "Diagnostics", "Failure", "Span", "did_you_mean"]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of source text; lines and columns count from 1, the end column is exclusive."""

    file: SourceFile
    line: int
    column: int
    end_line: int
    end_column: int

    @classmethod
    def of(cls, file: SourceFile, node: ast.AST) -> Span:
        """Where ``node`` stands."""
        line = getattr(node, "lineno", 1)
        end_line = getattr(node, "end_lineno", line) or line
        return cls(
            file,
            line,
            file.column(line, getattr(node, "col_offset", 0)),
            end_line,
            file.column(end_line, getattr(node, "end_col_offset", 0) or 0),
        )

    def code(self) -> ir.Span:
        """The same place as the IR names it."""
        return ir.Span(self.file.name, self.line, self.column)


@dataclass(frozen=True)
class Diagnostic:
    """One mistake.  Subclasses add fields, and templates that name them as ``{field}``."""

    span: Span

    title: ClassVar[str]
    label: ClassVar[str] = ""
    note: ClassVar[str] = ""
    help: ClassVar[str] = ""

    def values(self) -> dict[str, Any]:
        """What the templates may name; subclasses may add to the fields."""
        return {name: getattr(self, name) for name in type(self).__match_args__}

    def filled(self, template: str) -> str:
        return template.format(**self.values()) if template else ""

    def render(self) -> str:
        """The whole message, several lines, no newline at the end."""
        span = self.span
        source = span.file.line(span.line)
        width = max(4, len(str(span.line)) + 1)
        end = span.end_column if span.end_line == span.line else len(source) + 1
        # Tabs are kept in front of the carets, so that they stand under what they mean.
        indent = "".join("\t" if char == "\t" else " " for char in source[: span.column - 1])
        carets = "^" * max(1, end - span.column)
        label = self.filled(self.label)
        lines = [
            f"{span.file.path}:{span.line}:{span.column}: error: {self.filled(self.title)}",
            f"{span.line:>{width}} | {source}",
            f"{'':>{width}} | {indent}{carets}{' ' + label if label else ''}",
        ]
        for word, template in (("note", self.note), ("help", self.help)):
            for line in filter(None, self.filled(template).split("\n")):
                lines.append(f"{'':>{width}} = {word}: {line}")
        return "\n".join(lines)


class Failure(Exception):
    """Lowering cannot go on from here; ``None`` stands for a consequence of what was reported already."""

    def __init__(self, diagnostic: Diagnostic | None) -> None:
        super().__init__(diagnostic.filled(diagnostic.title) if diagnostic else "reported already")
        self.diagnostic = diagnostic


class Diagnostics:
    """Collects mistakes, so that one compilation shows all that are independent."""

    def __init__(self) -> None:
        self._found: list[Diagnostic] = []
        self._unexplained = False  # something was left out as a consequence of nothing

    def add(self, failure: Failure) -> None:
        if failure.diagnostic is None:
            self._unexplained = self._unexplained or not self._found
        elif failure.diagnostic not in self._found:
            self._found.append(failure.diagnostic)

    def mark(self) -> int:
        """How many there are; see :meth:`forget`."""
        return len(self._found)

    def since(self, mark: int) -> tuple[Diagnostic, ...]:
        """What came after ``mark``."""
        return tuple(self._found[mark:])

    def forget(self, mark: int) -> None:
        """Drop what came after ``mark``: it will be found again."""
        del self._found[mark:]

    def __bool__(self) -> bool:
        return bool(self._found)

    def raise_any(self) -> None:
        """:class:`CompileError` with everything found, in source order."""
        found = sorted(self._found, key=_place)
        if found:
            raise CompileError(tuple(found))
        if self._unexplained:
            raise InternalError("code was left out because of a mistake that was not reported")


def _place(found: Diagnostic) -> tuple[str, int, int]:
    return found.span.file.path, found.span.line, found.span.column


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``did you mean path?`` or nothing."""
    near = get_close_matches(name, [*dict.fromkeys(known)], 3, 0.6)
    return f"did you mean {' or '.join(near)}?" if near else ""
