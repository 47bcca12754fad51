"""The grammar: the tables of expressions, conditions and statements, as a frame uses them."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from beespace.compiler import ir
from beespace.compiler.diagnostics import Failure
from beespace.compiler.expressions.conditions import condition
from beespace.compiler.expressions.expressions import value
from beespace.compiler.frame import Condition, Frame
from beespace.compiler.statements.statements import block
from beespace.compiler.types import Type
from beespace.compiler.values import Value
from beespace.errors import BeespaceError, InternalError

__all__ = ["PythonGrammar"]


class PythonGrammar:
    """Lowers Python.  What goes wrong in here and is no mistake of the author's is a bug of ours, with its place."""

    def value(self, frame: Frame, node: ast.expr, expected: Type | None) -> Value:
        try:
            return value(frame, node, expected)
        except (Failure, BeespaceError, InternalError, RecursionError):
            raise
        except Exception as error:
            raise _internal(frame, node, error) from error

    def condition(self, frame: Frame, node: ast.expr) -> Condition:
        return condition(frame, node)

    def block(self, frame: Frame, body: Iterable[ast.stmt]) -> ir.Block:
        nodes = list(body)
        try:
            return block(frame, nodes)
        except (Failure, BeespaceError, InternalError, RecursionError):
            raise
        except Exception as error:
            raise _internal(frame, nodes[0], error) from error


def _internal(frame: Frame, node: ast.AST, error: Exception) -> InternalError:
    span = frame.span(node)
    text = span.file.line(span.line).strip()
    return InternalError(f"compiling {span.file.path}:{span.line} ({text}): {type(error).__name__}: {error}")
