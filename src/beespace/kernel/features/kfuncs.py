"""Which kernel functions programs may call (kfuncs): what the kernel lists, and what the verifier says to a call.

Since pahole 1.26 (kernels from about 6.10 on) such functions bear the tag ``bpf_kfunc`` in BTF.  Before, BTF does not
tell them from others, and only a call that is tried says it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from beespace.btf import Btf, Kind
from beespace.btf.types import DeclTag
from beespace.errors import NotSupported, VerifierError
from beespace.isa import Insn, ProgramType
from beespace.kernel.features.feature import Feature, attempt
from beespace.kernel.features.program_types import Smallest, smallest
from beespace.kernel.kernel_types import Found, kernel_types
from beespace.kernel.vmlinux import vmlinux_btf

__all__ = ["kfunc", "kfunc_names"]

_TAG = "bpf_kfunc"
_CALL, _KFUNC = 0x85, 2  # BPF_CALL, BPF_PSEUDO_KFUNC_CALL

# What the verifier says before it looks at any argument (kernel/bpf/verifier.c, fetch_kfunc_meta and its callers).
_REFUSED = re.compile(
    r"calling kernel function \S+ is not allowed|calling kernel functions? (?:is|are) not|JIT does not support calling"
    r"|JIT is required for calling|invalid kernel function|failed to find BTF for kernel function|cannot find address"
    r"|BPF_CALL uses reserved fields"  # kernels before 5.13 have no such calls
    r"|destructive kfunc calls require|invalid func unknown|unknown func|kernel function call insn offset"
)


def kfunc(name: str, program_type: int | None = None, like: Smallest | None = None) -> Feature:
    """Whether this kernel has function ``name`` for programs; with ``program_type``, whether those of it may call it.

    ``like`` asks for another attach type or target than the usual one of the type (:func:`helper` too).  Functions
    of loaded modules are found, too; calling those takes ``CAP_SYS_ADMIN``, to open the module's types.
    """
    if program_type is None:
        return attempt("kfunc", name, lambda: _listed(name))
    label = f"{name} in {ProgramType(program_type).name.lower()}"
    return attempt("kfunc", label, lambda: _call(name, program_type, like), like)


def kfunc_names() -> frozenset[str]:
    """The functions that the kernel itself (not its modules) lists for programs; empty if it does not list them."""
    return frozenset(_tagged(vmlinux_btf()))


def _tagged(types: Btf) -> Iterator[str]:
    for number in types.find_all(_TAG, Kind.DECL_TAG):
        tag = types.type(number)
        if isinstance(tag, DeclTag):
            yield types.name(tag.type)


def _find(name: str) -> Found:
    with kernel_types() as types:
        found = types.find(name, Kind.FUNC)
    if found is None:
        types.vmlinux.find(name, Kind.FUNC)  # KeyError says that there is none, and what is like it
    assert found is not None
    return found


def _listed(name: str) -> None:
    found = _find(name)
    listed = frozenset(_tagged(found.btf))
    if listed and name not in listed:
        raise NotSupported(f"calls of {name}() by programs: it is a function, but not for them")


def _call(name: str, program_type: int, like: Smallest | None) -> None:
    found = _find(name)
    with kernel_types() as types:
        # The second of an array of descriptors, whose first is that of nothing: 0 in a call is the kernel itself.
        module = () if found.module is None else (types.descriptor(found.module),) * 2
        call = Insn(_CALL, src=_KFUNC, off=1 if module else 0, imm=found.id)
        try:
            smallest(program_type, like=like, before_exit=(call,), sets_r0=False, fd_array=module).close()
        except VerifierError as error:
            # Any other complaint is about arguments, which are read only once the function is allowed.
            if _REFUSED.search(error.log):
                raise
