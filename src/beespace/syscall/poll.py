"""Wait for several descriptors at once (``epoll(7)``), and be woken from elsewhere."""

from __future__ import annotations

import os
import select

from beespace.syscall.descriptor import Fd, number
from beespace.typed import Generic, TypeVar

K = TypeVar("K")


class Poller(Generic[K]):
    """Waits until a descriptor can be read.  Each is registered with a key, which :meth:`wait` gives back.

    :meth:`wake` may be called from another thread or a signal handler.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._keys: dict[int, K] = {}
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._wake, select.EPOLLIN)

    def register(self, fd: Fd, key: K) -> None:
        """Wait for ``fd`` as well; :class:`FileExistsError` if it is registered already."""
        self._epoll.register(number(fd), select.EPOLLIN)
        self._keys[number(fd)] = key

    def unregister(self, fd: Fd) -> None:
        """No longer wait for ``fd``, which must still be open."""
        self._epoll.unregister(number(fd))
        del self._keys[number(fd)]

    def wait(self, timeout: float | None = None) -> list[K]:
        """The keys of what can be read; none after ``timeout`` seconds (``None``: never) or a :meth:`wake`."""
        ready: list[K] = []
        for fd, _ in self._epoll.poll(timeout):
            if fd == self._wake:
                os.eventfd_read(self._wake)
            elif fd in self._keys:
                ready.append(self._keys[fd])
        return ready

    def wake(self) -> None:
        """End the current :meth:`wait`, or the next one."""
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Close what this object made; the registered descriptors stay open."""
        if not self._epoll.closed:
            self._epoll.close()
            os.close(self._wake)

    def __enter__(self) -> Poller[K]:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class Sleeper:
    """As a :class:`Poller` with no descriptors, for systems without ``epoll``: who plays a recording needs no Linux."""

    def __init__(self) -> None:
        self._near, self._far = os.pipe()

    def wait(self, timeout: float | None = None) -> None:
        """Until :meth:`wake`, for ``timeout`` seconds at most."""
        if select.select([self._near], [], [], timeout)[0]:
            os.read(self._near, 4096)

    def wake(self) -> None:
        """End the current :meth:`wait`, or the next one."""
        os.write(self._far, b"!")

    def __enter__(self) -> Sleeper:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._near)
        os.close(self._far)


def sleeper() -> Poller[str] | Sleeper:
    """What waits for the time, and can be woken."""
    return Poller() if hasattr(select, "epoll") else Sleeper()
