"""What an agent says while it runs when the Kubernetes API falls silent, and when it is back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

__all__ = ["ClusterNews", "Followed"]


class Followed(Protocol):
    """A :class:`~beespace.enrich.kubernetes.Cluster`."""

    def following(self) -> Mapping[str, str]: ...


class ClusterNews:
    """Says each change once.  What is not followed from the start has been said by who started.

    ``following``: each resource of the API, and why it is not followed now; "" if it is.
    """

    def __init__(self, cluster: Followed | None) -> None:
        self._cluster = cluster
        self.following: Mapping[str, str] = {} if cluster is None else cluster.following()

    def take(self) -> list[str]:
        """What has changed since the last call, in sentences."""
        if self._cluster is None:
            return []
        before, self.following = self.following, self._cluster.following()
        lost = [name for name, why in self.following.items() if why and not before.get(name)]
        back = [name for name, why in self.following.items() if not why and before.get(name)]
        said = [f"note: nothing new of {', '.join(lost)}: {self.following[lost[0]]}"] if lost else []
        return said + ([f"the Kubernetes API tells of {', '.join(back)} again"] if back else [])
