"""The catalogue: every table, every column, in the order that all outputs have.

Facts keep keys; what a key means (a process's name, a container's pod) is joined from a dimension
when history is read, so metadata that comes late repairs old rows.  Counters are signed 64-bit so
that SQL may subtract them.  OTel names: semantic conventions 1.44 and those of OBI.
"""

from __future__ import annotations

import difflib

import pyarrow as pa

from beespace.errors import UsageError
from beespace.stream.dtype import TIME
from beespace.stream.table import Column, Late, Table

_TEXT = pa.string()
_COUNT = pa.int64()

_PROCESS_PID = Column("process_pid", pa.int32(), "process id in the host's pid namespace", otel="process.pid")
_PROCESS_START = Column(
    "process_start_time", TIME, "when the process started; with the pid it names one process for ever",
    otel="process.creation.time",
)  # fmt: skip
_CGROUP = Column("cgroup_id", pa.uint64(), "inode of the cgroup v2 directory")
_CONTAINER = Column("container_id", _TEXT, "id that the container runtime gave", otel="container.id")
_VALID_FROM = Column("valid_from", TIME, "from when on this row is true")
_VALID_TO = Column("valid_to", TIME, "until when it was true; null if it still is, or nobody knows")


def _process(dimension: str | None, *names: str) -> tuple[Column, ...]:
    columns = {
        "parent_pid": Column(
            "parent_pid", pa.int32(), "pid of the parent", otel="process.parent_pid", dimension=dimension
        ),
        "process_name": Column(
            "process_name", _TEXT, "command name (comm)", otel="process.executable.name", dimension=dimension
        ),
        "process_executable": Column(
            "process_executable", _TEXT, "path of the executable", otel="process.executable.path", dimension=dimension
        ),
        "process_args": Column(
            "process_args", _TEXT, "command line; ends in … if it was cut", otel="process.command_line",
            dimension=dimension,
        ),
        "process_uid": Column(
            "process_uid", pa.int64(), "user id of the process", otel="process.user.id", dimension=dimension
        ),
    }  # fmt: skip
    return tuple(columns[name] for name in names)


def _container(dimension: str | None, *names: str) -> tuple[Column, ...]:
    columns = {
        "container_name": ("name of the container", "container.name"),
        "container_image": ("image that the container was made from", "container.image.name"),
        "pod_name": ("Kubernetes pod", "k8s.pod.name"),
        "pod_uid": ("uid of the pod", "k8s.pod.uid"),
        "namespace": ("Kubernetes namespace", "k8s.namespace.name"),
        "workload": ("what owns the pod (Deployment, DaemonSet ...)", "k8s.owner.name"),
        "workload_kind": ("what kind of thing that is: Deployment, StatefulSet ...", "k8s.owner.kind"),
        "service_name": ("name of the service that the pod is a part of", "service.name"),
    }
    return tuple(Column(name, _TEXT, columns[name][0], otel=columns[name][1], dimension=dimension) for name in names)


_INTERVAL = (
    Column("time", TIME, "end of the interval that the row counts"),
    Column("interval_s", pa.float64(), "length of that interval", "s"),
    Column("node", _TEXT, "host that saw the packets", otel="host.name"),
)
_OWNER = (
    _PROCESS_PID,
    _PROCESS_START,
    *_process("processes", "process_name", "process_uid"),
    _CGROUP,
    _CONTAINER,
    *_container("containers", "container_name", "pod_name", "namespace", "workload"),
)
_ENDS = (
    Column("local_address", _TEXT, "IP address of this end", otel="network.local.address"),
    Column("local_port", pa.int32(), "port of this end", otel="network.local.port"),
    Column("remote_address", _TEXT, "IP address of the other end", otel="network.peer.address"),
    Column("remote_port", pa.int32(), "port of the other end", otel="network.peer.port"),
)

# A TCP connection ends with its pod: who had the address when it began has it while it lasts.
_WHEN = "CASE WHEN f.transport = 'tcp' THEN f.first_seen ELSE f.last_seen END"


