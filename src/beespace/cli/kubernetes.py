"""Which Kubernetes API a command speaks to."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator

from beespace.enrich.kubernetes import Access, from_kubeconfig, in_cluster, to_kubelet
from beespace.kernel.diagnose import Finding


def kubernetes_access(options: argparse.Namespace) -> Access | None:
    """The one of ``--kubeconfig``, else of the pod that we run in; None if there is none or it is not wanted."""
    if options.no_kubernetes:
        return None
    if options.kubeconfig is not None:
        return from_kubeconfig(options.kubeconfig)
    return in_cluster()


def kubelet_access(options: argparse.Namespace) -> Access | None:
    """The kubelet of ``--kubelet``, with the credentials for the API, also where that is not to be asked."""
    if options.kubelet is None:
        return None
    account = from_kubeconfig(options.kubeconfig) if options.kubeconfig is not None else in_cluster()
    return to_kubelet(options.kubelet, account, verify=not options.kubelet_insecure_tls)


def kubernetes_findings(options: argparse.Namespace) -> Iterator[Finding]:
    """What names the Kubernetes API gives here, for ``doctor``."""
    access = kubernetes_access(options)
    if access is None:
        why = "not asked" if options.no_kubernetes else "not in a pod with a service account: runtimes name containers"
        yield Finding("Kubernetes API", False, why, "on a node, give --kubeconfig FILE", ("names",))
        return
    from beespace.enrich.kubernetes.rights import rights

    node = options.node or os.environ.get("NODE_NAME") or os.uname().nodename
    for right in rights(access, node):
        help = f"without it there are no {right.lacking}: docs/kubernetes.md has the ClusterRole"
        yield Finding(f"Kubernetes {right.resource}", right.allowed, right.why, help, ("names",))
