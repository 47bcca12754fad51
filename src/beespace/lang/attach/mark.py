"""What a decorator writes on a method: where it attaches, and what is tried when that is not to be had.

A decorated method is compiled, never called by Python.  It stays the plain function that it was,
with its section name in ``__beespace_section__`` (``""`` for a sub-program).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType, MappingProxyType
from typing import Any, TypeVar

from beespace.hooks import HOOKS, Attachment, by_name
from beespace.record import dataclass

_F = TypeVar("_F", bound=Callable[..., Any])

SECTION = "__beespace_section__"
OPTIONAL = "__beespace_optional__"
VARIANTS = "__beespace_variants__"

_NOWHERE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to attach a method: an ELF section, and what ``start()`` need not be told any more.

    ``where`` has the names of :class:`beespace.kernel.links.Where`.  ``context`` is the hook whose context a replaced
    function gets.
    """

    section: str
    where: Mapping[str, Any] = _NOWHERE
    context: str = ""


class Decorator:
    """What a hook's word gives: put before a method, it has the method run in the kernel."""

    def __init__(self, *variants: Variant, optional: bool | str = False) -> None:
        self.variants = variants
        self.optional = optional

    def otherwise(self, other: Decorator) -> Decorator:
        """The same method at another hook, on kernels where it cannot be loaded or attached at this one.

        ``@fentry("vfs_read").otherwise(kprobe("vfs_read"))``: the method is compiled for each; the first
        that this kernel takes is used, and :meth:`Program.explain <beespace.Program.explain>` says which and why.
        """
        return Decorator(*self.variants, *other.variants, optional=self.optional or other.optional)

    def __call__(self, method: _F) -> _F:
        marked_once(method)
        setattr(method, SECTION, self.variants[0].section)
        setattr(method, VARIANTS, self.variants)
        if self.optional:
            setattr(method, OPTIONAL, "" if self.optional is True else self.optional)
        return method


def marked_once(method: Callable[..., Any]) -> None:
    """A method runs at one place: a second decorator would take the first one's without a word."""
    if not isinstance(method, FunctionType):
        raise TypeError(
            f"a {type(method).__name__} cannot run in the kernel: put the decorator on a plain method, `def`"
        )
    if hasattr(method, SECTION):
        name = getattr(method, "__name__", "the method")
        raise TypeError(
            f"{name}() has two decorators that say where it runs; write a method for each hook that calls one @function"
            " for both, or @first.otherwise(second) for alternatives"
        )


def told(**where: Any) -> Mapping[str, Any]:
    """What was given of ``where``: None, False and empty texts mean that it was not."""
    return {name: value for name, value in where.items() if value is not None and value is not False and value != ""}


def targeted(hook: str, target: str, *, optional: bool | str = False, **where: Any) -> Decorator:
    """A hook whose section says what it attaches to."""
    word = hook.removesuffix(".s").removesuffix(".w").replace(".", "_")
    if not isinstance(target, str) or not target:
        raise TypeError(f"@{word} takes the name of what it attaches to, as a text; got {target!r}")
    return Decorator(Variant(Attachment(by_name(hook), target).section, told(**where)), optional=optional)


def plain(hook: str, *, optional: bool | str = False, **where: Any) -> Decorator:
    """A hook whose section names no target."""
    return Decorator(Variant(by_name(hook).section, told(**where)), optional=optional)


def variant(decorator: str, name: str, *, optional: bool | str = False, **where: Any) -> Decorator:
    """One hook of a family: ``cgroup_sock`` has ``create``, ``post_bind4``, ..."""
    known = [hook.name.partition("/")[2] for hook in HOOKS if hook.name.startswith(decorator + "/")]
    if name not in known:
        raise TypeError(f"@{decorator} takes one of {', '.join(known)}; got {name!r}")
    return plain(f"{decorator}/{name}", optional=optional, **where)


def bare(decorator: Decorator, method: _F | None) -> Any:
    """``@xdp`` before a method, or what ``@xdp(interface="eth0")`` gives."""
    if method is not None and not callable(method):
        word = decorator.variants[0].section.split("/")[0].split(".")[0]
        raise TypeError(f"this decorator (section {word}) takes what it is told by name, as interface=; got {method!r}")
    return decorator if method is None else decorator(method)


def sleeping(hook: str, sleepable: bool) -> str:
    """The name of a hook, or that of its variant that may sleep."""
    return f"{hook}.s" if sleepable else hook
