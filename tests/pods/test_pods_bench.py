"""The bench itself: it leaves nothing, even when it is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pods
import pytest

pytestmark = pytest.mark.pods

KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import pods
node = pods.Node()
pod = node.run_pod("a", "b", {"c": ["sleep", "100000"]})
print(node.name, node.root, pod.containers["c"].pid, flush=True)
if sys.argv[2] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
node.close()
"""


def traces(name: str) -> list[str]:
    """Cgroups, folders and mounts with the node's name, and whatever lies where a runtime keeps its own."""
    found = [str(path) for hierarchy in pods.hierarchies() for path in hierarchy.glob(f"{name}*")]
    found += [str(path) for path in Path("/tmp").glob(f"{name}*")]
    found += [line for line in Path("/proc/self/mounts").read_text().splitlines() if name in line or "cni-" in line]
    for folder in ("/run/netns", "/run/containerd", "/var/lib/cni", "/var/lib/containerd"):
        found += [str(path) for path in Path(folder).glob("*")]
    return found


@pytest.mark.parametrize("end", ["close", "kill"])
def test_nothing_is_left(end: str) -> None:
    if reason := pods.missing():
        pytest.skip(reason)
    before = set(traces("none-of-these"))
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), end]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == (-signal.SIGKILL if end == "kill" else 0), done.stderr
    name, root, pid = done.stdout.split()
    assert Path(root).name.startswith(name)
    if end == "kill":
        pods.wait_until_empty(name)  # the kernel kills a namespace, but not at once
        pods.remove_leftovers()
    assert not Path(f"/proc/{pid}").exists()
    assert set(traces(name)) <= before


def test_leftovers_of_others_that_run_are_not_touched(node: pods.Node) -> None:
    pods.remove_leftovers()
    assert node.root.exists() and Path(f"/proc/{node.pid}").exists()
