"""``StructOps``: an implementation of a kernel interface, and whether it is in use.  STRUCT_OPS (Linux 5.6)."""

from __future__ import annotations

import sys

from beespace.kernel.maps.base import Container

__all__ = ["StructOps"]

# enum bpf_struct_ops_state, include/linux/bpf.h
_STATES = ("init", "in use", "to be freed", "ready")


class StructOps(Container):
    """The map behind a ``.struct_ops`` variable.  Its value begins with ``refcnt`` and ``state``."""

    def _head(self) -> tuple[int, int]:
        data = self.raw.get(bytes(4))
        if data is None:
            return 0, 0
        return int.from_bytes(data[:4], sys.byteorder), int.from_bytes(data[4:8], sys.byteorder)

    @property
    def state(self) -> str:
        """``init``, ``in use``, ``to be freed``, or ``ready`` (for a link to register, Linux 6.4)."""
        number = self._head()[1]
        return _STATES[number] if number < len(_STATES) else str(number)

    @property
    def references(self) -> int:
        """How often the kernel uses it, where it says so."""
        return self._head()[0]
