"""``beespace doctor``: what this machine allows, and how to get what is missing."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import groupby

from beespace.cli.kubernetes import kubernetes_findings
from beespace.guest import KERNELS, unpacked
from beespace.guest.programs import PACKAGES, missing
from beespace.kernel import features
from beespace.kernel.diagnose import Finding, diagnose
from beespace.kernel.features import Feature

NEEDED_TO_WATCH = ("flows", "execs")

# What --all prints, group after group; the last is listed by program type.
TITLES = {
    "machine": "this machine",
    "setting": "settings (sysctl)",
    "limit": "limits",
    "program": "program types",
    "map": "map types",
    "attach type": "attach types",
    "link": "links",
    "attach": "ways to attach",
    "instruction": "instructions",
    "type": "types (BTF) of objects",
    "kfunc": "kernel functions for programs",
    "helper": "helper functions",
}


def run(options: argparse.Namespace) -> int:
    """One line a finding; status 3 if the shipped probes cannot run here.  ``--all``: every feature too."""
    findings = (*diagnose(), *kubernetes_findings(options), _other_kernels())
    if options.output == "json":
        for each in (*findings, *(everything() if options.all else ())):
            print(json.dumps(asdict(each)))
    else:
        _table(findings)
        if options.all:
            for title, group in groupby(everything(), key=lambda feature: TITLES[feature.group]):
                _show(title, group)
        else:
            _summary()
    missing = [finding.feature for finding in findings if not finding.available and _stops_watching(finding)]
    if missing and options.output == "table":
        print(f"\nbeespace watch cannot run here; it lacks: {', '.join(missing)}")
    return 3 if missing else 0


def _other_kernels() -> Finding:
    """Whether a command can be tried on other kernels here, and which there are."""
    absent = missing()
    names = [f"{kernel.name}{'' if unpacked(kernel) else ' (not fetched)'}" for kernel in KERNELS]
    why = f"{', '.join(absent)} not installed" if absent else f"in virtual machines: {', '.join(names)}"
    packages = " ".join(dict.fromkeys(PACKAGES.get(name, name) for name in absent))
    help = f"for `beespace kernels`: apt-get install {packages}" if absent else ""
    return Finding("other kernels", not absent, why, help, ("kernels",))


def everything() -> Iterator[Feature]:
    """Every feature that can be asked for, in the order of :data:`TITLES`."""
    order = list(TITLES)
    yield from sorted(features.probe(), key=lambda feature: order.index(feature.group))
    for name in sorted(features.kfunc_names()):
        yield Feature("kfunc", name, True)
    yield from features.probe_helpers()


def _table(findings: Iterable[Finding]) -> None:
    findings = tuple(findings)
    width = max(len(finding.feature) for finding in findings)
    for finding in findings:
        print(f"{_mark(finding.available)}{finding.feature:<{width}}  {finding.why}")
        if not finding.available and finding.help:
            print(f"{'':<{width + 6}}help: {finding.help}")


def _mark(available: bool) -> str:
    return f"{'ok' if available else '--':<4}"


def _show(title: str, group: Iterable[Feature]) -> None:
    found = list(group)
    print(f"\n{title}")
    if found[0].group == "kfunc":
        _words([each.name for each in found])
    elif found[0].group == "helper":
        for kind, helpers in groupby(found, key=lambda each: each.name.partition(" in ")[2]):
            names = [each.name.partition(" in ")[0] for each in helpers if each.available]
            print(f"  {kind}: {len(names)}")
            _words(names, "    ")
    else:
        width = max(len(each.name) for each in found)
        for each in found:
            said = str(each.value) if each.value is not None else each.why
            print(f"  {_mark(each.available)}{each.name:<{width}}  {said}".rstrip())


def _words(names: list[str], indent: str = "  ") -> None:
    print(textwrap.fill(" ".join(names), 110, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False))


def _summary() -> None:
    counts = {
        "program types": features.program_types(),
        "map types": features.map_types(),
        "kinds of links": features.link_types(),
    }
    parts = []
    for what, tried in counts.items():
        found = list(tried)
        parts.append(f"{sum(each.available for each in found)} of {len(found)} {what}")
    print(f"\nThis kernel has {', '.join(parts)}, instruction set v{features.instruction_level()} (list: --all)")


def _stops_watching(finding: Finding) -> bool:
    return any(probe in finding.needed_by for probe in NEEDED_TO_WATCH)
