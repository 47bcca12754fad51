"""``Link``: a program that is attached, for as long as this object is open."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.hooks import Attachment
from beespace.record import dataclass
from beespace.syscall import Descriptor, HasFileno, bpf
from beespace.typed import TYPE_CHECKING, NamedTuple, Protocol, Self, TypeAlias

if TYPE_CHECKING:
    from beespace.kernel.links.info import LinkInfo

__all__ = ["Absent", "Attachable", "Link", "Named", "Where"]

_CANNOT_BE_FORCED = (errno.EOPNOTSUPP, errno.EINVAL)  # what links without detaching, and kernels before 5.9, answer

Cgroup: TypeAlias = "str | os.PathLike[str] | int | HasFileno"
Neighbour: TypeAlias = "HasFileno | Link | bool"


class Absent(UsageError):
    """What a program is to be attached to is not in this kernel."""


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
    ``map`` is what an iterator over map entries walks, or the socket map that a verdict belongs to; ``order`` is how
    a cgroup iterator walks: ``self``, ``descendants_pre``, ``descendants_post``, ``ancestors``, ``children``.

    Kernel functions: ``function`` is a name, for the one in the section (of a system call: ``openat``).
    ``functions`` are names or one glob, ``cookies`` one for each of them; for a single ``kprobe`` they are
    alternatives, of which the first that exists is taken.  ``offset`` is in bytes from its start.

    User programs: ``binary`` is a path or the name of a library, ``symbol`` a function in it, ``offset`` bytes
    from its start (without ``symbol``: in the file); ``symbols`` are names or one glob; ``usdt`` is
    ``provider:name``.

    Events: ``event`` is a tracepoint (``sched:sched_switch``) or a performance event (``cpu-clock``,
    ``page-faults``, ``cycles``; see :func:`beespace.kernel.links.perf_event.parse_event`), the latter with
    ``frequency`` in Hz or ``period`` in events; ``cpu`` restricts it to one.

    Network: ``interface`` is a name or an index; ``mode`` is ``native``, ``generic`` or ``offload`` (XDP);
    ``direction`` is ``ingress`` or ``egress``.  ``before`` and ``after`` are the attached program or link to
    stand next to (``True``: all there are), ``revision`` the one that :func:`query` told, if nothing may have changed
    since; ``replace`` is the program whose place is taken.  ``priority`` and ``handle`` order tc and netfilter
    programs; ``family`` is ``inet``, ``inet6`` or ``bridge``, ``netfilter_hook`` a name such as ``pre_routing``,
    ``defragment`` asks for whole packets.  ``netns`` is a network namespace: a path, a name of ``ip netns``, the number
    of a process as text, or a descriptor (not given: this process's).  ``socket`` is what a filter is put on,
    ``device`` the path of an infrared receiver, ``route`` a destination as
    ``10.9.0.0/24 via 10.1.0.1``.  ``sharing`` of a cgroup is ``multi`` (the default:
    all programs run, also those of cgroups below), ``override`` (a cgroup below may have another instead) or
    ``none``; ``preorder`` lets cgroups above run first.

    Programs: ``program`` is the loaded program, and ``function`` the function of it, that ``freplace`` or
    ``fentry`` is for.
    """

    cookie: int = 0
    via: str | None = None
    cgroup: Cgroup | None = None
    pid: int = 0
    tid: int = 0
    map: HasFileno | None = None
    order: str | None = None
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
    revision: int = 0
    replace: HasFileno | None = None
    sharing: str | None = None
    preorder: bool = False
    priority: int | None = None
    handle: int | None = None
    family: str | None = None
    netfilter_hook: str | None = None
    defragment: bool = False
    netns: Cgroup | None = None
    socket: HasFileno | int | None = None
    device: str | os.PathLike[str] | None = None
    route: str | None = None
    program: HasFileno | None = None


class Named(NamedTuple):
    """A program that is known by name only, and the section of its hook."""

    name: str
    section: str


