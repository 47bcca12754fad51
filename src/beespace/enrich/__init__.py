"""Who is behind a pid, a cgroup, a socket, an address: processes, containers, pods.

May import: ``schema``, ``types``, ``errors``, ``syscall``, ``hooks``, ``spec``, NumPy and PyArrow; never ``stream``,
``kernel`` or ``sinks``.  Invariant: never a wrong name.  A name is given only when a key that the kernel cannot have
handed out twice (pid with start time, cgroup id, container id) leads to it; whatever cannot be told stays unknown.

:class:`Who` turns the keys of a batch into columns and owns the rest: :class:`Processes`, :class:`CgroupTree`,
:class:`Containers` (whose runtimes are asked on a thread of their own), :class:`Addresses` over an
:class:`AddressBook`, the cluster (``enrich.kubernetes``), and :class:`Dimensions`, the tables from which views join
names late.
"""

from beespace.enrich.address_book import AddressBook, Holder
from beespace.enrich.addresses import REMOTE_COLUMNS, Addresses
from beespace.enrich.cgroup import Membership, parse_path, parse_proc
from beespace.enrich.cgroup_tree import Cgroup, CgroupTree
from beespace.enrich.container import Container, Containers, ContainerSource, Pod, SourceError
from beespace.enrich.dimensions import TABLES, Dimensions
from beespace.enrich.nobody import nobody
from beespace.enrich.process import Process, Processes
from beespace.enrich.sources import standard_sources
from beespace.enrich.who import COLUMNS, Who

__all__ = [
    "Who", "nobody", "COLUMNS", "REMOTE_COLUMNS", "Dimensions", "TABLES",
    "Process", "Processes", "Cgroup", "CgroupTree", "Membership", "parse_path", "parse_proc",
    "Container", "Containers", "ContainerSource", "Pod", "SourceError", "standard_sources", "Addresses",
    "AddressBook", "Holder",
]  # fmt: skip
