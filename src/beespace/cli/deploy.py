"""``beespace deploy``: manifests that run the agent of this version on every node of a cluster."""

from __future__ import annotations

import argparse
import json
import sys

from beespace.deploy import Settings, documents, manifests
from beespace.deploy.explained import plain
from beespace.deploy.manifests import PORT
from beespace.deploy.security import RUNTIMES
from beespace.errors import UsageError


def run(options: argparse.Namespace) -> int:
    """Print them, for ``kubectl apply -f -``."""
    objects = manifests(
        Settings(
            namespace=options.namespace,
            image=options.image or Settings().image,
            store=_absolute("--store", options.store),
            runtime=_absolute("--runtime", RUNTIMES.get(options.runtime, options.runtime)),
            keep=options.keep,
            keep_bytes=options.keep_bytes,
            max_cpu=options.max_cpu,
            costs=options.costs,
            listen=f":{PORT}" if options.scrape else Settings().listen,
            kubelet=options.kubelet or "",
            kubelet_insecure_tls=options.kubelet_insecure_tls,
        )
    )
    if options.output == "json":
        print(json.dumps({"apiVersion": "v1", "kind": "List", "items": [plain(each) for each in objects]}, indent=2))
    else:
        print(documents(objects), end="")
    if options.image is None:
        print(
            f"beespace: note: the image is {Settings().image}: build it from the Containerfile, and name it with "
            "--image as your registry does",
            file=sys.stderr,
        )
    return 0


def _absolute(option: str, path: str) -> str:
    if not path.startswith("/") or path == "/" or "/.." in path:
        known = f", or one of {', '.join(RUNTIMES)}" if option == "--runtime" else ""
        raise UsageError(f"{option} {path!r} is no folder of a node", help=f"give an absolute path{known}")
    return path
