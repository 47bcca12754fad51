"""Where a test runs: ``vm``, the machine in this process; ``here``, this kernel; ``7.3``, one in a virtual machine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, TypeVar

import pytest

from beespace.errors import NotPermitted, NotSupported, UsageError
from beespace.lang import Program
from beespace.vm import Inputs, Machine

__all__ = ["GUEST", "HERE", "NOT_HERE", "VM", "Kernel", "Simulator", "checked", "is_inside"]

VM, HERE = "vm", "here"
GUEST = "BEESPACE_TEST_GUEST"  # in a guest: the name of its kernel, of which this pytest runs the tests
NOT_HERE = "beespace: this kernel"  # a property of reports: skipped, because this kernel or user cannot
P = TypeVar("P", bound=Program)


def checked(names: Iterable[str]) -> tuple[str, ...]:
    """Names of places, each once.  :class:`UsageError` for one that there is not."""
    from beespace.guest import KERNELS

    known = [VM, HERE, *(kernel.name for kernel in KERNELS)]
    for name in names:
        if name not in known:
            raise UsageError(f"there is no place {name!r} to run tests in", help=f"there are {', '.join(known)}")
    return tuple(dict.fromkeys(names))


def is_inside(place: str) -> bool:
    """Whether this process runs on that kernel, in the virtual machine."""
    return os.environ.get(GUEST) == place


class Simulator:
    """The fixture ``vm``: calling it with a program, or with its class, simulates that until the test has ended.

    ``inputs`` are those of :meth:`beespace.Program.simulate`; with ``debug`` programs run in a debugger on standard
    input, unless they say which.  The methods are for all that the test simulates.
    """

    def __init__(self, probes: list[Program], debug: bool = False) -> None:
        self._probes, self._debug = probes, debug

    def __call__(self, program: P | type[P], **inputs: Any) -> P:
        if self._debug and "debug" not in inputs:
            from beespace.testing.debugger import Debugger

            inputs["debug"] = Debugger()
        probe = _instance(program).simulate(**inputs)
        self._probes.append(probe)
        return probe

    @property
    def machines(self) -> list[Machine]:
        """What they run in, a :class:`beespace.vm.Machine` each."""
        return [machine_of(probe) for probe in self._probes]

    def advance(self, nanoseconds: int) -> None:
        """Time goes by: timers that are due meanwhile call what they should."""
        for machine in self.machines:
            machine.timers.advance(nanoseconds)

    def change(self, **inputs: Any) -> None:
        """Other inputs from now on, as ``pid=8`` (fields of :class:`beespace.vm.Inputs`)."""
        for machine in self.machines:
            for name, value in inputs.items():
                if name.startswith("_") or name not in Inputs.__annotations__:
                    known = ", ".join(each for each in Inputs.__annotations__ if not each.startswith("_"))
                    raise UsageError(f"a simulation has no input {name!r}", help=f"its inputs: {known}")
                setattr(machine.inputs, name, value)

    @property
    def printed(self) -> list[str]:
        """What was written to the kernel's trace (``print()``, ``bpf_trace_printk``), line by line."""
        return [line for machine in self.machines for line in machine.printed]


class Kernel:
    """The fixture ``kernel``: calling it with a program, or its class, loads that until the test has ended.

    Nothing is attached: ``probe.test_run``, or ``probe.attach(method, ...)``.  ``where`` is that of
    :meth:`beespace.Program.load`.
    """

    def __init__(self, probes: list[Program]) -> None:
        self._probes = probes

    def __call__(self, program: P | type[P], **where: Any) -> P:
        try:
            probe = _instance(program).load(**where)
        except NotSupported as error:
            if os.environ.get(GUEST):  # a kernel that somebody asked for by name
                pytest.fail(f"on Linux {os.environ[GUEST]}: {error}", pytrace=False)
            raise
        self._probes.append(probe)
        return probe


def skipped(item: pytest.Item, error: NotPermitted | NotSupported) -> None:
    """End the test: this kernel, or this user, cannot."""
    item.user_properties.append((NOT_HERE, str(error)))
    pytest.skip(str(error))


def machine_of(probe: Program) -> Machine:
    """The machine of a simulated program."""
    method = next(iter(probe.declaration().functions))
    for each in probe.declaration().programs.values():
        method = each.method
        break
    machine: Machine = probe.program(method).machine
    return machine


def _instance(program: P | type[P]) -> P:
    if isinstance(program, type):
        return program()
    return program
