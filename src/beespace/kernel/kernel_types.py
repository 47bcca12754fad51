"""``KernelTypes``: the types of the running kernel and of its modules, each read when something needs it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

from beespace.btf import Btf
from beespace.btf.kinds import Kind
from beespace.errors import KernelError, NotSupported, UsageError
from beespace.kernel.vmlinux import vmlinux_btf
from beespace.record import dataclass
from beespace.syscall import Descriptor, bpf
from beespace.syscall.small_files import read_bytes
from beespace.typed import TYPE_CHECKING, Self, overload

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Found", "KernelTypes", "kernel_types"]

_DIRECTORY = "/sys/kernel/btf"


@dataclass(frozen=True, slots=True)
class Found:
    """A type: ``id`` in ``btf``, which is that of ``module`` (``None``: of the kernel itself)."""

    btf: Btf
    id: int
    module: str | None


class Modules(Mapping[str, Btf]):
    """The types of the modules that are loaded, by name (Linux 5.11); each is read on first need."""

    def __init__(self, types: KernelTypes) -> None:
        self._types = types
        self._names: tuple[str, ...] | None = None
        self._read: dict[str, Btf] = {}

    def __iter__(self) -> Iterator[str]:
        if self._names is None:
            try:
                self._names = tuple(sorted(name for name in os.listdir(_DIRECTORY) if name != "vmlinux"))
            except OSError:  # no sysfs here, or a kernel that tells nothing
                self._names = ()
        return iter(self._names)

    def __len__(self) -> int:
        return len(tuple(iter(self)))

    def __getitem__(self, name: str) -> Btf:
        if name not in self._read:
            if name not in tuple(self):
                raise KeyError(f"no module {name!r} with type information is loaded")
            self._read[name] = Btf(read_bytes(f"{_DIRECTORY}/{name}"), self._types.vmlinux)
        return self._read[name]

    def readable(self) -> Iterator[tuple[str, Btf]]:
        """All of them but those that went away, or whose types are for another kernel."""
        for name in self:
            try:
                yield name, self[name]
            except OSError:
                continue


class KernelTypes:
    """What the loader asks the kernel's types.  Opens nothing until it is asked; closing it closes what it opened.

    ``custom`` replaces the kernel's own types as the target of CO-RE, as for a kernel that tells nothing
    about itself; programs attach by the kernel's own all the same.
    """

    def __init__(self, custom: Btf | None = None) -> None:
        self._custom = custom
        self._descriptors: dict[str, Descriptor] = {}
        self.modules = Modules(self)

    @property
    def vmlinux(self) -> Btf:
        """The kernel's own types.  :class:`NotSupported` if it tells nothing about them."""
        return vmlinux_btf()

    def targets(self) -> Sequence[Btf]:
        """What :func:`beespace.reloc.relocate` searches: the kernel's types, then modules'; or custom ones alone."""
        return _Targets(self) if self._custom is None else (self._custom,)

    def find(self, name: str, kind: Kind) -> Found | None:
        """The first type of that name and kind, of the kernel or else of a module."""
        ids = self.vmlinux.find_all(name, kind)
        if ids:
            return Found(self.vmlinux, ids[0], None)
        for module, types in self.modules.readable():
            for found in types.find_all(name, kind):
                if types.owns(found):
                    return Found(types, found, module)
        return None

    def find_in(self, module: str, name: str, kind: Kind) -> Found | None:
        """The first type of that name and kind of one module, ``vmlinux`` being the kernel itself."""
        if module == "vmlinux":
            ids = self.vmlinux.find_all(name, kind)
            return Found(self.vmlinux, ids[0], None) if ids else None
        if module not in self.modules:
            return None
        types = self.modules[module]
        return next((Found(types, i, module) for i in types.find_all(name, kind) if types.owns(i)), None)

    def descriptor(self, module: str) -> Descriptor:
        """The module's types as an object of the kernel; open until this is closed.

        Raises :class:`NotSupported` before Linux 5.11, :class:`NotPermitted` without ``CAP_SYS_ADMIN``.
        """
        if module not in self._descriptors:
            self._descriptors[module] = _open_module(module)
        return self._descriptors[module]

    def close(self) -> None:
        """Close the descriptors.  The types stay readable."""
        while self._descriptors:
            self._descriptors.popitem()[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Targets(Sequence[Btf]):
    """The kernel's types and those of the modules, read when they are come to."""

    def __init__(self, types: KernelTypes) -> None:
        self._types = types

    def __len__(self) -> int:
        return 1 + len(self._types.modules)

    @overload
    def __getitem__(self, place: int) -> Btf: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Btf]: ...
    def __getitem__(self, place: int | slice) -> Btf | Sequence[Btf]:
        return self._types.vmlinux if place == 0 else tuple(self)[place]

    def __iter__(self) -> Iterator[Btf]:
        yield self._types.vmlinux
        for _, types in self._types.modules.readable():
            yield types


def _open_module(module: str) -> Descriptor:
    for number in bpf.ids(bpf.btf_get_next_id):
        try:
            opened = bpf.btf_get_fd_by_id(number)
        except KernelError as error:
            if error.errno == errno.ENOENT:  # gone meanwhile
                continue
            raise
        with ExitStack() as unless_found:
            unless_found.callback(opened.close)
            info = bpf.btf_info(opened)
            if info.kernel_btf and info.name == module:
                unless_found.pop_all()
                return opened
    raise NotSupported(f"types of module {module!r} as an object", since="5.11", help="is the module still loaded?")


def kernel_types(custom: str | os.PathLike[str] | bytes | Btf | None = None) -> KernelTypes:
    """The types of the running kernel; ``custom`` ones are a file or its content (raw BTF, or ELF with ``.BTF``).

    Raises :class:`UsageError` for a file that cannot be read, :class:`FormatError` for one that holds no types.
    """
    if custom is None or isinstance(custom, Btf):
        return KernelTypes(custom)
    from beespace.btf.contained import parse

    if isinstance(custom, bytes | bytearray | memoryview):
        return KernelTypes(parse(bytes(custom), what="the BTF"))
    try:
        data = read_bytes(custom)
    except OSError as error:
        raise UsageError(f"{os.fspath(custom)}: no BTF can be read there ({os.strerror(error.errno or 0)})") from None
    return KernelTypes(parse(data, what=os.fspath(custom)))
