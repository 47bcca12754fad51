"""Make the archive of ``kubectl beespace`` and the manifest by which krew installs it.

``python tools/krew_plugin.py URI --output DIR``: URI is where the archive will be.  The same files give the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import tarfile
from pathlib import Path

from beespace import __version__
from beespace.deploy.yaml import documents

ROOT = Path(__file__).parents[1]
FILES = (("plugins/kubectl-beespace", 0o755), ("LICENSE", 0o644))
ARCHIVE = f"kubectl-beespace-{__version__}.tar.gz"


def archive() -> bytes:
    """The plugin and the licence."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, mode in FILES:
            data = (ROOT / name).read_bytes()
            entry = tarfile.TarInfo(Path(name).name)
            entry.size, entry.mode = len(data), mode
            tar.addfile(entry, io.BytesIO(data))
    return gzip.compress(packed.getvalue(), mtime=0)


def manifest(uri: str, data: bytes) -> str:
    """For krew (``krew.googlecontainertools.github.com/v1alpha2``); Linux and macOS, because it is a shell script."""
    systems = {"key": "os", "operator": "In", "values": ["linux", "darwin"]}
    platform = {
        "selector": {"matchExpressions": [systems]},
        "uri": uri,
        "sha256": hashlib.sha256(data).hexdigest(),
        "files": [{"from": Path(name).name, "to": "."} for name, _ in FILES],
        "bin": "kubectl-beespace",
    }
    plugin = {
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": {"name": "beespace"},
        "spec": {
            "version": f"v{__version__}",
            "shortDescription": "Flows of a pod, with processes and peers",
            "description": "Who a pod talks to and which of its processes does, exactly, from eBPF. An agent pod is "
            "started on the pod's node for as long as you watch, and removed afterwards; nothing is installed.",
            "caveats": "The agent pod sees its whole node: you need the right to make such a pod.",
            "platforms": [platform],
        },
    }
    return documents([plugin]).removeprefix("---\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("uri", help=f"where {ARCHIVE} will be")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="DIR", help="default: dist")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    data = archive()
    (options.output / ARCHIVE).write_bytes(data)
    (options.output / "beespace.yaml").write_text(manifest(options.uri, data))
    print(f"{options.output / ARCHIVE} and {options.output / 'beespace.yaml'}")


if __name__ == "__main__":
    main()
