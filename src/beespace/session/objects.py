"""``open``: an object file that clang or beespace built, loaded and ready."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from beespace.elf import read
from beespace.errors import UsageError
from beespace.kernel import LoadedObject, load


def open(path: str | Path, *, variables: Mapping[str, int | bytes] | None = None) -> LoadedObject:
    """Read, relocate and load the object file ``path``; ``variables`` sets its globals before that.

    The result has ``maps``, ``programs`` and ``variables`` by name; ``attach()`` attaches them.
    Use it as a context manager.  Linux 5.8.
    """
    file = Path(path)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    return load(read(data, file.name.partition(".")[0]), variables=variables or {})
