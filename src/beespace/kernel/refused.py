"""Why a program was refused: the verifier's words, the line of source, or the CO-RE record behind it."""

from __future__ import annotations

import errno

from beespace.errors import KernelError, NotSupported, RelocationError, VerifierError
from beespace.hooks import Hook
from beespace.isa.helpers import BY_NUMBER
from beespace.kernel.newer import missing_callback_lock, missing_instruction, missing_stack_access
from beespace.kernel.symbols import MISSING_KFUNC
from beespace.kernel.verdict import read_log
from beespace.reloc import Report
from beespace.reloc.image import Image

__all__ = ["explain", "missing_hook"]

_FIRST_OF_ITS_KIND = 37  # BPF_XDP, enum bpf_attach_type: those before are as old as the oldest kernel
_UNKNOWN = (errno.EINVAL, errno.E2BIG)
_TRACING = 26  # BPF_PROG_TYPE_TRACING, enum bpf_prog_type
# Helpers that programs of a type may call since a later kernel than the one that brought the helper.
_ALLOWED_SINCE = {
    ("sk_storage_get", _TRACING): "5.11",  # 8e4597c627fb
    ("sk_storage_delete", _TRACING): "5.11",
}


def missing_hook(error: KernelError, hook: Hook) -> NotSupported | None:
    """The error to raise instead of ``error`` if this kernel does not know the hook, or that its programs may sleep.

    Such a kernel refuses the attach type or the flag before it looks at the program, or takes it for another type's.
    """
    if isinstance(error, VerifierError):
        unknown = (hook.sleepable and "can be sleepable" in error.log) or (
            hook.link == "tracing_multi" and "must provide btf_id" in error.log
        )
    else:
        unknown = error.errno in _UNKNOWN and (hook.sleepable or hook.attach_type >= _FIRST_OF_ITS_KIND)
    if not unknown:
        return None
    return NotSupported(
        f"programs of section {hook.section!r}", since=hook.since, call=error.call, errno=error.errno,
        help="beespace doctor says what it has",
    )  # fmt: skip


def explain(
    error: VerifierError, image: Image, report: Report, hook: Hook
) -> VerifierError | RelocationError | NotSupported:
    """The error to raise instead of ``error``, which came without knowledge of the object and the program's hook.

    A call that cannot be stands where a CO-RE relocation could not be met, or a weak kernel function is
    missing.  If that is what the verifier stopped at, the program used what this kernel does not have; so it
    did if it calls a helper by a number that exists, but not here, or not for this kind of program.
    """
    verdict = read_log(error.log)
    source = (image.source(verdict.index) if verdict.index is not None else None) or error.source
    where = f", at {source}" if source else ""
    if verdict.called is not None:
        weak = verdict.called - MISSING_KFUNC
        if 0 <= weak < len(image.symbols):
            return RelocationError(
                f"program {image.name!r} calls {image.symbols[weak].symbol}(), which this kernel does not have{where}",
                help="test whether it is there before the call: bpf_ksym_exists()",
            )
        if verdict.index is not None:
            function, index = image.locate(verdict.index)
            missing = report.poisoned(function.name, index)
            if missing is not None:
                reason = f" ({missing.reason})" if missing.reason else ""
                return RelocationError(
                    f"program {image.name!r} uses {missing.what}, which this kernel does not have{reason}{where}",
                    help="test for it before: bpf_core_field_exists() or bpf_core_type_exists()",
                )
        helper = BY_NUMBER.get(verdict.called)
        if helper is not None:
            unknown = "invalid func" in verdict.reason
            hint = "" if unknown else "programs of this kind, or with these rights, may not; "
            return NotSupported(
                f"bpf_{helper.name}() in program {image.name!r}{where}",
                since=helper.since if unknown else _ALLOWED_SINCE.get((helper.name, hook.program_type)),
                help=f"{hint}beespace doctor says what is missing here",
            )
    newer = (
        missing_instruction(error, image.code)
        or missing_stack_access(error)
        or missing_callback_lock(error, image.code)
    )
    return newer or VerifierError(
        error.program, errno=error.errno, log=error.log, reason=verdict.reason or error.reason, source=source,
        lines=image.lines,
    )  # fmt: skip
