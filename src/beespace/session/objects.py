"""``open``: an object file that clang or beespace built, loaded and ready."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from types import MappingProxyType

from beespace.btf import Btf
from beespace.btf.codec import codec as codec_of
from beespace.elf import read
from beespace.errors import UsageError, VerifierError
from beespace.isa.constants import MapFlag, MapType
from beespace.kernel import LoadedObject, RingBuffer, load
from beespace.session.event_types import Choice, choose
from beespace.session.records import Events
from beespace.session.waiting import Reader
from beespace.spec import ObjectSpec
from beespace.syscall.small_files import read_bytes
from beespace.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from beespace.kernel.either import Alternative
    from beespace.kernel.maps import Map
    from beespace.kernel.program_targets import Target
    from beespace.syscall import HasFileno

__all__ = ["Object", "explained_at_its_source", "open", "read_object"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_READABLE = (MapType.RINGBUF, MapType.PERF_EVENT_ARRAY)


class Object(LoadedObject):
    """A loaded object, as :func:`open` returns it: maps, programs, variables, links, and the events of its rings."""

    @cached_property
    def _readers(self) -> ExitStack:
        return ExitStack()

    @cached_property
    def rings(self) -> tuple[str, ...]:
        """The maps that :meth:`events` can read: rings and perf event arrays."""
        return tuple(name for name, each in self.spec.maps.items() if each.type in _READABLE)

    def events(
        self, name: str | None = None, struct: str | None = None, *, pages: int = 64, overwritable: bool = False
    ) -> Events:
        """What programs put into ring (or perf event array) ``name``, as it comes.

        ``name`` may be left out if there is one.  ``struct`` says what the records are; without it, the struct that
        bears the ring's name or the only one that it can be (:mod:`beespace.session.event_types`).  ``pages`` is
        the size of a perf event array's ring on each CPU, a power of two; ``overwritable`` keeps its newest records
        instead of its oldest ones, and gives the newest first.  The reader is closed with the object at the latest.
        """
        name = self._ring(name)
        array = self.maps[name].raw
        types = Btf(self.spec.btf) if self.spec.btf else None
        codec = layout = None
        choice = Choice(0, "", "the object has no types")
        if types is not None:
            choice = choose(self.spec, types, name, struct)
            if choice.type_id:
                from beespace.session.columns import layout_from

                codec = codec_of(types, choice.type_id)
                layout = layout_from(types, choice.type_id)
        elif struct is not None:
            raise UsageError(
                f"object {self.spec.name!r} has no types, so no struct {struct!r}", help="build it with -g"
            )
        reader: Reader
        if array.spec.type == MapType.PERF_EVENT_ARRAY:
            from beespace.kernel.perf_buffer import PerfBuffer

            reader = PerfBuffer(array, pages=pages, overwritable=overwritable)
        elif array.spec.flags & MapFlag.RB_OVERWRITE:
            from beespace.kernel.overwritable_ring import OverwritableRing

            reader = OverwritableRing(array)
        elif overwritable:
            raise UsageError(
                f"ring {name!r} is not overwritable", help="that is said where it is made, by BPF_F_RB_OVERWRITE"
            )
        else:
            reader = RingBuffer(array)
        events = Events(reader, codec, layout, choice.name, choice.why)
        self._readers.callback(events.close)
        return events

    def _ring(self, name: str | None) -> str:
        if name is None and len(self.rings) == 1:
            return self.rings[0]
        if name is None or name not in self.rings:
            known = ", ".join(self.rings) or "none"
            what = "name the ring" if name is None else f"it has no ring {name!r}"
            raise UsageError(f"object {self.spec.name!r}: {what}", help=f"its rings: {known}")
        return name

    def close(self) -> None:
        """Stop reading, detach, then close programs and maps.  Calling it again does nothing."""
        try:
            self._readers.close()
        finally:
            super().close()


def read_object(path: str | os.PathLike[str]) -> ObjectSpec:
    """The object file ``path`` as a spec, not loaded.  :class:`FormatError` says what is wrong with it, and where."""
    file = os.fspath(path)
    try:
        data = read_bytes(file)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    return read(data, os.path.basename(file).partition(".")[0])


@contextmanager
def explained_at_its_source() -> Iterator[None]:
    """A program that the kernel refuses in here is shown at the line of C that the verifier stopped at."""
    try:
        yield
    except VerifierError as error:
        from beespace.session.refusals import explain_object  # only who is refused needs it

        error.explanation = explain_object(error)
        raise


def open(
    path: str | os.PathLike[str],
    *,
    variables: Mapping[str, Any] = _NOTHING,
    max_entries: Mapping[str, int] = _NOTHING,
    programs: Collection[str] | None = None,
    either: Iterable[Sequence[Alternative]] = (),
    targets: Mapping[str, Target] = _NOTHING,
    maps: Mapping[str, Map] = _NOTHING,
    pin_path: str | os.PathLike[str] | None = None,
    btf: str | os.PathLike[str] | Btf | None = None,
    token: str | os.PathLike[str] | HasFileno | None = None,
    log_level: int = 0,
) -> Object:
    """Read, relocate and load the object file ``path``; the result is a context manager.

    ``variables`` sets its globals before that, so that the verifier knows those of ``.rodata``; ``max_entries``
    overrides the sizes of maps; ``programs`` names those to load (by default all whose section does not begin
    with ``?``); ``either`` are groups of alternatives, of which the first that this kernel takes is used;
    ``targets`` are the programs that ``freplace`` and ``fentry`` of BPF functions are for; ``maps`` are
    live maps to use instead of new ones; ``pin_path`` is where maps are shared that ask for it; ``btf`` is a
    file with the kernel's types, for kernels that do not have them; ``token`` is a BPF token or the directory of a
    delegated bpf file system; ``log_level`` keeps the verifier's log of programs that it accepts.

    The result has ``maps``, ``programs`` and ``variables`` by name; ``attach()`` attaches the programs where their
    sections say; ``events()`` reads rings.  Raises :class:`FormatError` for what is no object, and what
    :func:`beespace.kernel.load` does.  Linux 5.8; see docs/loader.md.
    """
    spec = read_object(path)
    with explained_at_its_source():
        return load(
            spec, variables=variables, max_entries=max_entries, programs=programs, either=either,
            targets=targets, maps=maps, pin_path=pin_path, btf=btf, token=token, log_level=log_level, into=Object,
        )  # fmt: skip
