"""The rows: who is measured with what, how often, and which figures the table shows."""

import measures
import states
from goals import LIMITS
from peers import Want
from row import Contender, Row, several, superd
from server import ask_datagram, ask_discard, ask_echo

# See row.RATE_COLUMNS.
LATENCY_GROUPS = tuple(
    {
        "suffix": f" at {part} %",
        "columns": (
            (f"offered_{part}", "conn/s", 1, 0),
            (f"p50_{part}_us", "p50 ms", 1000, 3),
            (f"p99_{part}_us", "p99 ms", 1000, 2),
            (f"p999_{part}_us", "p99.9 ms", 1000, 2),
            (f"max_{part}_us", "max ms", 1000, 1),
            (f"failed_{part}", "failed", 1, 0),
        ),
        "figure": f"p50_{part}_us",
    }
    for part in measures.Latency.PARTS
)
CPU_COLUMNS = (
    ("rate", "conn/s", 1, 0),
    ("server_user_us", "server us", 1, 1),
    ("server_kernel_us", "kernel us", 1, 1),
    ("program_us", "program us", 1, 1),
    ("clients_us", "clients us", 1, 1),
    ("rest_us", "rest us", 1, 1),
)
BYTES_COLUMNS = (("bytes_s", "MB/s", 1e6, 0),)
DATAGRAM_COLUMNS = (("packets_s", "packets/s", 1, 0), ("lost_percent", "lost %", 1, 2))

DYNAMIC = ("hello-dynamic",)
ALL_PEERS = (
    "s6-tcpserver tcpserver tcpsvd mini-inetd xinetd openbsd-inetd inetutils-inetd rlinetd "
    "systemd-socket-activate socat ncat"
).split()
MAIN_PEERS = "s6-tcpserver tcpserver tcpsvd mini-inetd xinetd openbsd-inetd".split()
BIG_PEERS = "tcpserver xinetd openbsd-inetd".split()
FORCED_EPOLL = ("--loop=epoll",)
FORCED_SELECT = ("--loop=select",)


def rate_rows():
    rows = [
        Row(
            "static-16",
            "static program, 16 clients at once",
            [
                superd(),
                superd("superd, no log", log=False),
                *several(LIMITS + tuple(ALL_PEERS)),
                Contender("xinetd, access log", "xinetd", Want(log=True)),
            ],
            measures.rate(16),
            seconds=2.0,
        ),
        Row(
            "dynamic-16",
            "dynamic program (glibc), 16 clients at once",
            [superd(program=DYNAMIC), *several(["clone", "vfork", *ALL_PEERS], program=DYNAMIC)],
            measures.rate(16),
            rounds=15,
        ),
    ]
    for clients in (1, 64, 256):
        title = f"{clients} clients at once" if clients > 1 else "one client at a time"
        rows.append(
            Row(
                f"static-{clients}",
                f"static program, {title}",
                [superd(), *several([*LIMITS, *MAIN_PEERS])],
                measures.rate(clients),
            )
        )
        rows.append(
            Row(
                f"dynamic-{clients}",
                f"dynamic program (glibc), {title}",
                [superd(program=DYNAMIC), *several(["clone", *BIG_PEERS], program=DYNAMIC)],
                measures.rate(clients),
            )
        )
    return rows


def latency_row():
    return Row(
        "latency",
        "connect to first byte at 25, 50 and 90 % of each server's own most",
        [superd(), *several(["clone", *MAIN_PEERS])],
        measures.Latency(),
        groups=LATENCY_GROUPS,
    )


def log_row():
    return Row(
        "log",
        "access log on and off, static program, 16 clients at once",
        [
            superd(),
            superd("superd, no log", log=False),
            Contender("xinetd, access log", "xinetd", Want(log=True)),
            *several(["xinetd"]),
        ],
        measures.rate(16),
        rounds=7,
        seconds=2.0,
    )


def networks(count):
    """A list of so many networks in none of which a client is."""
    lines = (f"10.{number >> 8 & 255}.{number & 255}.0/24" for number in range(count))
    return "\n".join(lines) + "\n"


