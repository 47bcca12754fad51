"""Native code in this process: pages of it, its functions, and functions of Python for it.

Code is never writable where it can be executed: it is written to a nameless file, and pages of that are mapped.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Callable

from beespace.typed import TypeAlias

__all__ = ["Callback", "NativeCode", "Pinned"]

#: With the interpreter's lock held: the code calls Python, and takes no longer than its limit of steps.
_FUNCTION = ctypes.PYFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)
_CALLBACK = ctypes.PYFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64)

Called: TypeAlias = Callable[[int, int, int], int]


class _Buffer(ctypes.Structure):
    """``Py_buffer`` (Include/cpython/object.h)."""

    _fields_ = (
        ("buf", ctypes.c_void_p), ("obj", ctypes.c_void_p), ("len", ctypes.c_ssize_t), ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int), ("ndim", ctypes.c_int), ("format", ctypes.c_char_p), ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p), ("suboffsets", ctypes.c_void_p), ("internal", ctypes.c_void_p),
    )  # fmt: skip


_get, _release = ctypes.pythonapi.PyObject_GetBuffer, ctypes.pythonapi.PyBuffer_Release
_get.argtypes, _get.restype = (ctypes.py_object, ctypes.POINTER(_Buffer), ctypes.c_int), ctypes.c_int
_release.argtypes, _release.restype = (ctypes.POINTER(_Buffer),), None


class _Held:
    """A buffer until the last user has gone; that may be when Python ends, and modules are empty already."""

    __slots__ = ("_buffer", "_release")

    def __init__(self, buffer: _Buffer) -> None:
        self._buffer, self._release = ctypes.pointer(buffer), _release

    def __del__(self) -> None:
        self._release(self._buffer)


class Pinned:
    """Memory of a Python object, writable or not, which neither moves nor goes as long as this is kept.

    ``BufferError`` for what is not in one piece.
    """

    __slots__ = ("_held", "address")

    def __init__(self, data: bytearray | memoryview | mmap.mmap) -> None:
        buffer = _Buffer()
        _get(data, ctypes.byref(buffer), 0)
        self._held = _Held(buffer)
        self.address: int = buffer.buf or 0


class NativeCode:
    """Machine code of this machine, mapped as long as this or one of its functions is kept."""

    def __init__(self, code: bytes) -> None:
        file = _nameless_file()
        try:
            os.write(file, code)
            self._memory = mmap.mmap(file, len(code), flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC)
        finally:
            os.close(file)
        self._pinned = Pinned(self._memory)

    def function(self, offset: int) -> Callable[[int], int]:
        """The function at an offset, ``int32_t (void *)``, which may call functions of Python."""
        found = _FUNCTION(self._pinned.address + offset)
        found.code = self  # type: ignore[attr-defined]  # what it is in stays as long
        return found


class Callback:
    """A function of Python as a C function, ``int32_t (void *, uint64_t, uint64_t)``, at ``address``."""

    __slots__ = ("_function", "address")

    def __init__(self, function: Called) -> None:
        self._function = _CALLBACK(function)
        self.address: int = ctypes.cast(self._function, ctypes.c_void_p).value or 0


def _nameless_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("beespace-code")
    import tempfile  # takes longer to import than the rest of this

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
