"""Which Kubernetes API a command speaks to."""

from __future__ import annotations

import argparse

from beespace.enrich.kubernetes import Access, from_kubeconfig, in_cluster


def kubernetes_access(options: argparse.Namespace) -> Access | None:
    """The one of ``--kubeconfig``, else of the pod that we run in; None if there is none or it is not wanted."""
    if options.no_kubernetes:
        return None
    if options.kubeconfig is not None:
        return from_kubeconfig(options.kubeconfig)
    return in_cluster()
