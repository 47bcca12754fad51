"""What a cluster needs to run the agent of this version: manifests, as plain data with a reason for each right.

May import: ``errors`` and below.  Invariant: the manifests, the Helm chart and the pod of ``kubectl beespace`` come
from the same tables, so a right that is asked for is asked for everywhere, and is explained where it is.

=============  ================================================================================
explained      a value and why it is what it is
security       what the agent's container may do, and sees of its node
manifests      the objects, in the order in which they are applied
yaml           plain data as YAML
files          the chart and the plugin in the repository, which are made of these
=============  ================================================================================
"""

from beespace.deploy.manifests import Settings, manifests
from beespace.deploy.yaml import documents

__all__ = ["Settings", "documents", "manifests"]
