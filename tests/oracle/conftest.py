"""Fixtures of the kernel tests that tests of flows against other programs share."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "kernel"))  # tests are collected without packages
sys.path.insert(0, str(Path(__file__).parent))

from flow_net import net  # noqa: F401  # a fixture
