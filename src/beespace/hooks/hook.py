"""``Hook``: one kind of attach point, and ``Context``: how a program's argument is read."""

from __future__ import annotations

from beespace.enumeration import Enum
from beespace.record import dataclass

__all__ = ["Attachment", "Context", "Hook"]


class Context(Enum):
    """How the program's single argument (r1) is read."""

    STRUCT = "struct"  # a UAPI struct that the verifier rewrites; field offsets are fixed
    TRACEPOINT = "tracepoint"  # trace_event_raw_<event> from BTF, fields by name
    ARGUMENTS = "arguments"  # an array of 64-bit slots, typed by a prototype in BTF
    RAW_ARGUMENTS = "raw arguments"  # the same slots; pointers are untrusted
    ITERATOR = "iterator"  # bpf_iter__<target> from BTF: trusted pointers, may be null
    REGISTERS = "registers"  # struct pt_regs of the architecture, at function entry or return
    REPLACED = "replaced"  # the arguments of the BPF function that is replaced
    CALLER = "caller"  # whatever who runs the program hands in (BPF_PROG_TEST_RUN)


@dataclass(frozen=True, slots=True)
class Hook:
    """One kind of attach point.

    ``section`` is the part of the ELF section name before the target.  ``verdict`` is what a program
    returns when its author returns nothing: the value that lets things pass.  ``capabilities`` are needed
    besides CAP_BPF.  ``since`` is the first kernel.  ``takes_target``: the section may go on with ``/`` and
    what to attach to.  ``link`` names the way to attach (a key of ``kernel.links``; ``""``: it is not attached
    but used, as a socket filter is by ``setsockopt``).  ``sleepable``: loaded with ``BPF_F_SLEEPABLE``;
    ``fragments``: loaded with ``BPF_F_XDP_HAS_FRAGS``.  ``any_attach_type``: kernels that do not know the
    attach type yet take the program without it.
    """

    name: str
    section: str
    program_type: int
    attach_type: int
    context: Context
    context_type: str
    verdict: int
    since: str
    capabilities: tuple[str, ...]
    doc: str
    link: str = ""
    takes_target: bool = False
    sleepable: bool = False
    fragments: bool = False
    any_attach_type: bool = False


@dataclass(frozen=True, slots=True)
class Attachment:
    """A section name taken apart: its hook, and the target (``""`` when it names none)."""

    hook: Hook
    target: str

    @property
    def section(self) -> str:
        return f"{self.hook.section}/{self.target}" if self.target else self.hook.section
