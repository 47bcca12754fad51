"""Static probes of user programs (USDT), by provider and name, at all places that the compiler made of them.

The program reads their arguments with ``bpf_usdt_arg()`` of libbpf's ``usdt.bpf.h``.  The probe's semaphore, if it has
one, is raised while the program is attached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel.binary import Binary
from beespace.kernel.functions import is_glob
from beespace.kernel.links.composite import CompositeLink, attach_all
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.kernel.links.locate import locate
from beespace.kernel.links.many import multi_type, require_many, require_multi
from beespace.kernel.links.perf_link import has_cookies
from beespace.kernel.links.uprobe import Spot, attach_at, explained
from beespace.kernel.links.usdt_specs import Addresses, Specs
from beespace.kernel.links.ways import first_way
from beespace.kernel.usdt_arguments import parse_arguments
from beespace.kernel.usdt_notes import StaticProbe, static_probes
from beespace.record import replace
from beespace.syscall import bpf
from beespace.typed import NamedTuple

__all__ = ["UsdtLink", "attach"]

_EXECUTABLE = 2  # ET_EXEC: addresses are those in memory


class UsdtLink(CompositeLink):
    """The ``places`` of one static probe, by one link or by many.  ``afterwards`` frees the entries of maps."""

    afterwards: Callable[[], None] | None = None

    def __init__(self, program: Attachable, made: Link, places: int) -> None:
        parts = made.parts if isinstance(made, CompositeLink) else (made,)
        super().__init__(program, parts, via=made.via, tried=made.tried)
        self._places = places

    def __len__(self) -> int:
        return self._places

    def close(self) -> None:
        """Detach the program from all places.  Calling it again does nothing."""
        afterwards, self.afterwards = self.afterwards, None
        with ExitStack() as undo:
            if afterwards is not None:
                undo.callback(afterwards)
            undo.callback(super().close)


class _Place(NamedTuple):
    """A place of the probe, and the entry of the specs that tells of it."""

    probe: StaticProbe
    content: bytes


def attach(program: Attachable, where: Where) -> Link:
    """Attach to ``where.usdt`` (``provider:name``) of ``where.binary``, or what the section names.

    The section reads ``usdt/BINARY:provider:name``.  ``where.cookie`` is what ``bpf_usdt_cookie()`` gives.
    Provider and name may be globs.
    """
    binary, _, target = program.attachment.target.partition(":")
    wanted = where.usdt or target
    provider, colon, name = wanted.partition(":")
    if not (where.binary or binary) or not colon or not provider or not name:
        raise UsageError(
            f"program {program.name!r} at {program.attachment.section!r} does not say what to probe",
            help="a section reads usdt/BINARY:provider:name; or say it: attach(binary='libc', usdt='libc:setjmp')",
        )
    path = locate(where.binary or binary, where.pid)
    specs = Specs.of(program)
    with Binary(path) as file:
        found = list(_places(file, provider, name, where.cookie, specs))
        fixed = file.type == _EXECUTABLE
    with ExitStack() as taken:
        numbers = [0] * len(found) if specs is None else [_take(specs, each, taken) for each in found]

        def multi() -> Link:
            require_multi(program)
            return _multi(program, path, [each.probe for each in found], numbers, where.pid)

        def many() -> Link:
            require_many(program)
            cookies = has_cookies()
            if not cookies and specs is not None:
                addresses = Addresses.of(program)
                for each, number in zip(found, numbers, strict=True):
                    for address in [each.probe.address] if fixed else _in_memory(path, each.probe.offset, where.pid):
                        taken.callback(addresses.remove, addresses.put(address, number))
            links = (
                attach_at(
                    program,
                    Spot(path, each.probe.offset, each.probe.semaphore),
                    replace(where, cookie=number if cookies else 0),
                    returns=False,
                )
                for each, number in zip(found, numbers, strict=True)
            )
            return attach_all(program, links)

        ways = {"multi link": multi, "single probes": many}
        if where.via is not None and where.via not in ways:  # a way of single probes
            made = many()
        else:
            via, where = where.via, replace(where, via=None)
            made = first_way(program, ways, via)
        link = UsdtLink(program, made, len(found))
        link.afterwards = taken.pop_all().close
    return link


def _multi(program: Attachable, path: str, probes: list[StaticProbe], numbers: list[int], pid: int) -> Link:
    """One link to all places, with the number of each one's entry as its cookie."""
    counters = [each.semaphore for each in probes]
    target = bpf.UprobeMulti(path, [each.offset for each in probes], counters if any(counters) else (), numbers, pid)
    try:
        return Link(program, bpf.link_create(program.fileno(), multi_type(program.attachment.hook), where=target))
    except NotSupported:
        raise
    except KernelError as error:
        raise explained(error, path, pid) from error


def _places(file: Binary, provider: str, name: str, cookie: int, specs: Specs | None) -> Iterator[_Place]:
    """The places of a static probe; where the program has ``specs``, with what it is told of its arguments."""
    from fnmatch import fnmatchcase

    known: set[str] = set()
    seen: set[int] = set()
    for probe in static_probes(file):
        known.add(f"{probe.provider}:{probe.name}")
        if fnmatchcase(probe.provider, provider) and fnmatchcase(probe.name, name) and probe.offset not in seen:
            seen.add(probe.offset)
            content = b""
            if specs is not None:
                arguments = parse_arguments(probe.arguments, file.machine, probe.address, file.variable)
                content = specs.encode(arguments, cookie)
            yield _Place(probe, content)
    if seen:
        return
    from difflib import get_close_matches

    near = [] if is_glob(name) else get_close_matches(f"{provider}:{name}", known, 3)
    some = ", ".join(sorted(known)[:8])
    raise UsageError(
        f"{file.path} has no static probe {provider}:{name}",
        help=f"did you mean {' or '.join(near)}?" if near else f"it has: {some}" if some else "it has none at all",
    )


def _take(specs: Specs, found: _Place, taken: ExitStack) -> int:
    number = specs.take(found.content)
    taken.callback(specs.give_back, number)
    return number


def _in_memory(path: str, offset: int, pid: int) -> list[int]:
    """Where an offset of a file lies in the memory of a process."""
    if not pid:
        raise UsageError(
            f"{path} lies elsewhere in each process, and this kernel has no cookies (Linux 5.15) to tell places apart",
            help="name one process: attach(pid=...)",
        )
    inode, name = Path(path).stat().st_ino, Path(path).name  # the device is another one on overlay file systems
    found: list[int] = []
    for line in Path(f"/proc/{pid}/maps").read_text(errors="surrogateescape").splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) < 6 or "x" not in fields[1] or int(fields[4]) != inode or not fields[5].endswith(name):
            continue
        low, high = (int(part, 16) for part in fields[0].split("-"))
        address = low + offset - int(fields[2], 16)
        if low <= address < high:
            found.append(address)
    if not found:
        raise UsageError(f"process {pid} does not run {path}", help="give pid= of a process that has it in memory")
    return found
