"""Which program types the kernel loads, by loading the smallest program of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from beespace.btf import Btf, Kind
from beespace.errors import VerifierError
from beespace.isa import AttachType, Insn, ProgramType, encode
from beespace.isa.constants import ProgramFlag
from beespace.kernel.features.feature import Feature, attempt
from beespace.kernel.vmlinux import vmlinux_btf
from beespace.record import dataclass
from beespace.syscall import Descriptor, bpf

_MOV = 0xB7  # r0 = imm
EXIT = Insn(0x95)

# A tracepoint, a hook and a function that exist in every kernel, where a program for a moment harms nobody.
TRACEPOINT = "sched_process_exec"
LSM_HOOK = "bpf_lsm_sb_statfs"
FUNCTION = "bpf_fentry_test1"


@dataclass(frozen=True, slots=True)
class Smallest:
    """What the smallest program of a type needs besides ``r0 = returns; exit``.

    ``target`` is a kernel type to attach to, by its name and kind in BTF; with ``member``, one of its members,
    whose number is then the attach type.
    """

    expected_attach_type: int = 0
    returns: int = 0
    target: tuple[str, Kind] | None = None
    member: str = ""
    flags: int = 0


_SMALLEST: dict[int, Smallest] = {
    ProgramType.CGROUP_SOCK: Smallest(AttachType.CGROUP_INET_SOCK_CREATE, 1),
    ProgramType.CGROUP_SKB: Smallest(AttachType.CGROUP_INET_EGRESS, 1),
    ProgramType.CGROUP_SOCK_ADDR: Smallest(AttachType.CGROUP_INET4_CONNECT, 1),
    ProgramType.CGROUP_SOCKOPT: Smallest(AttachType.CGROUP_SETSOCKOPT, 1),
    ProgramType.SOCK_OPS: Smallest(AttachType.CGROUP_SOCK_OPS, 1),
    ProgramType.SK_LOOKUP: Smallest(AttachType.SK_LOOKUP, 1),
    ProgramType.SK_REUSEPORT: Smallest(AttachType.SK_REUSEPORT_SELECT, 1),
    ProgramType.NETFILTER: Smallest(AttachType.NETFILTER, 1),
    ProgramType.SYSCALL: Smallest(flags=ProgramFlag.SLEEPABLE),
    ProgramType.TRACING: Smallest(AttachType.TRACE_RAW_TP, target=(f"btf_trace_{TRACEPOINT}", Kind.TYPEDEF)),
    ProgramType.STRUCT_OPS: Smallest(target=("tcp_congestion_ops", Kind.STRUCT), member="ssthresh"),
    ProgramType.LSM: Smallest(AttachType.LSM_MAC, target=(LSM_HOOK, Kind.FUNC)),
}


@cache
def _target(types: Btf, name: str, kind: Kind) -> int:
    return types.find(name, kind)


def smallest(
    program_type: int,
    *,
    like: Smallest | None = None,
    before_exit: tuple[Insn, ...] = (),
    sets_r0: bool = True,
    fd_array: tuple[Descriptor, ...] = (),
) -> Descriptor:
    """Load ``r0 = returns; before_exit; exit`` as a program of a type; ``like`` instead of the usual for that type."""
    like = like or _SMALLEST.get(program_type, Smallest())
    first = (Insn(_MOV, imm=like.returns),) if sets_r0 else ()
    target = 0 if like.target is None else _target(vmlinux_btf(), *like.target)
    attach_type = vmlinux_btf().member(target, like.member).indices[0] if like.member else like.expected_attach_type
    descriptor, _ = bpf.prog_load(
        program_type,
        encode((*first, *before_exit, EXIT)),
        name="feature",
        expected_attach_type=attach_type,
        attach_btf_id=target,
        prog_flags=like.flags,
        fd_array=fd_array,
    )
    return descriptor


def program_type(number: int) -> Feature:
    """Whether programs of type ``number`` (``enum bpf_prog_type``) can be loaded.

    A ``tracing`` program is one on a BTF tracepoint; fentry is asked for by
    :func:`~beespace.kernel.features.attach_kind`.
    """
    name = ProgramType(number).name.lower()
    return attempt("program", name, lambda: _LOADERS.get(number, _load)(number))


def program_types() -> Iterator[Feature]:
    """Every program type that beespace knows by name."""
    for number in ProgramType:
        if number is not ProgramType.UNSPEC:
            yield program_type(number)


def _load(number: int) -> None:
    smallest(number).close()


def _load_extension(number: int) -> None:
    """A replacement of a program's function: without a target the verifier refuses it, if the type is known."""
    try:
        _load(number)
    except VerifierError:
        return


_LOADERS: dict[int, Callable[[int], None]] = {ProgramType.EXT: _load_extension}
