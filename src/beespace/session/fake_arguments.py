"""What the arguments of hooked functions are called, and in which order they come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from beespace.btf import Btf, Kind
from beespace.btf.types import Parameter
from beespace.errors import UsageError
from beespace.hooks import Attachment
from beespace.hooks.registers import ARM64, X86_64, Registers
from beespace.hooks.syscalls import SYSCALLS

__all__ = [
    "RESULT", "SYSTEM_CALLS", "in_order", "parameters_in_registers", "parameters_of", "prototype_of", "registers_of",
]  # fmt: skip

RESULT = "return"  # how a test calls what the function returned
SYSTEM_CALLS = ("ksyscall", "kretsyscall")
_EVENTS = ("raw_tp", "tp_btf")
_WITH_RESULT = ("fexit", "fmod_ret", "fsession", "lsm", "lsm_cgroup")
_SECURITY = ("lsm", "lsm_cgroup")
_KERNEL = ("kprobe", "kretprobe")
_NULLABLE = "__nullable"  # the end of a name whose pointer may be null (since Linux 6.12)


def prototype_of(types: Btf, attachment: Attachment) -> tuple[tuple[Parameter, ...], int]:
    """The arguments that a typed hook hands over, and the type of the result where it has one (0: none)."""
    section = attachment.hook.section.removesuffix(".s")
    event = attachment.target.rpartition(":")[2].rpartition("/")[2]
    if section.partition(".")[0] in _EVENTS:
        for name, kind in ((f"__traceiter_{event}", Kind.FUNC), (f"btf_trace_{event}", Kind.TYPEDEF)):
            found = types.find_all(name, kind)
            if found:  # the first parameter is the tracepoint's own data
                return types.prototype(found[0]).parameters[1:], 0
        raise UsageError(f"these types have no tracepoint {event}")
    function = f"bpf_lsm_{event}" if section in _SECURITY else event
    found = types.find_all(function, Kind.FUNC)
    if not found:
        raise UsageError(f"these types have no function {function}")
    prototype = types.prototype(found[0])
    return prototype.parameters, prototype.result if section.partition(".")[0] in _WITH_RESULT else 0


def parameters_of(types: Btf, attachment: Attachment) -> tuple[Parameter, ...]:
    """The arguments that a typed hook hands over."""
    return prototype_of(types, attachment)[0]


def parameters_in_registers(types: Btf, attachment: Attachment) -> list[str] | None:
    """Their names for a probe of a function; ``None`` where no type says them."""
    section = attachment.hook.section.removesuffix(".s")
    if section in SYSTEM_CALLS:
        return [name for name, _ in SYSCALLS[attachment.target]] if attachment.target in SYSCALLS else None
    found = types.find_all(attachment.target.partition("+")[0].rpartition(":")[2], Kind.FUNC)
    if section.partition(".")[0] not in _KERNEL or not found:
        return None
    return [each.name for each in types.prototype(found[0]).parameters]


def registers_of(types: Btf) -> Registers:
    """Where arguments are on the machine that these types are of."""
    names = [each.name for number in types.find_all("pt_regs", Kind.STRUCT) for each in _members(types, number)]
    return X86_64 if "di" in names or not names else ARM64


def _members(types: Btf, number: int) -> Sequence[Any]:
    return getattr(types.type(number), "members", ())


def in_order(target: str, names: Sequence[str], given: Mapping[str, Any] | Sequence[Any]) -> list[Any]:
    """Values by name as a list, with 0 for those that are not given; a list is what it is, and as long."""
    if not isinstance(given, Mapping):
        return [*given, *[0] * (len(names) - len(given))][: len(names)]
    plain = [name.removesuffix(_NULLABLE) for name in names]
    for name in given:
        if name not in plain and name not in names:
            known = f"its arguments: {', '.join(plain)}" if names else "nothing says what they are called; give a list"
            raise UsageError(f"{target.rpartition(':')[2]} has no argument {name!r}", help=known)
    return [given.get(short, given.get(name, 0)) for short, name in zip(plain, names, strict=True)]
