"""Functions of the running kernel by name or glob, and what somebody may have meant by a name that is not there."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from beespace.errors import KernelError, NotPermitted, NotSupported, UsageError
from beespace.kernel.functions import is_glob
from beespace.kernel.kallsyms import KALLSYMS, find_symbols
from beespace.kernel.links.link import Absent, Attachable, Where
from beespace.syscall import mounts
from beespace.typed import NamedTuple

__all__ = [
    "KernelFunction", "NotProbed", "UnknownFunction", "asked_functions", "has_function", "matching", "missing", "near",
    "refused", "starts", "unknown",
]  # fmt: skip

_CODE = "tTwW"  # what nm calls functions
_PLACES, _NAMES = "available_filter_functions_addrs", "available_filter_functions"  # the first since Linux 6.5


class KernelFunction(NamedTuple):
    """``place`` is what ftrace patches, which may stand some bytes after the start; 0 if it is not told."""

    name: str
    module: str
    place: int


def asked_functions(program: Attachable, where: Where) -> tuple[list[str], bool]:
    """The names that many functions are asked for by, and whether there is a glob among them.

    :class:`UsageError` if there are none, or cookies that are not one for each.
    """
    given = where.functions or where.function or program.attachment.target
    names = [given] if isinstance(given, str) else list(given)
    if not any(names):
        raise UsageError(
            f"program {program.name!r} at {program.attachment.section!r} is for no functions yet",
            help="say which: attach(functions='vfs_*') or attach(functions=['vfs_read', 'vfs_write'])",
        )
    globs = any(is_glob(name) for name in names)
    if where.cookies and (globs or len(where.cookies) != len(names)):
        raise UsageError(
            f"{len(where.cookies)} cookies for {'a glob' if globs else f'{len(names)} functions'}",
            help="give functions= as a list of names, and as many cookies=; cookie= is one for all",
        )
    return names, globs


def matching(wanted: Sequence[str] | str) -> list[KernelFunction]:
    """The functions that can be traced and match names or globs, ``module:name`` for those of a module.

    In the order of ``wanted``; of a name that several functions bear, all.  Raises :class:`UsageError` if one
    pattern matches nothing.
    """
    patterns = [wanted] if isinstance(wanted, str) else list(wanted)
    known = _traceable()
    found: dict[KernelFunction, None] = {}
    for pattern in patterns:
        module, colon, name = pattern.rpartition(":")
        hits = [each for each in known if _is_like(each.name, name) and (not colon or each.module == module)]
        if not hits:
            if is_glob(name):
                raise UsageError(
                    f"no function of this kernel that can be traced is like {pattern!r}",
                    help=f"list them: tracefs, {_NAMES}",
                )
            raise refused(pattern) if has_function(pattern) else unknown(pattern)
        found.update(dict.fromkeys(hits))
    return list(found)


def _is_like(name: str, pattern: str) -> bool:
    from fnmatch import fnmatchcase

    return fnmatchcase(name, pattern) if is_glob(pattern) else name == pattern


def _traceable() -> list[KernelFunction]:
    """All functions that ftrace knows."""
    try:
        with mounts.tracefs() as tracefs:
            files = mounts.list_at(tracefs)
            file = next((each for each in (_PLACES, _NAMES) if each in files), None)
            text = "" if file is None else mounts.read_at(tracefs, file).decode()
    except KernelError:
        file = None
    if file is None:  # no ftrace, or no right to look: every function may be one
        return [KernelFunction(name, module, place) for place, name, module in _kallsyms() if ".cold" not in name]
    found: list[KernelFunction] = []
    for line in text.splitlines():
        fields = line.split()
        place = int(fields.pop(0), 16) if file == _PLACES else 0
        found.append(KernelFunction(fields[0], fields[1].strip("[]") if len(fields) > 1 else "", place))
    return found


def starts(functions: Sequence[KernelFunction]) -> list[int]:
    """The addresses of the first bytes of ``functions``, those that can be told for sure.

    Before Linux 6.5 a name that several functions bear does not tell them apart.  Raises :class:`NotPermitted` where
    addresses are hidden.
    """
    symbols: dict[tuple[str, str], list[int]] = {}
    for symbol in find_symbols({each.name for each in functions}):
        if symbol.type in _CODE:
            symbols.setdefault((symbol.name, symbol.module), []).append(symbol.address)
    found: dict[int, None] = {}
    for each in functions:
        addresses = sorted(symbols.get((each.name, each.module), []))
        index = bisect_right(addresses, each.place) if each.place else len(addresses) == 1
        if index:
            found[addresses[index - 1]] = None
    if 0 in found or not found:
        raise NotPermitted(
            "learn addresses of kernel functions",
            missing=f"{KALLSYMS} shows zeroes to this process",
            help="give it CAP_SYSLOG, and set sysctl kernel.kptr_restrict to 0 or 1; or name the functions",
        )
    return list(found)


def _kallsyms() -> Iterator[tuple[int, str, str]]:
    """Address, name and module of each function."""
    with open(KALLSYMS) as file:
        for line in file:
            fields = line.split()
            if fields[1] in _CODE:
                yield int(fields[0], 16), fields[2], fields[3].strip("[]") if len(fields) > 3 else ""


def has_function(name: str) -> bool:
    """Whether ``/proc/kallsyms`` has a function of that name (or ``module:name``)."""
    return name not in missing([name])


def missing(names: Sequence[str]) -> list[str]:
    """Those of ``names`` that no function of this kernel has."""
    there: set[str] = set()
    for symbol in find_symbols({name.rpartition(":")[2] for name in names}):
        if symbol.type in _CODE:
            there |= {symbol.name, f"{symbol.module}:{symbol.name}"}
    return [name for name in names if name not in there]


class UnknownFunction(Absent):
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
