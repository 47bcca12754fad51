"""Where the methods of a program attach: what decorators say, what the start says, what this kernel lacks.

Invariant: a keyword is never dropped: what no method has a use for is a mistake of the caller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from beespace.btf.kinds import Kind
from beespace.errors import NotSupported, UsageError
from beespace.hooks import Attachment, Hook, resolve
from beespace.kernel import LoadedObject
from beespace.kernel.kernel_types import kernel_types
from beespace.kernel.links import Link, accepted, check
from beespace.kernel.links.link import Absent
from beespace.kernel.program_targets import Target
from beespace.lang import Declaration

__all__ = ["absence_notes", "absent_hooks", "attach_all", "attach_method", "program_of", "replaced", "told"]

# What is not attached when everything is: used by hand, or put on a socket that the caller names.
_BY_HAND = {"", "iterator"}
_OF_A_SOCKET = {"socket", "reuseport"}


# --- before loading ------------------------------------------------------------------------------


def replaced(declaration: Declaration, where: Mapping[str, object]) -> dict[str, Target]:
    """The program that each ``freplace`` method takes a function's place of."""
    program = where.get("program")
    function = where.get("function")
    if program is None:
        return {}
    return {
        name: (program, function if isinstance(function, str) else None)  # type: ignore[misc]
        for name, each in declaration.programs.items()
        if resolve(each.section).hook.link == "freplace"
    }


def absent_hooks(declaration: Declaration) -> dict[str, str]:
    """The optional methods whose hook this kernel's types do not have, and what it is that is not there."""
    missing: dict[str, str] = {}
    for method in sorted(declaration.optional):
        attachment = resolve(declaration.sections[method])
        looked_for = _type_of(attachment.hook)
        if looked_for is None or len(declaration.variants(method)) > 1:
            continue
        prefix, kind, what = looked_for
        with kernel_types() as types:
            if types.find(prefix + attachment.target.rpartition(":")[2], kind) is None:
                missing[method] = f"{what} {attachment.target}"
    return missing


def _type_of(hook: Hook) -> tuple[str, Kind, str] | None:
    """How the kernel's types name what a hook attaches to, and what that is called."""
    if hook.link == "btf":
        if hook.attach_type == 23:  # BPF_TRACE_RAW_TP
            return "btf_trace_", Kind.TYPEDEF, "tracepoint"
        return ("bpf_lsm_", Kind.FUNC, "security hook") if hook.program_type == 29 else ("", Kind.FUNC, "function")
    if hook.link == "iterator":
        return "bpf_iter__", Kind.STRUCT, "iterator"
    return None


def absence_notes(declaration: Declaration, absent: Mapping[str, str]) -> tuple[str, ...]:
    """What is absent, a sentence for each difference that it makes."""
    notes: list[str] = []
    for effect in dict.fromkeys(declaration.optional[name] for name in absent):
        names = [name for name in absent if declaration.optional[name] == effect]
        without = f"{declaration.name} runs without {' and '.join(names)}"
        cause = f"this kernel has no {' or '.join(absent[name] for name in names)}"
        notes.append(f"{without}: {cause}" + (f"; {effect}" if effect else ""))
    return tuple(notes)


# --- after loading -------------------------------------------------------------------------------


def attach_all(loaded: LoadedObject, declaration: Declaration, where: Mapping[str, object]) -> tuple[str, ...]:
    """Attach every method that attaches by itself; notes on the optional ones that this kernel cannot attach."""
    check(where)
    _check_used(declaration, where)
    notes: list[str] = []
    for method in declaration.sections:
        loaded_as = [name for name in declaration.variants(method) if name in loaded.programs]
        if not loaded_as or method in declaration.jumped_to or not _attaches(loaded, loaded_as[0], declaration, where):
            continue
        takes = {key for each in declaration.variants(method) for key in _accepts(declaration, each)}
        try:
            attach_method(loaded, declaration, method, {key: value for key, value in where.items() if key in takes})
        except (NotSupported, Absent) as error:
            if method not in declaration.optional:
                raise
            effect = declaration.optional[method]
            note = f"{declaration.name} runs without {method}: {error.message}"
            notes.append(note + (f"; {effect}" if effect else ""))
    for implementation in loaded.struct_ops:
        loaded.attach(implementation)
    return tuple(notes)


def _attaches(loaded: LoadedObject, name: str, declaration: Declaration, where: Mapping[str, object]) -> bool:
    link = loaded.programs[name].attachment.hook.link
    if link in _OF_A_SOCKET:
        return "socket" in where or "socket" in declaration.programs[name].where
    return link not in _BY_HAND


def _check_used(declaration: Declaration, where: Mapping[str, object]) -> None:
    takes = {keyword for name in declaration.programs for keyword in _accepts(declaration, name)}
    for keyword in where:
        if keyword not in takes:
            known = ", ".join(sorted(takes)) or "nothing"
            raise UsageError(f"{declaration.name} has no use for {keyword!r}", help=f"it can be told: {known}")


def _accepts(declaration: Declaration, name: str) -> frozenset[str]:
    attachment = resolve(declaration.programs[name].section)
    return accepted(_Named(name, attachment)) if attachment.hook.link else frozenset()


class _Named(NamedTuple):
    """A program as far as its section says it."""

    name: str
    attachment: Attachment

    def fileno(self) -> int:
        """It is loaded nowhere."""
        return -1


def attach_method(
    loaded: LoadedObject, declaration: Declaration, method: str, where: Mapping[str, object]
) -> tuple[Link, ...]:
    """Attach one method; what the caller says goes before what its decorator says."""
    name = program_of(loaded, declaration, method)
    return loaded.attach(name, **told(loaded, declaration, method, where))


def program_of(loaded: LoadedObject, declaration: Declaration, method: str) -> str:
    """The program that was loaded of a method, whichever alternative was taken."""
    name = next((name for name in declaration.variants(method) if name in loaded.programs), None)
    if name is None:
        known = ", ".join(declaration.sections) or "none"
        raise UsageError(f"{declaration.name} has no program {method!r} loaded", help=f"its methods: {known}")
    return name


def told(loaded: LoadedObject, declaration: Declaration, method: str, where: Mapping[str, object]) -> dict[str, object]:
    """What a method is told: by its decorators, and by the caller; :class:`UsageError` for what it has no use for."""
    takes = frozenset(key for each in declaration.variants(method) for key in _accepts(declaration, each))
    for keyword in where:
        if keyword not in takes:
            known = ", ".join(sorted(takes)) or "nothing"
            raise UsageError(f"{method} has no use for {keyword!r}", help=f"it can be told: {known}")
    own = {
        key: value for each in declaration.variants(method) for key, value in declaration.programs[each].where.items()
    }
    return dict(_resolved(loaded, {**own, **where}))


def _resolved(loaded: LoadedObject, where: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """A map that is told by the name of its attribute is the live one."""
    for key, value in where.items():
        if key == "map" and isinstance(value, str):
            if value not in loaded.maps.raw:
                known = ", ".join(loaded.maps.raw) or "none"
                raise UsageError(f"there is no map {value!r}", help=f"the maps: {known}")
            yield key, loaded.maps.raw[value]
        else:
            yield key, value