def _behind(name: str, column: str, doc: str, otel: str | None) -> Column:
    """What is known of who has the remote address."""
    return Column(name, _TEXT, doc, otel=otel, late=Late("remote_address", "addresses", column, _WHEN))


FLOWS = Table(
    "flows",
    "who talks to whom: one row per socket and peer for every interval in which packets passed",
    (
        *_INTERVAL,
        _PROCESS_PID,
        _PROCESS_START,
        *_process("processes", "process_name", "process_executable", "process_uid"),
        _CGROUP,
        _CONTAINER,
        *_container("containers", "container_name", "container_image", "pod_name", "pod_uid", "namespace", "workload"),
        *_container("containers", "workload_kind", "service_name"),
        *_ENDS,
        Column("remote_name", _TEXT, "name of the other end, where one is known", otel="dst.name"),
        _behind("remote_pod", "pod_name", "pod behind the remote address", "k8s.dst.name"),
        _behind("remote_namespace", "namespace", "namespace of that pod or service", "k8s.dst.namespace"),
        _behind("remote_workload", "workload", "what owns that pod (Deployment ...)", "k8s.dst.owner.name"),
        _behind("remote_workload_kind", "workload_kind", "what kind of thing that is", "k8s.dst.owner.type"),
        _behind("remote_node", "node", "node of that pod, or with that address", "k8s.dst.node.name"),
        Column("remote_service", _TEXT, "Kubernetes service that was called", otel="service.peer.name"),
        Column("target_address", _TEXT, "address that the client called, if NAT changed it", otel="server.address"),
        Column("target_port", pa.int32(), "port that the client called, if NAT changed it", otel="server.port"),
        Column("transport", _TEXT, "tcp, udp, icmp ...", otel="network.transport"),
        Column("network_type", _TEXT, "ipv4 or ipv6", otel="network.type"),
        Column("role", _TEXT, "client or server: who opened the connection", otel="network.tcp.handshake.role"),
        Column("state", _TEXT, "state of the TCP connection", otel="network.connection.state"),
        Column("tx_bytes", _COUNT, "bytes sent in the interval, from the IP header on", "By", "obi.network.flow.bytes"),
        Column("tx_packets", _COUNT, "packets sent, as on the wire", "{packet}", "obi.network.flow.packets"),
        Column("rx_bytes", _COUNT, "bytes received, from the IP header on", "By", "obi.network.flow.bytes"),
        Column("rx_packets", _COUNT, "packets received, as on the wire", "{packet}", "obi.network.flow.packets"),
        Column("retransmits", _COUNT, "TCP segments sent again", "{packet}", "obi.stat.tcp.retransmits"),
        Column("rtt_us", _COUNT, "smoothed TCP round-trip time", "us", "obi.stat.tcp.rtt"),
        Column("rtt_var_us", _COUNT, "mean deviation of the TCP round-trip time", "us"),
        Column("rtt_min_us", _COUNT, "least TCP round-trip time of late, as the kernel keeps it", "us"),
        Column("connect_us", _COUNT, "time from SYN to SYN-ACK, in the interval in which it ended", "us"),
        Column("first_byte_us", _COUNT, "time from the first byte of the question to that of the answer", "us"),
        Column("tx_resets", _COUNT, "TCP resets sent", "{packet}"),
        Column("rx_resets", _COUNT, "TCP resets received", "{packet}"),
        Column("tx_zero_windows", _COUNT, "packets sent that announce a full receive buffer here", "{packet}"),
        Column("rx_zero_windows", _COUNT, "packets received that announce a full receive buffer there", "{packet}"),
        Column("accept_overflows", _COUNT, "packets of new connections that found the accept queue full", "{packet}"),
        Column("error", _TEXT, "why the connection failed: refused, timed_out, reset ...", otel="error.type"),
        Column("drops", _COUNT, "packets of the flow that the kernel threw away", "{packet}"),
        Column("drop_reason", _TEXT, "why most of them, in the kernel's words"),
        Column("interface", _TEXT, "device that the last packet passed", otel="network.interface.name"),
        Column("first_seen", TIME, "when its first packet was seen"),
        Column("last_seen", TIME, "when its last packet was seen, up to the end of the interval"),
        Column("detail", _TEXT, "what --max-cpu has left out of the row: slower ... owners; null: nothing"),
    ),
)

