"""Programs: load, run once, attach the old way."""

from __future__ import annotations

import errno
import struct
from collections.abc import Sequence

from beespace.errors import KernelError, VerifierError
from beespace.record import dataclass
from beespace.syscall import capabilities, door, memlock, process, refusal, verifier_log
from beespace.syscall._attributes import Command
from beespace.syscall.descriptor import Descriptor, Fd, number
from beespace.syscall.layout import Buffer, Value
from beespace.syscall.maps import object_name
from beespace.syscall.request import ask

LOG_START = 1 << 16
LOG_LIMIT = 1 << 28  # bytes; the kernel takes up to UINT_MAX >> 2, but nobody reads that
AGAIN = 5  # how often a load that a signal interrupted is tried again


@dataclass(frozen=True, slots=True)
class TestRun:
    """What ``BPF_PROG_TEST_RUN`` gave: return value, the data and context afterwards, mean nanoseconds of one run."""

    retval: int
    data: bytes
    ctx: bytes
    duration_ns: int


@dataclass(frozen=True, slots=True)
class Attached:
    """What ``BPF_PROG_QUERY`` gave: ids of programs (and links, 6.6) in running order."""

    prog_ids: tuple[int, ...]
    link_ids: tuple[int, ...]
    attach_flags: int
    revision: int


def prog_load(
    prog_type: int,
    instructions: bytes,
    *,
    license: str = "GPL",
    name: str = "",
    expected_attach_type: int = 0,
    attach_btf_id: int = 0,
    attach_prog_fd: Fd | None = None,
    attach_btf_obj_fd: Fd | None = None,
    prog_flags: int = 0,
    prog_ifindex: int = 0,
    kern_version: int = 0,
    prog_btf_fd: Fd | None = None,
    func_info: bytes = b"",
    func_info_rec_size: int = 8,
    line_info: bytes = b"",
    line_info_rec_size: int = 16,
    fd_array: Sequence[Fd] = (),
    prog_token_fd: Fd | None = None,
    log_level: int = 0,
    log_size: int = 0,
) -> tuple[Descriptor, str]:
    """Load a program (``BPF_PROG_LOAD``): its descriptor and the verifier's log (empty at ``log_level`` 0).

    ``instructions`` are 8 bytes each; ``func_info`` and ``line_info`` are packed ``struct
    bpf_func_info`` and ``bpf_line_info`` that refer to ``prog_btf_fd``.  ``attach_btf_id`` is a type of
    ``attach_btf_obj_fd`` (vmlinux if absent) or of ``attach_prog_fd``.

    A refusal is loaded again with ``log_level`` 1 and a log that grows until it holds everything:
    :class:`~beespace.errors.VerifierError` carries that log.
    """
    fields: dict[str, Value] = {
        "prog_type": prog_type,
        "insn_cnt": len(instructions) // 8,
        "insns": instructions,
        "license": license.encode() + b"\0",
        "prog_name": object_name(name),
        "expected_attach_type": expected_attach_type,
        "attach_btf_id": attach_btf_id,
        "attach_prog_fd": number(attach_prog_fd) or number(attach_btf_obj_fd),
        "prog_flags": prog_flags,
        "prog_ifindex": prog_ifindex,
        "kern_version": kern_version,
        "prog_btf_fd": number(prog_btf_fd),
        "func_info": func_info,
        "func_info_rec_size": func_info_rec_size if func_info else 0,
        "func_info_cnt": len(func_info) // func_info_rec_size,
        "line_info": line_info,
        "line_info_rec_size": line_info_rec_size if line_info else 0,
        "line_info_cnt": len(line_info) // line_info_rec_size,
        "fd_array": struct.pack(f"={len(fd_array)}i", *map(number, fd_array)),
        "prog_token_fd": number(prog_token_fd),
    }
    needs = capabilities.for_program(prog_type)
    result, log = memlock.retry(
        lambda: _with_log(Command.PROG_LOAD, fields, log_level, ("log_level", "log_size", "log_buf")),
        lambda answer: answer[0] == -errno.EPERM,
    )
    if result < 0:
        if verifier_log.says_something(log) and not (result == -errno.EPERM and process.rights().lacks(needs)):
            raise VerifierError(
                name or "(unnamed)",
                errno=-result,
                log=log,
                reason=verifier_log.reason(log),
                source=verifier_log.source(log),
            )
        raise refusal.error("BPF_PROG_LOAD", -result, f"load program {name or '(unnamed)'!r}", needs=needs)
    return Descriptor(result, f"program {name}".rstrip()), log


