"""Rows on what superd is, not on what it does a second: start, reload, memory, held connections."""

import dataclasses
import os
import resource
import select
import signal
import socket
import subprocess
import time

import measures
from peers import FIRST_FILLER_PORT, Want
from row import Contender, Row
from server import DEADLINE, Unavailable, close_by_reset

MANY = 10000
HELD = (100, 1000, 10000)
ABOUT_RELOAD = ("event=reload", "event=ignored", "event=error step=reload")
LAST_PORT = FIRST_FILLER_PORT + MANY - 2  # of the services that nobody asks
OTHER_PORT = 32000  # where a reload moves it
RELOAD_LOAD = 200  # connections a second meanwhile
BATCH = 64


def poll(condition, deadline=DEADLINE):
    """Whether condition() came true in time."""
    end = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end:
            return False
        select.select([], [], [], 0.001)
    return True


def is_open(address, port):
    with socket.socket() as client:
        return client.connect_ex((address, port)) == 0


# --- start -------------------------------------------------------------------------------------


@dataclasses.dataclass
class StartRow(Row):
    """Each measurement is a server of its own."""

    def run(self, session):
        skipped = {}
        things = session.available(self.contenders, skipped)

        def measure(contender):
            server = session.starter.start(contender.peer, contender.want)
            try:
                return {"start_ms": 1000 * server.start_s}
            finally:
                server.stop()

        return measures.interleave(session.rounds(self), things, measure, skipped), skipped


def start_row():
    return StartRow(
        "start",
        "from exec to readiness (superd: its own word; the others: an answer)",
        [
            Contender("superd, 1 service", "superd", Want(log=True)),
            Contender("superd, 10,000 services", "superd", Want(log=True, services=MANY)),
            Contender("xinetd, 10,000 services", "xinetd", Want(services=MANY)),
            Contender("openbsd-inetd, 10,000 services", "openbsd-inetd", Want(services=MANY)),
        ],
        None,
        columns=(("start_ms", "ms", 1, 1),),
        figure="start_ms",
        reference="superd, 10,000 services",
    )


# --- reload ------------------------------------------------------------------------------------


def move_service(server):
    """Gives the last service that nobody asks another port, or the old one again; returns it."""
    text = server.config.read_text()
    for separator in (":", "\n\tport = "):
        old, new = (
            f"{server.filler_address}{separator}{port}" for port in (LAST_PORT, OTHER_PORT)
        )
        if old in text:
            server.config.write_text(text.replace(old, new))
            return OTHER_PORT
        if new in text:
            server.config.write_text(text.replace(new, old))
            return LAST_PORT
    raise Unavailable("its configuration has no further service")


def log_line(server, began):
    """The line of superd's log about the signal, or None as long as there is none."""
    with open(server.log, encoding="utf-8", errors="replace") as log:
        log.seek(began)
        for line in log:
            if line.endswith("\n") and any(words in line for words in ABOUT_RELOAD):
                return line
    return None


def await_log(server, offset):
    if not poll(lambda: log_line(server, offset)):
        raise Unavailable(f"no line about the reload within {DEADLINE:g} s")
    line = log_line(server, offset)
    if "event=ignored" in line:
        raise Unavailable("superd logs event=ignored: it has no reload yet")
    if "event=error" in line:
        raise Unavailable(f"the reload failed: {line.strip()}")


def reload_once(tools, server, seconds):
    """
    Time from the signal to superd's log line, and to an answer at the port that has changed; and
    what became of the connections to another service meanwhile.
    """
    command = [tools.programs / "load", "-r", RELOAD_LOAD, "-t", seconds + 1]
    command += [server.address, server.port]
    with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE) as load:
        try:
            select.select([], [], [], seconds / 2)
            port = move_service(server)
            offset = server.log.stat().st_size if server.log else 0
            began = time.monotonic()
            os.kill(server.pid, signal.SIGHUP)
            figures = {}
            if server.log:
                await_log(server, offset)
                figures["reload_ms"] = 1000 * (time.monotonic() - began)
            if not poll(lambda: is_open(server.filler_address, port)):
                raise Unavailable(f"the changed service does not listen after {DEADLINE:g} s")
            figures["listens_ms"] = 1000 * (time.monotonic() - began)
            told = tools.parse(load.communicate()[0])
        finally:
            load.kill()
    figures["lost"] = told["failed"] + told["hanging"]
    figures["first_p50_us"] = told["first"]["p50_us"]
    figures["first_max_us"] = told["first"]["max_us"]
    return figures


