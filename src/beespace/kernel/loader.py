"""``load``: from an :class:`ObjectSpec` to live objects.

In this order: CO-RE against the kernel's types, the object's own types, maps, their contents,
programs.  Whatever fails, everything made so far is closed; nothing is attached here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from functools import cache
from types import MappingProxyType

from beespace.btf import Btf
from beespace.errors import KernelError, UsageError, VerifierError
from beespace.hooks import resolve
from beespace.kernel.create import create_maps, fill_maps, fill_programs
from beespace.kernel.image import assemble
from beespace.kernel.maps import Map
from beespace.kernel.object import LoadedObject
from beespace.kernel.object_types import ObjectTypes, load_types
from beespace.kernel.program import LoadedProgram
from beespace.kernel.symbols import fill_symbols
from beespace.kernel.targets import attach_btf_id
from beespace.kernel.variables import Variable, initial_data, is_signed
from beespace.kernel.vmlinux import vmlinux_btf
from beespace.record import replace
from beespace.reloc import Report, relocate
from beespace.spec import ObjectSpec
from beespace.syscall import bpf

__all__ = ["load"]

_NOTHING: Mapping[str, int] = MappingProxyType({})


def load(
    spec: ObjectSpec,
    *,
    btf: Btf | None = None,
    variables: Mapping[str, int | bytes] = _NOTHING,
    max_entries: Mapping[str, int] = _NOTHING,
    programs: Collection[str] | None = None,
) -> LoadedObject:
    """Relocate ``spec``, create its maps and load its programs.

    ``btf`` holds the kernel's types (by default those of the running kernel, read when something
    needs them).  ``variables`` are given before the verifier looks; ``max_entries`` overrides
    sizes by map name; ``programs`` are the names of those to load (by default all).

    Raises :class:`UsageError` for names and values that do not fit, :class:`RelocationError` for
    what this kernel does not have, :class:`VerifierError` with log and source line for a program
    that is refused, :class:`NotPermitted` and :class:`KernelError` else.  Linux 5.8.
    """
    chosen = _chosen(spec, programs)
    data = initial_data(spec, _kernel_version(spec) | dict(variables))
    kernel_types = cache(lambda: vmlinux_btf() if btf is None else btf)
    spec, report = _relocated(spec, chosen, kernel_types)
    with ExitStack() as undo:
        with ExitStack() as meanwhile:
            types = load_types(spec.btf)
            if types.descriptor is not None:
                meanwhile.callback(types.descriptor.close)  # maps and programs hold it themselves
            notes = list(types.notes)
            maps = create_maps(spec, max_entries, types, undo, notes.append)
            fill_maps(spec, maps, data)
            loaded: dict[str, LoadedProgram] = {}
            for name in chosen:
                try:
                    loaded[name] = _load_program(spec, name, maps, types, kernel_types, report)
                except KernelError as error:
                    for note in notes:  # what went missing before may be why
                        error.add_note(note)
                    raise
                undo.callback(loaded[name].close)
            fill_programs(spec, maps, loaded)
        own_types = Btf(spec.btf) if spec.btf and spec.variables else None
        live = {
            name: Variable(each, maps[each.map], is_signed(each, own_types)) for name, each in spec.variables.items()
        }
        return LoadedObject(spec, maps, loaded, live, tuple(notes), undo.pop_all())


def _chosen(spec: ObjectSpec, programs: Collection[str] | None) -> list[str]:
    if programs is None:
        return list(spec.programs)
    for name in programs:
        if name not in spec.programs:
            known = ", ".join(spec.programs) or "none"
            raise UsageError(f"object {spec.name!r} has no program {name!r}", help=f"its programs: {known}")
    return [name for name in spec.programs if name in programs]


def _relocated(spec: ObjectSpec, chosen: list[str], btf: Callable[[], Btf]) -> tuple[ObjectSpec, Report]:
    """The object with CO-RE applied to the programs that are wanted; the others stay as they are."""
    wanted = {name: spec.programs[name] for name in chosen}
    functions = [*(program.entry for program in wanted.values()), *spec.subprograms.values()]
    if not any(function.core for function in functions):
        return spec, Report()
    done, report = relocate(replace(spec, programs=wanted), Btf(spec.btf), [btf()])
    return replace(done, programs={**spec.programs, **done.programs}), report


def _load_program(
    spec: ObjectSpec,
    name: str,
    maps: Mapping[str, Map],
    types: ObjectTypes,
    btf: Callable[[], Btf],
    report: Report,
) -> LoadedProgram:
    program = spec.programs[name]
    attachment = resolve(program.section)
    target = attach_btf_id(attachment, btf)
    image = assemble(spec, program.entry)
    code = fill_symbols(image, maps, btf)
    typed = types.descriptor is not None and bool(image.func_info)
    try:
        descriptor, _ = bpf.prog_load(
            attachment.hook.program_type,
            code,
            license=spec.license,
            name=program.name,
            expected_attach_type=attachment.hook.attach_type,
            attach_btf_id=target,
            prog_btf_fd=types.descriptor if typed else None,
            func_info=image.func_info if typed else b"",
            line_info=image.line_info if typed else b"",
        )
    except VerifierError as error:
        from beespace.kernel.refused import explain  # reads logs: only who is refused needs it

        raise explain(error, image, report) from None
    return LoadedProgram(descriptor, program, attachment, image)


def _kernel_version(spec: ObjectSpec) -> dict[str, int | bytes]:
    """``LINUX_KERNEL_VERSION`` of ``.kconfig``, for objects that declare it: ``KERNEL_VERSION(a, b, c)``."""
    variable = spec.variables.get("LINUX_KERNEL_VERSION")
    if variable is None or variable.map != ".kconfig":
        return {}
    numbers = [int(number) for number in re.findall(r"\d+", os.uname().release.partition("-")[0])]
    major, minor, patch = (*numbers, 0, 0)[:3]
    return {variable.name: major << 16 | minor << 8 | min(patch, 255)}