def btf_load(data: Buffer, *, log_level: int = 0, btf_token_fd: Fd | None = None) -> tuple[Descriptor, str]:
    """Give the kernel type information (``BPF_BTF_LOAD``, 4.18): its descriptor and the log.

    ``data`` is a raw ``.BTF`` section.  A refusal is loaded again with a log, whose last line is in
    the message of the :class:`~beespace.errors.KernelError`.
    """
    fields: dict[str, Value] = {"btf": data, "btf_size": len(data), "btf_token_fd": number(btf_token_fd)}
    result, log = memlock.retry(
        lambda: _with_log(Command.BTF_LOAD, fields, log_level, ("btf_log_level", "btf_log_size", "btf_log_buf")),
        lambda answer: answer[0] == -errno.EPERM,
    )
    if result >= 0:
        return Descriptor(result, "BTF"), log
    if lines := log.strip().splitlines():
        raise KernelError(f"the kernel refused the type information: {lines[-1]}", call="BPF_BTF_LOAD", errno=-result)
    raise refusal.error("BPF_BTF_LOAD", -result, "load type information", needs=(capabilities.BPF,))


def _with_log(command: Command, fields: dict[str, Value], level: int, names: tuple[str, str, str]) -> tuple[int, str]:
    """Issue a load; the result (negative errno) and the log.

    At level 0 a first try costs no log; a refusal is tried again at level 1.  The log grows until
    it holds everything: kernels before 6.4 keep its beginning and answer ENOSPC, later ones
    keep the end.
    """
    size = LOG_START if level else 0
    again = AGAIN
    first = 0  # the errno of the try without a log: a log that is too short hides it
    while True:
        log = bytearray(size)
        request = fields | {names[0]: level, names[1]: size, names[2]: log} if size else dict(fields)
        result = door.issue("bpf", (command, door.Attributes(command, request)))
        if result == -errno.EAGAIN and again:  # a signal was pending while the verifier ran
            again -= 1
        elif result == -errno.ENOSPC and LOG_START <= size < LOG_LIMIT:
            size = min(size * 4, LOG_LIMIT)
        elif result < 0 and not size:
            first, level, size = result, 1, LOG_START
        else:
            text = bytes(log).split(b"\0", 1)[0].decode("utf-8", "replace")
            return (first or result if result < 0 else result), text


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
    packet).  Networking programs since Linux 4.12, raw tracepoints 5.10, ``syscall`` programs 5.14 (those write into
    ``ctx_in``, which then must be a ``bytearray``).
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


def raw_tracepoint_open(prog_fd: Fd, name: str | None = None, *, cookie: int = 0) -> Descriptor:
    """Attach to raw tracepoint ``name`` (4.17); the tracepoint is detached when the descriptor closes.

    ``name`` is ``None`` for a program whose target was given at load time (BTF tracepoints,
    fentry, LSM; 5.5).  ``cookie`` since 6.10.
    """
    fields: dict[str, Value] = {"prog_fd": number(prog_fd), "cookie": cookie}
    if name is not None:
        fields["name"] = name.encode() + b"\0"
    what = f"attach to raw tracepoint {name!r}" if name else "attach a tracing program"
    answer = ask(Command.RAW_TRACEPOINT_OPEN, what, fields)
    return Descriptor(answer.result, f"tracepoint {name or ''}".rstrip())


