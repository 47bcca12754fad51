"""Which helper functions programs of a type may call, by what the verifier says to a call."""

from __future__ import annotations

import re
from collections.abc import Iterator

from beespace.errors import VerifierError
from beespace.isa import Insn, ProgramType
from beespace.isa.helpers import HELPERS
from beespace.kernel.features.feature import Feature, attempt
from beespace.kernel.features.program_types import Smallest, smallest

_CALL = 0x85

# What the verifier says before it looks at any argument (kernel/bpf/verifier.c, check_helper_call):
# no such number; not for this program type (three spellings); not at this attach point (two).
_REFUSED = re.compile(
    r"invalid func |unknown func |program of this type cannot use helper|helper call is not allowed in probe"
    r"|func \S+ (?:not supported for program type|supported only for)"
)


def helper(program_type: int, name: str, like: Smallest | None = None) -> Feature:
    """Whether programs of a type may call helper ``name`` (without ``bpf_``); ``KeyError`` for an unknown name.

    ``like`` asks for another attach type or target than the usual one of the type.  ``ValueError`` for
    extensions, which may call what the program that they extend may call.
    """
    if program_type == ProgramType.EXT:
        raise ValueError("extensions may call what the program that they extend may call")
    call = Insn(_CALL, imm=HELPERS[name].number)
    label = f"{name} in {ProgramType(program_type).name.lower()}"
    return attempt("helper", label, lambda: _call(program_type, call, like), like)


def helpers(program_type: int, like: Smallest | None = None) -> Iterator[Feature]:
    """Every helper that beespace knows by name."""
    for name in HELPERS:
        yield helper(program_type, name, like)


def _call(program_type: int, call: Insn, like: Smallest | None) -> None:
    try:
        smallest(program_type, like=like, before_exit=(call,), sets_r0=False).close()
    except VerifierError as error:
        # Any other complaint is about arguments, which the verifier reads only once it knows the function.
        if _REFUSED.search(error.log):
            raise
