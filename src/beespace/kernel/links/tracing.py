"""Programs whose target is a BTF type that was given at load time: BTF tracepoints, functions, security hooks.

Attached by ``BPF_RAW_TRACEPOINT_OPEN`` (Linux 5.5), or as a link where more is said: a cookie (Linux 5.19, kernel
commit 2fcc82411e74) or another target than at load time (Linux 5.10, kernel commit 4a1e7c0c63e0).  The kernel
detaches them with the descriptor.
"""

from __future__ import annotations

import errno

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.syscall import HasFileno, bpf, mounts
from beespace.syscall.refusal import ENOTSUPP

__all__ = ["attach", "attach_replacement"]


def attach(program: Attachable, where: Where) -> Link:
    """Attach to what the program was loaded for."""
    hook = program.attachment.hook
    if hook.section.startswith("lsm"):
        _require_lsm(program)
    if not where.cookie:
        return _loaded_target(program)
    try:
        target = bpf.TracingTarget(cookie=where.cookie)
        return Link(program, bpf.link_create(program.fileno(), hook.attach_type, where=target), via="tracing link")
    except KernelError as error:
        if error.errno != errno.EINVAL:
            raise
        raise NotSupported(
            f"a cookie for program {program.name!r} at {program.attachment.section!r}",
            since="6.10" if hook.section.startswith("tp_btf") else "5.19",
            call=error.call, errno=error.errno, help="attach it without cookie",
        ) from error  # fmt: skip


def _loaded_target(program: Attachable) -> Link:
    try:
        return Link(program, bpf.raw_tracepoint_open(program.fileno()), via="tracing link")
    except KernelError as error:
        if error.errno == errno.EBUSY:
            raise KernelError(
                f"{program.attachment.target} has a program that shares the place with no other",
                call=error.call, errno=error.errno, help="see who is there: bpftool link",
            ) from error  # fmt: skip
        if error.errno == ENOTSUPP:
            raise NotSupported(
                f"programs at {program.attachment.section!r}: it cannot attach to functions (no trampolines)",
                since="5.5 on x86-64, 6.0 on arm64, CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS",
                call=error.call, errno=error.errno, help="use a kprobe",
            ) from error  # fmt: skip
        raise


def _require_lsm(program: Attachable) -> None:
    """A kernel that was started without BPF among its security modules would attach the program and never run it."""
    try:
        with mounts.root_of("securityfs") as root:
            modules = mounts.read_at(root, "lsm").decode().strip().split(",")
    except KernelError:
        return  # it cannot be told here
    if "bpf" not in modules:
        raise NotSupported(
            f"security programs such as {program.name!r}: its security modules are {', '.join(modules)}",
            since="5.7, CONFIG_BPF_LSM=y and the boot option lsm=...,bpf",
            help=f"start the kernel with lsm={','.join((*modules, 'bpf'))}",
        )


def attach_replacement(program: Attachable, where: Where) -> Link:
    """Put a ``freplace`` program in place of a function.

    That is the one it was loaded for, or global function ``where.function`` (by default the one that the section
    names) of program ``where.program``, whose prototype must be the same.
    """
    if where.program is None:
        if where.function:
            raise UsageError(
                f"function {where.function!r} of which program?", help="name it: attach(program=..., function=...)"
            )
        return attach(program, where)
    function = where.function or program.attachment.target
    type_id = _function_id(where.program, function)
    try:
        descriptor = bpf.link_create(
            program.fileno(), 0, target_fd=where.program,
            where=bpf.TracingTarget(target_btf_id=type_id, cookie=where.cookie),
        )  # fmt: skip
    except KernelError as error:
        if error.errno == errno.EBUSY:
            raise KernelError(
                f"function {function!r} of the target is replaced already", call=error.call, errno=error.errno,
                help="detach the program that replaces it: a function has one replacement",
            ) from error  # fmt: skip
        if error.errno == errno.EINVAL:
            raise KernelError(
                f"{program.name!r} cannot stand in place of {function!r}: the kernel said that they do not fit",
                call=error.call, errno=error.errno,
                help="both must have the same prototype and be for the same kind of program; Linux 5.10 or later",
            ) from error  # fmt: skip
        raise
    return Link(program, descriptor, via="tracing link")


def _function_id(program: HasFileno, function: str) -> int:
    """The id of ``function`` in the types of a loaded program."""
    from beespace.btf import Btf, Kind

    number = bpf.prog_info(program).btf_id
    if not number:
        raise UsageError(
            "the program whose function is to be replaced has no types", help="compile it with -g, so that it has BTF"
        )
    with bpf.btf_get_fd_by_id(number) as descriptor:
        types = Btf(bpf.btf_data(descriptor))
    found = types.find_all(function, Kind.FUNC)
    if not found:
        known = ", ".join(sorted(name for name, _ in types.with_prefix("", Kind.FUNC)))
        raise UsageError(f"the target program has no function {function!r}", help=f"functions of its object: {known}")
    return found[0]
