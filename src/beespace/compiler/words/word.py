"""What a word is: the rule that turns a call of it into code."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TypeAlias

from beespace.compiler.frame import Frame
from beespace.compiler.values import Value

__all__ = ["Word"]

Word: TypeAlias = Callable[[Frame, ast.Call], Value]
