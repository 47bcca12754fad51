"""``KernelProgram``: any program in the kernel, whoever loaded it."""

from __future__ import annotations

import os
from contextlib import ExitStack

from beespace.errors import UsageError
from beespace.hooks import Attachment, resolve
from beespace.kernel.links import Link, attach
from beespace.record import dataclass
from beespace.syscall import Descriptor, HasFileno, bpf
from beespace.syscall.layout import Buffer
from beespace.typed import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from beespace.btf import Btf
    from beespace.btf.values import Record
    from beespace.kernel.contexts import Fields
    from beespace.kernel.listing import SourceLine

__all__ = ["KernelProgram", "Run", "Statistics", "open_program", "statistics"]

# BPF_F_TEST_* of include/uapi/linux/bpf.h
_RUN_ON_CPU, _LIVE_FRAMES, _CHECKSUM = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Run:
    """What one run by hand gave.

    ``retval`` is the program's result, ``data`` the packet afterwards (of a flow dissector, ``struct
    bpf_flow_keys``), ``ctx`` the context afterwards in bytes, ``duration_ns`` the mean time of one run.  ``context``
    is ``ctx`` by the names of its fields, for runs on a context given so.
    """

    retval: int
    data: bytes
    ctx: bytes
    duration_ns: int
    context: Record | None = None


@dataclass(frozen=True, slots=True)
class Statistics:
    """Runs of a program while somebody counted (:func:`statistics`).

    ``recursion_misses`` are runs that were skipped because the program was running on that CPU already.
    """

    run_count: int
    run_time_ns: int
    recursion_misses: int

    @property
    def mean_ns(self) -> float:
        """Nanoseconds of one run; 0 if there was none."""
        return self.run_time_ns / self.run_count if self.run_count else 0.0


class KernelProgram:
    """A program in the kernel, attached nowhere by this object until :meth:`attach`.

    ``attachment`` is its section name taken apart; ``None`` if nobody said it.
    """

    def __init__(self, descriptor: Descriptor, name: str, attachment: Attachment | None) -> None:
        self.name = name
        self._attachment = attachment
        self._descriptor = descriptor

    @property
    def attachment(self) -> Attachment:
        """Where it belongs.  :class:`UsageError` if nobody said it."""
        if self._attachment is None:
            raise UsageError(
                f"nothing says where program {self.name!r} belongs: the kernel does not keep its section name",
                help="give it when the program is opened: open_program(..., section='xdp')",
            )
        return self._attachment

    def fileno(self) -> int:
        """The number of the program's descriptor."""
        return self._descriptor.fileno()

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._descriptor.closed

    def info(self) -> bpf.ProgramInfo:
        """What the kernel says (``struct bpf_prog_info``): id, tag, runs and time, instructions verified."""
        return bpf.prog_info(self._descriptor)

    def statistics(self) -> Statistics:
        """Runs and their time, counted only while :func:`statistics` or ``kernel.bpf_stats_enabled`` asks for it."""
        return Statistics(*bpf.prog_statistics(self._descriptor))

    def xlated(self) -> bytes:
        """The instructions as the verifier left them, 8 bytes each (empty without CAP_PERFMON)."""
        return bpf.prog_xlated(self._descriptor)

    def jited(self) -> bpf.Jited:
        """The machine code (empty if programs are interpreted, or ``net.core.bpf_jit_harden`` hides it)."""
        return bpf.prog_jited(self._descriptor)

    def source_lines(self) -> tuple[SourceLine, ...]:
        """The line of source behind each run of :meth:`xlated` instructions; empty if it was loaded without."""
        from beespace.kernel.listing import source_lines

        return source_lines(self._descriptor, self.types())

    def listing(self) -> str:
        """:meth:`xlated` as text, each line of source before its instructions."""
        from beespace.kernel.listing import listing

        return listing(self.xlated(), self.source_lines())

    def test_run(
        self,
        data_in: Buffer = b"",
        ctx_in: Fields = b"",
        repeat: int = 1,
        *,
        cpu: int | None = None,
        live_frames: bool = False,
        batch_size: int = 0,
        checksum: bool = False,
        data_size_out: int | None = None,
    ) -> Run:
        """Run it without attaching it (``BPF_PROG_TEST_RUN``): return value, packet and context after, mean time.

        ``data_in`` is a packet from its Ethernet header on.  ``ctx_in`` is the context: bytes, fields by name
        (``{"mark": 5}`` for ``__sk_buff``), or the numbers that a raw tracepoint gets.  ``cpu`` is where a raw
        tracepoint program runs (5.10); ``live_frames`` sends what an XDP program lets pass or redirects
        (5.18), ``batch_size`` of them at a time; ``checksum`` has the packet come with a complete checksum (6.16).

        Which programs can be run so: networking 4.12 (flow dissector 5.0, ``sk_lookup`` 5.14, netfilter 6.4), raw
        tracepoints 5.10, fentry, fexit and fmod_ret of the kernel's own test functions 5.7, ``syscall`` 5.14;
        others cannot (:class:`NotSupported`).
        """
        hook = None if self._attachment is None else self._attachment.hook
        typed = not isinstance(ctx_in, bytes | bytearray | memoryview)
        context = ctx_in if isinstance(ctx_in, bytes | bytearray | memoryview) else b""
        if typed:
            from beespace.kernel.contexts import encode_context

            context = encode_context(self.attachment.hook, ctx_in, len(data_in), self.types(), self.name)
        elif isinstance(context, bytes) and hook is not None and hook.section == "syscall":
            context = bytearray(context)  # the kernel writes it back
        flags = (_LIVE_FRAMES if live_frames else 0) | (_CHECKSUM if checksum else 0)
        result = bpf.prog_test_run(
            self._descriptor,
            data_in=data_in,
            ctx_in=context,
            repeat=repeat,
            data_size_out=0 if live_frames else data_size_out,
            ctx_size_out=_room(hook.section if hook is not None else "", live_frames, len(context)),
            flags=flags if cpu is None else flags | _RUN_ON_CPU,
            cpu=cpu or 0,
            batch_size=batch_size,
        )
        after = result.ctx or (bytes(context) if isinstance(context, bytearray) else b"")
        fields: Record | None = None
        if typed and hook is not None and hook.context.value in ("struct", "caller") and after:
            from beespace.kernel.contexts import decode_context

            fields = decode_context(hook, after, self.types(), self.name)
        return Run(result.retval, result.data, after, result.duration_ns, fields)

    def attach(self, **where: object) -> Link:
        """Attach it; the caller owns the link, which must be closed.

        Keywords are those of :class:`beespace.kernel.links.Where` that the hook can use.
        """
        return attach(self, where)

    def pin(self, path: str | os.PathLike[str], *, directory: HasFileno | None = None) -> None:
        """Name it in a bpf file system: it stays loaded until :meth:`unpin`, though this process ends.

        ``path`` counts from ``directory``, if given.  ``EEXIST`` if something is there.
        """
        bpf.obj_pin(self._descriptor, path, directory=directory)

    def unpin(self, path: str | os.PathLike[str], *, directory: HasFileno | None = None) -> None:
        """Remove the name that :meth:`pin` gave."""
        os.unlink(path, dir_fd=None if directory is None else directory.fileno())

    def close(self) -> None:
        """Close the descriptor; links and pins keep the program alive.  Calling it again does nothing."""
        self._descriptor.close()

    def types(self) -> Btf | None:
        """The BTF that the program was loaded with."""
        number = self.info().btf_id
        if not number:
            return None
        from beespace.btf import Btf

        with bpf.btf_get_fd_by_id(number) as descriptor:
            return Btf(bpf.btf_data(descriptor))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        place = "" if self._attachment is None else f" for {self._attachment.section!r}"
        return f"<{type(self).__name__} {self.name!r}{place}{', closed' if self.closed else ''}>"


