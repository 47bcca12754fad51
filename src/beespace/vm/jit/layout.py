"""What native code and Python share: one block of memory, in words of eight bytes and slots of 64.

Words first; then slots, which say where some regions are in this process; then a stack for each function that runs.
"""

from __future__ import annotations

from struct import Struct

__all__ = [
    "CALLBACKS", "CONSTANTS", "DEPTH", "FRAMES", "LEFT", "MAX_FRAMES", "NEXT", "REGISTERS", "ROUNDS", "SIZE", "SLOT",
    "SLOTS", "SLOT_COUNT", "SLOT_SIZE", "STACK", "STACKS", "STACKS_AT", "UNTOUCHED", "WRITTEN", "limits",
    "slot_of",
]  # fmt: skip

MAX_FRAMES = 16  # as Run has
STACK = 512  # as Frame has

# Places of words, counted in words.
REGISTERS = 0  # r0 to r10, where Python looks at them or leaves some
WRITTEN = 11  # a bit for each register that somebody has written
LEFT = 12  # how many instructions may still be done
DEPTH = 14  # functions that run
NEXT = 15  # the number of the next region: Memory counts there, too
ROUNDS = 16  # of may_goto, left to the function that calls Python
CONSTANTS = 17  # address of the words that 64-bit immediates of maps and functions have come to
CALLBACKS = 18  # addresses of the functions of Python: find, assist, finish
STACKS_AT = 21  # address of the stacks
FRAMES = 24  # the number of the stack's region of each function; 0 for one that is interpreted
UNTOUCHED = 1 << 63  # beside it: the function has no use for its stack, which is not cleared yet

SLOTS = 512  # places in bytes from here on
SLOT_COUNT, SLOT_SIZE = 64, 64
STACKS = SLOTS + SLOT_COUNT * SLOT_SIZE
SIZE = STACKS + MAX_FRAMES * STACK

#: A region's first address, where that is in this process, and how many addresses may be read 1, 2, 4 and 8 bytes at a
#: time, and written.
SLOT = Struct("=QQ8I")


def slot_of(number: int) -> int:
    """The place of the slot that a region has, if no other has it: many share one."""
    return SLOTS + number % SLOT_COUNT * SLOT_SIZE


def limits(size: int) -> tuple[int, int, int, int]:
    """How many addresses of so many bytes can be used 1, 2, 4 and 8 bytes at a time."""
    return size, max(0, size - 1), max(0, size - 3), max(0, size - 7)
