"""200 pods made and removed in a minute, with a real runtime: each pod's packets have their owner."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scale import said

sys.path.insert(0, str(Path(__file__).parent.parent / "pods"))

import churn
import pods

pytestmark = [pytest.mark.pods, pytest.mark.timeout(3600)]

COUNT = 200


@pytest.fixture
def node() -> Iterator[pods.Node]:
    if reason := pods.missing():
        pytest.skip(reason)
    with pods.Node() as running:
        yield running


def test_two_hundred_pods(node: pods.Node) -> None:
    with churn.watching(node) as seen:
        made, took = churn.many(node, COUNT, "usleep 100000")
        statistics = seen.watch.who.statistics()["containers"]
    nameless = churn.check_owners(seen.rows, made)
    assert not any(seen.lost.values()), seen.lost
    # A row may come before the runtime was asked; the pod itself is known.
    known = sum(seen.watch.who.containers.pod(pod.uid) is not None for pod in made.values())
    rows = sum(len(churn.of(seen.rows, port)) for port in made)
    said(
        f"{COUNT} pods in {took:.0f} s",
        {"rows": rows, "rows without the pod's name": nameless, "pods known": known, **statistics},
    )
