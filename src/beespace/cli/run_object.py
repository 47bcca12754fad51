"""``beespace run x.bpf.o``: load and attach what clang built; print its events as they come and its maps at the end."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from beespace.cli.own_options import plain, print_content, words_of
from beespace.cli.places import pair, places
from beespace.cli.readiness import tell_ready
from beespace.errors import UsageError
from beespace.kernel import load
from beespace.kernel.links import Link, Where
from beespace.kernel.links.iterator import IteratorLink
from beespace.session.events import follow
from beespace.session.object_options import options_of
from beespace.session.objects import Object, explained_at_its_source, read_object
from beespace.session.records import Events
from beespace.session.snapshot import snapshot
from beespace.spec import ObjectSpec

_FIELD_OF_WHERE = set(Where.__match_args__)


def run(options: argparse.Namespace) -> int:
    """Run until the time is over, a signal comes, or (an object of iterators only) everything was read."""
    spec = read_object(options.file)
    if options.help:
        print(options.usage(), _describe(spec, options.file), sep="\n")
        return 0
    where = places(options, options_of(spec))
    _check(where, options.attach)
    values = _values(spec, options.rest)
    structs = dict(pair(text, "--event", "RING=STRUCT") for text in options.event)
    as_json = options.output == "json"
    show = _print_json if as_json else _print_text
    with explained_at_its_source():
        object = load(spec, variables=values, programs=options.only or None, into=Object)
    with object as loaded:
        for ring in structs:
            if ring not in loaded.rings:
                known = ", ".join(loaded.rings) or "none"
                raise UsageError(f"--event {ring}={structs[ring]}: no ring {ring!r}", help=f"the rings: {known}")
        rings = {name: _events(loaded, name, structs.get(name)) for name in loaded.rings}
        links = loaded.attach(options.program, **where)
        for note in (*loaded.notes, *(link.explain() for link in links if link.tried)):
            _say(f"note: {note}")
        _print_iterators(links)
        if rings or any(not isinstance(link, IteratorLink) for link in links):
            for name, event in follow(rings, options.duration, tell_ready):
                show(name, event, len(rings) > 1)
        loaded.detach()  # what is printed now does not change any more
        for name, events in rings.items():
            for event in events.available():
                show(name, event, len(rings) > 1)
        for kind, name, content in snapshot(loaded):
            print_content(kind, name, content, as_json)
        for sentence in _losses(rings):
            _say(sentence)
    return 0


def _describe(spec: ObjectSpec, file: Path) -> str:
    declared = options_of(spec)
    if not declared:
        return f"{file.name} has no options of its own (no `const volatile` globals)."
    lines = [f"  --{each.flag:<24} {each.type:<16} default: {each.default!r}" for each in declared.values()]
    return "\n".join([f"options of {file.name}:", *lines])


def _values(spec: ObjectSpec, given: Sequence[str]) -> dict[str, Any]:
    """``--name VALUE`` and ``--name=VALUE`` as values of the object's read-only globals."""
    declared = options_of(spec)
    values: dict[str, Any] = {}
    for flag, text in words_of(given, "an object"):
        option = declared.get(flag.replace("-", "_"))
        if option is None:
            raise UsageError(f"{spec.name} has no option --{flag}", help=f"its own: {_known(declared.values())}")
        if text is None:
            raise UsageError(f"--{flag} takes a value of type {option.type}")
        values[option.name] = option.value(text)
    return values


def _check(where: Iterable[str], given: Sequence[str]) -> None:
    for name in where:
        if name not in _FIELD_OF_WHERE:
            text = next(text for text in given if text.startswith(f"{name}="))
            raise UsageError(
                f"--attach {text}: there is no {name!r}", help=f"there is {', '.join(sorted(_FIELD_OF_WHERE))}"
            )


def _known(options: Any) -> str:
    return ", ".join(f"--{option.flag} ({option.type})" for option in options) or "none"


def _events(loaded: Object, name: str, struct: str | None) -> Events:
    events = loaded.events(name, struct)
    if not events.struct:
        _say(f"note: records of {name} are shown as hex: {events.why}; name their struct with --event {name}=STRUCT")
    return events


def _print_iterators(links: Sequence[Link]) -> None:
    for link in links:
        if isinstance(link, IteratorLink):
            for chunk in link.chunks():
                sys.stdout.buffer.write(chunk)
            sys.stdout.flush()


def _print_json(ring: str, event: Any, several: bool) -> None:
    print(json.dumps({"ring": ring, **_fields(event)}), flush=True)


def _print_text(ring: str, event: Any, several: bool) -> None:
    prefix = f"{ring}: " if several else ""
    print(prefix + " ".join(f"{name}={value!r}" for name, value in _fields(event).items()), flush=True)


def _fields(event: Any) -> dict[str, Any]:
    found: dict[str, Any] = plain(event) if not isinstance(event, bytes) else {"data": event.hex()}
    return found


def _losses(rings: dict[str, Events]) -> Iterator[str]:
    for name, events in rings.items():
        if events.lost is None:
            yield f"{name} was full at times, and the kernel does not count what it turned away; make it larger"
        elif events.lost:
            yield f"{events.lost} events of {name} were lost: it was full"
        if events.malformed:
            yield f"{events.malformed} records of {name} were shorter than {events.struct}, and are shown as hex"


def _say(text: str) -> None:
    print(f"beespace: {text}", file=sys.stderr)
