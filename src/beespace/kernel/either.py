"""Programs of which the first that this kernel takes is used: ``fentry``, or else a ``kprobe``.

A group is tried in its order, when the object is loaded and again when its choice cannot be attached.  What was
taken, and why nothing before it, is said by :meth:`LoadedObject.explain`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

from beespace.errors import BeespaceError, KernelError, NotPermitted, NotSupported, RelocationError, UsageError
from beespace.kernel.program import LoadedProgram
from beespace.record import dataclass
from beespace.spec import ObjectSpec

__all__ = ["Alternative", "Choice", "Group", "Refused", "groups_of"]

Alternative = str | Sequence[str]
"""One way: the name of a program, or of several that belong together."""

_NOT_HERE = (KernelError, RelocationError)
"""What another alternative may mend: the kernel's refusals, and what it does not have."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An alternative that was not taken, whether it could not be ``loaded`` or ``attached``, and the error."""

    programs: tuple[str, ...]
    step: str
    error: BeespaceError

    def __str__(self) -> str:
        return f"{' and '.join(self.programs)} could not be {self.step}: {self.error.message}"


@dataclass(frozen=True, slots=True)
class Choice:
    """What became of a group: the programs that were taken, and those before them that were not."""

    taken: tuple[str, ...]
    refused: tuple[Refused, ...]

    def __str__(self) -> str:
        names = " and ".join(self.taken)
        if not self.refused:
            return f"{names} was taken, the first choice"
        return f"{names} was taken; " + "; ".join(map(str, self.refused))


class Group:
    """The alternatives of one place; ``taken`` is the one that is loaded."""

    def __init__(self, alternatives: tuple[tuple[str, ...], ...]) -> None:
        self.alternatives = alternatives
        self.taken: tuple[str, ...] = ()
        self._refused: list[Refused] = []

    @property
    def names(self) -> frozenset[str]:
        """The programs of all alternatives."""
        return frozenset(name for each in self.alternatives for name in each)

    @property
    def choice(self) -> Choice:
        """What was taken, and why."""
        return Choice(self.taken, tuple(self._refused))

    def take(self, load: Callable[[str], LoadedProgram]) -> dict[str, LoadedProgram]:
        """Load the first alternative that can be loaded, of those that were not tried yet.

        The caller closes the programs.  If none is left, one error that says of each why.
        """
        self.taken = ()
        for programs in self.alternatives[len(self._refused) :]:
            try:
                loaded = _load_all(programs, load)
            except _NOT_HERE as error:
                self.refuse(programs, "loaded", error)
                continue
            self.taken = programs
            return loaded
        raise self.nothing()

    def refuse(self, programs: tuple[str, ...], step: str, error: BeespaceError) -> None:
        """Remember why an alternative is not taken."""
        self._refused.append(Refused(programs, step, error))

    def nothing(self) -> BeespaceError:
        """The error that says of each alternative why it was not taken."""
        names = " or ".join(" and ".join(each) for each in self.alternatives)
        reasons = "; ".join(map(str, self._refused))
        errors = [each.error for each in self._refused]
        forbidden = next((error for error in errors if isinstance(error, NotPermitted)), None)
        error: KernelError
        if forbidden is not None:
            error = NotPermitted(
                f"use any of {names}", missing=reasons, call=forbidden.call, errno=forbidden.errno, help=forbidden.help
            )
        else:
            hint = next((error.help for error in errors if error.help), None)
            error = NotSupported(f"any of {names}: {reasons}", help=hint)
        error.__cause__ = ExceptionGroup("what each alternative came to", errors)
        return error


def _load_all(programs: tuple[str, ...], load: Callable[[str], LoadedProgram]) -> dict[str, LoadedProgram]:
    with ExitStack() as undo:
        loaded = {name: undo.enter_context(load(name)) for name in programs}
        undo.pop_all()
        return loaded


def groups_of(spec: ObjectSpec, either: Iterable[Sequence[Alternative]]) -> tuple[Group, ...]:
    """The groups that were asked for.  :class:`UsageError` for a name that the object lacks or that stands twice."""
    groups: list[Group] = []
    seen: set[str] = set()
    for each in either:
        if isinstance(each, str) or not each:
            raise UsageError(
                f"either={each!r} is no group of alternatives",
                help='a group is a sequence of program names: either=[("open_fentry", "open_kprobe")]',
            )
        group = Group(tuple((one,) if isinstance(one, str) else tuple(one) for one in each))
        for name in (name for one in group.alternatives for name in one):
            if name not in spec.programs:
                known = ", ".join(spec.programs) or "none"
                raise UsageError(f"object {spec.name!r} has no program {name!r}", help=f"its programs: {known}")
            if name in seen:
                raise UsageError(f"program {name!r} is an alternative twice")
            seen.add(name)
        groups.append(group)
    return tuple(groups)
