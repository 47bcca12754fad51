"""The module ``bpf`` as ordinary Python sees it: functions with documents, which only the compiler runs."""

from __future__ import annotations

import inspect

import pytest

from beespace import bpf
from beespace.errors import UsageError


def test_a_word_that_python_runs_says_where_it_belongs() -> None:
    with pytest.raises(UsageError, match=r"bpf.pid\(\) is a word of the kernel side"):
        bpf.pid()


def test_every_word_is_documented() -> None:
    words = [found for name, found in vars(bpf).items() if inspect.isfunction(found) and name[0] != "_"]
    assert len(words) > 15
    assert all(inspect.getdoc(word) for word in words)
