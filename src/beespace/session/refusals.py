"""A program that the kernel refused, shown at the line of Python, or of C, that it is about.

The verifier speaks of instructions and registers.  The object's line records lead from an instruction to a place in
the source; the trace in the log leads from a register back to the instruction that filled it, and so to the name of
what it holds.  Nothing here changes the error: its ``reason`` and ``log`` stay the kernel's own words.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Iterable

from beespace.compiler.diagnostics import Diagnostic, Span
from beespace.compiler.source import SourceFile, Sources
from beespace.errors import CompileError, SourceLine, VerifierError
from beespace.kernel.meanings import Meaning, meaning_of, register_in
from beespace.kernel.trace import origin, steps
from beespace.kernel.verdict import Verdict, read_log
from beespace.lang import Declaration
from beespace.record import dataclass
from beespace.session.c_places import argument_at, file_of, name_at, span_at

__all__ = ["explain", "explain_object", "explained", "files_of"]

_LONGEST = 40  # of a name: longer expressions are not repeated in the message
_NAMED = (ast.Name, ast.Attribute, ast.Subscript, ast.Call)


@dataclass(frozen=True)
class Refused(Diagnostic):
    title = "the kernel refused {program}(): {what}"
    label = "{name}"
    note = "{kernel}\n{rule}"
    help = "{suggestion}"
    program: str
    what: str
    name: str
    kernel: str
    rule: str
    suggestion: str


def explained(error: VerifierError, declaration: Declaration) -> VerifierError:
    """``error`` with an explanation that shows the program's source; as it is, if there is none to show."""
    error.explanation = explain(error, files_of(declaration))
    return error


def explain_object(error: VerifierError) -> str | None:
    """The same for an object of C, from the lines that clang has put into it."""
    verdict = read_log(error.log)
    place = None if verdict.index is None else _line_at(error.lines, verdict.index)
    if place is None or verdict.index is None:
        place = next((line for line in error.lines if line.line), None)  # refused as a whole: where it begins
    if place is None:
        return None
    files = {line.file: file_of(error.lines, line.file) for line in error.lines}
    acquired = _acquired_at(error, verdict.words)
    register = register_in(verdict.words)
    at = acquired
    if acquired is None and register is not None:
        found = origin(steps(error.log), register, verdict.index)
        at = _line_at(error.lines, found.index) if found is not None else None
    value = name_at(files[at.file], at) if at is not None else ""
    if not value and register is not None:
        value = argument_at(files[place.file], place, register)
    value = value if len(value) <= _LONGEST else ""
    c = not place.file.endswith(".py")  # an object that beespace has built
    return _rendered(error, verdict, span_at(files[place.file], place), value, c=c, acquired=acquired)


_ACQUIRED = re.compile(r"alloc_insn=(\d+)")


def _acquired_at(error: VerifierError, reason: str) -> SourceLine | None:
    """Where that was acquired which was not released, if a complaint is about such a thing."""
    found = _ACQUIRED.search(reason)
    return _line_at(error.lines, int(found[1])) if found else None


def files_of(declaration: Declaration) -> tuple[SourceFile, ...]:
    """The source files of a program's methods."""
    sources = Sources()
    for function in declaration.functions.values():
        try:
            sources.function(function)
        except CompileError:
            continue  # a shipped object runs where its source is not
    return sources.files()


def explain(error: VerifierError, files: Iterable[SourceFile]) -> str | None:
    """The message, or ``None`` if no line of ``files`` is behind the instruction that was refused."""
    verdict = read_log(error.log)
    by_name = {file.name: file for file in files}
    place = None if verdict.index is None else _line_at(error.lines, verdict.index)
    if place is None or verdict.index is None:
        return _of_the_method(error, verdict, by_name.values())
    if place.file not in by_name:
        return None
    file = by_name[place.file]
    node = _node_at(file, place)
    register = register_in(verdict.words)
    value = _value(error, register, verdict.index, by_name) if register is not None else ""
    if not value and register is not None and isinstance(node, ast.Call) and "or_null" in verdict.words:
        value = _argument(node, register)
    if "mem access" in verdict.words:
        if not value and isinstance(node, (ast.Attribute, ast.Subscript)):
            behind = ast.unparse(node.value)  # a parameter, or what else no line of the source is behind
            value = behind if behind != "self" else ""
        node = _use_of(file, place, value) or node
    span = Span.of(file, node) if node is not None else Span(file, place.line, max(place.column, 1), place.line, 0)
    return _rendered(error, verdict, span, value)


