"""BPF object files: ``.bpf.o`` to :class:`~beespace.spec.ObjectSpec` and back.

May import: ``spec``, ``hooks``, ``isa``, ``btf``, ``errors`` and the standard library.  Invariant: pure.
:func:`read` takes bytes and never touches a file or the kernel; whatever the bytes are, it answers
with a spec or with a :class:`~beespace.errors.FormatError`, in time and memory linear in their number.

The dialect is libbpf's (``SEC()`` program sections, BTF-defined maps in ``.maps``, globals in ``.data``,
``.rodata`` and ``.bss`` and in an arena, externs in ``.ksyms`` and ``.kconfig``, kernel interfaces in
``.struct_ops``, tables of jump targets), as clang and LLVM emit it, in either byte order.
``write(read(data))`` is a canonical object that libbpf loads, and ``read(write(spec)) == spec``.
"""

from __future__ import annotations

from beespace.elf.read import read
from beespace.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from beespace.elf.writing import write

__all__ = ["read", "write"]


def __getattr__(name: str) -> Any:
    """What loading does not need is imported when it is asked for."""
    if name == "write":
        from beespace.elf.writing import write

        return write
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
