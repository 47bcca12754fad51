"""Random verified programs in the kernel and in beespace's machine: results, packets and maps must be the same.

A case is a program that the kernel's verifier takes, on one packet.  ``make fuzz-vm CASES=100000`` prints every
difference, and ends with 1 if there was one.  A seed names a program: ``--first SEED --cases 1``.  Needs root.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from itertools import count

from both import PACKETS, Both, features

from beespace.session.native import native
from beespace.vm.jit import Native

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--jit", action="store_true", help="compare compiled code, too")
    given = parser.parse_args(arguments)
    os.sched_setaffinity(0, {0})  # the machine's CPU
    began, told, failures = time.monotonic(), time.monotonic(), 0
    ways: list[dict[str, Native]] = [{}, {"jit": native()}] if given.jit else [{}]
    with Both(features(), ways) as both:
        for seed in count(given.first):
            if both.accepted * len(PACKETS) >= given.cases:
                break
            for difference in both.differences(seed):
                failures += 1
                print(difference, flush=True)
            if time.monotonic() - told > 60:
                told = time.monotonic()
                cases = both.accepted * len(PACKETS)
                print(f"{cases} cases, {both.refused} refused, {failures} differences", flush=True)
        tried = both.accepted + both.refused
        seconds = time.monotonic() - began
        cases = both.accepted * len(PACKETS)
        print(
            f"{cases} cases: {both.accepted} programs of {tried} ({both.accepted / tried:.1%}) that the verifier takes,"
        )
        print(f"each on {len(PACKETS)} packets, in {seconds:.0f} s")
        print(f"with {', '.join(sorted(both.features))}: {failures} differences")
        print(f"{len(both.opcodes)} different instructions; helpers {', '.join(sorted(both.helpers))}")
        for reason, number in sorted(both.reasons.items(), key=lambda each: -each[1])[:8]:
            print(f"  refused {number} times: {reason}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
