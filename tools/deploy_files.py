"""Write the Helm chart and the pod of the kubectl plugin, from the tables of ``beespace deploy``.

``python tools/deploy_files.py``; with ``--check``, only say which files are not as they would be written (status 1).
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from beespace.deploy.files import CHART, chart, ephemeral_pod

ROOT = Path(__file__).parents[1]
PLUGIN = "plugins/kubectl-beespace"
BETWEEN = re.compile(r"(<<'POD'\n).*?(^POD$)", re.S | re.M)


def contents() -> dict[str, str]:
    """Every file that is made, by its path in the repository."""
    plugin, made = BETWEEN.subn(lambda found: found[1] + ephemeral_pod() + found[2], (ROOT / PLUGIN).read_text())
    assert made == 1, f"{PLUGIN} has no place for the pod"
    return {**{f"{CHART}/{name}": text for name, text in chart().items()}, PLUGIN: plugin}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    made = contents()
    stale = [name for name, text in made.items() if not (ROOT / name).exists() or (ROOT / name).read_text() != text]
    for name in stale:
        print(f"{name} {'is not what the tables say: run tools/deploy_files.py' if check else 'written'}")
        if not check:
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_text(made[name])
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