DROPS = Table(
    "drops",
    "packets that the kernel threw away: one row per flow, reason and place for every interval",
    (
        *_INTERVAL,
        *_OWNER,
        *_ENDS,
        Column("remote_name", _TEXT, "name of the other end, where one is known", otel="dst.name"),
        Column("remote_pod", _TEXT, "pod behind the remote address", otel="k8s.dst.name"),
        Column("remote_namespace", _TEXT, "namespace of that pod or service", otel="k8s.dst.namespace"),
        Column("transport", _TEXT, "tcp, udp, icmp ...", otel="network.transport"),
        Column("network_type", _TEXT, "ipv4 or ipv6", otel="network.type"),
        Column("direction", _TEXT, "transmit or receive: which way the packets went", otel="network.io.direction"),
        Column("interface", _TEXT, "device that they came in by, or were to leave by", otel="network.interface.name"),
        Column("reason", _TEXT, "why, in the kernel's words: enum skb_drop_reason"),
        Column("place", _TEXT, "function of the kernel that freed them, and where in it"),
        Column("packets", _COUNT, "packets, as on the wire", "{packet}"),
        Column("bytes", _COUNT, "their bytes, from the IP header on", "By"),
        Column("first_seen", TIME, "when the first of them was thrown away in the interval"),
        Column("last_seen", TIME, "when the last of them was"),
    ),
)

UPLINKS = Table(
    "uplinks",
    "every packet of the devices that lead out of this host, and how many of them flows has",
    (
        *_INTERVAL,
        Column("interface", _TEXT, "the device", otel="network.interface.name"),
        Column("direction", _TEXT, "transmit or receive", otel="network.io.direction"),
        Column("packets", _COUNT, "all packets, as on the wire", "{packet}"),
        Column("bytes", _COUNT, "their bytes, from the IP header on", "By"),
        Column("owned", _COUNT, "those in flows with an owner", "{packet}"),
        Column("unowned", _COUNT, "those in flows without one", "{packet}"),
        Column("forwarded", _COUNT, "those that came by another device, or went on by one", "{packet}"),
        Column("kernel_made", _COUNT, "those that the kernel sent without a socket", "{packet}"),
        Column("elsewhere", _COUNT, "the rest: at no socket, dropped, or the table was full", "{packet}"),
        Column("other_protocols", _COUNT, "those that are not IP: ARP ...", "{packet}"),
    ),
)

DNS = Table(
    "dns",
    "questions to name servers that local processes asked or answered: one row each, when it is over",
    (
        Column("time", TIME, "when the answer passed, or nobody waited for it any more"),
        Column("node", _TEXT, "host that saw it", otel="host.name"),
        *_OWNER,
        *_ENDS,
        Column("transport", _TEXT, "udp or tcp", otel="network.transport"),
        Column("role", _TEXT, "client: this end asked; server: it answers"),
        Column("question", _TEXT, "the name, lower-case", otel="dns.question.name"),
        Column("question_type", _TEXT, "A, AAAA, SRV ..."),
        Column("rcode", _TEXT, "NOERROR, NXDOMAIN ...; null: no answer came"),
        Column("answers", _TEXT, "addresses and names of the answer section", otel="dns.answers"),
        Column("answer_count", _COUNT, "records of the answer section", "{record}"),
        Column("truncated", pa.bool_(), "the answer was cut: the client is to ask over TCP"),
        Column("queries", _COUNT, "how often it was asked", "{query}"),
        Column("latency_us", _COUNT, "time from the first query to the answer", "us", "dns.lookup.duration"),
    ),
)

EXECS = Table(
    "execs",
    "every program that was executed, and how it ended",
    (
        Column("time", TIME, "when the program was executed, or ended if the row has an exit code"),
        _PROCESS_PID,
        _PROCESS_START,
        *_process(None, "parent_pid", "process_uid", "process_name", "process_executable", "process_args"),
        _CGROUP,
        _CONTAINER,
        *_container("containers", "container_name", "pod_name", "namespace", "workload", "workload_kind"),
        *_container("containers", "service_name"),
        Column("exit_code", pa.int32(), "exit status; null while it runs", otel="process.exit.code"),
        Column("duration_s", pa.float64(), "how long it ran", "s"),
    ),
)  # fmt: skip

