"""The fault stand: faults that are switched on while superd runs, and what health means meanwhile.

Patient is a daemon with one healthy service besides those under test; look() is for while a fault
lasts, health() for after it.  Board is the other side of fault.c.  LONG is what make soak sets.
"""

import contextlib
import ctypes
import errno
import mmap
import os
import pathlib
import pickle
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import time

import pytest

import stand

LONG = os.environ.get("SUPERD_LONG", "") not in ("", "0")
LOG = "log { events = { accept, refuse, exit, error } }\n"

IS_ROOT = os.getuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="needs root")

CPU_SHARE = 0.05  # of one processor, while a fault lasts and nobody comes
MEMORY_KIB = 1024  # more than before, at most
LINES_PER_SECOND = 2  # of one service about what repeats
REPEATED = ("error", "refuse", "state", "listen")
OBJECTS = ("path", "endpoint", "peer")
LIBC = ctypes.CDLL(None, use_errno=True)


def as_user(uid, *more):
    """In front of a command: root becomes an ordinary user with nothing else to its name."""
    if not IS_ROOT:
        return list(more)
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *more]


def patience(seconds=1.0):
    """
    The time in which something has to happen that takes no time: on a machine that has more to do
    than it has processors, so many times longer.
    """
    with open("/proc/loadavg", encoding="ascii") as file:
        fields = file.read().split()
    waiting = max(float(fields[0]), float(fields[3].split("/")[0]))
    return seconds * max(1.0, 2 * waiting / (os.cpu_count() or 1))


def pause(seconds):
    """A length of time over which something is measured; never to order things."""
    select.select([], [], [], seconds)


def cpu_ns(pid):
    """Processor time of the process's first thread, exact."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0])


def resident_kib(pid):
    """Resident memory."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return int(re.search(r"^Rss:\s+(\d+) kB", file.read(), re.MULTILINE)[1])


def is_answered(port, host="127.0.0.1", within=None):
    """Whether an echo answers within a second."""
    within = within or patience()
    began = time.monotonic()
    try:
        with stand.connect(port, host, timeout=within) as client:
            client.sendall(b"?")
            return client.recv(1) == b"?" and time.monotonic() - began <= within
    except OSError:
        return False


class Patient:
    """A running superd under a fault, and its state before."""

    def __init__(self, daemon, port, sanitized=False):
        self.daemon = daemon
        self.port = port  # of the healthy service, an echo
        self.sanitized = sanitized
        self.pid = daemon.pid
        self.rss_kib = 0
        self.first_event = 0
        self.settle()

    def settle(self):
        """From here on counts what superd holds now."""
        for _ in range(8):
            assert is_answered(self.port, within=stand.DEADLINE), self.daemon.log_text()
        self.daemon.wait_idle()
        self.rss_kib = resident_kib(self.pid)

    def answers(self):
        """The healthy service does; once more where the machine was busy elsewhere."""
        assert self.daemon.process.poll() is None, self.daemon.log_text()
        assert is_answered(self.port) or is_answered(self.port), "the healthy service is silent"

    def look(self, seconds=1.0):
        """While a fault lasts and nobody comes: answers, no processor time, no flood of lines."""
        self.answers()
        lines = len(self.repeated())
        before = cpu_ns(self.pid)
        began = time.monotonic()
        pause(seconds)
        took = time.monotonic() - began
        used = (cpu_ns(self.pid) - before) / 1e9
        allowed = CPU_SHARE * took * (5 if self.sanitized else 1)
        assert used <= allowed, f"{used:.3f} s of processor time in {took:.1f} s"
        counts = {}
        for event in self.repeated()[lines:]:
            counts[event.get("service")] = counts.get(event.get("service"), 0) + 1
        allowed = LINES_PER_SECOND * (took + 1)
        assert all(count <= allowed for count in counts.values()), (counts, took)
        self.answers()

    def repeated(self):
        """The lines that may be no more than two a second for each service."""
        return [e for e in self.daemon.events() if e.get("event") in REPEATED and "service" in e]

    def health(self, children=0):
        """After a fault: as before it, as reliability demands of every row."""
        daemon = self.daemon
        assert daemon.process.poll() is None and daemon.pid == self.pid, daemon.log_text()
        self.answers()
        stand.poll(
            f"{children} children, none of them a zombie",
            lambda: len(states := daemon.children()) == children and "Z" not in states.values(),
        )
        if not children:
            stand.poll(
                f"descriptors back at {daemon.baseline}",
                lambda: daemon.descriptors() <= daemon.baseline,
            )
        # the table is what accept tells of: one more than nothing
        self.answers()
        last = [e for e in daemon.events("accept") if e.get("service") == "well"][-1]
        assert last["running"].split("/")[0] == "1", last.line
        if not self.sanitized:
            grown = resident_kib(self.pid) - self.rss_kib
            assert grown <= MEMORY_KIB, f"{grown} KiB more than before"
        for event in daemon.events("error"):
            assert "service" in event and "error" in event, event.line
            assert any(key in event for key in OBJECTS), f"no object: {event.line}"


@contextlib.contextmanager
def switched(on, off):
    """A fault that is on within."""
    on()
    try:
        yield
    finally:
        off()


