"""What a program attaches to when the kernel wants it as a BTF type id at load time."""

from __future__ import annotations

from collections.abc import Callable

from beespace.btf.kinds import Kind
from beespace.errors import RelocationError
from beespace.hooks import Attachment
from beespace.record import dataclass
from beespace.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from beespace.btf import Btf
    from beespace.kernel.kernel_types import Found, KernelTypes
    from beespace.syscall import HasFileno

__all__ = ["AttachTarget", "attach_target", "module_of_many"]

_TRACING, _LSM = 26, 29  # enum bpf_prog_type
# (program type, attach type) -> prefix of the type's name, its kind, what it is called.
# The prefixes are those of include/linux/btf_ids.h and libbpf.
_FUNCTION = ("", Kind.FUNC, "function")
_NAMED = {
    (_TRACING, 23): ("btf_trace_", Kind.TYPEDEF, "tracepoint"),
    (_TRACING, 24): _FUNCTION,  # fentry
    (_TRACING, 25): _FUNCTION,  # fexit
    (_TRACING, 26): _FUNCTION,  # fmod_ret
    (_TRACING, 28): ("bpf_iter_", Kind.FUNC, "iterator"),
    (_TRACING, 58): _FUNCTION,  # fsession
    (_LSM, 27): ("bpf_lsm_", Kind.FUNC, "LSM hook"),
    (_LSM, 43): ("bpf_lsm_", Kind.FUNC, "LSM hook"),  # lsm_cgroup
}
_KERNEL = "vmlinux"


@dataclass(frozen=True, slots=True)
class AttachTarget:
    """``btf_id`` is 0 for hooks that need none.

    ``btf_object`` is the module that the id is of (``None``: the kernel itself), and stays open as long as the
    :class:`~beespace.kernel.kernel_types.KernelTypes` that it is from.
    """

    btf_id: int = 0
    btf_object: HasFileno | None = None


_NONE = AttachTarget()


def attach_target(attachment: Attachment, kernel: Callable[[], KernelTypes]) -> AttachTarget:
    """What ``attachment`` names: in the kernel, or else in a module that is loaded (Linux 5.11).

    ``module:function`` names one of a certain module, ``vmlinux:function`` one of the kernel itself, as with libbpf.
    Raises :class:`RelocationError` with what it may have meant.
    """
    if attachment.hook.link == "tracing_multi":
        return _many(attachment, kernel)
    named = _NAMED.get((attachment.hook.program_type, attachment.hook.attach_type))
    if named is None:
        return _NONE
    prefix, kind, what = named
    if not attachment.target:
        section = attachment.hook.section
        raise RelocationError(
            f"nothing says which {what} a program of section {section!r} is for",
            help=f'write SEC("{section}/name") in the program, or say it in load(..., targets=...) if it is a program',
        )
    types = kernel()
    module, _, name = attachment.target.rpartition(":")
    found = types.find_in(module, prefix + name, kind) if module else types.find(prefix + name, kind)
    if found is None:
        raise _missing(types, module, name, named)
    return AttachTarget(found.id, _object_of(types, found))


def module_of_many(attachment: Attachment, types: KernelTypes) -> str | None:
    """The module that a program for many functions is for (``None``: the kernel itself).

    ``module:glob`` names it; a name alone is looked for in the kernel, then in modules.
    """
    module, _, name = attachment.target.rpartition(":")
    if module:
        return None if module == _KERNEL else module
    if not name or any(sign in name for sign in "*?["):
        return None
    found = types.find(name, Kind.FUNC)
    return None if found is None else found.module


def _many(attachment: Attachment, kernel: Callable[[], KernelTypes]) -> AttachTarget:
    """A program for many functions is told which ones when it is attached, but in whose types they are when loaded."""
    if not attachment.target:
        return _NONE
    types = kernel()
    module = module_of_many(attachment, types)
    if module is None:
        return _NONE
    if module not in types.modules:
        raise _missing(types, module, attachment.target.rpartition(":")[2], _FUNCTION)
    return AttachTarget(0, types.descriptor(module))


def _object_of(types: KernelTypes, found: Found) -> HasFileno | None:
    return None if found.module is None else types.descriptor(found.module)


def _missing(types: KernelTypes, module: str, name: str, named: tuple[str, Kind, str]) -> RelocationError:
    prefix, kind, what = named
    if module not in ("", _KERNEL, *types.modules):
        from difflib import get_close_matches

        near = get_close_matches(module, types.modules, 3)
        return RelocationError(
            f"module {module!r} of {what} {name!r} is not loaded, or says nothing about its types",
            help=f"did you mean {' or '.join(near)}?" if near else f"modprobe {module}",
        )
    searched = types.modules[module] if module and module != _KERNEL else types.vmlinux
    near = _near(searched, prefix, name, kind)
    where = f"module {module}" if module and module != _KERNEL else "this kernel"
    return RelocationError(
        f"{where} has no {what} {name!r}",
        help=f"did you mean {' or '.join(near)}?"
        if near
        else "it may be inlined, part of a module that is not loaded, or of another kernel",
    )


def _near(searched: Btf, prefix: str, name: str, kind: Kind) -> list[str]:
    """Names of that kind which resemble ``name``."""
    if not prefix:
        return searched.near(name, kind)
    from difflib import get_close_matches

    return get_close_matches(name, [n.removeprefix(prefix) for n, _ in searched.with_prefix(prefix, kind)], 3)