COSTS = Table(
    "costs",
    "what beespace itself used: a row for its process, each of its programs and maps in the kernel, every interval",
    (
        Column("time", TIME, "end of the interval that the row counts"),
        Column("interval_s", pa.float64(), "length of that interval", "s"),
        Column("node", _TEXT, "host that beespace ran on", otel="host.name"),
        Column("kind", _TEXT, "process, program or map"),
        Column("probe", _TEXT, "the probe that it belongs to: flows, execs, dns ..."),
        Column("name", _TEXT, "name of the program or map"),
        Column("cpu_ns", _COUNT, "CPU time used in the interval; of programs, while the kernel counts it", "ns"),
        Column("runs", _COUNT, "how often the program ran in the interval", "{run}"),
        Column("memory_bytes", _COUNT, "resident memory of the process; kernel memory of a map or program", "By"),
        Column("entries", _COUNT, "entries of the map in the interval; of a ring, bytes at most, ever", "{entry}"),
        Column("max_entries", _COUNT, "how many it has room for", "{entry}"),
        Column("detail", _TEXT, "of the process: what --max-cpu leaves out now; null: nothing"),
    ),
)

PROCESSES = Table(
    "processes",
    "who a pid was: one row for each program that a process ran",
    (
        _PROCESS_PID,
        _PROCESS_START,
        _VALID_FROM,
        _VALID_TO,
        *_process(None, "parent_pid", "process_uid", "process_name", "process_executable", "process_args"),
        _CGROUP,
        _CONTAINER,
    ),
    kind="dimension",
    key=("process_pid", "process_start_time"),
)

CONTAINERS = Table(
    "containers",
    "who a container was, and its pod",
    (
        _CONTAINER,
        _VALID_FROM,
        _VALID_TO,
        *_container(None, "container_name", "container_image", "pod_name", "pod_uid", "namespace", "workload"),
        *_container(None, "workload_kind", "service_name"),
    ),
    kind="dimension",
    key=("container_id",),
)

ADDRESSES = Table(
    "addresses",
    "who had an address, and when: pods, services, nodes",
    (
        Column("address", _TEXT, "IP address"),
        _VALID_FROM,
        _VALID_TO,
        Column("kind", _TEXT, "pod, service or node"),
        Column("holder_uid", _TEXT, "uid that the API server gave"),
        Column("pod_name", _TEXT, "Kubernetes pod", otel="k8s.pod.name"),
        Column("service", _TEXT, "Kubernetes service", otel="k8s.service.name"),
        Column("node", _TEXT, "node of the pod, or with that address", otel="k8s.node.name"),
        *_container(None, "namespace", "workload", "workload_kind"),
    ),
    kind="dimension",
    key=("address",),
)

LOSSES = Table(
    "losses",
    "what is missing from the other tables, by the stage that lost it",
    (
        Column("time", TIME, "when the loss was noticed"),
        Column("stage", _TEXT, "what lost the rows: ring, map, store ..."),
        Column("table", _TEXT, "table that misses them"),
        Column("rows", _COUNT, "how many", "{row}"),
    ),
)

_ALL = (FLOWS, EXECS, DNS, DROPS, UPLINKS, COSTS, PROCESSES, CONTAINERS, ADDRESSES, LOSSES)
TABLES: dict[str, Table] = {table.name: table for table in _ALL}


def table(name: str) -> Table:
    """The table of that name; :class:`~beespace.errors.UsageError` with what is near if there is none."""
    try:
        return TABLES[name]
    except KeyError:
        near = difflib.get_close_matches(name, TABLES, 1)
        help = f"did you mean {near[0]}?" if near else "see `beespace tables`"
        raise UsageError(f"there is no table {name!r}; there are {', '.join(TABLES)}", help=help) from None
