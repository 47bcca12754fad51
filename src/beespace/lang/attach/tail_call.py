"""``@tail_call``: a program that nothing attaches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["TAIL_CALL", "tail_call"]

_F = TypeVar("_F", bound=Callable[..., Any])

TAIL_CALL = "__beespace_tail_call__"


def tail_call(method: _F) -> _F:
    """Beside a hook's decorator: the program is loaded and not attached; others of its hook jump to it.

    ``@tail_call`` above ``@raw_tracepoint("sys_enter")``; the jump is :meth:`beespace.lang.ProgramArray.jump`.
    """
    setattr(method, TAIL_CALL, True)
    return method
