"""docs/deploy.md: its commands are ones that exist, its tables are complete, its `beespace deploy` runs."""

from __future__ import annotations

import argparse
import re
import shlex

import pytest
from pages import ROOT, lines, page

from beespace.cli.arguments import make_parser, parse
from beespace.cli.main import main
from beespace.deploy.files import VALUES
from beespace.kernel.kernel_program import Statistics
from beespace.session.costs import MapCost
from beespace.session.health import Health
from beespace.sinks.exposition import PROMETHEUS, exposition

TEXT = page("deploy")
LINES = lines(TEXT)
OURS = [line for line in LINES if line.startswith("beespace ")]
IN_PODS = [line.partition(" -- ")[2] for line in LINES if line.startswith("kubectl exec")]
PLUGIN = [line for line in LINES if line.startswith("kubectl beespace")]


def test_there_are_commands() -> None:
    assert len(OURS) >= 4 and len(IN_PODS) >= 2 and len(PLUGIN) >= 4


@pytest.mark.parametrize("line", [*OURS, *IN_PODS])
def test_commands_are_understood(line: str) -> None:
    words = shlex.split(line.partition(" | ")[0].partition(" > ")[0])
    assert words[0] == "beespace"
    parse(words[1:])


@pytest.mark.parametrize("line", [line for line in OURS if line.startswith("beespace deploy")])
def test_deploy_prints_what_it_should(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shlex.split(line.partition(" | ")[0].partition(" > ")[0])[1:]) == 0
    assert "DaemonSet" in capsys.readouterr().out


@pytest.mark.parametrize("line", PLUGIN)
def test_commands_of_the_plugin_stand_in_its_usage(line: str) -> None:
    usage = (ROOT / "plugins/kubectl-beespace").read_text()
    words = shlex.split(line)
    assert f"kubectl beespace {words[2]}" in re.sub(" +", " ", usage)
    if words[2] == "watch":  # what is not the plugin's own is of `beespace watch`
        own = {"-n", "--image"}
        rest, at = [], 4
        while at < len(words):
            if words[at] in own:
                at += 2
            else:
                rest.append(words[at])
                at += 1
        parse(["watch", *rest])


@pytest.mark.parametrize("command", ["serve", "deploy"])
def test_options_in_the_text_exist(command: str) -> None:
    commands = next(a for a in make_parser()._actions if isinstance(a, argparse._SubParsersAction))
    known = {option for action in commands.choices[command]._actions for option in action.option_strings}
    section = TEXT.partition("## The agent" if command == "serve" else "## The manifests")[2].partition("\n## ")[0]
    named = set(re.findall(r"^\| (.*?) \|", section, re.M))
    options = {option for cell in named for option in re.findall(r"`(--[a-z-]+)", cell)}
    assert options and options <= known
    if command == "deploy":
        assert known - options == {"-h", "--help", "-o", "--output"}


class Costs:
    """Of one program and one map."""

    counted = True

    def programs(self) -> dict[tuple[str, str], Statistics]:
        return {("flows", "on_egress"): Statistics(1, 1, 0)}

    def maps(self) -> dict[tuple[str, str], MapCost]:
        return {("flows", "flows"): MapCost(1, 1, 1)}


def test_every_metric_is_described() -> None:
    health = Health(1.0)
    health.costs, health.cpu_limit = Costs(), 0.02  # type: ignore[assignment]
    health.collected(
        began=0.0, unattributed={"x": 1}, store_lost={("x", "y"): 1}, cluster={"x": ""},
        store={"bytes": 1, "segments": 1, "oldest_timestamp_seconds": 1},
    )  # fmt: skip
    made = set(re.findall(r"^([a-z_]+)", exposition(health.families(), PROMETHEUS), re.M))
    described = set(
        re.findall(r"`((?:beespace|process)_[a-z_]+)", TEXT.partition("| metric |")[2].partition("\n\n")[0])
    )
    traffic = {"beespace_rows_total", "beespace_flow_packets_total", "beespace_flow_bytes_total"}  # no rows here
    assert described == (made - {"beespace_info"}) | traffic


def test_the_charts_values_are_the_options() -> None:
    assert {name for name, _, _ in VALUES} >= {"image", "runtime", "store", "keep", "keepBytes", "listen"}
    set_in_text = re.findall(r"--set (\w+)=", TEXT)
    assert set(set_in_text) <= {name for name, _, _ in VALUES}


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", TEXT):
        assert (ROOT / "docs" / target).exists(), target
