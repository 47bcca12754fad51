"""The code of a loaded program: as the verifier left it, and as the JIT compiled it (``struct bpf_prog_info``).

The kernel shows both to processes with ``CAP_PERFMON`` (before 5.8 ``CAP_SYS_ADMIN``) only, and nothing where
``kernel.kptr_restrict`` or ``net.core.bpf_jit_harden`` hide it: what is hidden is empty.
"""

from __future__ import annotations

import struct

from beespace.record import dataclass
from beespace.syscall._attributes import BPF_PROG_INFO
from beespace.syscall.descriptor import Fd
from beespace.syscall.objects import Info

__all__ = ["Jited", "prog_func_info", "prog_jited", "prog_line_info", "prog_xlated"]


@dataclass(frozen=True, slots=True)
class Jited:
    """Machine code.  ``code`` is all functions in a row, ``lengths`` how many bytes each has, ``addresses`` where
    each is in the kernel, ``lines`` the address of each line record (as many as line records, or none).
    """

    code: bytes
    lengths: tuple[int, ...]
    addresses: tuple[int, ...]
    lines: tuple[int, ...]


def prog_xlated(fd: Fd) -> bytes:
    """The instructions as the verifier left them, 8 bytes each (empty without ``CAP_PERFMON``)."""
    code = bytearray(Info(BPF_PROG_INFO, fd, {})["xlated_prog_len"])
    if code:
        Info(BPF_PROG_INFO, fd, {"xlated_prog_insns": code}, xlated_prog_len=len(code))
    return bytes(code)


def prog_jited(fd: Fd) -> Jited:
    """The machine code that the JIT made (empty if programs are interpreted, or it is hidden)."""
    info = Info(BPF_PROG_INFO, fd, {})
    code = bytearray(info["jited_prog_len"])
    lengths = bytearray(4 * info["nr_jited_func_lens"])
    addresses = bytearray(8 * info["nr_jited_ksyms"])
    lines = bytearray(8 * info["nr_jited_line_info"])
    if code:
        info = Info(
            BPF_PROG_INFO,
            fd,
            {
                "jited_prog_insns": code,
                "jited_func_lens": lengths,
                "jited_ksyms": addresses,
                "jited_line_info": lines,
            },
            jited_prog_len=len(code),
            nr_jited_func_lens=len(lengths) // 4,
            nr_jited_ksyms=len(addresses) // 8,
            nr_jited_line_info=len(lines) // 8,
            jited_line_info_rec_size=8,
        )
    return Jited(
        bytes(code[: info["jited_prog_len"]]),
        struct.unpack(f"={len(lengths) // 4}I", lengths),
        _shown(addresses, info["nr_jited_ksyms"]),
        _shown(lines, info["nr_jited_line_info"]),
    )


def _shown(addresses: bytearray, count: int) -> tuple[int, ...]:
    """Addresses; none if the kernel hides them."""
    found = struct.unpack_from(f"={min(count, len(addresses) // 8)}Q", addresses)
    return found if any(found) else ()


def prog_line_info(fd: Fd) -> bytes:
    """Packed ``struct bpf_line_info`` of the translated instructions, ``line_info_rec_size`` bytes each."""
    return _records(fd, "line_info")


def prog_func_info(fd: Fd) -> bytes:
    """Packed ``struct bpf_func_info`` of the translated instructions, ``func_info_rec_size`` bytes each."""
    return _records(fd, "func_info")


def _records(fd: Fd, name: str) -> bytes:
    info = Info(BPF_PROG_INFO, fd, {})
    count, size = info[f"nr_{name}"], info[f"{name}_rec_size"]
    records = bytearray(count * size)
    if records:
        Info(BPF_PROG_INFO, fd, {name: records}, **{f"nr_{name}": count, f"{name}_rec_size": size})
    return bytes(records)
