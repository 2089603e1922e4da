"""The stand of the system tests: a real superd on free ports.

Superd starts the daemon under test with a configuration, waits for its readiness line, reads its
log, and at the end checks what must hold after every test: exit status 0, no zombie, no leaked
descriptor, an empty sanitizer log, and the same programs by the log (its `running` figures too), by
superctl's table and sums over sources, and in /proc.
"""

import ipaddress
import json
import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from ports import free_port, free_range  # pylint: disable=unused-import

DEADLINE = 20.0  # seconds; against hanging, not a measure
TELL_ALL = "events = { accept, refuse, exit, error }"


def poll(what, condition, deadline=DEADLINE):
    """Polls until condition() is true and returns its value; fails by name at the deadline."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline:g} s: {what}")
        select.select([], [], [], 0.01)


def connect(port, host="127.0.0.1", source=None, timeout=DEADLINE):
    """A connected TCP client."""
    return socket.create_connection(
        (host, port), timeout=timeout, source_address=(source, 0) if source else None
    )


def read_all(client):
    """Everything until end of file."""
    pieces = []
    while True:
        piece = client.recv(65536)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


def ask(port, data=b"", host="127.0.0.1", source=None):
    """One dialogue: sends data, half-closes, returns everything that comes."""
    with connect(port, host, source) as client:
        if data:
            client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return read_all(client)


def stat_of(pid):
    """(state, parent, group, session) of a process from /proc, or None where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields[0].decode(), int(fields[1]), int(fields[2]), int(fields[3])


