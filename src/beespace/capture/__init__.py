"""Files of captured packets: pcap and pcapng, and where in a frame the IP packet begins.

May import: the standard library, ``errors``, ``record``, ``enumeration``.  Invariant: reading is lazy and makes no
system call (who opens the file gives the stream); a file that is damaged is refused with the offset, one that ends in
the middle of a packet gives every whole packet and says so.

==========  ==========================================================================
frame       ``Frame``: one packet with its time, length on the wire, link layer
link        link types: from a frame to its IP packet
source      a stream that knows how far it was read
reading     which format a stream has, gzip too; :func:`open_capture`
pcap        libpcap's format (draft-ietf-opsawg-pcap)
pcapng      sections, interfaces, options (draft-ietf-opsawg-pcapng)
writing     ``PcapngWriter``
==========  ==========================================================================
"""

from beespace.capture.frame import Direction, Frame
from beespace.capture.link import LinkType, Unreadable, ip_packet
from beespace.capture.reading import Capture, open_capture
from beespace.capture.writing import PcapngWriter

__all__ = ["Capture", "Direction", "Frame", "LinkType", "PcapngWriter", "Unreadable", "ip_packet", "open_capture"]
