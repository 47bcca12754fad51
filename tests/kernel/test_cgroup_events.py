"""A cgroup is known before the first packet from it, however short it lives."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pace import patience

from beespace.session.watch import Watch, WatchOptions

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("flows_load")]

# In its own cgroup from the first packet to the last, and gone.
SENDER = """
import os, socket, sys
open(sys.argv[1] + "/cgroup.procs", "w").write(str(os.getpid()))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    sender.sendto(b"x" * 100, ("127.0.0.1", int(sys.argv[2])))
"""


@pytest.fixture
def parent() -> Iterator[Path]:
    root = next(
        (Path(line.split()[1]) for line in Path("/proc/self/mounts").read_text().splitlines() if " cgroup2 " in line),
        None,
    )
    if root is None:
        pytest.skip("no cgroup v2 is mounted here")
    folder = root / f"beespace-test-{os.getpid()}"
    folder.mkdir()
    try:
        yield folder
    finally:
        for path, _, _ in os.walk(folder, topdown=False):
            Path(path).rmdir()


@pytest.fixture
def watch(parent: Path) -> Iterator[Watch]:
    with Watch(WatchOptions(cgroup=parent)) as running:
        yield running


def rows(watch: Watch, table: str) -> list[dict[str, Any]]:
    names = ["container_id", "pod_uid", "remote_port"]
    return [row for batch in watch.collect() if batch.table == table for row in batch.records.select(names).to_pylist()]


def remove(folder: Path) -> None:
    """A cgroup that was left a moment ago may be busy for another one."""
    deadline = time.monotonic() + patience(10)
    while True:
        try:
            return folder.rmdir()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.005)


def test_a_container_that_was_gone_before_anybody_looked(watch: Watch, parent: Path) -> None:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    port = receiver.getsockname()[1]
    sent: dict[str, str] = {}
    with receiver:
        for _ in range(20):
            uid, container = str(uuid.uuid4()), secrets.token_hex(32)
            pod = parent / "kubepods" / "besteffort" / f"pod{uid}"
            (pod / container).mkdir(parents=True)
            subprocess.run([sys.executable, "-c", SENDER, str(pod / container), str(port)], check=True)
            remove(pod / container)
            remove(pod)
            sent[container] = uid
        found = rows(watch, "flows")
    owned = {row["container_id"]: row["pod_uid"] for row in found if row["remote_port"] == port}
    assert owned == sent


def test_folders_that_existed_before_and_what_is_lost(parent: Path) -> None:
    uid, container = str(uuid.uuid4()), secrets.token_hex(32)
    early = parent / f"pod{uid}" / container
    early.mkdir(parents=True)
    with Watch(WatchOptions(cgroup=parent)) as watch:
        tree = watch.who.cgroups
        known = tree.known(early.stat().st_ino)
        assert known is not None and known.membership.pod_uid == uid and known.valid_to is None
        walks = tree.statistics()["walks"]
        late = parent / "late"
        late.mkdir()
        number = late.stat().st_ino
        rows(watch, "flows")
        made = tree.known(number)
        assert made is not None and made.path == f"/{parent.name}/late"
        late.rmdir()
        rows(watch, "flows")
        gone = tree.known(number)
        assert gone is not None and gone.valid_to is not None and gone.valid_from < gone.valid_to
        assert tree.statistics()["walks"] == walks  # the events were enough


def test_a_path_that_does_not_fit_is_looked_up(watch: Watch, parent: Path) -> None:
    deep = parent
    for _ in range(3):
        deep = deep / ("d" * 200)
    deep.mkdir(parents=True)
    rows(watch, "flows")
    found = watch.who.cgroups.get(deep.stat().st_ino)
    assert found is None or found.path == f"/{deep.relative_to(parent.parent)}"
    watch.who.cgroups.walk()
    found = watch.who.cgroups.known(deep.stat().st_ino)
    assert found is not None and found.path == f"/{deep.relative_to(parent.parent)}"