def _room(section: str, live_frames: bool, size: int) -> int | None:
    """How much context comes back: ``None`` leaves it to whether there is a packet."""
    if live_frames:
        return 0
    return size if section == "sk_lookup" else None


def open_program(which: int | str | os.PathLike[str], *, section: str | None = None) -> KernelProgram:
    """A program that is loaded already: by its id (takes ``CAP_SYS_ADMIN``) or by the path where it is pinned.

    ``section`` is what its section was called (``xdp``, ``kprobe/vfs_read``), for who wants to attach it or to run
    it on a context by name.  The caller closes it.
    """
    attachment = None if section is None else resolve(section)
    with ExitStack() as undo:
        descriptor = bpf.prog_get_fd_by_id(which) if isinstance(which, int) else bpf.obj_get(which)
        undo.callback(descriptor.close)
        kind = os.readlink(f"/proc/self/fd/{descriptor.fileno()}")
        if not kind.endswith("bpf-prog"):
            raise UsageError(f"{which} is no program: it is {kind.rpartition(':')[2]}")
        name = bpf.prog_info(descriptor).name
        return KernelProgram(Descriptor(descriptor.detach(), f"program {name}"), name, attachment)


class statistics:
    """Have the kernel count runs and time of every program, for as long as the block lasts (Linux 5.8).

    >>> with statistics():                                                       # doctest: +SKIP
    ...     time.sleep(1)
    >>> program.statistics().mean_ns                                             # doctest: +SKIP
    87.4

    Counting costs some tens of nanoseconds a run; takes ``CAP_SYS_ADMIN`` (:class:`NotPermitted`).
    """

    def __enter__(self) -> Self:
        self._held = bpf.enable_stats()
        return self

    def __exit__(self, *exception: object) -> None:
        self._held.close()
