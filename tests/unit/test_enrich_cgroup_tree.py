"""Cgroup ids to paths, over a folder tree: an id is a folder's inode number, as in the cgroup file system."""

from __future__ import annotations

from pathlib import Path

from beespace.enrich.cgroup_tree import CgroupTree, widest_mount
from beespace.syscall.mounts import parse_mountinfo

A = "a1" * 32


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def inode(folder: Path) -> int:
    return folder.stat().st_ino


def test_walks_once_and_finds_paths(tmp_path: Path) -> None:
    (tmp_path / f"docker/{A}").mkdir(parents=True)
    (tmp_path / "cgroup.procs").write_text("")
    tree = CgroupTree(tmp_path)
    found = tree.get(inode(tmp_path / f"docker/{A}"))
    assert found is not None
    assert (found.path, found.membership.container_id, found.valid_to) == (f"/docker/{A}", A, None)
    root = tree.get(inode(tmp_path))
    assert root is not None and root.path == "/"
    assert tree.known(inode(tmp_path / "cgroup.procs")) is None
    assert tree.statistics()["walks"] == 1


def test_a_miss_walks_again_but_not_too_often(tmp_path: Path) -> None:
    clock = Clock()
    tree = CgroupTree(tmp_path, interval_s=1.0, clock=clock)
    tree.walk()
    (tmp_path / "new").mkdir()
    assert tree.get(inode(tmp_path / "new")) is None  # too soon
    assert tree.statistics() | {"walks": 1, "deferred": 1} == tree.statistics()
    clock.now += 20.0
    found = tree.get(inode(tmp_path / "new"))
    assert found is not None and found.path == "/new"


def test_an_id_that_a_walk_did_not_find_costs_no_second_walk(tmp_path: Path) -> None:
    clock = Clock()
    tree = CgroupTree(tmp_path, clock=clock)
    for _ in range(5):
        clock.now += 100.0
        assert tree.get(4_000_000_000) is None
    assert tree.get(0) is None
    assert tree.statistics()["walks"] == 1
    assert tree.statistics()["not_found"] == 1


def test_one_walk_for_many(tmp_path: Path) -> None:
    folders = [tmp_path / f"c{number}" for number in range(20)]
    for folder in folders:
        folder.mkdir()
    tree = CgroupTree(tmp_path)
    tree.prepare(map(inode, folders))
    assert tree.statistics()["walks"] == 1
    assert all(tree.known(inode(folder)) for folder in folders)


def test_removed_ones_are_remembered_with_their_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = inode(tmp_path / "a"), inode(tmp_path / "b")
    tree = CgroupTree(tmp_path, remembered=1, now_ns=lambda: 77)
    tree.walk()
    (tmp_path / "a").rmdir()
    tree.walk()
    gone = tree.get(first)
    assert gone is not None and (gone.path, gone.valid_to) == ("/a", 77)
    (tmp_path / "b").rmdir()
    tree.walk()
    assert tree.known(first) is None  # only one is kept
    assert tree.known(second) is not None


def test_what_is_pushed_needs_no_walk(tmp_path: Path) -> None:
    tree = CgroupTree(tmp_path)
    tree.observe(123, f"/docker/{A}")
    found = tree.get(123)
    assert found is not None and found.membership.container_id == A
    tree.observe_removed(123)
    tree.observe_removed(123)
    gone = tree.get(123)
    assert gone is not None and gone.valid_to is not None
    assert tree.statistics()["walks"] == 0
    assert [cgroup.id for cgroup in tree.changes.take()] == [123]
    assert tree.changes.take() == []


def test_a_machine_without_the_hierarchy_knows_nothing(tmp_path: Path) -> None:
    tree = CgroupTree(tmp_path / "missing")
    assert tree.get(5) is None
    tree.close()


HYBRID = """\
24 1 0:22 / /sys rw - sysfs sysfs rw
30 24 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
31 24 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""
POD = """\
31 24 0:27 / /sys/fs/cgroup ro - cgroup2 cgroup rw
40 24 0:27 /../../.. /host/sys/fs/cg\\040roup ro - cgroup2 cgroup rw
"""
PART = "31 24 0:27 /user.slice /mnt/part rw - cgroup2 cgroup rw\n"


def test_the_widest_mount_is_taken() -> None:
    assert widest_mount(parse_mountinfo(HYBRID)) == "/sys/fs/cgroup/unified"
    assert widest_mount(parse_mountinfo(POD)) == "/host/sys/fs/cg roup"
    assert widest_mount(parse_mountinfo(PART)) is None
    assert widest_mount([]) is None
