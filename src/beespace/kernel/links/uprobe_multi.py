"""Many functions of one user program at once: one link for all (Linux 6.6), or one uprobe each."""

from __future__ import annotations

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel.binary import Binary
from beespace.kernel.functions import Place, find_functions, is_glob
from beespace.kernel.links.composite import attach_all
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.kernel.links.locate import locate
from beespace.kernel.links.many import require_many, require_multi
from beespace.kernel.links.uprobe import Spot, attach_at, explained
from beespace.kernel.links.ways import first_way
from beespace.record import replace
from beespace.syscall import bpf

__all__ = ["attach"]

_RETURN = 1  # BPF_F_UPROBE_MULTI_RETURN


def attach(program: Attachable, where: Where) -> Link:
    """Attach to ``where.symbols`` (names or globs) of ``where.binary``, or what the section says: ``BINARY:GLOB``.

    A name must be there; of a glob, one function must be.  ``where.cookies`` are for names, one each.
    """
    binary, _, target = program.attachment.target.partition(":")
    given = where.symbols or where.symbol or target
    names = [given] if isinstance(given, str) else list(given)
    if not (where.binary or binary) or not any(names):
        raise UsageError(
            f"program {program.name!r} at {program.attachment.section!r} does not say what to probe",
            help="a section reads uprobe.multi/BINARY:GLOB; or say it: attach(binary='libc', symbols='mem*')",
        )
    path = locate(where.binary or binary, where.pid)
    with Binary(path) as file:
        places = find_functions(file, names)
    cookies = _cookies(where, names, places)
    returns = program.attachment.hook.section.startswith("uret")

    def multi() -> Link:
        require_multi(program)
        target = bpf.UprobeMulti(
            path, [place.offset for place in places], (), cookies, where.pid, _RETURN if returns else 0
        )
        try:
            hook = program.attachment.hook
            return Link(program, bpf.link_create(program.fileno(), hook.attach_type, where=target))
        except NotSupported:
            raise
        except KernelError as error:
            raise explained(error, path, where.pid) from error

    def many() -> Link:
        require_many(program)
        each = [replace(where, cookie=cookie, via=None) for cookie in cookies or [0] * len(places)]
        return attach_all(
            program,
            (
                attach_at(program, Spot(path, place.offset), one, returns=returns)
                for place, one in zip(places, each, strict=True)
            ),
        )

    return first_way(program, {"multi link": multi, "single probes": many}, where.via)


def _cookies(where: Where, names: list[str], places: list[Place]) -> list[int]:
    if not where.cookies:
        return [where.cookie] * len(places) if where.cookie else []
    if len(where.cookies) != len(names) or any(is_glob(name) for name in names):
        raise UsageError(
            f"{len(where.cookies)} cookies for {names}",
            help="give symbols= as a list of names, and as many cookies=; cookie= is one for all",
        )
    if len(places) != len(names):
        raise UsageError(f"some of {names} are one and the same function", help="name each function once")
    return list(where.cookies)
