"""Whose types a simulated program sees: those that were asked for, this kernel's, or those that come with the package.

A program without a kernel is compiled against some kernel's types all the same, and made-up contexts are laid out by
them.  ``$BEESPACE_BTF`` names them for a whole process: a file, or ``shipped``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType

from beespace.btf import Btf
from beespace.btf.shipped import ORIGIN, shipped
from beespace.errors import CompileError, NotSupported
from beespace.kernel import vmlinux_btf
from beespace.kernel.kernel_types import KernelTypes, kernel_types

__all__ = ["SimulatedTypes", "simulated_types"]

SHIPPED = "shipped"
_VARIABLE = "BEESPACE_BTF"
_NONE: Mapping[str, Btf] = MappingProxyType({})


class SimulatedTypes:
    """``btf`` is read when it is asked for; ``origin`` says whose it is, ``""`` for the running kernel's."""

    def __init__(self, given: str | os.PathLike[str] | bytes | Btf | None) -> None:
        self._given = given
        self._btf: Btf | None = None
        self.origin = ""
        if given == SHIPPED or (given is None and not _tells()):
            self._btf, self.origin = shipped(), ORIGIN
        elif given is not None:
            self._btf = kernel_types(given).targets()[0]
            self.origin = os.fspath(given) if isinstance(given, str | os.PathLike) else "a BTF"

    @property
    def btf(self) -> Btf:
        """The types."""
        if self._btf is None:
            self._btf = vmlinux_btf()
        return self._btf

    @property
    def modules(self) -> Mapping[str, Btf]:
        """Those of the modules beside them, which only the running kernel has."""
        return _NONE if self.origin else KernelTypes().modules

    def key(self) -> str:
        """A text that is another for other types; ``""`` for the running kernel's, whose build the cache knows."""
        if not self.origin:
            return ""
        from hashlib import blake2b

        return blake2b(self.btf.data(), digest_size=16).hexdigest()

    def explained(self, error: CompileError) -> CompileError:
        """The error, and whose types were looked at if they are not all of a kernel's."""
        if self.origin == ORIGIN and "kernel" in error.message:
            error.message += f"\n  note: compiled with the types that come with beespace: {ORIGIN}"
            error.help = (
                "give all types of a kernel: simulate(btf=FILE), or BEESPACE_BTF=FILE; FILE is a copy of its "
                "/sys/kernel/btf/vmlinux"
            )
        return error


def simulated_types(given: str | os.PathLike[str] | bytes | Btf | None = None) -> SimulatedTypes:
    """The types that ``given`` names: a BTF, a file or its content, ``"shipped"``; None: the running kernel's.

    Without a running kernel that tells its types, they are those that come with the package.  :class:`UsageError`
    and :class:`FormatError` for what holds no types.
    """
    return SimulatedTypes(given if given is not None else os.environ.get(_VARIABLE) or None)


def _tells() -> bool:
    """Whether there is a kernel that tells its types."""
    try:
        vmlinux_btf()
    except NotSupported:
        return False
    return True
