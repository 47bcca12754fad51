"""``Link``: a program that is attached, for as long as this object is open."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Protocol, Self, TypeAlias

from beespace.hooks import Attachment
from beespace.record import dataclass
from beespace.syscall import Descriptor, HasFileno, bpf

__all__ = ["Attachable", "Link", "Where"]

Cgroup: TypeAlias = "str | os.PathLike[str] | int | HasFileno"
Neighbour: TypeAlias = "HasFileno | Link | bool"


class Attachable(Protocol):
    """A loaded program."""

    @property
    def name(self) -> str: ...

    @property
    def attachment(self) -> Attachment: ...

    def fileno(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Where:
    """What a hook may want to know besides its section name; each hook takes the fields it has a use for.

    Any: ``cookie`` is a number that the program reads back (``bpf_get_attach_cookie``); ``via`` takes one way
    to attach and tries no other (the names that :meth:`Link.explain` uses).

    Processes: ``cgroup`` is a directory of a cgroup v2 file system, by path or descriptor (not given: the
    root of the hierarchy); ``pid`` and ``tid`` restrict a probe or a task iterator to one process or thread;
    ``map`` is what an iterator over map entries walks, or the socket map that a verdict belongs to.

    Kernel functions: ``function`` is a name, for the one in the section; ``functions`` are names or one glob,
    ``cookies`` one for each of them; ``offset`` is in bytes from its start.

    User programs: ``binary`` is a path or the name of a library, ``symbol`` a function in it, ``offset`` bytes
    from its start (without ``symbol``: in the file); ``symbols`` are names or one glob; ``usdt`` is
    ``provider:name``.

    Performance events: ``event`` is a name (``cpu-clock``, ``page-faults``, ``cycles``), ``frequency`` in Hz or
    ``period`` in events; ``cpu`` restricts it to one.

    Network: ``interface`` is a name or an index; ``mode`` is ``native``, ``generic`` or ``offload`` (XDP);
    ``direction`` is ``ingress`` or ``egress``; ``before`` and ``after`` are the attached program or link to
    stand next to (``True``: all there are); ``replace`` is the program whose place is taken; ``priority`` and
    ``handle`` order tc and netfilter programs; ``family`` is ``inet``, ``inet6`` or ``bridge``,
    ``netfilter_hook`` a name such as ``pre_routing``, ``defragment`` asks for whole packets;
    ``netns`` is a network namespace, by path or descriptor (not given: this process's).
    ``socket`` is what a filter is put on.

    Programs: ``program`` is the loaded program, and ``function`` the function of it, that ``freplace`` or
    ``fentry`` is for.
    """

    cookie: int = 0
    via: str | None = None
    cgroup: Cgroup | None = None
    pid: int = 0
    tid: int = 0
    map: HasFileno | None = None
    function: str | None = None
    functions: Sequence[str] | str = ()
    cookies: Sequence[int] = ()
    offset: int = 0
    binary: str | os.PathLike[str] | None = None
    symbol: str | None = None
    symbols: Sequence[str] | str = ()
    usdt: str | None = None
    event: str | None = None
    frequency: int = 0
    period: int = 0
    cpu: int | None = None
    interface: str | int | None = None
    mode: str | None = None
    direction: str | None = None
    before: Neighbour | None = None
    after: Neighbour | None = None
    replace: HasFileno | None = None
    priority: int | None = None
    handle: int | None = None
    family: str | None = None
    netfilter_hook: str | None = None
    defragment: bool = False
    netns: Cgroup | None = None
    socket: HasFileno | int | None = None
    program: HasFileno | None = None


class Link:
    """One attachment.  It ends when this closes, or with the process, whatever ends that.

    ``descriptors`` are closed in order.  ``undo`` detaches what the kernel would not detach by
    itself, on kernels without links of that kind.  ``via`` names the way that was taken; ``tried`` says of each
    way that was tried before it why it was not.
    """

    def __init__(
        self,
        program: Attachable,
        *descriptors: Descriptor,
        is_link: bool = True,
        undo: Callable[[], None] | None = None,
        via: str = "",
        tried: Sequence[str] = (),
    ) -> None:
        self.program = program.name
        self.section = program.attachment.section
        self._descriptors = descriptors
        self._is_link = is_link
        self._undo = undo
        self.via = via
        self.tried = tuple(tried)

    def explain(self) -> str:
        """One sentence: which way the program was attached, and why no other one."""
        way = f" by {self.via}" if self.via else ""
        return f"{self.program} is attached to {self.section}{way}" + "".join(f"; {reason}" for reason in self.tried)

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
