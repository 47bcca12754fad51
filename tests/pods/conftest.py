"""Fixtures of the pod tests.  Every test here needs root, containerd, runc, CNI plugins and a static busybox."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "kernel"))  # readiness
sys.path.insert(0, str(Path(__file__).parent.parent / "kubernetes"))  # the API that pods are beside
sys.path.insert(0, str(Path(__file__).parent))  # tests are collected without packages; `pods` is shared by them

import pods


@pytest.fixture(scope="session")
def node() -> Iterator[pods.Node]:
    """One node for the whole run; everything on it is gone at the end."""
    if reason := pods.missing():
        pytest.skip(reason)
    with pods.Node() as running:
        yield running
