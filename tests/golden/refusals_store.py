"""Refusals of real kernels: for each program ``NAME.json``, what kernels said, and ``NAME.txt``, what is made of it.

In the JSON stands for each kernel the program's name, the end of its log and the places of its instructions; in the
text each explanation once, under the kernels that lead to it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from beespace.errors import VerifierError

PYTHON = Path(__file__).parent / "refusals"
C = PYTHON / "c"
_KEPT = 120  # lines of a log that a record keeps from its end


def kernels(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def record(error: VerifierError, source: str) -> dict[str, Any]:
    """What there is to know of a refusal; ``source`` is the name that the file has in the records."""
    lines = [[line.index, source, line.line, line.column] for line in error.lines]
    return {"program": error.program, "log": error.log.splitlines()[-_KEPT:], "lines": lines}


def store(folder: Path, name: str, kernel: str, found: Mapping[str, Any]) -> None:
    """Keep a record beside those of other kernels."""
    path = folder / f"{name}.json"
    records = json.loads(path.read_text()) if path.exists() else {}
    records[kernel] = found
    ordered = sorted(records.items(), key=lambda item: kernels(item[0]))
    body = ",\n".join(f' "{each}": {_written(content)}' for each, content in ordered)
    path.write_text(f"{{\n{body}\n}}\n")


def _written(content: Mapping[str, Any]) -> str:
    log = ",\n".join(f"   {json.dumps(line)}" for line in content["log"])
    head = f'{{"program": {json.dumps(content["program"])}, "lines": {json.dumps(content["lines"])}, "log": [\n'
    return f"{head}{log}]}}"


def refusals(folder: Path, name: str) -> dict[str, VerifierError]:
    """The stored refusals of a program by kernel, as loading raised them."""
    records = json.loads((folder / f"{name}.json").read_text())
    return {kernel: _refusal(folder, content) for kernel, content in records.items()}


def _refusal(folder: Path, content: Mapping[str, Any]) -> VerifierError:
    texts = {name: (folder / name).read_text().splitlines() for name in {each[1] for each in content["lines"]}}
    return VerifierError(
        content["program"], errno=13, log="\n".join(content["log"]) + "\n", reason="", source=None,
        lines=[
            SimpleNamespace(index=index, file=file, line=line, column=column, text=([""] + texts[file])[line])
            for index, file, line, column in content["lines"]
        ],
    )  # fmt: skip


def joined(explanations: Mapping[str, str]) -> str:
    """The explanations of all kernels, each once."""
    by_text: dict[str, list[str]] = {}
    for kernel, text in explanations.items():
        by_text.setdefault(text, []).append(kernel)
    return "\n".join(f"Linux {', '.join(names)}:\n{text}\n" for text, names in by_text.items())


def titles(folder: Path, name: str) -> set[str]:
    """What the explanations of a program say in their first lines."""
    text = (folder / f"{name}.txt").read_text()
    return {line.partition("error: ")[2] for line in text.splitlines() if "error: the kernel refused" in line}
