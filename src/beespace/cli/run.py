"""``beespace run FILE.py``: run a probe; print its events as they come and its maps at the end.

Object files are :mod:`beespace.cli.run_object`'s.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from typing import Any

from beespace.cli.own_options import comments_of, print_content, words_of
from beespace.cli.places import places
from beespace.cli.readiness import tell_ready
from beespace.errors import BeespaceError, UsageError
from beespace.lang import Events, Global, Program
from beespace.lang.log import Message
from beespace.lang.maps.declaration import plain
from beespace.schema import Event
from beespace.schema.kinds import kind_name
from beespace.schema.parse import parse
from beespace.session.events import Source, follow
from beespace.session.files import iterators_of, program_of
from beespace.session.trace_pipe import TracePipe, prints


def run(options: argparse.Namespace) -> int:
    """Run until the time is over or a signal comes."""
    if options.file is not None and options.file.suffix == ".o":
        from beespace.cli import run_object

        return run_object.run(options)
    if options.help:
        return _help(options)
    program = program_of(options.file, options.program)
    where = places(options, program.declaration().options)
    probe = program(**_options(program, options.rest))
    show = _print_json if options.output == "json" else _print_text
    with ExitStack() as stack:
        printed = _printed(program, stack)
        stack.enter_context(probe.start(**where))
        for note in probe.notes:
            print(f"beespace: note: {note}", file=sys.stderr)
        for name in iterators_of(program):
            sys.stdout.buffer.write(probe.iterate(name))
            sys.stdout.flush()
        rings: dict[str, Source] = {name: live for name, live in probe.live_maps() if isinstance(live, Events)}
        if probe.log.exists:
            rings["log"] = probe.log
        if printed is not None:
            rings["print"] = printed
        if rings or not _is_read_only(program):
            for name, event in follow(rings, options.duration, tell_ready):
                show(name, event)
        _print_maps(probe, options.output == "json")
    return 0


def _printed(program: type[Program], stack: ExitStack) -> TracePipe | None:
    """What its ``print()`` writes; a machine without tracefs runs it all the same."""
    if not program.declaration().programs or not prints(program.spec()):
        return None
    try:
        return stack.enter_context(TracePipe())
    except (BeespaceError, OSError) as error:
        print(f"beespace: note: what it prints cannot be shown: {error}", file=sys.stderr)
        return None


def _is_read_only(program: type[Program]) -> bool:
    """Whether there is nothing to wait for: everything was read by iterators."""
    return len(iterators_of(program)) == len(program.declaration().programs)


def _help(options: argparse.Namespace) -> int:
    print(options.usage(), end="")
    if options.file is not None:
        program = program_of(options.file, options.program)
        declared = program.declaration().options
        comments = comments_of(program)
        if doc := program.declaration().doc.partition("\n")[0]:
            print(f"\n{program.__name__}: {doc}")
        print(f"\noptions of {program.__name__}:" if declared else f"\n{program.__name__} has no options of its own.")
        for name, option in declared.items():
            flag = f"  --{name.replace('_', '-'):<24} {kind_name(option.kind):<16} default: {plain(option.default)!r}"
            print(f"{flag}  {option.help or comments.get(name, '')}".rstrip())
    return 0


def _options(program: type[Program], given: list[str]) -> dict[str, Any]:
    """``--name VALUE`` and ``--name=VALUE`` as the program's options."""
    declared = program.declaration().options
    values: dict[str, Any] = {}
    for flag, value in words_of(given, "a probe"):
        name = flag.replace("-", "_")
        if name not in declared:
            known = ", ".join("--" + each.replace("_", "-") for each in sorted(declared)) or "none"
            raise UsageError(f"{program.__name__} has no option --{flag}", help=f"its own: {known}")
        try:
            values[name] = parse(declared[name].kind, value or "")
        except UsageError as error:
            raise UsageError(f"--{flag}: {error.message}", help=error.help) from None
    return values


def _print_json(ring: str, event: Event | Message | str) -> None:
    if isinstance(event, Message):
        said = {name: getattr(event, name) for name in Message.__match_args__}
        print(json.dumps({"log": said}), flush=True)
        return
    if isinstance(event, str):
        print(json.dumps({"print": event}), flush=True)
        return
    print(json.dumps({"ring": ring, **plain(event)}), flush=True)


def _print_text(ring: str, event: Event | Message | str) -> None:
    if isinstance(event, (Message, str)):
        print(event, flush=True)
        return
    print(" ".join(f"{name}={value!r}" for name, value in plain(event).items()), flush=True)


def _print_maps(probe: Program, as_json: bool) -> None:
    for name, live in probe.live_maps():
        picture = None if as_json else live.render()
        shown = live.plain() if picture is None else None
        lost = live.lost if isinstance(live, Events) else 0
        if lost:
            print(f"beespace: {lost} events of {name} were lost: the ring was full", file=sys.stderr)
        if picture is not None:
            print(f"\n{picture}")
        if shown is None:
            continue
        if isinstance(live, Global) and isinstance(shown, list):
            shown = tuple(shown)  # one value, not a table of entries
        print_content("map", name, shown, as_json)
