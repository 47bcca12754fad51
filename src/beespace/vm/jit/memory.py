"""``NativeMemory``: the same regions, of which native code can reach some by itself.

Native code looks into the slots of the state, and asks for what it does not find there.  Invariant: what a slot says
holds until native code has asked Python for something; while it stands there, its bytes are pinned.
"""

from __future__ import annotations

from beespace.vm.jit import layout
from beespace.vm.jit.native import Native, Pinned
from beespace.vm.memory import Memory, Region, Rights, Violation

__all__ = ["NativeMemory"]

_WIDTHS = (1, 2, 4, 8)
_NONE = (0, 0, 0, 0)


class NativeMemory(Memory):
    """``block`` is the state (:mod:`beespace.vm.jit.layout`) as bytes, ``words`` as words."""

    def __init__(self, native: Native) -> None:
        self._native = native
        self.block = memoryview(bytearray(layout.SIZE))
        self.words = self.block[: layout.SLOTS].cast("Q")
        self._own = native.pin(self.block)
        self._pinned: dict[int, Pinned] = {}
        self._stacks = [Region("the stack", 0, bytearray(), Rights.BOTH) for _ in range(layout.MAX_FRAMES)]
        for level, region in enumerate(self._stacks):
            region.data = self.block[layout.STACKS + level * layout.STACK :][: layout.STACK]
        super().__init__()
        self.words[layout.STACKS_AT] = self.address + layout.STACKS

    @property
    def address(self) -> int:
        """Where the state is in this process."""
        return self._own.address

    @property
    def _next(self) -> int:
        return self.words[layout.NEXT]

    @_next.setter
    def _next(self, number: int) -> None:
        self.words[layout.NEXT] = number

    def find(self, address: int) -> Region | None:
        region = super().find(address)
        return self._stack(address >> 32) if region is None else region

    def _stack(self, number: int) -> Region | None:
        """The stack of a function that runs in native code."""
        for level in range(self.words[layout.DEPTH]):
            word = self.words[layout.FRAMES + level]
            if word & ~layout.UNTOUCHED == number and word:
                region = self._stacks[level]
                region.base = (number << 32) + (1 << 31)
                if word & layout.UNTOUCHED:
                    self.words[layout.FRAMES + level] = number
                    region.data[:] = bytes(layout.STACK)
                return region
        return None

    def remove(self, region: Region) -> None:
        super().remove(region)
        self._hide(region.base >> 32)

    def move(self, region: Region, base: int, data: memoryview) -> None:
        self._hide(region.base >> 32)
        super().move(region, base, data)

    def remove_stack(self, level: int) -> None:
        """The stack of a function that another program took the place of."""
        number = self.words[layout.FRAMES + level] & ~layout.UNTOUCHED
        self.words[layout.FRAMES + level] = 0
        self._clear(number)

    def hide_all(self) -> None:
        """Nothing is pinned any more."""
        for number in list(self._pinned):
            self._hide(number)

    def _hide(self, number: int) -> None:
        if self._pinned.pop(number, None) is not None:
            self._clear(number)

    def _clear(self, number: int) -> None:
        place = layout.slot_of(number)
        base = int.from_bytes(self.block[place : place + 8], "little")
        if base >> 32 == number:
            layout.SLOT.pack_into(self.block, place, 0, 0, *_NONE, *_NONE)

    def reach(self, address: int, which: int) -> bool:
        """Let native code reach an address, for the use that the limit of that number is for; whether it may."""
        width, right = _WIDTHS[which % 4], Rights.WRITE if which >= 4 else Rights.READ
        try:
            region, _ = self.locate(address, width, right)
        except Violation:
            return False
        if not isinstance(region.data, bytearray | memoryview):  # an arena, of which only some pages are there
            return False
        number = region.base >> 32
        limits = layout.limits(len(region.data))
        reads = limits if Rights.READ in region.rights else _NONE
        writes = limits if Rights.WRITE in region.rights else _NONE
        layout.SLOT.pack_into(
            self.block, layout.slot_of(number), region.base, self._host(region, number), *reads, *writes
        )
        return True

    def _host(self, region: Region, number: int) -> int:
        if region in self._stacks:
            return self.words[layout.STACKS_AT] + self._stacks.index(region) * layout.STACK
        if number not in self._pinned:
            self._pinned[number] = self._native.pin(region.data)
        return self._pinned[number].address
