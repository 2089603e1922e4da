"""A server under measurement: started, asked until it answers, measured, stopped."""

import dataclasses
import json
import os
import pathlib
import random
import resource
import select
import signal
import socket
import struct
import subprocess
import time

DEADLINE = 30.0  # seconds; against hanging, not a measure
DESCRIPTORS = 1024  # what every server may have; those with many services get more
SPARE_DESCRIPTORS = 500
TICKS = os.sysconf("SC_CLK_TCK")


class Unavailable(Exception):
    """What cannot be measured here, and why."""


class Ports:
    """Free ports below the range from which clients get theirs, none of them twice."""

    RANGE = range(6100, 12000)

    def __init__(self):
        self.left = random.sample(self.RANGE, len(self.RANGE))

    @staticmethod
    def is_free(port):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    return False
        return True

    def take(self):
        while self.left:
            port = self.left.pop()
            if self.is_free(port):
                return port
        raise Unavailable("no free port")


def close_by_reset(client):
    """So that the port is free at once."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


# How a server is asked whether it is there: (address, port) -> whether it answered.


def ask_stream(address, port):
    """The program says something by itself."""
    with socket.create_connection((address, port), 2) as client:
        return bool(client.recv(1))


def ask_echo(address, port):
    with socket.create_connection((address, port), 2) as client:
        client.sendall(b"x")
        return client.recv(1) == b"x"


def ask_discard(address, port):
    with socket.create_connection((address, port), 2):
        return True


def ask_datagram(address, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.2)
        client.connect((address, port))
        client.send(b"x")
        return client.recv(10) == b"x"


@dataclasses.dataclass(frozen=True)
class Cpu:
    """Seconds of CPU: the server's own, and of the children it has reaped."""

    user: float
    kernel: float
    children: float


@dataclasses.dataclass
class Memory:
    """Bytes."""

    resident: int
    proportional: int


class Tools:
    """What the rows share: where things are built, a scratch folder, the load generators."""

    def __init__(self, build, folder):
        self.build = build
        self.folder = folder
        self.programs = build / "tests/bench"
        self.count = 0

    def scratch(self):
        """A new folder."""
        self.count += 1
        folder = self.folder / str(self.count)
        folder.mkdir(mode=0o755)
        return folder

    def run(self, name, *words):
        """A program of tests/bench that prints one JSON object."""
        command = [str(word) for word in (self.programs / name, *words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(done.stderr.strip() or f"{name} ended with {done.returncode}")
        return self.parse(done.stdout)

    @staticmethod
    def parse(told):
        return json.loads(told)

    def load(self, server, seconds, *words, port=None):
        return self.run("load", "-t", seconds, *words, server.address, port or server.port)


def stat_fields(pid):
    """/proc/PID/stat from the state on."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return text.rpartition(")")[2].split()


def limit_descriptors(soft):
    """In a new process: the soft limit that it is to have, whatever the benchmark's own is."""

    def set_limit():
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, hard), hard))

    return set_limit


def need_descriptors(count):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < count:
        raise Unavailable(f"needs {count} descriptors, the hard limit is {hard}")


class Server:
    """
    One server.  port is where the measured service is; ready_fd: the command's word READY_FD names
    a descriptor to which it writes when it is ready; pid_file: it becomes a daemon that writes its
    pid there; start_s is how long it took to be there.
    """

    def __init__(
        self,
        command,
        port,
        folder,
        *,
        address="127.0.0.1",
        env=None,
        ready_fd=False,
        services=0,
        ask=ask_stream,
        pid_file=None,
    ):
        self.port = port
        self.address = address
        self.folder = folder
        self.ports = {}
        self.log = None  # its log file
        self.config = None
        self.filler_address = None
        self.ask = ask
        self.stderr = folder / "stderr"
        self.pid_file = pid_file
        descriptors = DESCRIPTORS
        if services + SPARE_DESCRIPTORS > descriptors:
            descriptors = services + SPARE_DESCRIPTORS
            need_descriptors(descriptors)
        reader, writer = os.pipe()
        self.began = time.monotonic()
        with open(self.stderr, "wb") as stderr:
            self.process = subprocess.Popen(
                [str(word).replace("READY_FD", str(writer)) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                pass_fds=(writer,) if ready_fd else (),
                env=dict(os.environ, **(env or {})),
                start_new_session=True,
                preexec_fn=limit_descriptors(descriptors),
            )
        os.close(writer)
        try:
            with os.fdopen(reader, "rb") as pipe:
                if ready_fd and select.select([pipe], [], [], DEADLINE)[0]:
                    pipe.read()
            self.start_s = time.monotonic() - self.began if ready_fd else None
            self.wait()
        except BaseException:
            self.stop()
            raise
        if self.start_s is None:
            self.start_s = time.monotonic() - self.began

    @property
    def pid(self):
        if self.pid_file is None:
            return self.process.pid
        return int(self.pid_file.read_text())

    def gone(self):
        """Whether it has ended, or its first process has failed to make it a daemon."""
        if self.pid_file is None:
            return self.process.poll() is not None
        return self.process.poll() not in (None, 0)

    def wait(self):
        """Until it answers."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end and not self.gone():
            try:
                if self.ask(self.address, self.port):
                    return
            except OSError:
                pass
            select.select([], [], [], 0.005)
        self.stop()
        said = self.stderr.read_text(errors="replace").strip().splitlines()[-3:]
        raise Unavailable("does not answer: " + " / ".join(said)[-300:])

    def cpu(self):
        fields = stat_fields(self.pid)
        user, kernel, child_user, child_kernel = (int(field) / TICKS for field in fields[11:15])
        return Cpu(user, kernel, child_user + child_kernel)

    def memory(self):
        """Of the server's own process."""
        values = {}
        for line in pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, value = line.split()[:2]
            values[name] = int(value) * 1024
        return Memory(values["Rss:"], values["Pss:"])

    def settle(self):
        """Until its memory stays as it is."""
        last = None
        for _ in range(50):
            now = self.memory()
            if now == last:
                return
            last = now
            select.select([], [], [], 0.05)

    def children(self):
        """The pids of its children."""
        file = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in file.read_text().split()]

    def stop_children(self):
        """Programs with a session of their own, which a server may leave behind (wait mode)."""
        try:
            for pid in self.children():
                os.kill(pid, signal.SIGTERM)
        except (OSError, ValueError):
            pass  # the server or its child has ended

    def stop(self):
        """Ends the server, its children and its process group."""
        self.stop_children()
        if self.pid_file is not None and self.pid_file.exists():
            try:
                os.kill(self.pid, signal.SIGTERM)
            except (ProcessLookupError, ValueError):
                pass
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                try:
                    os.killpg(self.process.pid, number)
                    self.process.wait(15)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    pass


def machine_busy():
    """Seconds of CPU that all processors together have spent on anything."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", maxsplit=1)[0].split()[1:]
    values = [int(field) for field in fields[:8]]
    return (sum(values) - values[3] - values[4]) / TICKS