class Board:
    """Rules of fault.c: which call of a running superd fails, how, how often."""

    HEAD = struct.Struct("=qQ")
    RULE = struct.Struct("=iiiiQQQQ32s96s")
    RULES = 8
    WHO = {"any": 0, "daemon": 1, "loader": 2}

    def __init__(self, build, folder, sanitized):
        self.path = pathlib.Path(folder) / "board"
        self.path.write_bytes(bytes(self.HEAD.size + self.RULES * self.RULE.size))
        self.path.chmod(0o666)
        self.library = build / "tests/system/fault.so"
        self.sanitized = sanitized
        with open(self.path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 0)
        self.used = 0

    @property
    def env(self):
        """What superd is started with."""
        env = {"LD_PRELOAD": str(self.library), "SUPERD_FAULT_BOARD": str(self.path)}
        if self.sanitized:
            env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        return env

    def fail(self, call, code, *, object_="", skip=0, count=(1 << 64) - 1, who="daemon"):
        """From now on call fails with errno code; returns the rule's number."""
        rule = self.used
        self.used += 1
        assert rule < self.RULES
        at = self.HEAD.size + rule * self.RULE.size
        row = [0, code, self.WHO[who], 0, skip, count, 0, 0, call.encode(), object_.encode()]
        self.RULE.pack_into(self.memory, at, *row)
        struct.pack_into("=i", self.memory, at, 1)
        return rule

    def heal(self):
        """No rule holds any more."""
        for rule in range(self.used):
            struct.pack_into("=i", self.memory, self.HEAD.size + rule * self.RULE.size, 0)
        self.used = 0

    def failed(self, rule=0):
        """How often the rule's call has failed."""
        return self.RULE.unpack_from(self.memory, self.HEAD.size + rule * self.RULE.size)[7]

    def seen(self, rule=0):
        """How often the rule's call was made."""
        return self.RULE.unpack_from(self.memory, self.HEAD.size + rule * self.RULE.size)[6]

    def set_head(self, wall_offset_s=0, open_files_max=0):
        """The wall clock's error; what getrlimit() says."""
        self.HEAD.pack_into(self.memory, 0, int(wall_offset_s * 10**9), open_files_max)


def inside(pid, kinds, function):
    """function() by a process in these namespaces of pid ("net", "mnt"): its value."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            # another mount namespace brings its own root, which is not superd's in a chroot
            root = os.open(f"/proc/{pid}/root", os.O_RDONLY | os.O_DIRECTORY)
            for kind in kinds:
                fd = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
                if LIBC.setns(fd, 0) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
                os.close(fd)
            os.fchdir(root)
            os.chroot(".")
            with os.fdopen(writer, "wb") as pipe:
                pickle.dump(function(), pipe)
            os._exit(0)
        except BaseException as error:  # pylint: disable=broad-except
            os.write(2, f"inside {kinds}: {error!r}\n".encode())
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        data = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return pickle.loads(data)


def can(*command):
    """Whether this command, which changes nothing outside its namespace, works here."""
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=stand.DEADLINE)
    except OSError:
        return False
    return done.returncode == 0


def needs(what, *command):
    """Skips a test by name where a command does not work here."""
    return pytest.mark.skipif(not can(*command), reason=f"needs {what}")


def may_trace():
    """Why strace cannot look at a superd; empty where it can."""
    if not shutil.which("strace"):
        return "strace is not installed"
    scope = pathlib.Path("/proc/sys/kernel/yama/ptrace_scope")
    if not IS_ROOT and scope.exists() and scope.read_text().strip() != "0":
        return "kernel.yama.ptrace_scope lets only root trace"
    return "" if can("strace", "-o", "/dev/null", "true") else "this user may not trace"


needs_strace = pytest.mark.skipif(bool(may_trace()), reason=may_trace() or "it can")


@contextlib.contextmanager
def traced(pid, call, inject):
    """strace makes such calls fail or wait (its inject=), of pid and of what that starts, within."""
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}"]
    command += ["-e", f"inject={call}:{inject}", "-p", str(pid)]
    strace = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def is_there():
        text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        return f"TracerPid:\t{strace.pid}\n" in text

    try:
        stand.poll("strace is there", is_there)
        yield
    finally:
        strace.terminate()
        strace.wait()
needs_net = needs(
    "root for a network namespace, and ip(8)", "unshare", "-n", "ip", "link", "set", "lo", "up"
)
needs_mount = needs(
    "root for a mount namespace", "unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"
)


def reset(client):
    """Closes with a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def hold(port, count, host="127.0.0.1", source=None):
    """count connections, none of which says anything."""
    return [stand.connect(port, host, source) for _ in range(count)]


def close_all(clients):
    for client in clients:
        client.close()


def errno_text(name):
    """What superd's log says of an errno by its name."""
    return os.strerror(getattr(errno, name))


def stopped(daemon):
    """superd stands still within."""

    def stop():
        daemon.send_signal(signal.SIGSTOP)
        stand.poll("it has stopped", lambda: stand.stat_of(daemon.pid)[0] == "T")

    return switched(stop, lambda: daemon.send_signal(signal.SIGCONT))
