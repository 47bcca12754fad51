"""Fixtures of the cluster tests: one cluster for the whole run, with the shop in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "pods"))  # machines are made of its nodes
sys.path.insert(0, str(Path(__file__).parent))  # tests are collected without packages

import base_image
import cluster as clusters
import shop


@pytest.fixture(scope="session")
def cluster() -> Iterator[clusters.Cluster]:
    """The cluster; everything of it is gone at the end."""
    if reason := clusters.missing():
        pytest.skip(reason)
    archive = base_image.base()
    with clusters.Cluster() as running:
        running.import_image(archive)
        shop.open(running)
        yield running
