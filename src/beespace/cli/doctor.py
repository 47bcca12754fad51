"""``beespace doctor``: what this machine allows, and how to get what is missing."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from beespace.kernel.diagnose import Finding, diagnose

NEEDED_TO_WATCH = ("flows", "execs")


def run(options: argparse.Namespace) -> int:
    """One line a feature; status 3 if the shipped probes cannot run here."""
    findings = diagnose()
    if options.output == "json":
        for finding in findings:
            print(json.dumps(asdict(finding)))
    else:
        width = max(len(finding.feature) for finding in findings)
        for finding in findings:
            print(f"{'ok' if finding.available else '--':<4}{finding.feature:<{width}}  {finding.why}")
            if not finding.available and finding.help:
                print(f"{'':<{width + 6}}help: {finding.help}")
    missing = [finding.feature for finding in findings if not finding.available and _stops_watching(finding)]
    if missing and options.output == "table":
        print(f"\nbeespace watch cannot run here; it lacks: {', '.join(missing)}")
    return 3 if missing else 0


def _stops_watching(finding: Finding) -> bool:
    return any(probe in finding.needed_by for probe in NEEDED_TO_WATCH)
