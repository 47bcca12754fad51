"""``execs``: every program that is executed, and every process that ends."""

from beespace.probes.execs.probe import Execs, Process, What

__all__ = ["Execs", "Process", "What"]
