"""``Timers``: what programs asked to be called back for, and the time that makes it due."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.errors import ProgramFault
from beespace.vm.errno import Errno, Refused
from beespace.vm.memory import Violation

if TYPE_CHECKING:
    from beespace.vm.machine import Machine

__all__ = ["Timers"]


class _Timer:
    __slots__ = ("callback", "due", "map")

    def __init__(self, map: int) -> None:
        self.map, self.callback = map, 0
        self.due: int | None = None


class Timers:
    """By the address of their ``struct bpf_timer``, which stands in a map's value (Linux 5.15)."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._timers: dict[int, _Timer] = {}

    def create(self, address: int, map: int) -> None:
        """``bpf_timer_init``; ``EBUSY`` if it was."""
        if address in self._timers:
            raise Refused(Errno.EBUSY)
        self._timers[address] = _Timer(map)

    def set_callback(self, address: int, callback: int) -> None:
        """``bpf_timer_set_callback``; ``EINVAL`` for a timer that there is not."""
        self._find(address).callback = callback

    def start(self, address: int, due: int) -> None:
        """``bpf_timer_start``, or start it again."""
        timer = self._find(address)
        if not timer.callback:
            raise Refused(Errno.EINVAL)
        timer.due = due

    def cancel(self, address: int) -> bool:
        """``bpf_timer_cancel``: whether it was started."""
        timer = self._find(address)
        was, timer.due = timer.due is not None, None
        return was

    def _find(self, address: int) -> _Timer:
        if address not in self._timers:
            raise Refused(Errno.EINVAL)
        return self._timers[address]

    def advance(self, nanoseconds: int) -> int:
        """Time goes by, and callbacks are called when they are due; how many were."""
        inputs = self._machine.inputs
        end, called = inputs.time + nanoseconds, 0
        while True:
            due = [(timer.due, address) for address, timer in self._timers.items() if timer.due is not None]
            if not due or min(due)[0] > end:
                inputs.time = end
                return called
            time, address = min(due)
            inputs.time = max(inputs.time, time)
            self._fire(address)
            called += 1

    def _fire(self, address: int) -> None:
        timer = self._timers[address]
        timer.due = None
        map = self._machine.map(timer.map)
        region = self._machine.memory.find(address)
        found = [key for key, element in map.elements(self._machine.inputs.cpu) if element.region is region]
        if region is None or not found:  # its element is gone, and with it the timer
            del self._timers[address]
            return
        run = self._machine.begin()
        with self._machine.lent("a key", found[0]) as key:
            try:
                run.callback(timer.callback, timer.map, key, region.base)
            except Violation as violation:  # a fault of the callback's own instructions says where
                raise ProgramFault("a timer's callback", str(violation)) from None