class Link:
    """One attachment.  It ends when this closes, or with the process, whatever ends that, unless it was pinned.

    ``descriptors`` are closed in order; the first is the BPF link, if there is one (``is_link``).  Where the kernel
    has no link of that kind: ``undo`` detaches what it would not detach by itself, ``swap`` puts another program in
    this one's place, and ``stays`` says what remains of it if the process is killed.  ``via`` names the way that
    was taken; ``tried`` says of each way that was tried before it why it was not; ``at`` says where, in words.
    """

    def __init__(
        self,
        program: Attachable | Named,
        *descriptors: Descriptor,
        is_link: bool = True,
        undo: Callable[[], None] | None = None,
        swap: Callable[[Attachable], None] | None = None,
        via: str = "",
        tried: Sequence[str] = (),
        stays: str = "",
        at: str = "",
        pins: Sequence[str | os.PathLike[str]] = (),
    ) -> None:
        self.program = program.name
        self.section = program.section if isinstance(program, Named) else program.attachment.section
        self._descriptors = descriptors
        self._open = True
        self._is_link = is_link
        self._undo = undo
        self._swap = swap
        self._pins = list(pins)
        self.via = via
        self.tried = tuple(tried)
        self.stays = stays
        self.at = at

    def fileno(self) -> int:
        """The number of the link's descriptor.  :class:`UsageError` if it is closed or the kernel has no such link."""
        return self._own("it has no descriptor").fileno()

    def explain(self) -> str:
        """One sentence: which way the program was attached, why no other one, what stays if the process is killed."""
        way = (f" ({self.at})" if self.at else "") + (f" by {self.via}" if self.via else "")
        more = (*self.tried, f"if this process is killed, {self.stays}") if self.stays else self.tried
        return f"{self.program} is attached to {self.section}{way}" + "".join(f"; {reason}" for reason in more)

    @property
    def closed(self) -> bool:
        """Whether it was closed or detached."""
        return not self._open

    @property
    def info(self) -> LinkInfo | None:
        """What the kernel says, in a class of the link's kind; ``None`` where the kernel has no such link.

        Since Linux 5.8.  See :mod:`beespace.kernel.links.info`.
        """
        if not self._is_link or self.closed:
            return None
        from beespace.kernel.links.info import link_info

        return link_info(self._descriptors[0])

    def update(self, program: Attachable, *, expected: HasFileno | None = None) -> None:
        """Let ``program`` take the place of the present one: no event is missed, none is seen twice (Linux 5.7).

        With ``expected``, only if that is the present one (:class:`NotPermitted` else: somebody was faster).
        Programs of cgroups, network namespaces, XDP, tcx, netkit, socket maps and iterators can be replaced;
        :class:`KernelError` (EINVAL, EOPNOTSUPP) for links that keep theirs.
        """
        if self._swap is not None and not self.closed:
            if expected is not None:
                raise UsageError(
                    f"{self.program} is attached to {self.section} by {self.via}: which one is there cannot be asked",
                    help="leave expected= out",
                )
            self._swap(program)
        else:
            bpf.link_update(self._own("its program cannot be replaced"), program.fileno(), old_prog_fd=expected)
        self.program = program.name

    def pin(self, path: str | os.PathLike[str]) -> None:
        """Give it a name in a bpf file system: it then outlives this object and the process (Linux 5.7).

        It ends with :meth:`detach`, or when :meth:`unpin` (or ``rm``) removed the name and nobody has it open.
        """
        bpf.obj_pin(self._own("it cannot be pinned"), path)
        self._pins.append(path)

    def unpin(self) -> None:
        """Remove the names that :meth:`pin` gave, and that :func:`open_pinned` found.

        The program stays attached while this object is open.
        """
        while self._pins:
            path = self._pins.pop()
            try:
                os.unlink(path)
            except FileNotFoundError:
                continue  # somebody else removed it

    @property
    def pins(self) -> tuple[str | os.PathLike[str], ...]:
        """The names that :meth:`unpin` would remove."""
        return tuple(self._pins)

    def _own(self, what: str) -> Descriptor:
        """The descriptor of the BPF link."""
        if self.closed:
            raise UsageError(f"{self.program} is not attached to {self.section} any more: {what}")
        if not self._is_link:
            way = f" by {self.via}" if self.via else ""
            raise NotSupported(
                f"a link of {self.program} to {self.section}, which is attached{way}: {what}",
                help="it ends with this process; detach it and attach it again, or keep the process running",
            )
        return self._descriptors[0]

    def detach(self) -> None:
        """Detach the program, whoever else holds the link: it does not run any more for new events.

        Names that this object knows of are removed.  Links of functions, tracepoints and performance events cannot
        be forced: they end when the last process that holds them closes them.  Calling it again does nothing.
        """
        with ExitStack() as undo:
            undo.callback(self.close)
            undo.callback(self.unpin)
            if self._is_link and not self.closed:
                try:
                    bpf.link_detach(self._descriptors[0])  # Linux 5.9
                except KernelError as error:
                    if error.errno not in _CANNOT_BE_FORCED:
                        raise

    def close(self) -> None:
        """Let go of it.  The program is detached, unless the link is pinned.  Calling it again does nothing."""
        self._open = False
        descriptors, self._descriptors = self._descriptors, ()
        undo, self._undo = self._undo, None
        try:
            if undo is not None:
                undo()
        finally:
            for descriptor in descriptors:
                descriptor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.program!r} to {self.section!r}{', closed' if self.closed else ''}>"
