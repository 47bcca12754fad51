"""The only door to the operating system: ``bpf(2)``, perf events, memory maps, detached mounts.

May import: ``errors`` and the standard library; ``ctypes``, ``mmap``, ``fcntl`` and ``resource`` are imported
nowhere else in beespace.  Invariant: :func:`beespace.syscall.door.issue` is the only function that makes a
system call that Python itself has no function for, so :mod:`beespace.syscall.fake` can stand in for the kernel
by swapping that one name.

Functions here are as low as the kernel's own interface: numbers, bytes and file descriptors go in, a
:class:`Descriptor`, bytes or a frozen dataclass comes out, and a refusal is a
:class:`~beespace.errors.KernelError` in plain words (``NotPermitted`` says which right is missing).
"""

from beespace.syscall.descriptor import Descriptor, HasFileno

__all__ = ["Descriptor", "HasFileno"]
