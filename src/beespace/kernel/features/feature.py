"""One answer about the kernel, and how a try becomes one."""

from __future__ import annotations

import errno
from collections.abc import Callable

from beespace.errors import BeespaceError, KernelError, NotPermitted, NotSupported, VerifierError
from beespace.record import dataclass
from beespace.syscall import door, refusal

# What a type or kind that does not exist is refused with.
_UNKNOWN = frozenset({errno.EINVAL, errno.E2BIG, refusal.ENOTSUPP, errno.EOPNOTSUPP, errno.ENOSYS})


@dataclass(frozen=True, slots=True)
class Feature:
    """Whether this process can use one thing now.

    ``group`` is one of ``program``, ``map``, ``attach``, ``attach type``, ``link``, ``helper``, ``kfunc``,
    ``instruction``, ``type``, ``limit``, ``setting``, ``machine``.  When it is not available,
    ``why`` says so in words and ``errno`` is what the kernel answered (0: nothing was asked); EPERM means that a
    process with more rights, or a kernel that is not locked down, may have it.  ``help`` is what the refusal itself
    says one can do.  ``value`` is the number of a limit or a setting.
    """

    group: str
    name: str
    available: bool
    why: str = ""
    errno: int = 0
    help: str = ""
    value: int | None = None


_known: dict[tuple[object, ...], Feature] = {}


def forget() -> None:
    """Ask the kernel again next time; answers are kept while the process lives, but for those that rights made."""
    _known.clear()


def attempt(group: str, name: str, action: Callable[[], object], like: object = None) -> Feature:
    """Do ``action``; available if it succeeds.  Never raises an error that the kernel or ``/proc`` gave.

    A number that ``action`` returns is the feature's value.  The answer for a name (and ``like``) is kept, but for a
    lack of rights, which a process may gain.
    """
    key = (door.issue, group, name, like)
    feature = _known.get(key)
    if feature is None:
        feature = _tried(group, name, action)
        if feature.errno not in (errno.EPERM, errno.EACCES):
            _known[key] = feature
    return feature


def _tried(group: str, name: str, action: Callable[[], object]) -> Feature:
    try:
        result = action()
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
    return Feature(group, name, True, value=result if isinstance(result, int) else None)


def _words(error: KernelError) -> str:
    if error.errno in _UNKNOWN:
        return "this kernel does not have it (older, or built without it)"
    return refusal.words(error.call, error.errno)[0]
