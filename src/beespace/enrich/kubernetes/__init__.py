"""Names from the Kubernetes API: pods of this node, Services, endpoints, nodes, owners.

May import: the rest of ``enrich``.  Invariants: the standard library is enough; nothing here is ever waited for by
whoever makes rows; a server that is away, slow, forbids or lies costs names and is said, and nothing else.
"""

from beespace.enrich.kubernetes.access import Access, from_kubeconfig, in_cluster, to_kubelet
from beespace.enrich.kubernetes.client import ApiError, Client
from beespace.enrich.kubernetes.cluster import Cluster
from beespace.enrich.kubernetes.naming import service_name

__all__ = ["Access", "ApiError", "Client", "Cluster", "from_kubeconfig", "in_cluster", "service_name", "to_kubelet"]
