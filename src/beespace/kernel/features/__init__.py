"""What this kernel can do for this process, found out by trying it.

May import: ``btf``, ``isa``, ``syscall``, ``errors`` and :mod:`beespace.kernel.vmlinux`.  Invariant: no kernel version
is ever looked at, nothing that was tried is left behind, and no answer of the kernel is raised: it becomes
a :class:`Feature` with the reason.

>>> import json, dataclasses
>>> json.dumps([dataclasses.asdict(feature) for feature in probe()])             # doctest: +SKIP
"""

from collections.abc import Iterator

from beespace.kernel.features.attach_kinds import ATTACH_KINDS, attach_kind, attach_kinds
from beespace.kernel.features.feature import Feature
from beespace.kernel.features.helper_calls import helper, helpers
from beespace.kernel.features.machine import MACHINE, machine_feature, machine_features
from beespace.kernel.features.map_types import map_type, map_types
from beespace.kernel.features.program_types import Smallest, program_type, program_types

__all__ = [
    "Feature", "probe",
    "program_type", "program_types", "Smallest", "map_type", "map_types",
    "attach_kind", "attach_kinds", "ATTACH_KINDS", "machine_feature", "machine_features", "MACHINE",
    "helper", "helpers",
]  # fmt: skip


def probe() -> Iterator[Feature]:
    """Everything but the helpers, of which there are some hundreds for each program type (:func:`helpers`)."""
    yield from machine_features()
    yield from program_types()
    yield from map_types()
    yield from attach_kinds()
