"""``beespace test``: pytest with the fixtures for probes, and probes themselves as tests.

What is not an option of ours goes to pytest as it is.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec

PLUGIN = "beespace.testing.plugin"
# Pytest would rewrite the assertions of a plugin's package, and this one runs already.
_IMPORTED = "ignore:Module already imported so cannot be rewritten; beespace:pytest.PytestAssertRewriteWarning"


def plugin_name() -> str:
    """What ``-p`` of pytest takes for our plugin; where it is installed, the name by which pytest loads it anyway."""
    installed = any(each.value == PLUGIN for each in entry_points(group="pytest11", name="beespace"))
    return "beespace" if installed else PLUGIN


def run(options: argparse.Namespace) -> int:
    """Run pytest; its outcome as 0, 1, 2 or 3 (nothing of it is permitted or possible here)."""
    if options.help:
        print(options.usage(), end="")
        return 0
    if find_spec("pytest") is None:
        print(
            "beespace: `beespace test` needs pytest, which is not installed\n  help: pip install 'beespace[test]'",
            file=sys.stderr,
        )
        return 3
    import pytest

    from beespace.errors import UsageError
    from beespace.session.simulated_types import simulated_types
    from beespace.testing.places import checked
    from beespace.testing.tally import Tally

    if options.btf is not None:
        simulated_types(options.btf)  # says what is wrong with it
        os.environ["BEESPACE_BTF"] = options.btf
    places = checked([name for name in (options.on or "").split(",") if name])
    if options.on is not None and not places:
        raise UsageError("--on takes places", help="as in --on vm,here,7.3")
    arguments = ["-p", plugin_name(), "-W", _IMPORTED, "--beespace-probes", *options.rest]
    if options.debug:
        arguments += ["--beespace-debug", "-s"]
    if places:
        arguments += ["--beespace-on", ",".join(places)]
    tally = Tally()
    status = tally.status(pytest.main(arguments, plugins=[tally]))
    if status == 3:
        print(f"beespace: nothing could be tested here: {tally.reasons[0]}", file=sys.stderr)
    return status
