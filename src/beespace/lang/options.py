"""Options: typed class attributes, constant to the kernel, settable when the program is made.

Invariant: a default, a keyword argument and a word of the command line go through the same check.
"""

from __future__ import annotations

from typing import Any, get_type_hints

from beespace.errors import UsageError
from beespace.lang.kernel_variables import KernelConfig
from beespace.record import dataclass, replace
from beespace.schema import BytesKind, Kind, TextKind
from beespace.schema.codec import pack, unpack
from beespace.schema.kinds import as_kind, has_pointer, is_variable, kind_name, kind_size

__all__ = ["Option", "check", "option", "options_of", "with_default"]


@dataclass(frozen=True, slots=True)
class Option:
    """One option: ``default`` as user space sees it; ``help`` is for the command line."""

    name: str
    kind: Kind
    default: Any
    help: str = ""


@dataclass(frozen=True, slots=True)
class _Declared:
    """What :func:`option` gives, until the class is taken apart."""

    kind: Kind | None
    default: Any
    help: str


def option(kind: Any, default: Any, *, help: str = "") -> Any:
    """An option whose annotation does not say its size, ``path: Text = option(text(64), "/usr/")``, or with a ``help``.

    Other options are plain attributes: ``limit: u32 = 10``, ``verbose: bool = False``, ``state: State = State.OPEN``.
    """
    found = as_kind(kind)
    if found is None or not kind_size(found) or is_variable(found) or has_pointer(found):
        raise TypeError(f"option() takes a type from beespace.types, text(n), raw(n), array(t, n) ...; got {kind!r}")
    return _Declared(found, default, help)


def check(owner: str, name: str, kind: Kind, value: Any) -> Any:
    """``value`` as user space will see it; :class:`UsageError` if it does not fit ``kind``."""
    try:
        return unpack(kind, pack(kind, value))
    except (UsageError, TypeError, ValueError) as error:
        reason = error.args[0] if isinstance(error, UsageError) else f"{value!r} is no {kind_name(kind)}"
        raise UsageError(f"{reason}: option {name!r} of {owner}") from error


def options_of(base: type) -> dict[str, Option]:
    """The options that one class declares."""
    options: dict[str, Option] = {}
    resolved = _annotations(base)
    for name in base.__annotations__:
        value = base.__dict__.get(name)
        if name not in base.__dict__ or isinstance(value, KernelConfig):
            continue
        if isinstance(value, _Declared) and value.kind is not None:
            options[name] = Option(name, value.kind, check(base.__name__, name, value.kind, value.default), value.help)
            continue
        kind = as_kind(resolved.get(name))
        if kind is None:
            continue
        if isinstance(kind, (TextKind, BytesKind)) and not kind.size:
            example = "option(text(64), ...)" if isinstance(kind, TextKind) else "option(raw(6), ...)"
            raise TypeError(f"{base.__name__}.{name} has no size: write `{name}: ... = {example}`")
        options[name] = Option(name, kind, check(base.__name__, name, kind, value))
    return options


def with_default(inherited: Option, owner: str, default: Any) -> Option:
    """An option of a base class whose default a subclass has changed: ``limit = 9``."""
    return replace(inherited, default=check(owner, inherited.name, inherited.kind, default))


def _annotations(base: type) -> dict[str, Any]:
    """The annotations of one class; texts are what they name."""
    if not base.__annotations__:
        return {}
    try:
        return get_type_hints(base)
    except NameError as error:
        raise UsageError(
            f"the annotations of {base.__name__} name {error.name}, which is not there while the program runs",
            help="import it outside of `if TYPE_CHECKING:`, at the top of the module",
        ) from error
