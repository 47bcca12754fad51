"""Functions of the running kernel by name or glob, and what somebody may have meant by a name that is not there."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel.functions import is_glob
from beespace.kernel.kallsyms import KALLSYMS, find_symbols
from beespace.syscall import mounts

__all__ = ["KernelFunction", "NotProbed", "UnknownFunction", "has_function", "matching", "near", "refused", "unknown"]

_CODE = "tTwW"  # what nm calls functions
_ADDRESSES, _NAMES = "available_filter_functions_addrs", "available_filter_functions"  # the first since Linux 6.5


class KernelFunction(NamedTuple):
    """``address`` is 0 where the kernel does not tell (``kernel.kptr_restrict``)."""

    name: str
    module: str
    address: int


def matching(wanted: Sequence[str] | str) -> list[KernelFunction]:
    """The functions that can be traced and match names or globs, ``module:name`` for those of a module.

    In the order of ``wanted``; of a name that several functions bear, all.  Raises :class:`UsageError` if one
    pattern matches nothing.
    """
    from fnmatch import fnmatchcase

    patterns = [wanted] if isinstance(wanted, str) else list(wanted)
    known = list(_traceable())
    found: dict[KernelFunction, None] = {}
    for pattern in patterns:
        module, colon, name = pattern.rpartition(":")
        hits = [
            each
            for each in known
            if (fnmatchcase(each.name, name) if is_glob(name) else each.name == name)
            and (not colon or each.module == module)
        ]
        if not hits:
            if not is_glob(name):
                raise unknown(name)
            raise UsageError(
                f"no function of this kernel that can be traced is like {pattern!r}",
                help=f"list them: tracefs, {_NAMES}",
            )
        found.update(dict.fromkeys(hits))
    return list(found)


def _traceable() -> Iterator[KernelFunction]:
    """All functions that ftrace knows, with the address of their first byte as far as it can be told."""
    symbols: dict[tuple[str, str], list[int]] = {}
    for address, name, module in _kallsyms():
        symbols.setdefault((name, module), []).append(address)
    for addresses in symbols.values():
        addresses.sort()
    try:
        with mounts.tracefs() as tracefs:
            files = mounts.list_at(tracefs)
            file = next((each for each in (_ADDRESSES, _NAMES) if each in files), None)
            text = "" if file is None else mounts.read_at(tracefs, file).decode()
    except KernelError:
        text, file = "", None
    if file is None:  # no ftrace, or no right to look: every function may be one
        for (name, module), addresses in symbols.items():
            for address in addresses:
                yield KernelFunction(name, module, address)
        return
    for line in text.splitlines():
        fields = line.split()
        place = int(fields.pop(0), 16) if file == _ADDRESSES else 0
        name, module = fields[0], fields[1].strip("[]") if len(fields) > 1 else ""
        addresses = symbols.get((name, module), [])
        # ftrace knows the instruction that it patches, which may stand some bytes after the start of the function.
        index = bisect_right(addresses, place) if place else len(addresses) if len(addresses) == 1 else 0
        yield KernelFunction(name, module, addresses[index - 1] if index else 0)


def _kallsyms() -> Iterator[tuple[int, str, str]]:
    """Address, name and module of each function."""
    with Path(KALLSYMS).open() as file:
        for line in file:
            fields = line.split()
            if fields[1] in _CODE:
                yield int(fields[0], 16), fields[2], fields[3].strip("[]") if len(fields) > 3 else ""


def has_function(name: str) -> bool:
    """Whether ``/proc/kallsyms`` has a function of that name (or ``module:name``)."""
    module, colon, name = name.rpartition(":")
    return any(
        each.type in _CODE and each.name == name and (not colon or each.module == module)
        for each in find_symbols([name])
    )


class UnknownFunction(UsageError):
    """This kernel does not have the function."""


class NotProbed(NotSupported):
    """The function is there, but cannot be probed."""


def near(name: str) -> list[str]:
    """Functions whose names are like ``name``, or have the one of its words that is rare."""
    from difflib import get_close_matches

    words = [word for word in name.rpartition(":")[2].split("_") if len(word) > 2] or [name]
    alike = [each for each in _names() if any(word in each for word in words) or each.startswith(name[:5])]
    having = {word: [each for each in alike if word in each] for word in words}
    rare = min((names for names in having.values() if names), key=len, default=[])
    return list(dict.fromkeys(get_close_matches(name, alike, 2, 0.7) + sorted(rare, key=len)))[:4]


def _names() -> set[str]:
    """The functions of all source files: not the parts and copies that compilers make."""
    return {each for _, each, _ in _kallsyms() if "." not in each and not each.startswith("__pfx_")}


def unknown(name: str, names: Iterable[str] = ()) -> UnknownFunction:
    """The error for a function that this kernel does not have, with those that it may have become."""
    others = ", ".join(each for each in names if each != name)
    alike = near(name)
    hint = f"did you mean {' or '.join(alike)}? " if alike else ""
    return UnknownFunction(
        f"this kernel has no function {name!r}{f' (nor {others})' if others else ''}",
        help=f"{hint}functions move between kernels: functions=('one', 'other') takes the first that is there",
    )


def refused(name: str) -> NotProbed:
    """The error for a function that is there, but cannot be probed."""
    return NotProbed(
        f"a probe in function {name!r}: it is there, but may not be probed",
        help="it is inlined, marked notrace or on the list of /sys/kernel/debug/kprobes/blacklist; take its caller",
    )
