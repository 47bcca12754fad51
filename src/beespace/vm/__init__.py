"""A machine that runs BPF programs anywhere: no kernel, no root, no Linux.

May import: ``elf``, ``reloc``, ``spec``, ``hooks``, ``isa``, ``btf``, ``errors`` and the standard library.  Invariants:
no system call; the same program, memory and :class:`Inputs` give the same result on every machine; a program, verified
or not, reads and writes nothing but the memory that it was given.

It is an interpreter, slow and plain on purpose: its code is meant to be read as the definition of what a program
does.  ``arithmetic`` and ``instructions`` are the instruction set (RFC 9669 with all its conformance groups, and what
Linux has besides), ``memory`` the address space, ``run`` the calls; ``helpers`` and ``maps`` are what the kernel has
for programs, ``machine`` holds them together, and ``loading`` puts an object into one.
"""

from beespace.vm.code import Code
from beespace.vm.inputs import Inputs
from beespace.vm.loading import Loaded, load
from beespace.vm.machine import Machine, Outcome
from beespace.vm.memory import Memory, Region, Rights
from beespace.vm.packet import Packet
from beespace.vm.run import Run

__all__ = ["load", "Loaded", "Machine", "Code", "Outcome", "Run", "Inputs", "Packet", "Memory", "Region", "Rights"]
