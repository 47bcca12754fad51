"""One record per attach point: section name, program type, context, verdict, what it needs.

May import: ``errors``, ``record``.  Invariant: pure data, read by the compiler (context and verdict),
the loader (types, flags and target), the verifier and the docs; adding a hook is adding a record.

Section names are those of libbpf's table, so that objects travel both ways.
"""

from __future__ import annotations

from beespace.errors import FormatError
from beespace.hooks.hook import Attachment, Context, Hook
from beespace.hooks.table import ALIASES, HOOKS

__all__ = ["ALIASES", "HOOKS", "Attachment", "Context", "Hook", "by_name", "resolve"]

_BY_NAME = {hook.name: hook for hook in HOOKS}
_BY_SECTION = {hook.section: hook for hook in HOOKS}


def by_name(name: str) -> Hook:
    """The hook of that name; ``KeyError`` if there is none."""
    return _BY_NAME[name]


def resolve(section: str) -> Attachment:
    """Take a section name apart: ``tp_btf/sched_switch`` -> (btf_tracepoint, ``sched_switch``).

    A leading ``?`` (libbpf's sign for "load it only if asked") is skipped.
    Raises :class:`FormatError` for a section that no hook has.
    """
    name = section.removeprefix("?")
    name = ALIASES.get(name, name)
    if name in _BY_SECTION:
        return Attachment(_BY_SECTION[name], "")
    prefix, _, target = name.partition("/")
    hook = _BY_SECTION.get(ALIASES.get(prefix, prefix))
    if hook is None or not hook.takes_target:
        raise FormatError(f"no hook has the section name {section!r}", help=_suggestion(section))
    return Attachment(hook, target)


def _suggestion(section: str) -> str:
    from difflib import get_close_matches

    known = [*_BY_SECTION, *ALIASES]
    prefix = section.removeprefix("?").partition("/")[0]
    near = get_close_matches(section, known, 3) or get_close_matches(prefix, known, 3)
    if prefix in _BY_SECTION and not _BY_SECTION[prefix].takes_target:
        return f"a program in section {prefix!r} has no target: write SEC({prefix!r})"
    return f"did you mean {' or '.join(near)}?" if near else "docs/loader.md lists all section names"
