"""``Link``: a program that is attached, for as long as this object is open."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol, Self, TypeAlias

from beespace.hooks import Attachment
from beespace.record import dataclass
from beespace.syscall import Descriptor, HasFileno, bpf

__all__ = ["Attachable", "Link", "Where"]

Cgroup: TypeAlias = "str | os.PathLike[str] | int | HasFileno"


class Attachable(Protocol):
    """A loaded program."""

    @property
    def name(self) -> str: ...

    @property
    def attachment(self) -> Attachment: ...

    def fileno(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Where:
    """What a hook may want to know besides its section name.

    ``cgroup`` is a directory of a cgroup v2 file system, by path or descriptor (not given: the root
    of the hierarchy); ``pid`` and ``tid`` make a task iterator walk one process or thread only
    (Linux 6.1); ``map`` is what an iterator over map entries walks.
    """

    cgroup: Cgroup | None = None
    pid: int = 0
    tid: int = 0
    map: HasFileno | None = None


class Link:
    """One attachment.  It ends when this closes, or with the process, whatever ends that.

    ``descriptors`` are closed in order.  ``undo`` detaches what the kernel would not detach by
    itself, on kernels without links of that kind.
    """

    def __init__(
        self,
        program: Attachable,
        *descriptors: Descriptor,
        is_link: bool = True,
        undo: Callable[[], None] | None = None,
    ) -> None:
        self.program = program.name
        self.section = program.attachment.section
        self._descriptors = descriptors
        self._is_link = is_link
        self._undo = undo

    @property
    def closed(self) -> bool:
        """Whether it was detached."""
        return not self._descriptors

    @property
    def info(self) -> bpf.LinkInfo | None:
        """What the kernel says (``struct bpf_link_info``); ``None`` where the kernel has no such link.

        Since Linux 5.8.
        """
        if not self._is_link or self.closed:
            return None
        return bpf.link_info(self._descriptors[0])

    def detach(self) -> None:
        """Detach the program: it does not run any more for new events.  Calling it again does nothing."""
        descriptors, self._descriptors = self._descriptors, ()
        undo, self._undo = self._undo, None
        try:
            if undo is not None:
                undo()
        finally:
            for descriptor in descriptors:
                descriptor.close()

    close = detach

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.detach()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.program!r} to {self.section!r}{', detached' if self.closed else ''}>"
