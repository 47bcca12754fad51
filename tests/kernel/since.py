"""Skips of what is compiled, with the kernel that has it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from beespace.errors import CompileError


@contextlib.contextmanager
def compiled_since(since: str | None) -> Iterator[None]:
    """What is compiled against this kernel's types: a skip where they lack what kernels have ``since`` then."""
    try:
        yield
    except CompileError as error:
        if since is None:
            raise
        pytest.skip(f"{str(error).splitlines()[0]} (Linux {since})")
