"""Real kernels in virtual machines: which there are, where they come from, and commands that run inside.

May import: ``errors``, ``record`` and the standard library.  Invariant: what runs in a guest cannot change the
host (its root is shared read-only, what a guest writes there is lost with it), and a guest ends with the
process that started it.
"""

from beespace.guest.catalogue import KERNELS, Kernel, find
from beespace.guest.guest import TIMED_OUT, Guest
from beespace.guest.machine import Settings, Share
from beespace.guest.programs import needed
from beespace.guest.root import Root, root
from beespace.guest.store import Unpacked, fetch, unpacked

__all__ = [
    "KERNELS", "Kernel", "find", "needed",
    "Unpacked", "fetch", "unpacked", "Root", "root",
    "Guest", "Settings", "Share", "TIMED_OUT",
]  # fmt: skip
