"""``StructOps``: a class that implements an interface of the kernel, such as a TCP congestion control.

Methods with ``@struct_ops`` are the interface's functions, by their names; class attributes without an annotation are
its data (``name = "bee_reno"``).  What a class does not have stays null in the kernel.  The rest is a
:class:`Program`: options, maps, sub-programs, even other hooks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, overload

from beespace.errors import UsageError
from beespace.hooks import Attachment, by_name
from beespace.lang.attach import Decorator, Variant
from beespace.lang.program import Declaration, Interface, Program
from beespace.record import replace

__all__ = ["StructOps", "struct_ops"]

_F = TypeVar("_F", bound=Callable[..., Any])


class StructOps(Program):
    """An implementation of the kernel's ``struct implements``.  Linux 5.6, by a link from 6.4 on.

    ::

        class Reno(StructOps, implements="tcp_congestion_ops"):
            name = "bee_reno"

            @struct_ops
            def ssthresh(self, sk: tcp_sock) -> u32:
                return max(sk.snd_cwnd >> 1, 2)

    It is registered while an instance runs (``with Reno():``).  Subclasses may leave ``implements`` out.
    """

    implements: ClassVar[str] = ""

    def __init_subclass__(cls, *, implements: str = "", **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if implements:
            cls.implements = implements

    @classmethod
    def declaration(cls) -> Declaration:
        """As of every program, with the interface and its data."""
        if not cls.implements:
            raise UsageError(
                f"{cls.__name__} does not say which interface it implements",
                help=f'write `class {cls.__name__}(StructOps, implements="tcp_congestion_ops")`',
            )
        data: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            if issubclass(base, StructOps) and base is not StructOps:
                annotated = base.__annotations__
                for name, value in base.__dict__.items():
                    if isinstance(value, int | str | bytes) and name not in annotated and not _is_ours(name):
                        data[name] = value
        return replace(super().declaration(), interface=Interface(cls.implements, data))


def _is_ours(name: str) -> bool:
    return name.startswith("__") or name in vars(Program) or name in vars(StructOps)


@overload
def struct_ops(method: _F) -> _F: ...
@overload
def struct_ops(*, sleepable: bool = False) -> Callable[[_F], _F]: ...
def struct_ops(method: Any = None, *, sleepable: bool = False) -> Any:
    """A function of the interface that the class implements, by the method's name.

    ``sleepable``: it may sleep (Linux 6.9), where the interface allows that.
    """

    def decorate(found: _F) -> _F:
        hook = by_name("struct_ops.s" if sleepable else "struct_ops")
        return Decorator(Variant(Attachment(hook, found.__name__).section))(found)

    return decorate if method is None else decorate(method)
