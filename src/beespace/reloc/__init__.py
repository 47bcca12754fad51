"""CO-RE: makes an object that was compiled against one kernel's types fit another kernel's.

May import: ``spec``, ``btf``, ``isa`` and ``errors``.  Invariant: a pure function of the object and the
target types; what cannot be met is either poisoned and named in the report, or an error, never a guess.

The rules are those of libbpf (documented at docs.kernel.org/bpf/libbpf and in
include/uapi/linux/bpf.h at ``struct bpf_core_relo``), so that an object behaves the same under either loader.
``image`` puts a program and the sub-programs that it reaches together.
"""

from beespace.reloc.relocate import relocate
from beespace.reloc.report import POISON, Relocation, Report

__all__ = ["relocate", "Report", "Relocation", "POISON"]
