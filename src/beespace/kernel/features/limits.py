"""Limits of programs, and the settings of this machine that make a difference to them: numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from beespace.errors import KernelError, NotSupported, VerifierError
from beespace.isa import Insn, ProgramType
from beespace.kernel.features.feature import Feature, attempt
from beespace.kernel.features.program_types import smallest
from beespace.kernel.verified import read_statistics
from beespace.syscall import bpf, process

__all__ = ["LIMITS", "SETTINGS", "limit", "limits", "setting", "settings"]

_NOTHING = Insn(0xB7)  # r0 = 0
_SMALL = 4096  # instructions: the old limit, and that of processes without CAP_BPF
_STACK = 512


def _verified_instructions() -> int:
    """What the verifier itself says that it goes through at most, on all paths together."""
    code = bytes.fromhex("b700000000000000 9500000000000000")
    descriptor, log = bpf.prog_load(ProgramType.SOCKET_FILTER, code, name="feature", log_level=4)
    descriptor.close()
    found = read_statistics(log)
    if found is None:
        raise NotSupported("saying its limit")
    return found.limit


def _program_instructions() -> int:
    """How long a program may be: the old limit, or as much as is verified."""
    most = _verified_instructions()
    try:
        smallest(ProgramType.SOCKET_FILTER, before_exit=(_NOTHING,) * _SMALL).close()
    except KernelError:
        return _SMALL
    return most


def _stack() -> int:
    """The deepest byte of the stack that a program may write to, of those that kernels allowed so far."""
    deepest = 0
    for depth in (_STACK, 2 * _STACK, 4 * _STACK):
        try:
            smallest(ProgramType.SOCKET_FILTER, before_exit=(Insn(0x7A, dst=10, off=-depth),)).close()
        except VerifierError:
            break
        deepest = depth
    return deepest


LIMITS: dict[str, Callable[[], int]] = {
    "verified instructions": _verified_instructions,
    "instructions of a program": _program_instructions,
    "bytes of stack": _stack,
}
SETTINGS = (
    "net.core.bpf_jit_enable",
    "net.core.bpf_jit_harden",
    "net.core.bpf_jit_kallsyms",
    "net.core.bpf_jit_limit",
    "kernel.unprivileged_bpf_disabled",
    "kernel.bpf_stats_enabled",
    "kernel.perf_event_paranoid",
    "kernel.perf_event_max_sample_rate",
    "kernel.kptr_restrict",
)


def limit(name: str) -> Feature:
    """A limit, as ``value``; ``KeyError`` for a name that is not in :data:`LIMITS`."""
    return attempt("limit", name, LIMITS[name])


def limits() -> Iterator[Feature]:
    """All of :data:`LIMITS`."""
    for name in LIMITS:
        yield limit(name)


def setting(name: str) -> Feature:
    """A sysctl, as ``value``; not available if this machine does not have it, or does not show it to this process."""
    value = process.sysctl(name)
    why = "" if value is not None else "this kernel has no such setting, or does not show it"
    return Feature("setting", name, value is not None, why, value=value)


def settings() -> Iterator[Feature]:
    """Those of :data:`SETTINGS`."""
    for name in SETTINGS:
        yield setting(name)
