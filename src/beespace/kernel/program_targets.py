"""What a program is put in place of, or watches, when that is another BPF program: ``freplace``, ``fentry``.

The kernel wants the other program and the id of the function in that program's types (Linux 5.6, 5.10).
"""

from __future__ import annotations

import os
from contextlib import ExitStack

from beespace.errors import UsageError
from beespace.hooks import Attachment
from beespace.record import dataclass
from beespace.syscall import Descriptor, HasFileno, bpf
from beespace.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from beespace.btf import Btf

__all__ = ["ProgramTarget", "Target", "program_target"]

Target = tuple["HasFileno | int", str | None]
"""A loaded program or the id of one, and the function in it (``None``: the one that the section names)."""


@dataclass(frozen=True, slots=True)
class ProgramTarget:
    """``program`` is a descriptor of the other program, which the caller closes; ``btf_id`` the function's type."""

    program: Descriptor
    btf_id: int


def program_target(name: str, attachment: Attachment, target: Target | None) -> ProgramTarget:
    """What program ``name`` is for.

    Raises :class:`UsageError` if nothing says it, and for a function that the target lacks.
    """
    if target is None:
        raise UsageError(
            f"program {name!r} replaces a function of another program, and nothing says of which",
            help=f"load(..., targets={{{name!r}: (program, 'function')}}), with a loaded program or its id",
        )
    program, function = target
    function = function or attachment.target or name
    with ExitStack() as undo:
        if isinstance(program, int):
            descriptor = undo.enter_context(bpf.prog_get_fd_by_id(program))
        else:
            descriptor = undo.enter_context(Descriptor(os.dup(program.fileno()), "program"))
        types = _types(program, descriptor)
        ids = [] if types is None else _functions(types, function)
        if not ids:
            why = "was loaded without types" if types is None else f"has no function {function!r}"
            raise UsageError(f"program {name!r} cannot attach: the program that it is for {why}")
        undo.pop_all()
        return ProgramTarget(descriptor, ids[0])


def _functions(types: Btf, name: str) -> list[int]:
    from beespace.btf import Kind

    return types.find_all(name, Kind.FUNC)


def _types(program: HasFileno | int, descriptor: Descriptor) -> Btf | None:
    """The types of a program: those that the object of a :class:`LoadedProgram` has, or the kernel's copy."""
    from beespace.kernel.kernel_program import KernelProgram

    if isinstance(program, KernelProgram):
        return program.types()
    return KernelProgram(descriptor, "", None).types()
