"""What a pod's service is called: ``service.name`` as OpenTelemetry computes it from Kubernetes.

Semantic conventions, "Specify resource attributes using Kubernetes annotations": the first value found of the pod's
annotation ``resource.opentelemetry.io/service.name``; its labels ``app.kubernetes.io/instance`` and ``.../name``;
the Deployment, ReplicaSet, StatefulSet, DaemonSet, CronJob, Job; the pod; the container.  Tools shall use the labels
only if they are told to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["ANNOTATION", "LABELS", "service_name"]

ANNOTATION = "resource.opentelemetry.io/service.name"
LABELS = ("app.kubernetes.io/instance", "app.kubernetes.io/name")
KINDS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "CronJob", "Job")


def service_name(
    pod: str | None,
    owners: Iterable[tuple[str, str]],
    annotations: Mapping[str, str],
    labels: Mapping[str, str],
    *,
    use_labels: bool = False,
    container: str | None = None,
) -> str | None:
    """The name; ``owners`` are (kind, name) of everything that owns the pod, in any order."""
    if value := annotations.get(ANNOTATION):
        return value
    if use_labels:
        for label in LABELS:
            if value := labels.get(label):
                return value
    named = dict(owners)
    return next((named[kind] for kind in KINDS if kind in named), None) or pod or container
