"""Sets of CPUs (Linux 6.3): ``struct cpumask``, a bit for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.vm.kfuncs.objects import Object
from beespace.vm.memory import Rights, Violation

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = [
    "cpumask_acquire", "cpumask_and", "cpumask_any_and_distribute", "cpumask_any_distribute", "cpumask_clear",
    "cpumask_clear_cpu", "cpumask_copy", "cpumask_create", "cpumask_empty", "cpumask_equal", "cpumask_first",
    "cpumask_first_and", "cpumask_first_zero", "cpumask_full", "cpumask_intersects", "cpumask_or", "cpumask_release",
    "cpumask_set_cpu", "cpumask_setall", "cpumask_subset", "cpumask_test_and_clear_cpu", "cpumask_test_and_set_cpu",
    "cpumask_test_cpu", "cpumask_weight", "cpumask_xor",
]  # fmt: skip

_BYTES = 1024  # of 8192 CPUs (CONFIG_NR_CPUS)


def _all(run: Run) -> int:
    return (1 << run.machine.inputs.cpus) - 1


def _get(run: Run, mask: int) -> int:
    """The CPUs that there are."""
    return int.from_bytes(run.memory.read(mask, _BYTES), "little") & _all(run)


def _set(run: Run, mask: int, value: int) -> None:
    run.memory.write(mask, value.to_bytes(_BYTES, "little"))


def _lowest(run: Run, value: int) -> int:
    """The number of the first bit; where there is none, the number of CPUs, as ``nr_cpu_ids`` says."""
    return (value & -value).bit_length() - 1 if value else run.machine.inputs.cpus


def _known(run: Run, cpu: int) -> bool:
    return cpu & 0xFFFFFFFF < run.machine.inputs.cpus


def cpumask_create(run: Run) -> int:
    """An empty set."""
    return run.memory.add("a set of CPUs", bytearray(_BYTES), Rights.READ | Rights.WRITE, owner=Object(0)).base


def cpumask_acquire(run: Run, mask: int) -> int:
    """One reference more."""
    _object(run, mask).references += 1
    return mask


def cpumask_release(run: Run, mask: int) -> None:
    """One reference less."""
    held = _object(run, mask)
    held.references -= 1
    region = run.memory.find(mask)
    if held.references == 0 and region is not None:
        run.machine.dropped.append(region)


def _object(run: Run, mask: int) -> Object:
    region = run.memory.find(mask)
    if region is None or region.base != mask or not isinstance(region.owner, Object) or region.owner.references < 1:
        raise Violation(f"passes {mask:#x}, which is no set of CPUs")
    return region.owner


def cpumask_first(run: Run, mask: int) -> int:
    """The first CPU."""
    return _lowest(run, _get(run, mask))


def cpumask_first_zero(run: Run, mask: int) -> int:
    """The first CPU that is not in it."""
    return _lowest(run, _all(run) & ~_get(run, mask))


def cpumask_first_and(run: Run, one: int, other: int) -> int:
    """The first CPU that is in both."""
    return _lowest(run, _get(run, one) & _get(run, other))


cpumask_any_distribute = cpumask_first  # the kernel takes turns
cpumask_any_and_distribute = cpumask_first_and


def cpumask_set_cpu(run: Run, cpu: int, mask: int) -> None:
    """Put a CPU in, if there is such a one."""
    cpumask_test_and_set_cpu(run, cpu, mask)


def cpumask_clear_cpu(run: Run, cpu: int, mask: int) -> None:
    """Take it out."""
    cpumask_test_and_clear_cpu(run, cpu, mask)


def cpumask_test_cpu(run: Run, cpu: int, mask: int) -> int:
    """Whether it is in."""
    return _get(run, mask) >> (cpu & 0xFFFFFFFF) & 1 if _known(run, cpu) else 0


def cpumask_test_and_set_cpu(run: Run, cpu: int, mask: int) -> int:
    """Put it in; whether it was."""
    was = cpumask_test_cpu(run, cpu, mask)
    if _known(run, cpu):
        _set(run, mask, _get(run, mask) | 1 << (cpu & 0xFFFFFFFF))
    return was


def cpumask_test_and_clear_cpu(run: Run, cpu: int, mask: int) -> int:
    """Take it out; whether it was in."""
    was = cpumask_test_cpu(run, cpu, mask)
    if was:
        _set(run, mask, _get(run, mask) & ~(1 << (cpu & 0xFFFFFFFF)))
    return was


def cpumask_setall(run: Run, mask: int) -> None:
    """All CPUs."""
    _set(run, mask, _all(run))


def cpumask_clear(run: Run, mask: int) -> None:
    """None."""
    _set(run, mask, 0)


def cpumask_and(run: Run, target: int, one: int, other: int) -> int:
    """Those in both; whether there are any."""
    both = _get(run, one) & _get(run, other)
    _set(run, target, both)
    return int(both != 0)


def cpumask_or(run: Run, target: int, one: int, other: int) -> None:
    """Those in one of them."""
    _set(run, target, _get(run, one) | _get(run, other))


def cpumask_xor(run: Run, target: int, one: int, other: int) -> None:
    """Those in just one of them."""
    _set(run, target, _get(run, one) ^ _get(run, other))


def cpumask_equal(run: Run, one: int, other: int) -> int:
    """Whether they are the same."""
    return int(_get(run, one) == _get(run, other))


def cpumask_intersects(run: Run, one: int, other: int) -> int:
    """Whether some CPU is in both."""
    return int(_get(run, one) & _get(run, other) != 0)


def cpumask_subset(run: Run, one: int, other: int) -> int:
    """Whether all of the first are in the second."""
    return int(_get(run, one) & ~_get(run, other) == 0)


def cpumask_empty(run: Run, mask: int) -> int:
    """Whether none is in it."""
    return int(_get(run, mask) == 0)


def cpumask_full(run: Run, mask: int) -> int:
    """Whether all are in it."""
    return int(_get(run, mask) == _all(run))


def cpumask_copy(run: Run, target: int, source: int) -> None:
    """The same CPUs."""
    _set(run, target, _get(run, source))


def cpumask_weight(run: Run, mask: int) -> int:
    """How many.  Linux 6.5."""
    return _get(run, mask).bit_count()
