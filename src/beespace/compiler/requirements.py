"""What a program needs of a kernel, each with the first release that has it.

Invariant: what is listed is in the object.  A function of the kernel that may be missing (``exists()``) does not count,
since the object loads there all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from beespace.compiler import ir
from beespace.compiler.ir.walk import walk
from beespace.compiler.passes.followed import NO_HELPER
from beespace.compiler.permitted import reached_from
from beespace.hooks import resolve
from beespace.isa import MapType
from beespace.isa.map_releases import FIRST_KERNEL
from beespace.isa.signatures import SIGNATURES
from beespace.lang.bpf_helpers import decorator_of
from beespace.record import dataclass

__all__ = ["Requirement", "minimum", "requirements_of"]

_KERNEL_FUNCTIONS = "5.13"
_FOLLOWED = "6.7"
_ARENA = ir.PointerType(ir.Region.ARENA)
_ARENA_ATOMICS = "6.10"  # commit d503a04f8bc0 (x86-64)


@dataclass(frozen=True, slots=True)
class Requirement:
    """``what`` (``bpf_get_current_task_btf()``, ``@xdp``, ``a map of type ringbuf``) is in kernels ``since`` a release.

    ``programs`` are those that need it.
    """

    since: str
    what: str
    programs: tuple[str, ...]

    def __str__(self) -> str:
        return f"Linux {self.since}: {self.what}"


def requirements_of(module: ir.Module) -> tuple[Requirement, ...]:
    """Everything that the programs of ``module`` need, the newest first."""
    functions = {function.name: function for function in module.functions}
    needed: dict[tuple[str, str], list[str]] = {}
    types = {each.name: each.type for each in module.maps}
    for function in module.functions:
        if function.section is None:
            continue
        for need in dict.fromkeys(_needs(function, functions, types)):
            needed.setdefault(need, []).append(function.name)
    found = [Requirement(since, what, tuple(programs)) for (since, what), programs in needed.items()]
    return tuple(sorted(found, key=lambda each: (_order(each.since), each.what), reverse=True))


def minimum(requirements: Iterable[Requirement]) -> str:
    """The first kernel that has all of it; empty if nothing is needed."""
    return max((each.since for each in requirements), key=_order, default="")


def _needs(
    program: ir.Function, functions: Mapping[str, ir.Function], types: Mapping[str, int]
) -> Iterable[tuple[str, str]]:
    assert program.section is not None
    hook = resolve(program.section).hook
    yield hook.since, f"@{decorator_of(hook)} ({program.section})"
    for function in reached_from(functions, program.name):
        for node in walk(function.body):
            if isinstance(node, ir.Helper) and node.name in SIGNATURES:
                yield SIGNATURES[node.name].since, f"bpf_{node.name}()"
            elif isinstance(node, ir.Helper) and node.number == NO_HELPER:
                yield _FOLLOWED, f"a verifier that follows {node.name.split('.')[1]} from round to round of a loop"
            elif isinstance(node, ir.KernelFunction) and not node.weak:
                yield _KERNEL_FUNCTIONS, f"the kernel's function {node.name}()"
            elif isinstance(node, ir.MapAddress) and node.name in types and types[node.name] in FIRST_KERNEL:
                number = types[node.name]
                yield FIRST_KERNEL[number], f"a map of type {MapType(number).name.lower()}"
            elif isinstance(node, ir.ArenaAddress):
                yield FIRST_KERNEL[MapType.ARENA], "a map of type arena"
            elif isinstance(node, ir.Atomic | ir.AtomicAdd) and node.pointer.type == _ARENA:
                yield _ARENA_ATOMICS, "atomic operations in an arena"


def _order(since: str) -> tuple[int, ...]:
    return tuple(map(int, since.split("."))) if since else ()
