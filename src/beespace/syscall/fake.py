"""A stand-in for the kernel in unit tests.

>>> from beespace.syscall import bpf
>>> kernel = Fake({bpf.Command.MAP_CREATE: lambda attributes: open_fd()})
>>> with installed(kernel), bpf.map_create(1, 4, 8, 16, name="hits"):
...     pass
>>> kernel.requests[0].fields["max_entries"]
16
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from beespace.syscall import door
from beespace.syscall._attributes import Command
from beespace.syscall.door import Argument, Attributes

Handler = Callable[[Attributes], int]
"""Answers one ``bpf(2)`` command: the result, or a negative errno.  It writes what the kernel would write into the
bytearrays in ``attributes.fields``, and sets the fields that the kernel returns."""


@dataclass(eq=False)
class Fake:
    """Answers ``bpf(2)`` from a table and remembers what it was asked; a command that is not in it gives EINVAL.

    ``others`` answers other system calls by name, with their arguments; those not in it give ENOSYS.
    """

    answers: Mapping[Command, Handler]
    others: Mapping[str, Callable[[tuple[Argument, ...]], int]] = field(default_factory=dict)
    requests: list[Attributes] = field(default_factory=list)

    def __call__(self, name: str, arguments: tuple[Argument, ...]) -> int:
        if name != "bpf":
            return self.others[name](arguments) if name in self.others else -errno.ENOSYS
        _, attributes = arguments
        assert isinstance(attributes, Attributes)
        for returned in attributes.returns:
            attributes.fields.setdefault(returned, 0)
        unknown = attributes.fields.keys() - attributes.layout.fields.keys()
        assert not unknown, f"{attributes.command.name} has no fields {sorted(unknown)}"
        self.requests.append(attributes)
        handler = self.answers.get(attributes.command)
        return -errno.EINVAL if handler is None else handler(attributes)


@contextmanager
def installed(handler: door.Issue) -> Iterator[None]:
    """Let ``handler`` take every system call of the process until the end of the block."""
    before = door.issue
    door.issue = handler
    try:
        yield
    finally:
        door.issue = before


def open_fd() -> int:
    """A real descriptor of nothing, for a handler to return: its receiver will close it."""
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
