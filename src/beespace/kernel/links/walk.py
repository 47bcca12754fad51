"""All links, programs and maps of the system, one after the other (``CAP_SYS_ADMIN``).

>>> with all_links() as links:
...     for link in links:
...         print(link.id, link.info)
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator

from beespace.errors import KernelError
from beespace.kernel.links.info import LinkInfo, link_info
from beespace.syscall import Descriptor, bpf
from beespace.syscall.descriptor import Fd
from beespace.typed import Generic, Self, TypeVar

__all__ = ["Found", "Walk", "all_links", "all_maps", "all_programs"]

_Info = TypeVar("_Info")


class Found(Generic[_Info]):
    """One object of the kernel, open until the walk goes on."""

    def __init__(self, id: int, descriptor: Descriptor, ask: Callable[[Fd], _Info]) -> None:
        self.id = id
        self._descriptor = descriptor
        self._ask = ask

    @property
    def info(self) -> _Info:
        """What the kernel says about it."""
        return self._ask(self._descriptor)

    def fileno(self) -> int:
        """The number of its descriptor; :class:`ValueError` once the walk has gone on."""
        return self._descriptor.fileno()

    def keep(self) -> Descriptor:
        """A descriptor of one's own, which outlives the walk and must be closed."""
        return self._descriptor.duplicate()

    def __repr__(self) -> str:
        return f"<Found {self.id}>"


class Walk(Generic[_Info]):
    """A walk in order of ids.  What comes or goes meanwhile may be seen or not."""

    def __init__(
        self, following: Callable[[int], int | None], open_id: Callable[[int], Descriptor], ask: Callable[[Fd], _Info]
    ) -> None:
        self._following, self._open_id, self._ask = following, open_id, ask
        self._at = 0
        self._now: Descriptor | None = None

    def __iter__(self) -> Iterator[Found[_Info]]:
        return self

    def __next__(self) -> Found[_Info]:
        self.close()
        while True:
            following = self._following(self._at)
            if following is None:
                raise StopIteration
            self._at = following
            try:
                self._now = self._open_id(following)
            except KernelError as error:
                if error.errno != errno.ENOENT:
                    raise
                continue  # gone since it was listed
            return Found(following, self._now, self._ask)

    def close(self) -> None:
        """Close the object that the walk stands at."""
        now, self._now = self._now, None
        if now is not None:
            now.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def all_links() -> Walk[LinkInfo]:
    """All links (Linux 5.8)."""
    return Walk(bpf.link_get_next_id, bpf.link_get_fd_by_id, link_info)


def all_programs() -> Walk[bpf.ProgramInfo]:
    """All programs."""
    return Walk(bpf.prog_get_next_id, bpf.prog_get_fd_by_id, bpf.prog_info)


def all_maps() -> Walk[bpf.MapInfo]:
    """All maps."""
    return Walk(bpf.map_get_next_id, bpf.map_get_fd_by_id, bpf.map_info)
