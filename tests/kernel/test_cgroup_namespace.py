"""In a cgroup namespace, as containers have one: the root of the hierarchy is the host's, or nobody's."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from pace import patience
from watching import Place, cgroup_root

pytestmark = pytest.mark.kernel

# Beside the host's hierarchy, a container has its own part mounted; the namespace calls that part "/".
SCRIPT = """
set -e
mkdir "$1/own"
mount -t cgroup2 none "$1/own"
if [ "$2" != beside ]; then umount -l "$3"; fi
if [ "$2" = machine ]; then mkdir "$1/own/leaf"; echo $$ >"$1/own/leaf/cgroup.procs"; fi
exec "$4" -c '
import json, os
from beespace.errors import NotPermitted
from beespace.kernel.features.attach_kinds import attach_kind
from beespace.syscall import mounts
hook = attach_kind("cgroup_skb egress")
try:
    with mounts.cgroup2_root() as root:
        found = os.fstat(root.fileno()).st_ino
except NotPermitted as error:
    found = str(error)
part = mounts.containers_cgroup2()
print(json.dumps([found, [mount.path for mount in mounts.visible_mounts("cgroup2")], part, [hook.available, hook.why]]))
'
"""


@pytest.mark.parametrize("hosts", ["beside", "alone", "machine"])
def test_its_own_part_is_not_taken_for_the_root(place: Place, tmp_path: Path, hosts: str) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("unshare of util-linux is not installed")
    root = cgroup_root()
    process = place.start(
        ["unshare", "--mount", "--cgroup", "sh", "-c", SCRIPT, "sh", str(tmp_path), hosts, str(root), sys.executable],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": ":".join(filter(None, sys.path))},
    )
    output, _ = process.communicate(timeout=patience(60))
    found, visible, part, (attaches, why) = json.loads(output)
    # A machine that is a container has cgroups below its own; alone, there is nobody but the process itself.
    assert part == (str(tmp_path / "own") if hosts == "machine" else None)
    if hosts == "machine":
        (place.path / "leaf").rmdir()
    if hosts == "beside":
        assert (found, visible) == (root.stat().st_ino, [str(root)])
    else:
        assert visible == []
        assert "in a cgroup namespace of its own" in found and "mount the host's /sys/fs/cgroup" in found
    assert attaches == (hosts != "alone"), why  # where `watch` attaches, the doctor does
