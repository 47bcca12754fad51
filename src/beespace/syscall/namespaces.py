"""Network namespaces: doing one thing in another one, without moving this thread there."""

from __future__ import annotations

import threading
from collections.abc import Callable

from beespace.syscall import capabilities, door, refusal
from beespace.syscall.descriptor import Fd, number
from beespace.typed import TypeVar

__all__ = ["inside"]

_CLONE_NEWNET = 0x40000000
_Result = TypeVar("_Result")


def inside(netns: Fd | None, action: Callable[[], _Result]) -> _Result:
    """What ``action`` returns in network namespace ``netns`` (``None``: here).

    A thread of its own enters the namespace (setns(2), Linux 3.0, takes ``CAP_SYS_ADMIN``) and ends with it.  What
    the kernel does with the caller's namespace, such as finding an interface by index, it does with that one;
    sockets opened there stay there.
    """
    if netns is None:
        return action()
    results: list[_Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            result = door.issue("setns", (number(netns), _CLONE_NEWNET))
            if result < 0:
                needs = (capabilities.SYS_ADMIN,)
                raise refusal.error("setns", -result, "enter a network namespace", needs=needs)
            results.append(action())
        except BaseException as error:  # raised again in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, name="beespace network namespace")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
