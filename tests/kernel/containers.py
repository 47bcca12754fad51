"""Containers of maps that belong to no object."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from beespace.errors import KernelError
from beespace.isa.constants import MapFlag, MapType
from beespace.kernel.create import create_map
from beespace.kernel.maps import container
from beespace.spec import MapSpec

__all__ = ["made"]

FLAGS = {MapType.RHASH: MapFlag.NO_PREALLOC, MapType.LPM_TRIE: MapFlag.NO_PREALLOC}


@contextmanager
def made(kind: MapType, entries: int = 100, *, key: int = 4, value: int = 8, flags: int = 0) -> Iterator[Any]:
    """A container; a type that this kernel does not have skips the test."""
    try:
        raw = create_map(MapSpec("test", kind, key, value, entries, flags | FLAGS.get(kind, 0)))
    except KernelError as error:
        if kind == MapType.RHASH and error.errno == errno.EINVAL:
            pytest.skip("this kernel has no maps of type RHASH (Linux 7.3)")
        raise
    with container(raw) as typed:
        yield typed
