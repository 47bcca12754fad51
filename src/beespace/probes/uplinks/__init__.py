"""``uplinks``: every packet of the devices that lead out of this host, whether or not it has an owner."""

from beespace.probes.uplinks.probe import PassedKey, Uplinks, Way

__all__ = ["PassedKey", "Uplinks", "Way"]