def children_of(pid):
    """{child pid: state} of the live and dead children of pid."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = stat_of(int(name))
            if stat and stat[1] == pid:
                found[int(name)] = stat[0]
    return found


def cpu_seconds(pid):
    """User and system time of the process."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kill(pid, number):
    """Sends a signal to a process that may have ended by itself meanwhile."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def source_of(peer):
    """What makes the peer of a connection one source: address, /64 or user."""
    if peer.startswith("unix:"):
        return peer.rpartition("uid=")[2]
    host = peer.rpartition(":")[0].strip("[]").partition("%")[0]
    if ":" in host:
        return str(ipaddress.IPv6Network((host, 64), strict=False))
    return host


class Event(dict):
    """One line of the log: its fields, and the line itself."""

    line = ""


def parse_line(line):
    """The fields of a text line of the log."""
    event = Event()
    event.line = line
    try:
        # shlex is slow, and storms write tens of thousands of lines
        words = shlex.split(line) if '"' in line or "'" in line or "\\" in line else line.split()
    except ValueError:
        return event
    for word in words:
        key, equals, value = word.partition("=")
        if equals:
            event[key] = value
    return event


class Superd:
    """One superd under test."""

    def __init__(
        self, build, folder, config, options=(), wrapper=(), env=None, check=True, tell=True,
        control=None
    ):
        self.build = build
        self.folder = folder
        self.options = list(options)
        self.wrapper = list(wrapper)
        self.env = dict(os.environ, **(env or {}))
        self.config_path = folder / "superd.conf"
        # a unix socket's name is short, and the test's folder may not be
        self.control_folder = tempfile.mkdtemp(prefix="superd-control-", dir="/tmp")
        os.chmod(self.control_folder, 0o755)
        self.control = f"{self.control_folder}/socket"
        self.tell = tell
        # under a wrapper it may be another user, who cannot write there
        self.with_control = not wrapper if control is None else control
        self.configure(config)
        self.stderr_path = folder / "stderr"
        self.sanitizer_log = folder / "sanitizer"
        self.process = None
        self.baseline = None
        self.check = check

    def configure(self, config):
        """Writes the configuration; with a control socket and a whole log unless it says
        something of them."""
        if self.tell and "log {" not in config:
            config += f"\nlog {{ {TELL_ALL} }}\n"
        self.told = config.count("log {") == 1 and TELL_ALL in config
        self.controlled = self.with_control and "control-socket" not in config
        if "control-socket" not in config:
            path = self.control if self.with_control else ""
            config += f'\ncontrol-socket = "{path}"\n'
        self.config_path.write_text(config)

    def ctl(self, *words, status=0, **more):
        """superctl with these words; its standard output. status None: any."""
        done = subprocess.run(
            [str(self.build / "superd/superctl"), "-s", self.control, *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=3 * DEADLINE,
            env=self.env,
            check=False,
            **more,
        )
        assert status in (None, done.returncode), (done.returncode, done.stdout, done.stderr)
        return done.stdout if status == 0 else done.stdout + done.stderr

    def status(self, *words):
        """What superctl status --json says."""
        return json.loads(self.ctl("status", *words, "--json"))

    def service(self, name):
        """One service of the status."""
        return self.status(name)["services"][0]

    def connections(self, *words):
        """What superctl connections --json says."""
        return json.loads(self.ctl("connections", *words, "--json"))["connections"]

    def start(self, ready=True):
        """Starts it and waits for its readiness line."""
        reader, writer = os.pipe()
        self.env.setdefault("ASAN_OPTIONS", f"log_path={self.sanitizer_log}")
        self.env.setdefault("UBSAN_OPTIONS", f"log_path={self.sanitizer_log}")
        with open(self.stderr_path, "ab") as stderr:
            self.process = subprocess.Popen(
                [*self.wrapper, str(self.build / "superd/superd"), "-c", str(self.config_path)]
                + [f"--ready-fd={writer}", *self.options],
                pass_fds=(writer,),
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                env=self.env,
                start_new_session=True,
            )
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            waiter = select.poll()  # descriptors may be too high for select
            waiter.register(pipe, select.POLLIN)
            # superd closes it; a wrapper that stays may hold it too.
            read = pipe.readline if self.wrapper else pipe.read
            line = read() if waiter.poll(DEADLINE * 1000) else b"(nothing)"
        if ready:
            assert line == b"ready\n", f"not ready: {line!r}\n{self.log_text()}"
            self.baseline = self.descriptors()
        return self

    @property
    def pid(self):
        return self.process.pid

    def log_text(self):
        return self.stderr_path.read_text(errors="replace")

    def events(self, name=None, **fields):
        """The log's events of that name whose fields are as given."""
        found = []
        for line in self.log_text().splitlines():
            event = parse_line(line)
            if name is not None and event.get("event") != name:
                continue
            if all(event.get(key) == str(value) for key, value in fields.items()):
                found.append(event)
        return found

    def wait_event(self, name, count=1, **fields):
        """The first event of that name with those fields, as soon as there are count of them."""
        found = poll(
            f"{count} x event={name} {fields} in the log",
            lambda: (e := self.events(name, **fields)) and len(e) >= count and e,
        )
        return found[0]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def children(self):
        return children_of(self.pid)

    def wait_idle(self):
        """Until no program is left and the descriptors are back at the baseline."""
        poll("no children left", lambda: not self.children())
        poll(
            f"descriptors back at {self.baseline}",
            lambda: self.descriptors() <= self.baseline,
        )

    def tells_all(self):
        """
        Whether every start and every end of a program stands in the log that is read here, and
        the process is superd itself. It is not asked under a wrapper.
        """
        quiet = any(word.startswith(("-l", "--level")) for word in self.options)
        return self.told and not quiet and not self.wrapper

    def replay(self):
        """
        The log, line by line: the programs of each service as accept lines begin and exit lines
        (or errors of one that never ran) end them; `running` must say as many. Returns how many
        are left.
        """
        live = {}
        vague = set()  # failures are summarised: how many were live in between is not known
        for event in self.events():
            service = event.get("service")
            if event.get("event") == "accept":
                live[service] = live.get(service, 0) + 1
                running = int(event["running"].partition("/")[0])
                if service in vague:
                    assert running <= live[service], event.line
                else:
                    assert running == live[service], f"{live[service]} are live: {event.line}"
            elif event.get("event") == "exit":
                live[service] -= 1
            elif event.get("event") == "error" and "pid" in event:
                live[service] -= int(event.get("count", 1))
                vague.add(service)
        return sum(live.values())

    def table_agrees(self, children):
        """
        superctl's view: its connections are these children, each service's `running` is the
        number of its connections, and its `sources` the number of those who have one.
        """
        connections = self.connections()
        services = self.status()["services"]
        if sorted(connection["pid"] for connection in connections) != sorted(children):
            return False
        if len({service["name"] for service in services}) != len(services):
            return False
        for service in services:
            mine = [one for one in connections if one["service"] == service["name"]]
            sources = {source_of(one["peer"]) for one in mine if one["peer"]}
            counted = service["sources"]
            if service["running"] != len(mine):
                return False
            # prefixes make other sources
            exact = "source-prefix" not in self.config_path.read_text()
            if counted != len(sources) if exact else (counted == 0) != (not sources):
                return False
        return True

    def counts_agree(self):
        """Whether log, child table, sums over sources and /proc know the same programs."""
        children = self.children()
        if self.tells_all() and self.replay() != len(children):
            return False
        if not self.controlled or not os.path.exists(self.control):
            return True
        try:
            return self.table_agrees(children)
        except AssertionError:
            return False  # in the midst of an upgrade; asked again

    def check_counts(self):
        """After every test, and in its midst where it wants to."""
        if self.process.poll() is None:
            poll("the same programs in log, child table, sources and /proc", self.counts_agree)

    def send_signal(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM, status=0):
        """Asks it to stop and checks its exit status and the sanitizers' log."""
        if self.process is None or self.process.returncode is not None:
            return
        self.check_counts()
        zombies = [pid for pid, state in self.children().items() if state == "Z"]
        for pid in zombies:
            poll(f"zombie {pid} reaped", lambda pid=pid: stat_of(pid) is None)
        self.send_signal(number)
        try:
            assert self.process.wait(DEADLINE) == status, self.log_text()
        finally:
            self.kill()
        if self.tells_all() and number != signal.SIGQUIT:
            left = self.replay()
            assert left == 0, f"{left} programs began and never ended\n{self.log_text()}"
        logs = [path.read_text() for path in self.folder.glob("sanitizer*")]
        assert not logs, "\n".join(logs)

    def kill(self):
        """The hard end of whatever is left of it."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def remove(self):
        """What it leaves outside the test's folder."""
        shutil.rmtree(self.control_folder, ignore_errors=True)

    def describe(self):
        """What a failed test shows."""
        near = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            stat = stat_of(int(name))
            if stat and self.pid in (int(name), stat[1]):
                near.append(f"{name} {stat}")
        return (
            f"--- configuration\n{self.config_path.read_text()}\n--- log\n{self.log_text()}\n"
            + "--- processes\n"
            + "\n".join(near)
        )
