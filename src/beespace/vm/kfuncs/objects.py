"""Objects that programs make (``bpf_obj_new``, Linux 6.2), and whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.vm.memory import Region, Rights, Violation

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = [
    "obj_drop_impl", "obj_new_impl", "percpu_obj_drop_impl", "percpu_obj_new_impl", "refcount_acquire_impl",
]  # fmt: skip


class Object:
    """An object: how many references there are, and its memory; of one with a copy for each CPU, theirs."""

    __slots__ = ("copies", "references", "type_id")

    def __init__(self, type_id: int) -> None:
        self.type_id, self.references = type_id, 1
        self.copies: list[Region] = []


def owned(run: Run, address: int) -> tuple[Region, Object]:
    """The object that an address is of."""
    region = run.memory.find(address)
    if region is None or not isinstance(region.owner, Object):
        raise Violation(f"passes {address:#x}, which is in no object")
    return region, region.owner


def _size(run: Run, type_id: int) -> int:
    types = run.machine.types
    try:
        size = types.size(type_id) if types is not None else 0
    except (KeyError, ValueError, TypeError):
        size = 0
    if not 0 < size <= 4096:
        raise Violation(f"makes an object of type {type_id}, which its types do not have")
    return size


def obj_new_impl(run: Run, type_id: int, meta: int = 0) -> int:
    """The address of a new object of a struct of the program's own, all zeros."""
    size = _size(run, type_id)
    return run.memory.add("an object", bytearray(size), Rights.BOTH, owner=Object(type_id)).base


def obj_drop_impl(run: Run, address: int, meta: int = 0) -> None:
    """One reference less; with the last it goes, when the run ends."""
    region, held = owned(run, address)
    if region.base != address or held.references < 1:
        raise Violation(f"drops {address:#x}, which is no object")
    held.references -= 1
    if held.references == 0:
        run.machine.dropped += [region, *held.copies]


def percpu_obj_new_impl(run: Run, type_id: int, meta: int = 0) -> int:
    """The same with memory for each CPU, which ``bpf_per_cpu_ptr`` and ``bpf_this_cpu_ptr`` give.  Linux 6.7."""
    size, held = _size(run, type_id), Object(type_id)
    for _ in range(run.machine.inputs.cpus):
        held.copies.append(run.memory.add("a CPU's object", bytearray(size), Rights.BOTH))
    return run.memory.add("an object of each CPU", bytearray(), Rights.NONE, owner=held).base


percpu_obj_drop_impl = obj_drop_impl


def refcount_acquire_impl(run: Run, address: int, meta: int = 0) -> int:
    """One reference more; 0 if it is going.  Linux 6.4."""
    region, held = owned(run, address)
    if region.base != address:
        raise Violation(f"passes {address:#x}, which is no object")
    if held.references < 1:
        return 0
    held.references += 1
    return address