def _rendered(
    error: VerifierError,
    verdict: Verdict,
    span: Span,
    value: str,
    *,
    c: bool = False,
    acquired: SourceLine | None = None,
) -> str:
    meaning = meaning_of(verdict.words, value, c=c) or Meaning(_short(verdict.reason), "", "")
    name = f"`{value}`" if value and value not in meaning.title else ""
    said = f"the kernel says: {verdict.reason}"
    rule = meaning.note
    if acquired is not None:
        rule = f"it was acquired in line {acquired.line}: {acquired.text.strip()}\n{rule}"
    return Refused(span, error.program, meaning.title, name, said, rule, meaning.help).render()


def _argument(node: ast.Call, register: int) -> str:
    """The argument of a call that is passed in a register, if it has a name."""
    passed = node.args[register - 1] if 0 < register <= len(node.args) else None
    return ast.unparse(passed) if isinstance(passed, ast.Name | ast.Attribute) else ""


def _of_the_method(error: VerifierError, verdict: Verdict, files: Iterable[SourceFile]) -> str | None:
    """Where the kernel refused a program as a whole, before its first instruction: at its decorator."""
    for file in files:
        for (name, _), node in file.functions.items():
            if name == error.program and verdict.reason:
                return _rendered(
                    error, verdict, Span.of(file, node.decorator_list[0] if node.decorator_list else node), ""
                )
    return None


def _use_of(file: SourceFile, place: SourceLine, value: str) -> ast.AST | None:
    """Where a line looks behind ``value``: ``value.field`` or ``value[i]``."""
    for node in ast.walk(ast.parse(file.text)):
        if not isinstance(node, (ast.Attribute, ast.Subscript)) or node.lineno != place.line:
            continue
        if value and ast.unparse(node.value) == value:
            return node
    return None


def _short(reason: str) -> str:
    return reason.partition(";")[0]


def _line_at(lines: Iterable[SourceLine], index: int) -> SourceLine | None:
    known = sorted((line for line in lines if line.line), key=lambda line: line.index)
    at = bisect_right([line.index for line in known], index) - 1
    return known[at] if at >= 0 else None


def _value(error: VerifierError, register: int, index: int, files: dict[str, SourceFile]) -> str:
    """The source of what ``register`` holds when instruction ``index`` is reached."""
    found = origin(steps(error.log), register, index)
    place = _line_at(error.lines, found.index) if found is not None else None
    if place is None or place.file not in files:
        return ""
    node = _node_at(files[place.file], place)
    if isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        text = ast.unparse(target)
    elif isinstance(node, (*_NAMED, ast.BinOp)):
        text = ast.unparse(node)
    elif isinstance(node, ast.FunctionDef):
        return ""
    else:
        return ""
    return text if len(text) <= _LONGEST else ""


def _node_at(file: SourceFile, place: SourceLine) -> ast.AST | None:
    """The widest expression that begins at a place; else the statement."""
    try:
        tree = ast.parse(file.text)
    except SyntaxError:  # a notebook cell with magic commands in it
        return None
    statement: ast.AST | None = None
    best: ast.expr | None = None
    for node in ast.walk(tree):
        if getattr(node, "lineno", 0) != place.line:
            continue
        if file.column(place.line, getattr(node, "col_offset", 0)) != place.column:
            continue
        if isinstance(node, ast.expr):
            if best is None and isinstance(node, _NAMED):
                best = node
        elif statement is None and isinstance(node, ast.stmt):
            statement = node
    return best or statement
