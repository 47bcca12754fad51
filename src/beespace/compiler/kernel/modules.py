"""Whose types a program is compiled with: the kernel's own, or those of the module that has its function.

Invariant: a module's types go on where the kernel's end, so that what is compiled with them can use both; modules are
looked into for what the kernel itself does not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from beespace.btf import Btf, Kind
from beespace.hooks import Attachment

__all__ = ["types_for"]

_FUNCTIONS = (
    "fentry", "fexit", "fmod_ret", "fsession", "kprobe", "kretprobe", "kprobe.multi", "kretprobe.multi",
    "kprobe.session",
)  # fmt: skip
_KERNEL = "vmlinux"
_GLOB = set("*?[")  # many functions, which have no one prototype


def types_for(attachments: Mapping[str, Attachment], kernel: Btf, modules: Mapping[str, Btf]) -> Mapping[str, Btf]:
    """The types for each program, by its name.

    Where all that hooks modules hooks one, the other programs know its types, too.
    """
    found = {name: _holder(each, kernel, modules) for name, each in attachments.items()}
    used = {id(types): types for types in found.values() if types is not None}
    others = next(iter(used.values())) if len(used) == 1 else kernel
    return MappingProxyType({name: types or others for name, types in found.items()})


def _holder(attachment: Attachment, kernel: Btf, modules: Mapping[str, Btf]) -> Btf | None:
    """The types of the module that has what is hooked; ``None`` if the kernel has it, or nobody."""
    section = attachment.hook.section.removesuffix(".s")
    module, _, target = attachment.target.partition("+")[0].rpartition(":")
    if section == "tp_btf":
        named = (f"btf_trace_{target}", Kind.TYPEDEF)
    elif section in _FUNCTIONS:
        named = (target, Kind.FUNC)
    else:
        return None
    if not target or set(target) & _GLOB or module == _KERNEL or (not module and kernel.find_all(*named)):
        return None
    for types in _readable(modules, (module,) if module else modules):
        if any(types.owns(each) for each in types.find_all(*named)):
            return types
    return None


def _readable(modules: Mapping[str, Btf], names: Iterable[str]) -> Iterable[Btf]:
    for name in names:
        try:
            yield modules[name]
        except (KeyError, OSError):  # not loaded, or gone meanwhile
            continue
