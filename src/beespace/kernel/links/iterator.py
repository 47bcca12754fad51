"""BPF iterators: a program that runs once for each kernel object of a kind, when somebody reads (Linux 5.8)."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel.links.cgroup import open_cgroup
from beespace.kernel.links.info import IteratorInfo
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


# enum bpf_cgroup_iter_order
_ORDERS = {"self": 1, "descendants_pre": 2, "descendants_post": 3, "ancestors": 4, "children": 5}
_NEEDS_MAP = frozenset({"bpf_map_elem", "bpf_sk_storage_map", "sockmap"})
_TASKS = frozenset({"task", "task_file", "task_vma"})


def attach(program: Attachable, where: Where) -> IteratorLink:
    """Make the iterator ready to be read, over all objects or those that ``where`` names.

    ``map`` is needed by iterators over entries (``iter/bpf_map_elem``).  ``pid`` or ``tid`` restrict ``iter/task``,
    ``iter/task_file`` and ``iter/task_vma``; ``cgroup`` and ``order`` say where ``iter/cgroup`` begins and how it walks
    (by default all below the root, parents first); those since Linux 6.1.
    """
    target = program.attachment.target
    _check(target, where)
    hook = program.attachment.hook
    with ExitStack() as opened:
        walked: bpf.IteratorTarget | None = None
        if where.map is not None:
            walked = bpf.IteratorTarget.of_map(where.map)
        elif where.pid or where.tid:
            walked = bpf.IteratorTarget.of_task(pid=where.pid, tid=where.tid)
        elif target == "cgroup":
            order = _ORDERS[where.order or "descendants_pre"]
            walked = bpf.IteratorTarget.of_cgroup(opened.enter_context(open_cgroup(where.cgroup)), order)
        try:
            link = IteratorLink(program, bpf.link_create(program.fileno(), hook.attach_type, where=walked))
        except KernelError as error:
            if error.errno in (errno.EINVAL, errno.E2BIG) and walked is not None and where.map is None:
                raise _not_told(target, where, error) from error
            raise
    if (where.pid or where.tid) and not _restricted(link):
        link.close()
        raise _not_told(target, where)
    return link


def _restricted(link: IteratorLink) -> bool:
    """Whether the kernel understood that one process is meant: older ones ignore it."""
    info = link.info
    return isinstance(info, IteratorInfo) and bool(info.pid or info.tid)


def _not_told(target: str, where: Where, error: KernelError | None = None) -> NotSupported:
    return NotSupported(
        f"an iterator over {target} that is told where to walk",
        since="7.3" if where.order == "children" else "6.1",
        call=error.call if error else "", errno=error.errno if error else 0,
        help="walk all of them, and compare in the program",
    )  # fmt: skip


def _check(target: str, where: Where) -> None:
    """What each target can be told."""
    if where.map is not None and target not in _NEEDS_MAP:
        raise UsageError(f"an iterator over {target} walks no map", help="leave map= out")
    if where.map is None and target in _NEEDS_MAP:
        raise UsageError(f"an iterator over {target} walks one map", help="say which: attach(map=...)")
    if (where.pid or where.tid) and target not in _TASKS:
        raise UsageError(f"an iterator over {target} cannot be for one process", help="leave pid= and tid= out")
    if where.pid and where.tid:
        raise UsageError("pid= and tid= exclude each other", help="tid= is one thread, pid= all threads of a process")
    if (where.cgroup is not None or where.order) and target != "cgroup":
        raise UsageError(f"an iterator over {target} walks no cgroups", help="leave cgroup= and order= out")
    if where.order and where.order not in _ORDERS:
        raise UsageError(f"{where.order!r} is no order of cgroups", help=f"orders: {', '.join(_ORDERS)}")
