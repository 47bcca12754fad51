"""What a node's agent may read of the Kubernetes API: each resource asked for once, one object of it."""

from __future__ import annotations

from typing import NamedTuple

from beespace.enrich.kubernetes.access import Access
from beespace.enrich.kubernetes.client import ApiError, Client
from beespace.enrich.kubernetes.cluster import resources

__all__ = ["Right", "rights"]


class Right(NamedTuple):
    """Whether ``resource`` may be listed; ``why`` it may not; what is ``lacking`` without it."""

    resource: str
    allowed: bool
    why: str
    lacking: str


def rights(access: Access, node: str) -> list[Right]:
    """One for each resource that names come from; stops at the first that nobody answered."""
    found = []
    client = Client(access, timeout_s=5.0)
    for resource in resources(node):
        query = {"limit": "1", **({"fieldSelector": resource.selector} if resource.selector else {})}
        try:
            client.get(resource.path, query, accept=resource.accept)
        except ApiError as error:
            found.append(Right(resource.name, False, str(error), resource.lacking))
            if not error.status:
                break
        else:
            found.append(Right(resource.name, True, f"may be listed at {access.url}", resource.lacking))
    return found
