"""Loads and attaches any object file, and prints what its rings bring.

python open_object.py FILE [SECONDS] [NAME=NUMBER...]
"""

import sys

import beespace


def main(file: str, seconds: str = "10", *options: str) -> None:
    variables = {name: int(value) for name, _, value in (option.partition("=") for option in options)}
    with beespace.open(file, variables=variables) as probe:
        readers = {name: probe.events(name) for name in probe.rings}  # before anything can happen
        for link in probe.attach():
            print(link.explain())
        for name, events in readers.items():
            for event in events.until(timeout=float(seconds)):
                print(name, event)
        for name, live in probe.maps.items():
            print(name, live)


if __name__ == "__main__":
    main(*sys.argv[1:])
