"""What the running kernel defines and a program reads: options that it was built with, and its variables.

Each is declared in the class and found when the object is loaded (libbpf's ``__kconfig`` and ``__ksym``).
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar, overload

from beespace.lang.maps.declaration import kernel_only
from beespace.schema import Kind, TextKind
from beespace.schema.kinds import as_kind, kind_size

__all__ = ["KernelConfig", "KernelVariable", "PerCpuVariable", "kconfig"]

T = TypeVar("T")


class KernelConfig:
    """What :func:`kconfig` gives, until the class is compiled."""

    def __init__(self, name: str, kind: Kind | None) -> None:
        self.name = name
        self.kind = kind


def kconfig(name: str, kind: Any = None) -> Any:
    """An option that the kernel was built with: ``hz: u32 = kconfig("CONFIG_HZ")``, of the annotation's type.

    ``bool`` for options that are set or not, an integer, or a text: ``kconfig("CONFIG_DEFAULT_HOSTNAME", text(32))``.
    One that is not set reads as zero.  ``LINUX_KERNEL_VERSION`` is the version as the kernel writes it, ``0x060c00``
    for 6.12.
    """
    found = as_kind(kind) if kind is not None else None
    if not name.startswith(("CONFIG_", "LINUX_")):
        raise TypeError(f"kconfig() takes the name of an option, as CONFIG_HZ; got {name!r}")
    if kind is not None and (not isinstance(found, TextKind) or not kind_size(found)):
        raise TypeError(f"kconfig() takes the annotation's type, or text(n); got {kind!r}")
    return KernelConfig(name, found)


class KernelVariable(Generic[T]):
    """A variable of the kernel by name, one for the whole system: ``self.name.value``.

    ``KernelVariable("jiffies", u64)``; the type is an integer or a kernel struct (``value`` is then a pointer to it).
    The address comes from /proc/kallsyms; what stands there is read by bpf_probe_read_kernel, Linux 5.5.
    """

    @overload
    def __init__(self, name: str, type: type[T]) -> None: ...
    @overload
    def __init__(self, name: str, type: T) -> None: ...
    def __init__(self, name: str, type: Any) -> None:
        self.name = name
        self.type = type

    @property
    def value(self) -> T:
        """Kernel only: what it is now."""
        raise kernel_only("value")


class PerCpuVariable(Generic[T]):
    """A variable of the kernel that each CPU has its own of: ``PerCpuVariable("runqueues", rq)``.  Linux 5.10."""

    @overload
    def __init__(self, name: str, type: type[T]) -> None: ...
    @overload
    def __init__(self, name: str, type: T) -> None: ...
    def __init__(self, name: str, type: Any) -> None:
        self.name = name
        self.type = type

    def here(self) -> T:
        """Kernel only: this CPU's, an integer or a pointer to the struct.  bpf_this_cpu_ptr."""
        raise kernel_only("here()")

    def on(self, cpu: int) -> T | None:
        """Kernel only: that CPU's, or None if there is no such CPU.  bpf_per_cpu_ptr."""
        raise kernel_only("on()")
