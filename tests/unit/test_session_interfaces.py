"""Names of devices by index."""

from __future__ import annotations

import numpy as np

from beespace.session.interfaces import Interfaces


def test_names_of_this_namespace_and_loopbacks() -> None:
    now = [0.0]
    devices = [(1, "lo"), (2, "eth0")]
    names = Interfaces(77, lambda: devices, lambda: now[0])
    indices = np.array([2, 2, 1, 1, 3, 0], np.uint32)
    netns = np.array([77, 5, 77, 5, 77, 77], np.uint64)
    assert names.names(indices, netns).to_pylist() == ["eth0", None, "lo", "lo", None, None]
    devices.append((3, "eth1"))
    now[0] = 10.0
    assert names.names(indices, netns).to_pylist() == ["eth0", None, "lo", "lo", "eth1", None]


def test_a_kernel_without_cookies_names_loopback_only() -> None:
    names = Interfaces(0, lambda: [(2, "eth0")])
    assert names.names(np.array([2, 1], np.uint32), np.array([0, 0], np.uint64)).to_pylist() == [None, "lo"]
