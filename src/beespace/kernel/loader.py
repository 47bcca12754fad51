"""``load``: from an :class:`ObjectSpec` to live objects.

In this order: CO-RE against the kernel's types, the object's own types, maps, their contents,
programs.  Whatever fails, everything made so far is closed; nothing is attached here.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from types import MappingProxyType

from beespace.btf import Btf
from beespace.errors import KernelError, UsageError
from beespace.kernel.allocation import allocated_early, preallocated
from beespace.kernel.arena import place_arena
from beespace.kernel.create import create_maps, fill_maps, fill_programs
from beespace.kernel.either import Alternative, Group, groups_of
from beespace.kernel.kernel_types import KernelTypes, kernel_types
from beespace.kernel.loading import Asked, Loading
from beespace.kernel.maps import LiveMaps
from beespace.kernel.object import LoadedObject
from beespace.kernel.object_types import load_types
from beespace.kernel.program import LoadedProgram
from beespace.kernel.symbols import KernelSymbols, check_byte_order
from beespace.kernel.token import find_token
from beespace.kernel.variables import Variable, initial_data
from beespace.record import replace
from beespace.reloc import Report, relocate
from beespace.spec import ObjectSpec
from beespace.syscall import HasFileno
from beespace.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from beespace.kernel.program_targets import Target
    from beespace.kernel.struct_ops import Method, Plan, StructOps

    Into = TypeVar("Into", bound=LoadedObject, default=LoadedObject)

__all__ = ["load"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def load(
    spec: ObjectSpec,
    *,
    btf: str | os.PathLike[str] | bytes | Btf | None = None,
    variables: Mapping[str, Any] = _NOTHING,
    max_entries: Mapping[str, int] = _NOTHING,
    programs: Collection[str] | None = None,
    either: Iterable[Sequence[Alternative]] = (),
    targets: Mapping[str, Target] = _NOTHING,
    token: str | os.PathLike[str] | HasFileno | None = None,
    log_level: int = 0,
    log_size: int | None = None,
    pin_path: str | os.PathLike[str] | HasFileno | None = None,
    maps: Mapping[str, HasFileno] = _NOTHING,
    into: type[Into] = LoadedObject,  # type: ignore[assignment]
) -> Into:
    """Relocate ``spec``, create its maps and load its programs.

    ``btf`` are the types that CO-RE fits the object to, a file (raw or ELF) or its content; by default those of the
    running kernel and its modules, read when something needs them.  ``variables`` are given before the verifier looks;
    ``max_entries`` overrides sizes by map name; ``programs`` are the names of those to load (by default all but those
    whose section begins with ``?``), and of implementations of kernel interfaces (``.struct_ops``).  ``maps`` are
    live maps to use instead of new ones, by the name that the object has for them; ``pin_path`` is the directory of
    a bpf file system where maps are shared that ask for it.

    ``either`` are groups of alternatives, ``[("fentry_open", "kprobe_open")]``: of each, the first that can be loaded
    and attached is taken, and the others are left out.  An alternative is a name, or a sequence of names of
    programs that belong together.

    ``targets`` are other BPF programs that programs are for (``freplace``, ``fentry``), ``{"name": (program,
    "function")}``, with a loaded program or the id of one.  ``token`` is a BPF token or the directory of a
    bpf file system that was delegated to this user namespace (6.9; found by itself at ``/sys/fs/bpf`` and in
    ``LIBBPF_BPF_TOKEN_PATH``).  ``log_level`` has the verifier write a log of programs that it accepts, too
    (:attr:`LoadedProgram.log`): 4 is statistics alone, 2 all paths with the state at each instruction;
    ``log_size`` is the room in bytes that it begins with.  ``into`` is the class of what is returned.

    Raises :class:`UsageError` for names and values that do not fit, :class:`RelocationError` for
    what this kernel does not have, :class:`VerifierError` with log and source line for a program
    that is refused, :class:`NotPermitted` and :class:`KernelError` else.  Linux 5.8.
    """
    check_byte_order(spec)
    groups = groups_of(spec, either)
    chosen = _chosen(spec, programs, groups)
    _check_targets(spec, targets)
    with ExitStack() as undo, ExitStack() as meanwhile:
        # Maps and programs hold what they were made with themselves; alternatives may need it again.
        held = undo if groups else meanwhile
        known = held.enter_context(kernel_types(btf))  # opens nothing until something is asked
        data = initial_data(spec, _kernel_says(spec, variables, known) | dict(variables))
        spec, arena_start = place_arena(spec, max_entries)
        symbols = KernelSymbols(spec, known)
        interfaces, methods, chosen = _interfaces(spec, programs, chosen, symbols)
        spec, changed = preallocated(spec, [*chosen, *(name for group in groups for name in group.names)])
        whole = spec
        spec, report = _relocated(whole, chosen, known)
        asked = Asked(targets, find_token(token), log_level, log_size or 0)
        if asked.token is not None:
            held.callback(asked.token.close)
        own_btf, contexts = _contexts(spec)
        types = load_types(own_btf, asked.token)
        if types.descriptor is not None:
            held.callback(types.descriptor.close)
        notes = [*(allocated_early(name) for name in changed), *types.notes]
        live = create_maps(
            spec, max_entries, types, undo, notes.append, reuse=maps, pin_directory=pin_path, token=asked.token
        )
        fill_maps(spec, live, data, arena_start)
        struct_ops: dict[str, StructOps] = {}
        if interfaces is not None:
            from beespace.kernel.struct_ops import create_struct_ops

            struct_ops = create_struct_ops(interfaces, types, symbols, asked.token, notes.append, undo)
        loading = Loading(asked, live, types, known, symbols, methods, contexts)
        loaded: dict[str, LoadedProgram] = {}

        def load_alternative(name: str) -> LoadedProgram:
            fitted, its_report = _relocated(whole, [name], known)
            return loading.program(fitted, name, its_report)

        def take(group: Group) -> dict[str, LoadedProgram]:
            taken = group.take(load_alternative)
            with ExitStack() as unless_filled:
                for program in taken.values():
                    unless_filled.callback(program.close)
                fill_programs(spec, live, taken)
                unless_filled.pop_all()
            return taken

        try:
            for name in chosen:
                loaded[name] = loading.program(spec, name, report)
                undo.callback(loaded[name].close)
            for group in groups:
                taken = group.take(load_alternative)
                loaded |= taken
                for program in taken.values():
                    undo.callback(program.close)
        except KernelError as error:
            for note in notes:  # what went missing before may be why
                error.add_note(note)
            raise
        fill_programs(spec, live, loaded)
        for each in struct_ops.values():
            each.fill(loaded)
        own_types = cache(lambda: Btf(spec.btf) if spec.btf else None)
        variables_by_name = {name: Variable(each, live[each.map], own_types) for name, each in spec.variables.items()}
        in_order = {name: loaded[name] for name in spec.programs if name in loaded}
        return into(
            spec, LiveMaps(live | {name: each.map for name, each in struct_ops.items()}, own_types), in_order,
            variables_by_name, tuple(notes), undo.pop_all(), groups=groups, take_next=take, struct_ops=struct_ops,
        )  # fmt: skip


def _chosen(spec: ObjectSpec, programs: Collection[str] | None, groups: tuple[Group, ...]) -> list[str]:
    """The programs that are loaded in any case."""
    alternatives = {name for group in groups for name in group.names}
    if programs is None:
        return [name for name, each in spec.programs.items() if each.autoload and name not in alternatives]
    for name in programs:
        if name not in spec.programs and name not in spec.struct_ops:
            known = ", ".join(spec.programs) or "none"
            raise UsageError(f"object {spec.name!r} has no program {name!r}", help=f"its programs: {known}")
    return [name for name in spec.programs if name in programs and name not in alternatives]


def _check_targets(spec: ObjectSpec, targets: Mapping[str, Target]) -> None:
    for name in targets:
        if name not in spec.programs:
            known = ", ".join(spec.programs) or "none"
            raise UsageError(f"object {spec.name!r} has no program {name!r}", help=f"its programs: {known}")


def _relocated(spec: ObjectSpec, chosen: list[str], kernel: KernelTypes) -> tuple[ObjectSpec, Report]:
    """The object with CO-RE applied to the programs that are wanted; the others stay as they are."""
    wanted = {name: spec.programs[name] for name in chosen}
    functions = [*(program.entry for program in wanted.values()), *spec.subprograms.values()]
    if not any(function.core for function in functions):
        return spec, Report()
    done, report = relocate(replace(spec, programs=wanted), Btf(spec.btf), kernel.targets())
    return replace(done, programs={**spec.programs, **done.programs}), report


def _kernel_says(spec: ObjectSpec, given: Collection[str], kernel: KernelTypes) -> dict[str, int | bytes]:
    """The options of the running kernel that the object asks for."""
    if not spec.kconfig:
        return {}
    from beespace.kernel.kconfig import kconfig_values

    return kconfig_values(spec, given, kernel)


def _contexts(spec: ObjectSpec) -> tuple[bytes, Mapping[str, Mapping[int, int]]]:
    """The object's types with those that its functions have for programs of each context, where the kernel needs it."""
    if b"\0arg:ctx\0" not in spec.btf:
        return spec.btf, _NOTHING
    from beespace.hooks import resolve
    from beespace.kernel.context_arguments import with_contexts

    return with_contexts(spec.btf, (resolve(each.section).hook for each in spec.programs.values()))


def _interfaces(
    spec: ObjectSpec, programs: Collection[str] | None, chosen: list[str], symbols: KernelSymbols
) -> tuple[Plan | None, Mapping[str, Method], list[str]]:
    """The implementations of kernel interfaces that are made, and the programs that are loaded with them.

    By default all but those whose section begins with ``?``; their programs are loaded, those of others are not.
    """
    if not spec.struct_ops:
        return None, _NOTHING, chosen
    from beespace.kernel.struct_ops import plan_struct_ops

    names = [n for n, each in spec.struct_ops.items() if (not each.optional if programs is None else n in programs)]
    plan = plan_struct_ops(spec, names, symbols)
    wanted = {*chosen, *plan.used} - (plan.left_out if programs is None else frozenset())
    return plan, plan.methods, [name for name in spec.programs if name in wanted]
