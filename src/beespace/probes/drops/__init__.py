"""``drops``: every packet that the kernel throws away, with its reason and the flow that misses it."""

from beespace.probes.drops.probe import DropKey, Drops, DropStats

__all__ = ["DropKey", "DropStats", "Drops"]
