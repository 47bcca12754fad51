"""Advisory locks on files (``flock(2)``): they end with the process, however it ends."""

from __future__ import annotations

import fcntl


def share_file(descriptor: int) -> None:
    """Take a lock of an open file that others may share, but no exclusive one; waits for who has that."""
    fcntl.flock(descriptor, fcntl.LOCK_SH)


def lock_file(descriptor: int) -> bool:
    """Take the exclusive lock of an open file without waiting; ``False`` if somebody else has it.

    The kernel lets go of it when the last copy of the descriptor is closed, so a killed process
    leaves no lock behind.  Other failures (``ENOLCK`` on some network file systems) raise ``OSError``.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