def prog_attach(
    prog_fd: Fd,
    attach_type: int,
    *,
    target_fd: Fd | None = None,
    target_ifindex: int = 0,
    attach_flags: int = 0,
    replace_bpf_fd: Fd | None = None,
    relative_fd: Fd | None = None,
    relative_id: int = 0,
    expected_revision: int = 0,
) -> None:
    """Attach until :func:`prog_detach`, even after the process ends: prefer a link (``BPF_PROG_ATTACH``, 4.10).

    ``target_fd`` is a cgroup directory, a socket map or a network namespace; ``target_ifindex`` an interface (tcx,
    netkit).  ``relative_*`` and ``expected_revision`` place the program among others (tcx, netkit 6.6).
    """
    fields: dict[str, Value] = {
        "attach_bpf_fd": number(prog_fd),
        "attach_type": attach_type,
        "target_fd": target_ifindex or number(target_fd),
        "attach_flags": attach_flags,
        "replace_bpf_fd": number(replace_bpf_fd),
        "relative_fd": relative_id or number(relative_fd),
        "expected_revision": expected_revision,
    }
    needs = capabilities.for_attach_type(attach_type)
    ask(Command.PROG_ATTACH, "attach a program", fields, needs=needs)


def prog_detach(
    prog_fd: Fd | None,
    attach_type: int,
    *,
    target_fd: Fd | None = None,
    target_ifindex: int = 0,
    attach_flags: int = 0,
    expected_revision: int = 0,
) -> None:
    """Undo :func:`prog_attach` (``BPF_PROG_DETACH``)."""
    fields: dict[str, Value] = {
        "attach_bpf_fd": number(prog_fd),
        "attach_type": attach_type,
        "target_fd": target_ifindex or number(target_fd),
        "attach_flags": attach_flags,
        "expected_revision": expected_revision,
    }
    ask(Command.PROG_DETACH, "detach a program", fields, needs=(capabilities.NET_ADMIN,))


def prog_query(
    attach_type: int, *, target_fd: Fd | None = None, target_ifindex: int = 0, query_flags: int = 0
) -> Attached:
    """Which programs are attached to a cgroup, network namespace or interface (``BPF_PROG_QUERY``, 4.15).

    ``query_flags`` 1 (``BPF_F_QUERY_EFFECTIVE``) counts those inherited from cgroups above.
    """
    count = 16
    while True:
        programs, links = bytearray(4 * count), bytearray(4 * count)
        fields: dict[str, Value] = {
            "target_fd": target_ifindex or number(target_fd),
            "attach_type": attach_type,
            "query_flags": query_flags,
            "prog_ids": programs,
            "prog_cnt": count,
        }
        if target_ifindex:
            fields["link_ids"] = links  # cgroups refuse it
        answer = ask(
            Command.PROG_QUERY,
            "ask which programs are attached",
            fields,
            returns=("prog_cnt", "attach_flags", "revision"),
            expected=(errno.ENOSPC,),
            needs=(capabilities.NET_ADMIN,),
        )
        found = answer.number("prog_cnt")
        if answer.result >= 0:
            break
        count = max(found, count * 2)
    ids = struct.unpack_from(f"={found}I", programs)
    link_ids = struct.unpack_from(f"={found}I", links) if target_ifindex else ()
    return Attached(ids, link_ids, answer.number("attach_flags"), answer.number("revision"))


def prog_bind_map(prog_fd: Fd, map_fd: Fd) -> None:
    """Keep a map alive as long as the program, though its code does not name it (5.10)."""
    ask(Command.PROG_BIND_MAP, "bind a map to a program", {"prog_fd": number(prog_fd), "map_fd": number(map_fd)})


def enable_stats(kind: int = 0) -> Descriptor:
    """Count runs and time of every program (``run_cnt``, ``run_time_ns``) until the descriptor closes (5.8)."""
    answer = ask(Command.ENABLE_STATS, "count program run time", {"type": kind}, needs=(capabilities.SYS_ADMIN,))
    return Descriptor(answer.result, "program statistics")
