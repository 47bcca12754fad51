"""BPF iterators: a program that runs once for each kernel object of a kind, when somebody reads (Linux 5.8)."""

from __future__ import annotations

import os
from collections.abc import Iterator

from beespace.kernel.links.link import Attachable, Link, Where
from beespace.syscall import Descriptor, bpf

__all__ = ["IteratorLink", "attach"]

_READ = 1 << 16


class IteratorLink(Link):
    """An iterator.  Each :meth:`read` is one walk over all objects."""

    def __init__(self, program: Attachable, link: Descriptor) -> None:
        super().__init__(program, link)
        self._link = link

    def read(self) -> bytes:
        """Walk once; everything that the program wrote with ``bpf_seq_write`` and ``bpf_seq_printf``."""
        return b"".join(self.chunks())

    def chunks(self) -> Iterator[bytes]:
        """The same, piece by piece as the kernel hands it out."""
        with bpf.iter_create(self._link) as walk:
            while True:
                try:
                    chunk = os.read(walk.fileno(), _READ)
                except BlockingIOError:  # after a million objects without output; reading goes on from there
                    continue
                if not chunk:
                    return
                yield chunk


def attach(program: Attachable, where: Where) -> IteratorLink:
    """Make the iterator ready to be read, over all objects or those that ``where`` names."""
    target: bpf.IteratorTarget | None = None
    if where.map is not None:
        target = bpf.IteratorTarget.of_map(where.map)
    elif where.pid or where.tid:
        target = bpf.IteratorTarget.of_task(pid=where.pid, tid=where.tid)
    hook = program.attachment.hook
    return IteratorLink(program, bpf.link_create(program.fileno(), hook.attach_type, where=target))
