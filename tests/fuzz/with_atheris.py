"""One door fuzzed by atheris, which follows what code each input reaches (pip install atheris).

    python tests/fuzz/with_atheris.py DOOR [options of libFuzzer, such as -max_total_time=600]

What it finds on its way is kept in ``corpus/DOOR``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]

sys.path.insert(0, str(Path(__file__).parent))
with atheris.instrument_imports(include=["beespace"]):
    import fuzzing


def main() -> None:
    """See the top of this file."""
    door, *options = sys.argv[1:]
    corpus = fuzzing.HERE / "corpus" / door
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(fuzzing.DOORS[door][1]):
        (corpus / f"seed-{number}").write_bytes(seed)
    limits = ["-timeout=5", "-rss_limit_mb=1024", "-max_len=16384"]
    atheris.Setup([sys.argv[0], str(corpus), *limits, *options], lambda data: fuzzing.check(door, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
