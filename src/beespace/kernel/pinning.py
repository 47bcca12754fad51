"""Maps that are shared by their name: ``LIBBPF_PIN_BY_NAME``, a pin in the directory of a bpf file system."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from beespace.errors import KernelError, NotPermitted, NotSupported, UsageError
from beespace.isa.constants import MapFlag, MapType
from beespace.kernel.maps import Map
from beespace.kernel.maps.map import is_map
from beespace.record import dataclass, replace
from beespace.spec import MapSpec
from beespace.syscall import Descriptor, HasFileno, bpf, mounts
from beespace.syscall.small_files import read_text

__all__ = ["DEFAULT_DIRECTORY", "Directory", "Pin", "adopt", "check_fits"]

Directory = str | os.PathLike[str] | HasFileno
DEFAULT_DIRECTORY = "/sys/fs/bpf"

_READ_ONLY = (MapType.DEVMAP, MapType.DEVMAP_HASH, MapType.INSN_ARRAY)
_FOR_DESCRIPTORS = int(MapFlag.RDONLY | MapFlag.WRONLY)
# What must agree between a definition and a live map (libbpf's map_is_reuse_compat()): in a spec and in MapInfo.
_SIZES = (("type", "type"), ("key_size", "key_size"), ("value_size", "value_size"))
_ALL = (*_SIZES, ("max_entries", "max_entries"), ("flags", "map_flags"), ("map_extra", "map_extra"))


@dataclass(frozen=True, slots=True)
class Pin:
    """The place of a map in ``directory``: a path, or anything with the ``fileno()`` of a directory."""

    directory: Directory
    name: str

    @classmethod
    def of(cls, spec: MapSpec, directory: Directory) -> Pin:
        """Where map ``spec`` is shared; dots of its name become underscores, as libbpf has it."""
        if "/" in spec.name or spec.name in ("", ".", ".."):
            raise UsageError(f"map {spec.name!r} cannot be shared under such a name")
        return cls(directory, spec.name.replace(".", "_"))

    def __str__(self) -> str:
        if isinstance(self.directory, str | os.PathLike):
            return os.path.join(self.directory, self.name)
        return f"{self.name} in the given directory"

    @property
    def _place(self) -> tuple[str, HasFileno | None]:
        if isinstance(self.directory, str | os.PathLike):
            return os.path.join(self.directory, self.name), None
        return self.name, self.directory

    def open(self, spec: MapSpec) -> Map | None:
        """The map that is there, if there is one; :class:`UsageError` says in what it differs from ``spec``."""
        path, directory = self._place
        try:
            descriptor = bpf.obj_get(path, directory=directory)
        except KernelError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        return adopt(descriptor, spec, f"what is pinned as {self}", exactly=True)

    def make(self, live: Map) -> bool:
        """Pin ``live`` there; ``False`` if somebody else was faster."""
        path, directory = self._place
        if directory is None:
            self._make_directory()
        try:
            live.pin(path, directory=directory)
        except NotPermitted as error:
            if directory is None and not _in_bpffs(os.path.dirname(path)):
                raise _no_bpffs(live.name, os.path.dirname(path)) from error
            raise
        except KernelError as error:
            if error.errno != errno.EEXIST:
                raise
            return False
        return True

    def _make_directory(self) -> None:
        """The directory itself is made (libbpf does), but only inside of a bpf file system."""
        wanted = os.fspath(self.directory)  # type: ignore[arg-type]  # a path, or we were not called
        if not os.path.exists(wanted) and _in_bpffs(os.path.dirname(wanted.rstrip("/"))):
            with suppress(FileExistsError):
                os.mkdir(wanted, 0o700)

    def remove(self) -> None:
        """Take the pin away; what holds the map keeps it."""
        path, directory = self._place
        with suppress(FileNotFoundError):
            os.unlink(path, dir_fd=None if directory is None else directory.fileno())


def adopt(descriptor: Descriptor, spec: MapSpec, what: str, *, exactly: bool) -> Map:
    """The map behind ``descriptor`` (closed, should this fail) in the place of ``spec``, whose types it takes.

    Type and sizes of key and value must agree; ``exactly``: number of entries and flags, too.  :class:`UsageError`
    names what does not.
    """
    with descriptor:
        live = check_fits(descriptor, spec, what, exactly=exactly)
        taken = Map(Descriptor(descriptor.detach(), f"map {spec.name}"), live)
        taken.reused = True
        taken.frozen = _is_frozen(taken)
        return taken


def check_fits(fd: HasFileno, spec: MapSpec, what: str, *, exactly: bool) -> MapSpec:
    """``spec`` with the sizes and flags of the map behind ``fd``."""
    if not is_map(fd):
        raise UsageError(f"map {spec.name!r}: {what} is no map")
    info = bpf.map_info(fd)
    spec = replace(spec, flags=spec.flags & ~_FOR_DESCRIPTORS)  # of the descriptor, not of the map
    if spec.type in _READ_ONLY:  # the kernel adds this flag itself
        info = replace(info, map_flags=info.map_flags & ~MapFlag.RDONLY_PROG)
    wrong = [
        f"{ours} is {_shown(ours, getattr(info, theirs))} instead of {_shown(ours, getattr(spec, ours))}"
        for ours, theirs in (_ALL if exactly else _SIZES)
        if getattr(spec, ours) != getattr(info, theirs)
    ]
    if wrong:
        raise UsageError(
            f"map {spec.name!r} cannot be {what}: {', '.join(wrong)}",
            help="remove that map, or load with another pin_path=" if exactly else None,
        )
    return replace(spec, max_entries=info.max_entries, flags=info.map_flags, map_extra=info.map_extra)


def _shown(attribute: str, value: int) -> str:
    if attribute == "type" and value in set(MapType):
        return MapType(value).name
    return hex(value) if attribute in ("flags", "map_extra") else str(value)


def _is_frozen(live: Map) -> bool:
    """Only this file says whether a map is frozen (Linux 5.2)."""
    return "frozen:\t1" in read_text(f"/proc/self/fdinfo/{live.fileno()}")


def _in_bpffs(directory: str) -> bool:
    """Whether a directory is in a bpf file system that this process sees mounted."""
    try:
        device = os.stat(directory or ".").st_dev
        text = read_text("/proc/self/mountinfo")
    except OSError:
        return False
    return any(mount.kind == "bpf" and mount.device == device for mount in mounts.parse_mountinfo(text))


def _no_bpffs(name: str, directory: str) -> NotSupported:
    return NotSupported(
        f"sharing map {name!r} by its name: {directory!r} is in no bpf file system",
        help="mount one (mount -t bpf bpf /sys/fs/bpf), or give pin_path= a directory of one; "
        "beespace.syscall.mounts.bpffs() makes one that nobody else sees",
    )
