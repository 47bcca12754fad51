"""Running a program once, by hand (``BPF_PROG_TEST_RUN``)."""

from __future__ import annotations

import errno

from beespace.record import dataclass
from beespace.syscall import refusal
from beespace.syscall._attributes import Command
from beespace.syscall.descriptor import Fd, number
from beespace.syscall.layout import Buffer, Value
from beespace.syscall.request import ask

__all__ = ["TestRun", "prog_test_run"]


@dataclass(frozen=True, slots=True)
class TestRun:
    """What ``BPF_PROG_TEST_RUN`` gave: return value, the data and context afterwards, mean nanoseconds of one run."""

    retval: int
    data: bytes
    ctx: bytes
    duration_ns: int


def prog_test_run(
    fd: Fd,
    *,
    data_in: Buffer = b"",
    ctx_in: Buffer = b"",
    repeat: int = 1,
    data_size_out: int | None = None,
    ctx_size_out: int | None = None,
    flags: int = 0,
    cpu: int = 0,
    batch_size: int = 0,
) -> TestRun:
    """Run a program ``repeat`` times on ``data_in`` (a packet) and ``ctx_in`` (``BPF_PROG_TEST_RUN``).

    ``data_size_out`` is the room for the packet afterwards (``None``: the same and 256 bytes more, none for
    programs without a packet), ``ctx_size_out`` for the context (``None``: as long as ``ctx_in`` if there is a
    packet).  ``flags`` are ``BPF_F_TEST_*``; ``cpu`` counts with ``BPF_F_TEST_RUN_ON_CPU``, ``batch_size`` with
    ``BPF_F_TEST_XDP_LIVE_FRAMES``.  Networking programs since Linux 4.12, raw tracepoints 5.10, ``syscall``
    programs 5.14 (those write into ``ctx_in``, which then must be a ``bytearray``).
    """
    data = bytearray(len(data_in) + 256 if data_in and data_size_out is None else data_size_out or 0)
    ctx = bytearray(len(ctx_in) if data_in and ctx_size_out is None else ctx_size_out or 0)
    while True:
        fields: dict[str, Value] = {
            "prog_fd": number(fd),
            "data_in": data_in,
            "data_size_in": len(data_in),
            "data_out": data,
            "data_size_out": len(data),
            "ctx_in": ctx_in,
            "ctx_size_in": len(ctx_in),
            "ctx_out": ctx,
            "ctx_size_out": len(ctx),
            "repeat": repeat if repeat > 1 else 0,  # some program types refuse the field
            "flags": flags,
            "cpu": cpu,
            "batch_size": batch_size,
        }
        answer = ask(
            Command.PROG_TEST_RUN,
            "run a program",
            fields,
            returns=("retval", "duration", "data_size_out", "ctx_size_out"),
            expected=(errno.ENOSPC,),
        )
        size = answer.number("data_size_out")
        if answer.result >= 0:
            break
        if size <= len(data):
            raise refusal.error("BPF_PROG_TEST_RUN", errno.ENOSPC, "run a program")
        data = bytearray(size)  # the program made the packet longer than there was room
    return TestRun(
        answer.number("retval"),
        bytes(data[:size]),
        bytes(ctx[: answer.number("ctx_size_out")]),
        answer.number("duration"),
    )
