"""The source text of a function: from files, notebook cells and executed text alike.

Invariant: lines and columns that leave here are those of the author's file, whatever the function
is nested in.
"""

from __future__ import annotations

import ast
import inspect
import linecache
from functools import cached_property
from pathlib import Path, PurePath
from types import FunctionType

from beespace.compiler.private_names import spell_out
from beespace.compiler.syntax import definitions
from beespace.errors import CompileError
from beespace.record import dataclass

__all__ = ["FunctionSource", "SourceFile", "Sources"]


@dataclass(frozen=True)
class SourceFile:
    """A file as Python sees it.

    ``path`` is what messages show; ``name`` is the same on every machine, and goes into the object.
    """

    path: str
    name: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def line(self, number: int) -> str:
        """One line without its end; empty past the end of the file."""
        return self.lines[number - 1].rstrip("\r\n") if 0 < number <= len(self.lines) else ""

    def column(self, line: int, utf8_offset: int) -> int:
        """Python's byte offset as a column from 1, in characters."""
        return len(self.line(line).encode()[:utf8_offset].decode(errors="replace")) + 1

    @cached_property
    def functions(self) -> dict[tuple[str, int], ast.FunctionDef]:
        """Every function by its name and first line, that of its first decorator."""
        tree = ast.parse(self.text)
        spell_out(tree, self.text)
        return {
            (node.name, node.decorator_list[0].lineno if node.decorator_list else node.lineno): node
            for node in definitions(tree)
        }


@dataclass(frozen=True)
class FunctionSource:
    """A function with its syntax tree and the file it stands in."""

    function: FunctionType
    file: SourceFile
    node: ast.FunctionDef


class _OtherFunction:
    """Shaped like a diagnostic: what stands there is no plain function."""

    def __init__(self, file: SourceFile, line: int, column: int, what: str, help: str) -> None:
        self._at, self._source, self._column = f"{file.path}:{line}:{column}", file.line(line), column
        self._line, self._what, self._help = line, what, help

    def render(self) -> str:
        width = max(4, len(str(self._line)) + 1)
        pad = " " * width
        return (
            f"{self._at}: error: {self._what} can not be compiled\n{self._line:>{width}} | {self._source}\n"
            f"{pad} | {' ' * (self._column - 1)}^ not in the language\n{pad} = help: {self._help}"
        )


def _no_function(function: FunctionType, file: SourceFile) -> _OtherFunction | None:
    """What stands at the place of a function that is not written with `def`, if it is there."""
    code = function.__code__
    if code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
        what, help = f"the async function {code.co_name}()", "the kernel side runs to its end at once: write `def`"
    elif code.co_name == "<lambda>":
        what, help = "a lambda", "write a method with `def`"
    else:
        return None
    line = code.co_firstlineno
    source = file.line(line)
    found = max(source.find(each) for each in ("lambda", "async", "@")) if source.strip() else 0
    return _OtherFunction(file, line, max(found, 0) + 1, what, help)


class _NoSource:
    """Shaped like a diagnostic; there is no place to point at."""

    def __init__(self, function: FunctionType) -> None:
        self._name = function.__qualname__
        self._file = function.__code__.co_filename

    def render(self) -> str:
        help = "keep the class in a file or a notebook cell; text given to exec() needs an entry in linecache"
        if self._file == "<stdin>":  # from 3.13 on the interactive Python keeps what was typed
            help = "Python 3.13 and IPython keep what is typed; with this one, write the class to a file and import it"
        elif self._file == "<string>":
            help = "python -c keeps no source, so write it to a file; exec() takes text with an entry in linecache"
        return f"{self._file}: error: the source text of {self._name}() is not there to be compiled\n    = help: {help}"


class Sources:
    """The files of one compilation; each is read and parsed once."""

    def __init__(self) -> None:
        self._files: dict[str, SourceFile] = {}

    def function(self, function: FunctionType) -> FunctionSource:
        """Find the definition of ``function``; :class:`CompileError` if its text is not to be had."""
        file = self._file(function)
        code = function.__code__
        try:
            node = file.functions.get((code.co_name, code.co_firstlineno))
        except SyntaxError:  # a notebook cell with magic commands in it
            node = None
        if node is None:
            raise CompileError((_no_function(function, file) or _NoSource(function),))
        return FunctionSource(function, file, node)

    def files(self) -> tuple[SourceFile, ...]:
        """Every file that was looked at, in that order."""
        return tuple(self._files.values())

    def _file(self, function: FunctionType) -> SourceFile:
        path = function.__code__.co_filename
        if path not in self._files:
            linecache.checkcache(path)
            lines = linecache.getlines(path, function.__globals__)
            if not lines:
                try:
                    lines = inspect.findsource(function)[0]
                except OSError:
                    raise CompileError((_NoSource(function),)) from None
            self._files[path] = SourceFile(_shown(path), _stable(path, function.__module__), tuple(lines))
        return self._files[path]


def _shown(path: str) -> str:
    """Relative to the working directory if it is inside."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path


def _stable(path: str, module: str) -> str:
    """``beespace/probes/flows/probe.py`` for a module of a package, else the file's own name."""
    base = PurePath(path).name
    if base == "__init__.py":
        return "/".join([*module.split("."), base])
    return "/".join([*module.split(".")[:-1], base])
