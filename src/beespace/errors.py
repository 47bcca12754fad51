"""Every exception that beespace raises, in one tree.

May import: the standard library only.  Invariant: every error that a user can cause is a
:class:`BeespaceError`; a bug of ours is an :class:`InternalError`, outside that tree.

::

    Exception
    ├── BeespaceError                 what is wrong, where, and how to mend it; exit status 1
    │   ├── UsageError                a wrong option, table, column, query; exit status 2
    │   ├── CompileError              a probe that does not compile: diagnostics with line and caret
    │   ├── FormatError               a file that is not what it should be, with the offset
    │   ├── StoreError                a history that is missing, foreign, damaged, read-only or full
    │   │   └── StoreInUse            a history that another process writes
    │   ├── GuestError                a virtual machine that did not start, hung or panicked; exit status 125
    │   ├── ProgramFault              a program in the machine (vm) that did what it may not: instruction, registers
    │   ├── RelocationError           a CO-RE relocation or symbol that this kernel cannot meet
    │   └── KernelError               a system call that failed, with errno
    │       ├── VerifierError         the kernel refused a program: log and decisive line
    │       ├── NotSupported          the kernel lacks a feature; exit status 3
    │       └── NotPermitted          a capability, sysctl, lockdown or LSM is in the way; exit status 3
    └── InternalError                 a bug in beespace; asks for a report

A class exists only where a caller catches it by name or where its exit status differs.
"""

from __future__ import annotations

import errno as _errno
from collections.abc import Sequence

from beespace.typed import Protocol

__all__ = [
    "BeespaceError",
    "CompileError",
    "FormatError",
    "GuestError",
    "InternalError",
    "KernelError",
    "NotPermitted",
    "NotSupported",
    "ProgramFault",
    "RelocationError",
    "StoreError",
    "StoreInUse",
    "UsageError",
    "VerifierError",
]


class Diagnostic(Protocol):
    """What :class:`CompileError` carries; the compiler's diagnostics have this shape."""

    def render(self) -> str:
        """The whole message: title, ``file:line:column``, source line, caret, notes and help."""


class SourceLine(Protocol):
    """What :class:`VerifierError` carries of each stretch of instructions; ``spec.LineInfo`` has this shape."""

    @property
    def index(self) -> int:
        """The first instruction, counted in the whole program."""

    @property
    def file(self) -> str:
        """The source file's name."""

    @property
    def line(self) -> int:
        """From 1."""

    @property
    def column(self) -> int:
        """From 1; 0: not known."""

    @property
    def text(self) -> str:
        """The line itself."""


class BeespaceError(Exception):
    """Something is wrong that the reader can mend.

    ``message`` names what and where in one sentence; ``help`` says what to do, and is printed
    on a line of its own.  ``exit_status`` is what a command ends with.
    """

    exit_status = 1

    def __init__(self, message: str, *, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help

    def __str__(self) -> str:
        return self.message if self.help is None else f"{self.message}\n  help: {self.help}"


class UsageError(BeespaceError):
    """The command, option, table, column or query is not one that exists."""

    exit_status = 2


class CompileError(BeespaceError):
    """A probe does not compile.  ``diagnostics`` holds every problem found, in source order."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__("\n\n".join(diagnostic.render() for diagnostic in diagnostics))
        self.diagnostics = diagnostics


class FormatError(BeespaceError):
    """Bytes are not of the format they should be; ``offset`` is where, in bytes, if known."""

    def __init__(self, message: str, *, offset: int | None = None, help: str | None = None) -> None:
        super().__init__(message if offset is None else f"{message} (at offset {offset:#x})", help=help)
        self.offset = offset


class StoreError(BeespaceError):
    """The stored history is missing, foreign, damaged, read-only or cannot grow."""


class StoreInUse(StoreError):
    """Another process writes the history; it may be about to end."""


class GuestError(BeespaceError):
    """A virtual machine did not come up, hung or panicked; the message has the last lines of its console."""

    exit_status = 125  # as of env(1) and timeout(1): not the status of what should have run


class ProgramFault(BeespaceError):
    """A program that runs in beespace's own machine did what no program may.

    ``reason`` says what, ``index`` at which of its instructions, ``instruction`` is that in words.  ``registers`` are
    r0 to r10, ``None`` for those that were never written; ``source`` is ``file:line: text``, if it is known.
    """

    def __init__(
        self,
        program: str,
        reason: str,
        *,
        index: int | None = None,
        instruction: str = "",
        registers: Sequence[int | None] = (),
        source: str | None = None,
    ) -> None:
        where = "" if index is None else f" at instruction {index}"
        lines = [f"program {program!r}{where}: {reason}"]
        lines += [f"  {source}"] if source else []
        lines += [f"  {index}: {instruction}"] if instruction else []
        known = [f"r{number}={value:#x}" for number, value in enumerate(registers) if value is not None]
        lines += [f"  {' '.join(known)}"] if known else []
        super().__init__("\n".join(lines))
        self.program = program
        self.reason = reason
        self.index = index
        self.instruction = instruction
        self.registers = tuple(registers)
        self.source = source


class RelocationError(BeespaceError):
    """A type, field, enumerator or symbol that the program needs is not in this kernel."""


class KernelError(BeespaceError):
    """The system call ``call`` failed with ``errno``."""

    def __init__(self, message: str, *, call: str, errno: int, help: str | None = None) -> None:
        name = _errno.errorcode.get(errno, str(errno))
        super().__init__(f"{message}: {call} failed with {name}" if errno else message, help=help)
        self.call = call
        self.errno = errno


class VerifierError(KernelError):
    """The kernel's verifier refused ``program``.

    ``log`` is the whole verifier log; ``reason`` its decisive line; ``source`` the line of the
    probe's source (``file:line: text``) that the log points at, if it has one.  ``lines`` is the source of the
    program's instructions; ``explanation`` is the message, where the program's source could be shown in it.
    """

    explanation: str | None = None

    def __init__(
        self,
        program: str,
        *,
        errno: int,
        log: str,
        reason: str,
        source: str | None,
        lines: Sequence[SourceLine] = (),
    ) -> None:
        where = f" at {source}" if source else ""
        super().__init__(f"the kernel refused program {program!r}{where}: {reason}", call="BPF_PROG_LOAD", errno=errno)
        self.program = program
        self.log = log
        self.reason = reason
        self.source = source
        self.lines = lines

    def __str__(self) -> str:
        return self.explanation or super().__str__()


class NotSupported(KernelError):
    """This kernel lacks ``feature``; ``since`` is the first kernel that has it, if known."""

    exit_status = 3

    def __init__(
        self, feature: str, *, since: str | None = None, call: str = "", errno: int = 0, help: str | None = None
    ) -> None:
        minimum = f" (needs Linux {since})" if since else ""
        super().__init__(f"this kernel does not support {feature}{minimum}", call=call, errno=errno, help=help)
        self.feature = feature
        self.since = since


class NotPermitted(KernelError):
    """Something forbids the operation; ``missing`` names it (capability, sysctl, lockdown, LSM)."""

    exit_status = 3

    def __init__(self, what: str, *, missing: str, call: str = "", errno: int = 0, help: str | None = None) -> None:
        super().__init__(f"not permitted to {what}: {missing}", call=call, errno=errno, help=help)
        self.missing = missing


class InternalError(Exception):
    """A bug in beespace.  The message says what to put into the report."""

    def __init__(self, message: str) -> None:
        super().__init__(
            f"{message}\nThis is a bug in beespace, not in your input. Please report it with the text above."
        )
