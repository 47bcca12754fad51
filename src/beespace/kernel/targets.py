"""What a program attaches to when the kernel wants it as a BTF type id at load time."""

from __future__ import annotations

from collections.abc import Callable

from beespace.btf import Btf
from beespace.btf.kinds import Kind
from beespace.errors import RelocationError
from beespace.hooks import Attachment

__all__ = ["attach_btf_id"]

_TRACING, _LSM = 26, 29  # enum bpf_prog_type
# (program type, attach type) -> prefix of the type's name, its kind, what it is called.
# The prefixes are those of include/linux/btf_ids.h and libbpf.
_NAMED = {
    (_TRACING, 23): ("btf_trace_", Kind.TYPEDEF, "tracepoint"),
    (_TRACING, 24): ("", Kind.FUNC, "function"),  # fentry
    (_TRACING, 25): ("", Kind.FUNC, "function"),  # fexit
    (_TRACING, 26): ("", Kind.FUNC, "function"),  # fmod_ret
    (_TRACING, 28): ("bpf_iter_", Kind.FUNC, "iterator"),
    (_LSM, 27): ("bpf_lsm_", Kind.FUNC, "LSM hook"),
}


def attach_btf_id(attachment: Attachment, btf: Callable[[], Btf]) -> int:
    """The id in vmlinux BTF of what ``attachment`` names; 0 for hooks that need none.

    Raises :class:`RelocationError` with what it may have meant.  Modules are not searched.
    """
    found = _NAMED.get((attachment.hook.program_type, attachment.hook.attach_type))
    if found is None:
        return 0
    prefix, kind, what = found
    types = btf()
    ids = types.find_all(prefix + attachment.target, kind)
    if ids:
        return ids[0]
    near: list[str] = []
    if prefix:
        from difflib import get_close_matches

        names = [name.removeprefix(prefix) for name, _ in types.with_prefix(prefix, kind)]
        near = get_close_matches(attachment.target, names, 3)
    raise RelocationError(
        f"this kernel has no {what} {attachment.target!r}",
        help=f"did you mean {' or '.join(near)}?" if near else "it may be part of a module, or of another kernel",
    )
