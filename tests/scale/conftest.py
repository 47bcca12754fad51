"""Tests of many: sockets, processes, addresses, questions.  They need root, clang and some minutes."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "kernel"))  # tests are collected without packages
sys.path.insert(0, str(Path(__file__).parent))

from flow_net import net  # noqa: F401  # fixtures
from resolver import resolver  # noqa: F401
from scale import agent  # noqa: F401
