"""Servers that start messenger for each connection: an accept loop of the tests, or superd.

Both give the same: `ports`, a dictionary of the three services "send" (plain), "length" (send -l)
and "fetch"; `children()`, the running messengers; `log_text()`; `stop()`.
"""

import json
import os
import select
import selectors
import signal
import socket
import subprocess
import traceback

import drive

SERVICES = {"send": ["send"], "length": ["send", "-l"], "fetch": ["fetch"]}


def command_of(build, service, spool, options):
    """The command line of one service; options: a dictionary of lists, by service."""
    words = [build / "services/messenger", *SERVICES[service], "--spool", spool]
    return [str(word) for word in words + options.get(service, [])]


class Child:
    """A running messenger; port is its client's."""

    def __init__(self, pid, port):
        self.pid = pid
        self.port = port

    def kill(self):
        """SIGKILL, if it is still the same process.  Returns whether it was sent."""
        try:
            fd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            if child_port(self.pid) != self.port:
                return False
            signal.pidfd_send_signal(fd, signal.SIGKILL)
            return True
        except ProcessLookupError:
            return False
        finally:
            os.close(fd)


def child_port(pid):
    """The client's port of a messenger, from its environment; None where it is none."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            program = file.read().split(b"\0")[0]
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return None
    if not program.endswith(b"messenger"):
        return None
    for variable in variables:
        if variable.startswith(b"REMOTE_PORT="):
            return int(variable.partition(b"=")[2])
    return None


def messengers_below(pid):
    """The messengers among the children of a process."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                pids = [int(word) for word in file.read().split()]
        except OSError:
            continue
        for child in pids:
            port = child_port(child)
            if port is not None:
                found.append(Child(child, port))
    return found


class AcceptLoop:
    """A process that accepts, starts messenger and reaps.

    After stop(), statuses says how many messengers ended with which exit status.
    """

    def __init__(self, build, folder, spool, options):
        folder.mkdir()
        self.statuses = {}
        self.folder = folder
        self.ports = {}
        commands = {}
        for service in SERVICES:
            listener = socket.create_server(("127.0.0.1", 0), backlog=512)
            self.ports[service] = listener.getsockname()[1]
            commands[listener] = command_of(build, service, spool, options)
        stopping, self._stop = os.pipe()
        self._report, report = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            accept_loop(commands, folder / "log", stopping, report)
        for listener in commands:
            listener.close()
        os.close(stopping)
        os.close(report)

    def children(self):
        return messengers_below(self._pid) if self._pid else []

    def log_text(self):
        return (self.folder / "log").read_text(encoding="ascii")

    def stop(self):
        """No more connections; returns when every child has ended.  May be called again."""
        if not self._pid:
            return
        os.write(self._stop, b"x")
        hanging = not select.select([self._report], [], [], drive.DEADLINE)[0]
        for child in self.children() if hanging else []:
            child.kill()
        with os.fdopen(self._report, "r", encoding="ascii") as report:
            self.statuses = {int(status): count for status, count in json.load(report).items()}
        os.close(self._stop)
        pid, self._pid = self._pid, 0
        assert os.waitpid(pid, 0)[1] == 0, "the accept loop failed"
        assert not hanging, "messengers were still running"


def accept_loop(commands, log, stopping, report):
    """The process of an AcceptLoop: never returns."""
    status = 1
    try:
        Acceptor(commands, log, stopping).run(report)
        status = 0
    except BaseException:  # pylint: disable=broad-except
        traceback.print_exc()
    finally:
        os._exit(status)


class Acceptor:
    """What is in the process of an AcceptLoop."""

    def __init__(self, commands, log, stopping):
        self.commands = commands
        self.stopping = stopping
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.selector = selectors.DefaultSelector()
        for fileobj in [stopping, *commands]:
            self.selector.register(fileobj, selectors.EVENT_READ, None)
        self.alive = 0
        self.statuses = {}

    def start(self, listener):
        client, (host, port) = listener.accept()
        with client:
            command = self.commands[listener]
            variables = {"PATH": "/usr/bin:/bin", "REMOTE_ADDR": host, "REMOTE_PORT": str(port)}
            for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
                if name in os.environ:
                    variables[name] = os.environ[name]
            pid = os.posix_spawn(command[0], command, variables, file_actions=[
                (os.POSIX_SPAWN_DUP2, client.fileno(), 0),
                (os.POSIX_SPAWN_DUP2, client.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, self.log, 2)])
        self.alive += 1
        self.selector.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)

    def reap(self, fd, pid):
        self.selector.unregister(fd)
        os.close(fd)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.alive -= 1

    def run(self, report):
        stopped = False
        while not stopped or self.alive > 0:
            for key, _ in self.selector.select():
                if key.data is not None:
                    self.reap(key.fd, key.data)
                elif key.fd == self.stopping:
                    stopped = True
                    for fileobj in [self.stopping, *self.commands]:
                        self.selector.unregister(fileobj)
                        if fileobj in self.commands:
                            fileobj.close()
                elif not stopped:
                    self.start(key.fileobj)
        with os.fdopen(report, "w", encoding="ascii") as file:
            json.dump(self.statuses, file)


class Superd:
    """superd with the three services."""

    def __init__(self, build, folder, spool, options):
        folder.mkdir()
        self.folder = folder
        self.ports = {service: drive.tcp_listener() for service in SERVICES}
        blocks = ['control-socket = ""\n']
        for service, listener in self.ports.items():
            with listener:
                self.ports[service] = port = listener.getsockname()[1]
            words = command_of(build, service, spool, options)
            blocks.append("service %s {\n\tlisten = 127.0.0.1:%d\n\texec = { %s }\n%s"
                          "\tlimits { instances = 128 }\n}\n" % (
                              service, port, ", ".join(f'"{word}"' for word in words),
                              "\tuser = root\n" if os.getuid() == 0 else ""))
        (folder / "superd.conf").write_text("".join(blocks))
        reader, writer = os.pipe()
        with open(folder / "log", "wb") as log:
            self._process = subprocess.Popen(
                [build / "superd/superd", "-c", folder / "superd.conf", f"--ready-fd={writer}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(writer,))
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            ready = select.select([pipe], [], [], drive.DEADLINE)[0] and pipe.read()
        if ready != b"ready\n":
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"superd is not ready: {self.log_text()}")

    def children(self):
        return messengers_below(self._process.pid)

    def log_text(self):
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def stop(self):
        """Waits for the children, then ends superd in order.  May be called again."""
        if self._process.returncode is not None:
            return
        path = f"/proc/{self._process.pid}/task/{self._process.pid}/children"

        def idle():
            with open(path, encoding="ascii") as file:
                return not file.read().split()
        try:
            drive.until(idle, "no children of superd")
            self._process.terminate()
            assert self._process.wait(drive.DEADLINE) == 0, self.log_text()
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
