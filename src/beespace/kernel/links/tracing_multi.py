"""Entry of and return from many kernel functions, with their typed arguments: one link for all (Linux 7.2).

Older kernels load a program for one function alone: there is no way back to single ones, because each would have to be
loaded anew.  ``kprobe.multi`` (Linux 5.18) does the same with registers in place of arguments.
"""

from __future__ import annotations

import errno

from beespace.btf import Btf, Function, FunctionPrototype, Kind
from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel.functions import is_glob
from beespace.kernel.kernel_types import KernelTypes
from beespace.kernel.links.kernel_functions import NotProbed, asked_functions, matching, refused, unknown
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.kernel.targets import module_of_many
from beespace.syscall import bpf

__all__ = ["attach"]

_KERNEL = "vmlinux"
_MOST_ARGUMENTS = 12  # MAX_BPF_FUNC_ARGS


def attach(program: Attachable, where: Where) -> Link:
    """Attach to all of ``where.functions`` (names, or globs), or to those like the section's target.

    A name must be there; of a glob, one function must be.  ``where.cookies`` are for names, one each.  All functions
    are the kernel's own or of one module, which the section says: ``fentry.multi/module:glob``.
    """
    names, globs = asked_functions(program, where)
    with KernelTypes() as kernel:
        module = module_of_many(program.attachment, kernel)
        types = kernel.vmlinux if module is None else kernel.modules[module]
        ids = _ids([_of_module(program, each, module) for each in names], types, module)
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


def _of_module(program: Attachable, name: str, module: str | None) -> str:
    """``name`` without its module, which must be the one that the program was loaded for."""
    asked, _, plain = name.rpartition(":")
    if asked and asked != (module or _KERNEL):
        raise UsageError(
            f"{name!r} is not of {module or 'the kernel itself'}, which program {program.name!r} was loaded for",
            help=f'write SEC("{program.attachment.hook.section}/{asked}:*")',
        )
    return plain


def _ids(names: list[str], types: Btf, module: str | None) -> list[int]:
    """Ids of functions in the types of the kernel or of a module, in the order of the names."""
    found: dict[int, None] = {}
    for name in names:
        if not is_glob(name):
            ids = _owned(types, name, module)
            if not ids:
                raise unknown(name)
            if not _traceable(types, ids[0]):
                raise refused(name)
            found[ids[0]] = None
            continue
        alike = matching(name if module is None else f"{module}:{name}")
        hits = [ids[0] for each in alike if (ids := _owned(types, each.name, module))]
        fitting = [each for each in hits if _traceable(types, each)]
        if not fitting:
            raise NotProbed(f"tracing functions like {name!r} with their arguments", help="use SEC('kprobe.multi')")
        found.update(dict.fromkeys(fitting))
    return list(found)


def _owned(types: Btf, name: str, module: str | None) -> list[int]:
    ids = types.find_all(name, Kind.FUNC)
    return ids if module is None else [each for each in ids if types.owns(each)]


def _traceable(types: Btf, number: int) -> bool:
    """Whether a function's arguments can be handed to a program: few, of known size, none above 16 bytes."""
    function = types.type(number)
    prototype = types.type(function.type) if isinstance(function, Function) else None
    if not isinstance(prototype, FunctionPrototype) or len(prototype.parameters) > _MOST_ARGUMENTS:
        return False
    if prototype.result and types.kind(types.resolve(prototype.result)) in (Kind.STRUCT, Kind.UNION):
        return False
    return all(each.type and types.size(types.resolve(each.type)) <= 16 for each in prototype.parameters)
