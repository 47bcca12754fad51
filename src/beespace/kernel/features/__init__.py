"""What this kernel can do for this process, found out by trying it.

May import: ``btf``, ``isa``, ``syscall``, ``errors``, and of ``kernel`` the kernel's types and
``verified``.  Invariant: no kernel version is ever looked at, nothing that was tried is left behind, and no answer of
the kernel is raised: it becomes a :class:`Feature` with the reason.

>>> import json, dataclasses
>>> json.dumps([dataclasses.asdict(feature) for feature in probe()])             # doctest: +SKIP
"""

from collections.abc import Iterator

from beespace.isa import ProgramType
from beespace.kernel.features.attach_kinds import ATTACH_KINDS, attach_kind, attach_kinds
from beespace.kernel.features.attach_types import attach_type, attach_types
from beespace.kernel.features.btf_kinds import BTF_KINDS, btf_kind, btf_kinds
from beespace.kernel.features.feature import Feature, forget
from beespace.kernel.features.helper_calls import helper, helpers
from beespace.kernel.features.instructions import INSTRUCTIONS, instruction, instruction_level, instructions
from beespace.kernel.features.kfuncs import kfunc, kfunc_names
from beespace.kernel.features.limits import LIMITS, SETTINGS, limit, limits, setting, settings
from beespace.kernel.features.link_types import link_type, link_types
from beespace.kernel.features.machine import MACHINE, machine_feature, machine_features
from beespace.kernel.features.map_types import map_type, map_types
from beespace.kernel.features.program_types import Smallest, program_type, program_types

__all__ = [
    "Feature", "probe", "probe_helpers", "forget",
    "program_type", "program_types", "Smallest", "map_type", "map_types",
    "attach_kind", "attach_kinds", "ATTACH_KINDS", "attach_type", "attach_types", "link_type", "link_types",
    "helper", "helpers", "kfunc", "kfunc_names",
    "instruction", "instructions", "instruction_level", "INSTRUCTIONS", "btf_kind", "btf_kinds", "BTF_KINDS",
    "limit", "limits", "LIMITS", "setting", "settings", "SETTINGS", "machine_feature", "machine_features", "MACHINE",
]  # fmt: skip


def probe() -> Iterator[Feature]:
    """Everything but the helpers, of which there are some hundreds for each program type (:func:`probe_helpers`)."""
    yield from machine_features()
    yield from settings()
    yield from limits()
    yield from program_types()
    yield from map_types()
    yield from attach_types()
    yield from link_types()
    yield from attach_kinds()
    yield from instructions()
    yield from btf_kinds()


def probe_helpers() -> Iterator[Feature]:
    """Which helper functions each program type that can be loaded may call; takes a second or two."""
    for kind in ProgramType:
        if kind not in (ProgramType.UNSPEC, ProgramType.EXT) and program_type(kind).available:
            yield from helpers(kind)