def admission_row():
    acl = 'acl { allow = 127.0.0.0/8  deny = "file:FOLDER/networks" }'
    # The bucket holds more than one turn's batch of connections, or the surplus is refused.
    rates = "rate = 1000000/s  per-source-rate = 1000000/s  burst = 1000"
    limits = f"limits {{ per-source = 900  {rates} }}"
    files = (("networks", networks(1000)),)
    xinetd_acl = "\tonly_from = 127.0.0.0/8\n\tno_access = 10.0.0.0/8\n"
    xinetd_limits = "\tinstances = 1000\n\tper_source = 900\n\tcps = 1000000 1\n"
    return Row(
        "admission",
        "access list and limits on and off, static program, 16 clients at once, 200 sources",
        [
            superd(),
            superd("superd, acl of 1,000 networks", block=acl, files=files),
            superd("superd, per-source and rates", block=limits),
            superd("superd, both", block=f"{acl} {limits}", files=files),
            *several(["xinetd"]),
            Contender("xinetd, acl", "xinetd", Want(block=xinetd_acl)),
            Contender("xinetd, acl and limits", "xinetd", Want(block=xinetd_acl + xinetd_limits)),
        ],
        measures.rate(16, *measures.SOURCES),
    )


def services_row():
    contenders = [
        superd("superd, 1 service"),
        superd("superd, 1 service, select", options=FORCED_SELECT),
        superd("superd, 500 services, select", services=500, options=FORCED_SELECT),
        superd("superd, 1 service, epoll", options=FORCED_EPOLL),
        superd("superd, 1,000 services", services=1000),
        superd("superd, 10,000 services", services=10000),
    ]
    for peer in ("xinetd", "openbsd-inetd"):
        for count in (1, 1000, 10000):
            name = f"{peer}, {count:,} service{'s' if count > 1 else ''}"
            contenders.append(Contender(name, peer, Want(services=count)))
    return Row(
        "services",
        "how many services are configured, static program, 16 clients at once on the last one",
        contenders,
        measures.rate(16),
        rounds=7,
        seconds=1.5,
        reference="superd, 1 service",
    )


def cpu_row():
    return Row(
        "cpu",
        "CPU time a connection, static program, 16 clients at once",
        [superd(), superd("superd, no log", log=False), *several(["clone", *MAIN_PEERS])],
        measures.cpu_time,
        columns=CPU_COLUMNS,
        seconds=1.5,
    )


def stream_rows(services):
    """services: the folder of the bundled ones."""
    def lines(kind, ask):
        bundled = (str(services / kind),)
        return [
            superd(program=bundled, ask=ask),
            Contender("openbsd-inetd, built in", "openbsd-inetd", Want(internal=kind, ask=ask)),
            Contender("xinetd, built in", "xinetd", Want(internal=kind, ask=ask)),
        ]

    cat = Want(program=("/bin/cat",), ask=ask_echo)
    echo = [*lines("echo", ask_echo), Contender("socat EXEC:cat", "socat cat", cat)]
    rows = [
        ("echo", "echo over one connection", echo, measures.throughput("echo")),
        (
            "discard",
            "discard over one connection",
            lines("discard", ask_discard),
            measures.throughput("discard"),
        ),
    ]
    found = [
        Row(name, title, who, measure, columns=BYTES_COLUMNS, figure="bytes_s")
        for name, title, who, measure in rows
    ]
    echo = (str(services / "echo"),)
    udp = {"wait": True, "ask": ask_datagram}
    found.append(
        Row(
            "udp-echo",
            "UDP echo, 64 bytes, 16 datagrams on their way",
            [
                superd("superd", program=echo, **udp),
                *(
                    Contender(f"{peer}, superd's echo", peer, Want(program=echo, **udp))
                    for peer in ("xinetd", "openbsd-inetd")
                ),
                Contender("xinetd, built in", "xinetd", Want(internal="echo", **udp)),
            ],
            measures.datagrams,
            columns=DATAGRAM_COLUMNS,
            figure="packets_s",
        )
    )
    return found


def all_rows(build):
    """Every row, in the order of the table."""
    rows = [*rate_rows(), latency_row(), log_row(), admission_row(), services_row(), cpu_row()]
    rows += [*states.rows(), *stream_rows(build / "services")]
    order = {row.id: number for number, row in enumerate(rows)}
    rows.sort(key=lambda row: (not row.id.startswith(("static", "dynamic")), order[row.id]))
    return rows


def peer_names(rows):
    """Every server that stands in some row."""
    return list(dict.fromkeys(c.peer for row in rows for c in row.contenders))
