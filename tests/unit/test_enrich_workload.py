"""The workload behind a pod's name: told by labels and name together, or not at all."""

from __future__ import annotations

import pytest

from beespace.enrich.workload import owner_of, workload_of

CASES = [
    ("web-6f7d9c8b5-x2k4p", {"pod-template-hash": "6f7d9c8b5"}, "web"),
    ("web-front-6f7d9c8b5-x2k4p", {"pod-template-hash": "6f7d9c8b5", "app": "web"}, "web-front"),
    ("web-6f7d9c8b5", {"pod-template-hash": "6f7d9c8b5"}, None),  # the name was cut
    ("web-1", {"pod-template-hash": "abc"}, None),
    ("db-0", {"statefulset.kubernetes.io/pod-name": "db-0", "controller-revision-hash": "db-5d"}, "db"),
    ("db-0", {"statefulset.kubernetes.io/pod-name": "other-0"}, None),
    ("agent-b7w29", {"controller-revision-hash": "x", "pod-template-generation": "1"}, "agent"),
    (
        "backup-29000-x2k4p",
        {"batch.kubernetes.io/job-name": "backup-29000", "job-name": "backup-29000"},
        "backup-29000",
    ),
    ("train-3-x2k4p", {"job-name": "train"}, "train"),  # an indexed job
    ("other-x2k4p", {"job-name": "train"}, None),
    ("bare", {"app": "web"}, None),
    ("bare", {}, None),
    (None, {"pod-template-hash": "abc"}, None),
]


@pytest.mark.parametrize(("pod", "labels", "workload"), CASES)
def test_workload(pod: str | None, labels: dict[str, str], workload: str | None) -> None:
    assert workload_of(pod, labels) == workload


def test_the_kind_goes_with_the_name() -> None:
    assert owner_of("web-5d9f7c8b6-x2x4z", {"pod-template-hash": "5d9f7c8b6"}) == ("web", "Deployment")
    assert owner_of("db-0", {"statefulset.kubernetes.io/pod-name": "db-0"}) == ("db", "StatefulSet")
    assert owner_of("agent-x2x4z", {"pod-template-generation": "1"}) == ("agent", "DaemonSet")
    assert owner_of("import-28371-x2x4z", {"batch.kubernetes.io/job-name": "import-28371"}) == ("import-28371", "Job")
    assert owner_of("bare", {"pod-template-hash": "5d9f7c8b6"}) is None
