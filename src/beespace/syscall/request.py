"""``bpf(2)`` with errors raised."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from beespace.syscall import door, refusal
from beespace.syscall._attributes import Command
from beespace.syscall.layout import Value
from beespace.typed import NamedTuple


class Answer(NamedTuple):
    """``result`` is what the call returned (an expected errno is negative); ``fields`` come from the kernel."""

    result: int
    fields: Mapping[str, Value]

    def number(self, name: str) -> int:
        """The integer that the kernel left in field ``name``."""
        value = self.fields[name]
        assert isinstance(value, int)
        return value


def ask(
    command: Command,
    what: str,
    fields: dict[str, Value],
    *,
    returns: tuple[str, ...] = (),
    expected: Collection[int] = (),
    needs: tuple[str, ...] = (),
) -> Answer:
    """Issue ``command``; ``what`` completes "cannot ...", ``needs`` are the capabilities that it takes.

    An errno in ``expected`` comes back as a negative result; any other raises
    :class:`~beespace.errors.KernelError`.
    """
    attributes = door.Attributes(command, fields, returns)
    result = door.issue("bpf", (command, attributes))
    if result < 0 and -result not in expected:
        raise refusal.error(f"BPF_{command.name}", -result, what, needs=needs)
    return Answer(result, attributes.fields)
