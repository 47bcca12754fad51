"""How a function that the machine has for programs takes registers and gives a result: one of the kernel's, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from beespace.vm.arithmetic import U64
from beespace.vm.errno import Refused
from beespace.vm.memory import Violation

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = ["Helper", "invoke"]

Helper: TypeAlias = "Callable[..., int | None]"


def invoke(run: Run, function: Helper, arguments: Sequence[int | None]) -> int | None:
    """Call it with as many registers as it has arguments; what is refused comes back as a negative error number."""
    taken = list(arguments[: function.__code__.co_argcount - 1])
    needed = len(taken) - len(function.__defaults__ or ())
    for place, value in enumerate(taken):
        if value is None and place < needed:
            raise Violation(f"passes r{place + 1}, which nobody has written")
    try:
        result = function(run, *(value or 0 for value in taken))
    except Refused as refused:
        return -refused.errno & U64
    return None if result is None else result & U64
