"""The machine's other way to run programs: through LLVM, as native code, with the same result of everything.

:mod:`~beespace.vm.jit.emit` writes a program in LLVM's language, and a :class:`~beespace.vm.jit.native.Native`, which
is given, makes functions of that.  These do arithmetic, jumps, calls of sub-programs and accesses to memory; they
check each access as the interpreter does, and count instructions, a block at a time.  For helper functions, and
wherever something is not as it should be, they call the interpreter: every fault is worded once, every helper is
written once.
"""

from beespace.vm.jit.native import Native
from beespace.vm.jit.run import Jit

__all__ = ["Jit", "Native"]
