"""``dns``: the payload of DNS messages that local sockets send and receive."""

from beespace.probes.dns.probe import Dns, DnsPayload

__all__ = ["Dns", "DnsPayload"]