def reload_row():
    return Row(
        "reload",
        f"SIGHUP with one changed among 10,000 services, {RELOAD_LOAD} connections a second",
        [
            Contender("superd", "superd", Want(log=True, services=MANY)),
            Contender("xinetd", "xinetd", Want(services=MANY)),
            Contender("openbsd-inetd", "openbsd-inetd", Want(services=MANY)),
        ],
        reload_once,
        columns=(
            ("reload_ms", "log line ms", 1, 1),
            ("listens_ms", "listens ms", 1, 1),
            ("first_p50_us", "p50 ms", 1000, 3),
            ("first_max_us", "max ms", 1000, 1),
            ("lost", "lost", 1, 0),
        ),
        figure="first_max_us",
    )


# --- memory ------------------------------------------------------------------------------------


@dataclasses.dataclass
class MemoryRow(Row):
    """
    Servers that nobody asks but once, one at a time: what two superds share would count for half.
    """

    extra: dict = dataclasses.field(default_factory=dict)  # label: of how many things more

    def run(self, session):
        skipped = {}
        things = session.available(self.contenders, skipped)

        def measure(contender):
            server = session.starter.start(contender.peer, contender.want)
            try:
                server.settle()
                memory = server.memory()
                return {"resident": memory.resident, "proportional": memory.proportional}
            finally:
                server.stop()

        found = measures.interleave(session.rounds(self), things, measure, skipped)
        by_label = {series.label: series for series in found}
        for series in found:
            base = by_label.get(f"{series.label.split(',')[0]}, 5 services")
            count = self.extra.get(series.label)
            if base and count:
                pairs = zip(series.figures["proportional"], base.figures["proportional"])
                series.figures["each"] = [(value - least) / count for value, least in pairs]
        return found, skipped


def memory_row():
    contenders = [
        Contender("superd, 5 services", "superd", Want(log=True, services=5)),
        Contender("superd, 10,000 more ports", "superd", Want(log=True, services=5, ports=MANY)),
        Contender("superd, 10,000 services", "superd", Want(log=True, services=MANY)),
    ]
    for peer in ("xinetd", "openbsd-inetd"):
        contenders.append(Contender(f"{peer}, 5 services", peer, Want(services=5)))
        contenders.append(Contender(f"{peer}, 10,000 services", peer, Want(services=MANY)))
    contenders += [Contender(peer, peer, Want()) for peer in ("tcpserver", "tcpsvd", "mini-inetd")]
    extra = {c.label: MANY - 5 for c in contenders if c.want.services == MANY}
    extra["superd, 10,000 more ports"] = MANY
    return MemoryRow(
        "memory",
        "memory of the server's own process, idle; each: a further service or port",
        contenders,
        None,
        columns=(
            ("resident", "resident MB", 1e6, 2),
            ("proportional", "prop. MB", 1e6, 2),
            ("each", "each bytes", 1, 0),
        ),
        figure="proportional",
        reference="superd, 5 services",
        extra=extra,
    )


# --- held connections --------------------------------------------------------------------------


class Holder:
    """Connections that stay open, a program behind each."""

    def __init__(self, server):
        self.server = server
        self.clients = []

    def grow(self, count):
        """Until there are so many, and each program has said its line."""
        while len(self.clients) < count:
            batch = []
            for _ in range(min(BATCH, count - len(self.clients))):
                batch.append(
                    socket.create_connection((self.server.address, self.server.ports["hold"]), 60)
                )
            self.clients += batch
            for client in batch:
                if not client.recv(1):
                    raise Unavailable(f"closed one of {len(self.clients)} connections")

    def close(self):
        for client in self.clients:
            close_by_reset(client)
        if not poll(lambda: not self.server.children()):
            raise Unavailable("programs outlive their connections")
        self.clients = []


