"""Entry of and return from many kernel functions, with their typed arguments: one link for all (Linux 7.2).

Older kernels load a program for one function alone: there is no way back to single ones, because each would have to be
loaded anew.  ``kprobe.multi`` (Linux 5.18) does the same with registers in place of arguments.
"""

from __future__ import annotations

import errno

from beespace.btf import Btf, Function, FunctionPrototype, Kind
from beespace.errors import KernelError, NotSupported
from beespace.kernel.functions import is_glob
from beespace.kernel.links.kernel_functions import NotProbed, asked_functions, matching, refused, unknown
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.kernel.vmlinux import vmlinux_btf
from beespace.syscall import bpf

__all__ = ["attach"]

_MOST_ARGUMENTS = 12  # MAX_BPF_FUNC_ARGS


def attach(program: Attachable, where: Where) -> Link:
    """Attach to all of ``where.functions`` (names, or globs), or to those like the section's target.

    A name must be there; of a glob, one function must be.  ``where.cookies`` are for names, one each.  Functions of
    modules are not looked for.
    """
    names, globs = asked_functions(program, where)
    ids = _ids(names)
    cookies = list(where.cookies) or [where.cookie] * len(ids) * bool(where.cookie)
    hook = program.attachment.hook
    try:
        target = bpf.TracingMulti(ids, cookies)
        return Link(program, bpf.link_create(program.fileno(), hook.attach_type, where=target), via="multi link")
    except NotSupported:
        raise
    except KernelError as error:
        if error.errno == errno.EINVAL and not globs:
            raise KernelError(
                f"the kernel refuses one of {', '.join(names)}", call=error.call, errno=error.errno,
                help="try them one by one: some functions cannot be traced, or not by this program's return value",
            ) from error  # fmt: skip
        raise


def _ids(names: list[str]) -> list[int]:
    """Ids of functions in the kernel's types, in the order of the names."""
    types = vmlinux_btf()
    found: dict[int, None] = {}
    for name in names:
        if not is_glob(name):
            ids = types.find_all(name, Kind.FUNC)
            if not ids:
                raise unknown(name)
            if not _traceable(types, ids[0]):
                raise refused(name)
            found[ids[0]] = None
            continue
        hits = [ids[0] for each in matching(name) if (ids := types.find_all(each.name, Kind.FUNC))]
        fitting = [each for each in hits if _traceable(types, each)]
        if not fitting:
            raise NotProbed(f"tracing functions like {name!r} with their arguments", help="use SEC('kprobe.multi')")
        found.update(dict.fromkeys(fitting))
    return list(found)


def _traceable(types: Btf, number: int) -> bool:
    """Whether a function's arguments can be handed to a program: few, of known size, none above 16 bytes."""
    function = types.type(number)
    prototype = types.type(function.type) if isinstance(function, Function) else None
    if not isinstance(prototype, FunctionPrototype) or len(prototype.parameters) > _MOST_ARGUMENTS:
        return False
    if prototype.result and types.kind(types.resolve(prototype.result)) in (Kind.STRUCT, Kind.UNION):
        return False
    return all(each.type and types.size(types.resolve(each.type)) <= 16 for each in prototype.parameters)
