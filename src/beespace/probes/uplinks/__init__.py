"""``uplinks``: every packet of the devices that lead out of this host, whether or not it has an owner."""

from beespace.probes.uplinks.probe import FORWARDED, PassedKey, Uplinks, UplinksOnly, Way

__all__ = ["FORWARDED", "PassedKey", "Uplinks", "UplinksOnly", "Way"]