@dataclasses.dataclass
class HeldRow(Row):
    """
    A server at a time, for three of them with 10,000 programs each would be too many processes: a
    line without held connections of its own stands beside those with them.
    """

    def run(self, session):
        found, skipped = [], {}
        for contender in session.available(self.contenders, skipped).values():
            try:
                found += self.run_one(session, contender, skipped)
            except (Unavailable, OSError, subprocess.CalledProcessError) as reason:
                skipped[contender.label] = str(reason)
        return found, skipped

    def measure_held(self, session, server, label, count, base):
        """base: the memory without any."""

        def measure(server):
            memory = server.memory().proportional
            figures = {"proportional": memory}
            if count:
                figures["each"] = (memory - base) / count
            return dict(measures.rate(1)(session.tools, server, session.seconds(self)), **figures)

        return measures.interleave(session.rounds(self), {label: server}, measure, {})

    def run_one(self, session, contender, skipped):
        server = session.starter.start(contender.peer, contender.want)
        holder = Holder(server)
        try:
            # What is allocated for connections and kept belongs to none of them.
            holder.grow(BATCH)
            holder.close()
            server.settle()
            base = server.memory().proportional
            label = f"{contender.label}, none held"
            found = self.measure_held(session, server, label, 0, base)
            for count in HELD:
                label = f"{contender.label}, {count:,} held"
                if not enough_processes(count):
                    skipped[label] = f"needs {count} processes; the limits are lower"
                    continue
                holder.grow(count)
                server.settle()
                found += self.measure_held(session, server, label, count, base)
            return found
        finally:
            for client in holder.clients:
                close_by_reset(client)
            server.stop()


def enough_processes(count):
    """Whether so many more fit, and as many descriptors."""
    spare = 2000
    soft = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    with open("/proc/sys/kernel/pid_max", encoding="ascii") as file:
        pid_max = int(file.read())
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    processes = soft == resource.RLIM_INFINITY or soft > count + spare
    return processes and pid_max > count + spare and descriptors > count + spare


def held_row():
    peers = ("superd", "xinetd", "openbsd-inetd")
    return HeldRow(
        "held",
        "one client at a time beside connections that are held; each: bytes for one of them",
        [Contender(peer, peer, Want(log=peer == "superd", hold=True)) for peer in peers],
        None,
        columns=(
            ("proportional", "prop. MB", 1e6, 2),
            ("each", "each bytes", 1, 0),
            ("rate", "conn/s", 1, 0),
            ("first_p50_us", "p50 ms", 1000, 3),
            ("first_p99_us", "p99 ms", 1000, 2),
            ("cycle_p50_us", "to end ms", 1000, 3),
            ("failed", "failed", 1, 0),
        ),
        figure="first_p50_us",
        reference="superd, none held",
    )


# --- access list -------------------------------------------------------------------------------


@dataclasses.dataclass
class AclRow(Row):
    """Look-ups in a list of a million networks, without a daemon."""

    def run(self, session):
        count = 1000000
        series = {kind: measures.Series(kind) for kind in ("ipv4", "ipv6", "both")}
        for _ in range(session.rounds(self)):
            command = [session.tools.programs / "acl", str(count)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            for line in done.stdout.splitlines():
                kind, *words = line.split()
                values = dict(word.split("=") for word in words)
                names = ("lookup_ns", "load_s", "bytes")
                series[kind].add({name: float(values[name]) for name in names})
        return list(series.values()), {}


def acl_row():
    return AclRow(
        "acl",
        "access list of 1,000,000 networks (CPU time; no daemon)",
        [],
        None,
        columns=(
            ("lookup_ns", "look-up ns", 1, 0),
            ("load_s", "load s", 1, 2),
            ("bytes", "bytes each", 1, 1),
        ),
        figure="",
    )


def rows():
    return [start_row(), reload_row(), memory_row(), held_row(), acl_row()]
