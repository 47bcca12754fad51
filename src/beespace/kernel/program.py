"""``LoadedProgram``: a program that the verifier has accepted."""

from __future__ import annotations

from typing import Self

from beespace.hooks import Attachment
from beespace.kernel.image import Image
from beespace.kernel.links import Link, attach
from beespace.spec import ProgramSpec
from beespace.syscall import Descriptor, bpf
from beespace.syscall.layout import Buffer

__all__ = ["LoadedProgram"]


class LoadedProgram:
    """A program in the kernel, attached nowhere until :meth:`attach`.

    ``spec`` is what it came from (CO-RE applied), ``attachment`` its section name taken apart.
    """

    def __init__(self, descriptor: Descriptor, spec: ProgramSpec, attachment: Attachment, image: Image) -> None:
        self.spec = spec
        self.name = spec.name
        self.attachment = attachment
        self.image = image
        self._descriptor = descriptor

    def fileno(self) -> int:
        """The number of the program's descriptor."""
        return self._descriptor.fileno()

    def info(self) -> bpf.ProgramInfo:
        """What the kernel says (``struct bpf_prog_info``): id, tag, runs and time, instructions verified.

        Runs are counted only while ``kernel.bpf_stats_enabled`` is set or ``bpf.enable_stats()`` is held.
        """
        return bpf.prog_info(self._descriptor)

    def xlated(self) -> bytes:
        """The instructions as the verifier left them, 8 bytes each (empty without CAP_PERFMON)."""
        return bpf.prog_xlated(self._descriptor)

    def test_run(self, data_in: Buffer = b"", ctx_in: Buffer = b"", repeat: int = 1) -> bpf.TestRun:
        """Run it without attaching it (``BPF_PROG_TEST_RUN``): return value, packet and context after, mean time.

        ``data_in`` is a packet; ``ctx_in`` a context such as ``struct __sk_buff``, or the arguments of a
        raw tracepoint, 8 bytes each.  Which programs can be run so depends on the kernel:
        networking 4.12, raw tracepoints 5.10; tracepoints and iterators cannot.
        """
        return bpf.prog_test_run(self._descriptor, data_in=data_in, ctx_in=ctx_in, repeat=repeat)

    def attach(self, **where: object) -> Link:
        """Attach it; the caller owns the link, which must be closed.

        Keywords are those of :class:`beespace.kernel.links.Where` that the hook can use.
        """
        return attach(self, where)

    def close(self) -> None:
        """Close the descriptor; links keep the program alive.  Calling it again does nothing."""
        self._descriptor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<LoadedProgram {self.name!r} for {self.attachment.section!r}>"
