"""``load``: from an :class:`ObjectSpec` to live objects.

In this order: CO-RE against the kernel's types, the object's own types, maps, their contents,
programs.  Whatever fails, everything made so far is closed; nothing is attached here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import cache

from beespace.btf import Btf
from beespace.errors import FormatError, UsageError
from beespace.hooks import resolve
from beespace.kernel.create import create_maps, fill_maps, fill_programs
from beespace.kernel.image import assemble
from beespace.kernel.object import LoadedObject
from beespace.kernel.object_types import ObjectTypes, load_types
from beespace.kernel.program import LoadedProgram
from beespace.kernel.refused import explain
from beespace.kernel.symbols import fill_symbols
from beespace.kernel.targets import attach_btf_id
from beespace.kernel.variables import Variable, initial_data, is_signed
from beespace.kernel.vmlinux import vmlinux_btf
from beespace.reloc import Report, relocate
from beespace.spec import FunctionSpec, ObjectSpec
from beespace.errors import VerifierError
from beespace.syscall import bpf

__all__ = ["load"]


def load(
    spec: ObjectSpec,
    *,
    btf: Btf | None = None,
    variables: Mapping[str, int | bytes] = {},
    max_entries: Mapping[str, int] = {},
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
    data = initial_data(spec, variables)
    kernel_types = cache(lambda: vmlinux_btf() if btf is None else btf)
    spec, report = _relocated(spec, chosen, kernel_types)
    notes: list[str] = []
    with ExitStack() as undo:
        types = load_types(spec.btf)
        notes += types.notes
        with ExitStack() as only_now:
            if types.descriptor is not None:
                only_now.callback(types.descriptor.close)  # maps and programs hold the types themselves
            maps = create_maps(spec, max_entries, types, undo, notes.append)
            fill_maps(spec, maps, data)
            loaded: dict[str, LoadedProgram] = {}
            for name in chosen:
                pass
        undo.pop_all()
    raise NotImplementedError
