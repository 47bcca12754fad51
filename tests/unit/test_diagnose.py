"""The diagnosis is complete and calm whatever the kernel says."""

from __future__ import annotations

import errno
import importlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from beespace import hooks
from beespace.errors import NotPermitted
from beespace.kernel import diagnose as module
from beespace.kernel import features
from beespace.kernel.diagnose import PROBES, RUNTIME_SOCKETS, Finding, diagnose
from beespace.syscall import mounts, process
from beespace.syscall.door import Argument
from beespace.syscall.fake import installed
from beespace.syscall.process import Rights


def by_name() -> dict[str, Finding]:
    return {finding.feature: finding for finding in diagnose()}


def kernel_that_says(number: int) -> Callable[[str, tuple[Argument, ...]], int]:
    return lambda name, arguments: -number


@pytest.mark.parametrize(
    "number",
    [errno.EPERM, errno.EINVAL, errno.ENOSYS, errno.EACCES, errno.ENOMEM, errno.E2BIG, 524, errno.EIO, errno.EFAULT],
)
def test_nothing_is_raised_whatever_the_kernel_says(number: int) -> None:
    with installed(kernel_that_says(number)):
        for feature in features.probe():
            assert feature.available or feature.why, feature
        findings = by_name()
    tried = findings["bpf system call"]
    assert not tried.available and tried.why and tried.help
    assert all(finding.help for finding in findings.values() if not finding.available)
    assert all(finding.why for finding in findings.values())


def test_without_proc_there_are_still_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> str:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "/proc")

    monkeypatch.setattr(Path, "read_text", gone)
    monkeypatch.setattr(Path, "stat", gone)
    monkeypatch.setattr(Path, "exists", lambda _: False)
    with installed(kernel_that_says(errno.EPERM)):
        findings = by_name()
    assert findings["process ids of the host"].why == "cannot be told: No such file or directory"


def test_findings_name_only_probes_that_ship() -> None:
    with installed(kernel_that_says(errno.ENOSYS)):
        for finding in diagnose():
            assert set(finding.needed_by) <= {*PROBES, "container names", "process names", "beespace run FILE.py"}


@pytest.mark.parametrize("probe", PROBES)
def test_the_hooks_of_a_probe_are_those_that_it_uses(probe: str) -> None:
    package = importlib.import_module(f"beespace.probes.{probe}")
    program = getattr(package, probe.capitalize())
    sections = filter(None, program.declaration().sections.values())  # sub-programs have no section
    used = {hooks.resolve(section).hook.name for section in sections}
    assert used == set(PROBES[probe])


def test_the_sockets_are_those_that_names_come_from() -> None:
    sources = importlib.import_module("beespace.enrich.sources")
    assert (*sources.CRI_SOCKETS, *(path for path, _ in sources.DOCKER_SOCKETS)) == RUNTIME_SOCKETS


def test_rights_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "rights", lambda: Rights(5, frozenset({"CAP_BPF", "CAP_PERFMON"}), True, False))
    monkeypatch.setattr(process, "splits_admin", lambda: True)
    monkeypatch.setattr(mounts, "visible_mounts", lambda kind: [mounts.Mount(1, "/", "/sys/fs/cgroup", kind)])
    found = {finding.feature: finding for finding in module._probe_rights()}
    flows, execs = found["least privilege of flows"], found["least privilege of execs"]
    assert execs == Finding("least privilege of execs", True, "CAP_BPF, CAP_PERFMON", "", ("execs",))
    assert (flows.available, flows.why) == (
        False, "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN; missing: CAP_NET_ADMIN",
    )  # fmt: skip
    monkeypatch.setattr(mounts, "visible_mounts", lambda kind: [])
    found = {finding.feature: finding for finding in module._probe_rights()}
    assert "CAP_SYS_ADMIN, because cgroup v2 is mounted nowhere" in found["least privilege of flows"].why
    monkeypatch.setattr(process, "splits_admin", lambda: False)
    found = {finding.feature: finding for finding in module._probe_rights()}
    assert found["least privilege of execs"].why.startswith("CAP_SYS_ADMIN; this kernel does not split it")


def test_a_user_namespace_is_no_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "rights", lambda: Rights(0, frozenset(process.CAPABILITIES), False, False))
    (finding,) = module._rights()
    assert not finding.available
    assert finding.why.startswith("this process is in a user namespace")
    assert "BPF token" in finding.help


@pytest.mark.parametrize(
    ("mode", "available"), [(None, True), ("none", True), ("integrity", True), ("confidentiality", False)]
)
def test_only_confidentiality_keeps_programs_from_reading(
    mode: str | None, available: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "lockdown", lambda: mode)
    (finding,) = module._lockdown()
    assert finding.available is available
    assert bool(finding.help) is not available


def test_a_hybrid_hierarchy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    places = {"cgroup2": [mounts.Mount(1, "/", "/sys/fs/cgroup/unified", "cgroup2")], "cgroup": []}
    monkeypatch.setattr(mounts, "visible_mounts", lambda kind: places[kind])
    monkeypatch.setattr(mounts, "cgroup2_root", lambda: mounts.open_at(-100, str(tmp_path)))
    finding = module._file_system("cgroup v2", "cgroup2", mounts.cgroup2_root, (), "")
    assert finding.why == "mounted at /sys/fs/cgroup/unified"
    places["cgroup"] = [mounts.Mount(2, "/", "/sys/fs/cgroup/cpu", "cgroup")]
    finding = module._file_system("cgroup v2", "cgroup2", mounts.cgroup2_root, (), "")
    assert finding.why == "mounted at /sys/fs/cgroup/unified; hybrid: version 1 hierarchies are mounted too"


def test_a_machine_that_is_a_container_has_its_part_of_the_cgroups(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> None:
        raise NotPermitted("reach the root of cgroup v2", missing="it")

    monkeypatch.setattr(mounts, "visible_mounts", lambda kind: [])
    parts: list[str | None] = [None, "/host/sys/fs/cgroup"]
    monkeypatch.setattr(mounts, "containers_cgroup2", lambda: parts[0])
    finding = module._file_system("cgroup v2", "cgroup2", nowhere, (), "")  # type: ignore[arg-type]
    assert not finding.available
    parts.pop(0)
    finding = module._file_system("cgroup v2", "cgroup2", nowhere, (), "")  # type: ignore[arg-type]
    assert finding == Finding(
        "cgroup v2", True, "this machine is a container; its own part is at /host/sys/fs/cgroup", "", ()
    )


def test_runtime_sockets_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_is_socket", lambda path: path == Path("/run/crio/crio.sock"))
    (finding,) = module._containers()
    assert finding == Finding("container runtime", True, "/run/crio/crio.sock", "", ("container names",))


def test_llvm_is_looked_for_and_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    (finding,) = module._llvm()
    assert (finding.available, finding.help) == (False, "pip install 'beespace[compile]'")
