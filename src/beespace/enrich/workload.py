"""The workload that a pod belongs to, from the labels that Kubernetes' own controllers put on its pods.

Only where the label and the pod's name agree, so that it is never a guess: a Deployment's pods are called
``<deployment>-<pod-template-hash>-<suffix>``, a DaemonSet's ``<daemonset>-<suffix>``, a StatefulSet's
``<statefulset>-<ordinal>``.  Names of more than 58 characters are cut by the API server and stay unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["owner_of", "workload_of"]

_SUFFIX = r"-[a-z0-9]{5}"

# Label, the form of the pod's name, and what the owner is; {} stands for the label's value.
_RULES = (
    ("batch.kubernetes.io/job-name", rf"({{}})(?:-[0-9]+)?{_SUFFIX}", "Job"),
    ("job-name", rf"({{}})(?:-[0-9]+)?{_SUFFIX}", "Job"),
    ("pod-template-hash", rf"(.+)-{{}}{_SUFFIX}", "Deployment"),
    ("statefulset.kubernetes.io/pod-name", r"(?={}$)(.+)-[0-9]+", "StatefulSet"),
    ("pod-template-generation", rf"(.+){_SUFFIX}", "DaemonSet"),
)


def owner_of(pod_name: str | None, labels: Mapping[str, str]) -> tuple[str, str] | None:
    """Name and kind of the Deployment, StatefulSet, DaemonSet or Job; None for a bare pod or when in doubt."""
    for label, form, kind in _RULES:
        if pod_name and (value := labels.get(label)):
            found = re.fullmatch(form.replace("{}", re.escape(value)), pod_name)
            return (found[1], kind) if found else None
    return None


def workload_of(pod_name: str | None, labels: Mapping[str, str]) -> str | None:
    """The owner's name alone."""
    found = owner_of(pod_name, labels)
    return found[0] if found else None
