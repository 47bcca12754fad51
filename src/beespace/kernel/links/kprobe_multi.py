"""Many kernel functions at once: one link for all (Linux 5.18), or one kprobe each.

The link is made by ftrace and costs less for each function than a kprobe; Linux needs ``CONFIG_FPROBE`` for it.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from beespace.errors import KernelError, UsageError
from beespace.kernel.links.composite import attach_all
from beespace.kernel.links.kernel_functions import (
    KernelFunction,
    NotProbed,
    asked_functions,
    matching,
    missing,
    refused,
    starts,
    unknown,
)
from beespace.kernel.links.kprobe import attach_alternatives
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.kernel.links.many import require_many, require_multi
from beespace.kernel.links.ways import first_way
from beespace.syscall import bpf

__all__ = ["attach"]

_RETURN = 1  # BPF_F_KPROBE_MULTI_RETURN


def attach(program: Attachable, where: Where) -> Link:
    """Attach to all of ``where.functions`` (names, or globs), or to those like the section's target.

    A name must be there; of a glob, one function must be.  ``where.cookies`` are for names, one each.
    """
    names, globs = asked_functions(program, where)
    cookies = list(where.cookies) or [where.cookie] * len(names) * bool(where.cookie)

    def multi() -> Link:
        require_multi(program)
        return _multi(program, names, cookies, globs)

    def many() -> Link:
        require_many(program)
        return _many(program, names, cookies, globs)

    return first_way(program, {"multi link": multi, "single probes": many}, where.via)


def _multi(program: Attachable, names: list[str], cookies: list[int], globs: bool) -> Link:
    hook = program.attachment.hook
    flags = _RETURN if hook.section.startswith("kret") else 0
    if globs or any(":" in name for name in names):
        functions = matching(names)
        plain = len({each.name for each in functions}) == len(functions) and not any(each.module for each in functions)
        if plain:  # the kernel looks the names up faster than this process
            symbols = [each.name for each in functions]
            target = bpf.KprobeMulti((), cookies[:1] * len(symbols), flags, symbols)
        else:
            addresses = starts(functions)
            if len(set(cookies)) > 1 and len(cookies) != len(addresses):
                raise UsageError(
                    f"{', '.join(names)} are {len(addresses)} functions: it is not clear which cookie is whose",
                    help="several functions have one of the names; leave it out, or give one cookie= for all",
                )
            cookies = cookies if len(cookies) == len(addresses) else cookies[:1] * len(addresses)
            target = bpf.KprobeMulti(addresses, cookies, flags)
    else:
        target = bpf.KprobeMulti((), cookies, flags, names)
    try:
        return Link(program, bpf.link_create(program.fileno(), hook.attach_type, where=target))
    except KernelError as error:
        if error.errno in (errno.ESRCH, errno.EINVAL, errno.ENOENT) and not globs:
            for name in missing(names):
                raise unknown(name) from error
            matching(names)  # says which of them cannot be traced
        raise


def _many(program: Attachable, names: list[str], cookies: list[int], globs: bool) -> Link:
    returns = program.attachment.hook.section.startswith("kret")
    if not globs:
        where = [Where(cookie=cookie) for cookie in cookies] or [Where()] * len(names)
        links = (
            attach_alternatives(program, [name], one, returns=returns)
            for name, one in zip(names, where, strict=True)
        )  # fmt: skip
        return attach_all(program, links)
    functions = matching(names)
    skipped: list[str] = []
    made = attach_all(program, _those_that_can(program, functions, cookies, returns, skipped))
    if not made.parts:
        made.close()
        raise refused(", ".join(names))
    if skipped:
        more = f" and {len(skipped) - 5} more" if len(skipped) > 5 else ""
        count = f"{len(skipped)} of {len(functions)} functions cannot be probed"
        made.tried = (*made.tried, f"{count}: {', '.join(skipped[:5])}{more}")
    return made


def _those_that_can(
    program: Attachable, functions: list[KernelFunction], cookies: list[int], returns: bool, skipped: list[str]
) -> Iterator[Link]:
    """A link to each function of a glob that takes kprobes; the names of the others go to ``skipped``."""
    where = Where(cookie=cookies[0] if cookies else 0)
    for each in {(each.module, each.name): each for each in functions}.values():
        name = f"{each.module}:{each.name}" if each.module else each.name
        try:
            yield attach_alternatives(program, [name], where, returns=returns)
        except (NotProbed, UsageError):
            skipped.append(each.name)
