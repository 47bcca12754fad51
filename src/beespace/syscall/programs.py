"""Programs and types: load; attach the old way."""

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
from beespace.syscall.token import not_delegated, token_flag

LOG_START = 1 << 16
LOG_LIMIT = 0xFFFFFFFF >> 2  # bytes: the most that the kernel takes (bpf_verifier_log_attr_valid)
_SMALLEST_LOG = 128  # bytes: the least that kernels before 6.4 take
_MORE = 1 << 12  # bytes above what the kernel asked for: another try may take another path
AGAIN = 5  # how often a load that a signal interrupted is tried again


@dataclass(frozen=True, slots=True)
class Attached:
    """What ``BPF_PROG_QUERY`` gave: ids of programs (and links, 6.6) in running order.

    ``prog_attach_flags`` are those of each program, if they were asked for.
    """

    prog_ids: tuple[int, ...]
    link_ids: tuple[int, ...]
    attach_flags: int
    revision: int
    prog_attach_flags: tuple[int, ...] = ()


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
    ``attach_btf_obj_fd`` (vmlinux if absent) or of ``attach_prog_fd``.  ``prog_token_fd`` is a BPF token (6.9).

    ``log_level`` is a sum of 1 (the path that was refused), 2 (all paths, with the state at each instruction) and 4
    (statistics); ``log_size`` is the room in bytes that the log begins with.  A refusal is loaded again with
    ``log_level`` 1 and a log that grows until it holds everything: :class:`~beespace.errors.VerifierError` carries
    that log.
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
        "prog_flags": prog_flags | token_flag(prog_token_fd),
        "prog_ifindex": prog_ifindex,
        "kern_version": kern_version,
        "prog_btf_fd": number(prog_btf_fd),
        "func_info": func_info,
        "func_info_rec_size": func_info_rec_size if func_info else 0,
        "func_info_cnt": len(func_info) // func_info_rec_size,
        "line_info": line_info,
        "line_info_rec_size": line_info_rec_size if line_info else 0,
        "line_info_cnt": len(line_info) // line_info_rec_size,
        "fd_array": struct.pack(f"={len(fd_array)}i", *map(number, fd_array)) if fd_array else b"",
        "prog_token_fd": number(prog_token_fd),
    }
    needs = capabilities.for_program(prog_type)
    result, log = memlock.retry(
        lambda: _with_log(Command.PROG_LOAD, fields, log_level, log_size, _PROGRAM_LOG),
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
        lacks = not_delegated(prog_token_fd, Command.PROG_LOAD, prog_type=prog_type, attach_type=expected_attach_type)
        what = f"load program {name or '(unnamed)'!r}"
        raise refusal.error("BPF_PROG_LOAD", -result, what, needs=needs, not_delegated=lacks)
    return Descriptor(result, f"program {name}".rstrip()), log


def btf_load(data: Buffer, *, log_level: int = 0, btf_token_fd: Fd | None = None) -> tuple[Descriptor, str]:
    """Give the kernel type information (``BPF_BTF_LOAD``, 4.18): its descriptor and the log.

    ``data`` is a raw ``.BTF`` section, ``btf_token_fd`` a BPF token (6.9).  A refusal is loaded again with a log,
    whose last line is in the message of the :class:`~beespace.errors.KernelError`.
    """
    fields: dict[str, Value] = {
        "btf": data,
        "btf_size": len(data),
        "btf_flags": token_flag(btf_token_fd),
        "btf_token_fd": number(btf_token_fd),
    }
    result, log = memlock.retry(
        lambda: _with_log(Command.BTF_LOAD, fields, log_level, 0, _TYPES_LOG),
        lambda answer: answer[0] == -errno.EPERM,
    )
    if result >= 0:
        return Descriptor(result, "BTF"), log
    if lines := log.strip().splitlines():
        raise KernelError(f"the kernel refused the type information: {lines[-1]}", call="BPF_BTF_LOAD", errno=-result)
    lacks = not_delegated(btf_token_fd, Command.BTF_LOAD)
    raise refusal.error(
        "BPF_BTF_LOAD", -result, "load type information", needs=(capabilities.BPF,), not_delegated=lacks
    )


_PROGRAM_LOG = ("log_level", "log_size", "log_buf", "log_true_size")
_TYPES_LOG = ("btf_log_level", "btf_log_size", "btf_log_buf", "btf_log_true_size")


def _with_log(
    command: Command, fields: dict[str, Value], level: int, size: int, names: tuple[str, str, str, str]
) -> tuple[int, str]:
    """Issue a load; the result (negative errno) and the log.

    At level 0 a first try costs no log; a refusal is tried again at level 1.  The log grows until
    it holds everything: kernels before 6.4 keep its beginning and answer ENOSPC, later ones
    keep the end and say how long it is (``log_true_size``, kernel commit 47a71c1f9af0).
    """
    start = min(max(size, _SMALLEST_LOG), LOG_LIMIT) if size else LOG_START
    size = start if level else 0
    again = AGAIN
    first = 0  # the errno of the try without a log: a log that is too short hides it
    while True:
        log = bytearray(size)
        request = fields | {names[0]: level, names[1]: size, names[2]: log} if size else dict(fields)
        attributes = door.Attributes(command, request, names[3:] if size else ())
        result = door.issue("bpf", (command, attributes))
        if result == -errno.EAGAIN and again:  # a signal was pending while the verifier ran
            again -= 1
        elif result == -errno.ENOSPC and 0 < size < LOG_LIMIT:
            needed = attributes.fields.get(names[3], 0)
            assert isinstance(needed, int)
            size = min(max(needed + _MORE, 2 * size) if needed > size else 4 * size, LOG_LIMIT)
        elif result < 0 and not size:
            first, level, size = result, 1, start
        else:
            return (first or result if result < 0 else result), log_text(log)


def log_text(log: bytearray) -> str:
    """The text in a log buffer: up to its final zero."""
    end = log.find(0)
    return log[: end if end >= 0 else len(log)].decode("utf-8", "replace")


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
    attach_type: int,
    *,
    target_fd: Fd | None = None,
    target_ifindex: int = 0,
    query_flags: int = 0,
    flags_of_each: bool = False,
) -> Attached:
    """Which programs are attached to a cgroup, network namespace or interface (``BPF_PROG_QUERY``, 4.15).

    ``query_flags`` 1 (``BPF_F_QUERY_EFFECTIVE``) counts those inherited from cgroups above.  ``flags_of_each`` is for
    cgroups, without that flag (6.0).
    """
    count = 16
    while True:
        programs, links, flags = bytearray(4 * count), bytearray(4 * count), bytearray(4 * count)
        fields: dict[str, Value] = {
            "target_fd": target_ifindex or number(target_fd),
            "attach_type": attach_type,
            "query_flags": query_flags,
            "prog_ids": programs,
            "prog_cnt": count,
        }
        if target_ifindex:
            fields["link_ids"] = links  # cgroups refuse it
        if flags_of_each:
            fields["prog_attach_flags"] = flags
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
    each = struct.unpack_from(f"={found}I", flags) if flags_of_each else ()
    return Attached(ids, link_ids, answer.number("attach_flags"), answer.number("revision"), each)


def prog_bind_map(prog_fd: Fd, map_fd: Fd) -> None:
    """Keep a map alive as long as the program, though its code does not name it (5.10)."""
    ask(Command.PROG_BIND_MAP, "bind a map to a program", {"prog_fd": number(prog_fd), "map_fd": number(map_fd)})


def enable_stats(kind: int = 0) -> Descriptor:
    """Count runs and time of every program (``run_cnt``, ``run_time_ns``) until the descriptor closes (5.8)."""
    answer = ask(Command.ENABLE_STATS, "count program run time", {"type": kind}, needs=(capabilities.SYS_ADMIN,))
    return Descriptor(answer.result, "program statistics")
