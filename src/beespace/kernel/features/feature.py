"""One answer about the kernel, and how a try becomes one."""

from __future__ import annotations

import errno
from collections.abc import Callable

from beespace.errors import BeespaceError, KernelError, NotPermitted, NotSupported, VerifierError
from beespace.record import dataclass
from beespace.syscall import refusal

# What a type or kind that does not exist is refused with.
_UNKNOWN = frozenset({errno.EINVAL, errno.E2BIG, refusal.ENOTSUPP, errno.EOPNOTSUPP})


@dataclass(frozen=True, slots=True)
class Feature:
    """Whether this process can use one thing now.

    ``group`` is one of ``program``, ``map``, ``attach``, ``helper``, ``machine``.  When it is not available,
    ``why`` says so in words and ``errno`` is what the kernel answered (0: nothing was asked); EPERM means that a
    process with more rights, or a kernel that is not locked down, may have it.  ``help`` is what the refusal itself
    says one can do.
    """

    group: str
    name: str
    available: bool
    why: str = ""
    errno: int = 0
    help: str = ""


def attempt(group: str, name: str, action: Callable[[], object]) -> Feature:
    """Do ``action``; available if it succeeds.  Never raises an error that the kernel or ``/proc`` gave."""
    try:
        action()
    except NotPermitted as error:
        return Feature(group, name, False, error.missing, error.errno, error.help or "")
    except NotSupported as error:
        return Feature(
            group, name, False, f"this kernel does not support {error.feature}", error.errno, error.help or ""
        )
    except VerifierError as error:
        return Feature(group, name, False, f"the verifier refuses it: {error.reason}", error.errno)
    except KernelError as error:
        return Feature(group, name, False, _words(error), error.errno)
    except BeespaceError as error:
        return Feature(group, name, False, error.message)
    except OSError as error:
        return Feature(group, name, False, f"{error.filename or name}: {error.strerror}", error.errno or 0)
    except KeyError as error:
        return Feature(group, name, False, f"this kernel's types: {str(error.args[0]).partition(';')[0]}")
    return Feature(group, name, True)


def _words(error: KernelError) -> str:
    if error.errno in _UNKNOWN:
        return "this kernel does not have it (older, or built without it)"
    return refusal.words(error.call, error.errno)[0]
