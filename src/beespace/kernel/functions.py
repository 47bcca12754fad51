"""Functions of a user program by name: where they lie in its file, which is what a uprobe is set on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from beespace.errors import FormatError, UsageError
from beespace.kernel.binary import Binary, Function
from beespace.record import dataclass

__all__ = ["Place", "find_function", "find_functions", "is_glob"]


@dataclass(frozen=True, slots=True)
class Place:
    """A function and the offset of its first byte in the file."""

    name: str
    offset: int


def is_glob(name: str) -> bool:
    """Whether ``name`` has ``*``, ``?`` or ``[``."""
    return any(sign in name for sign in "*?[")


def find_function(binary: Binary, symbol: str) -> int:
    """The file offset of function ``symbol``: ``name``, ``name@VERSION`` or ``name@@VERSION``.

    Of several that bear the name, a global one comes before a weak and a local one, and the default version before
    older ones.  Symbols of the installed debug file (``/usr/lib/debug/.build-id``) are looked through last.
    Raises :class:`UsageError` for one that is not there, that stands for several functions, or that is chosen when
    the program starts (IFUNC).
    """
    name, _, version = symbol.partition("@")
    found = [each for each in binary.functions(name) if _has_version(each, version)]
    if not found:
        found = [each for each in _debug_functions(binary, name) if not version]
    if not found:
        raise _unknown(binary, symbol)
    best = max((each.rank, each.default) for each in found)
    found = [each for each in found if (each.rank, each.default) == best]
    addresses = sorted({each.address for each in found})
    if len(addresses) > 1:
        places = ", ".join(f"{binary.file_offset(address):#x}" for address in addresses[:8])
        raise UsageError(
            f"{binary.path} has {len(addresses)} functions {symbol!r}",
            help=f"say which by its offset in the file: offset= one of {places}",
        )
    if found[0].indirect:
        raise UsageError(
            f"{symbol!r} in {binary.path} is chosen from several functions when the program starts (IFUNC)",
            help=f"name the one that runs here; `nm -D {binary.path}` and a debugger show them",
        )
    return binary.file_offset(addresses[0])


def find_functions(binary: Binary, wanted: Sequence[str] | str) -> list[Place]:
    """The places of functions, by names or globs, in the order of the names and of the file; none twice.

    A name must be there; of a glob, what cannot be probed is left out, but one function must be left.
    """
    places: dict[int, Place] = {}
    for pattern in [wanted] if isinstance(wanted, str) else wanted:
        if is_glob(pattern):
            for place in _matching(binary, pattern):
                places.setdefault(place.offset, place)
        else:
            offset = find_function(binary, pattern)
            places.setdefault(offset, Place(pattern, offset))
    return list(places.values())


def _matching(binary: Binary, pattern: str) -> list[Place]:
    from fnmatch import fnmatchcase

    found: dict[int, str] = {}
    for each in _all_functions(binary):
        if not each.indirect and each.default and each.name and fnmatchcase(each.name, pattern):
            try:
                found.setdefault(binary.file_offset(each.address), each.name)
            except FormatError:
                continue  # a symbol of a section that is not loaded
    if not found:
        raise UsageError(f"{binary.path} has no function like {pattern!r}", help=f"list them: nm -D {binary.path}")
    return [Place(name, offset) for offset, name in sorted(found.items())]


def _all_functions(binary: Binary) -> Iterable[Function]:
    yield from binary.functions()
    yield from _debug_functions(binary, None)


def _debug_functions(binary: Binary, name: str | None) -> list[Function]:
    path = binary.debug_file()
    if path is None:
        return []
    with Binary(path) as symbols:
        return list(symbols.functions(name))


def _has_version(function: Function, version: str) -> bool:
    if not version:
        return True
    return function.version == version.removeprefix("@") and (function.default or not version.startswith("@"))


def _unknown(binary: Binary, symbol: str) -> UsageError:
    from difflib import get_close_matches

    known = {each.name for each in _all_functions(binary)}
    near = get_close_matches(symbol.partition("@")[0], known, 3)
    help = f"did you mean {' or '.join(near)}?" if near else f"list them: nm -D {binary.path}"
    if not known:
        help = "it is stripped: install its debug symbols, or give offset= in the file"
    return UsageError(f"{binary.path} has no function {symbol!r}", help=help)
