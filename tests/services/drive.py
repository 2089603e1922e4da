"""Drives one service program alone, as superd or a shell would start it.

Every process is started through a Stand (fixture `stand`), which ends the test with a failure when
one is still running or its exit status was never looked at.
"""

import os
import select
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

DEADLINE = 20  # seconds; only against hanging, never a measure


def tcp_listener(family=socket.AF_INET):
    """A listening socket on a free loopback port."""
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    listener.listen(128)
    return listener


def tcp_pair(family=socket.AF_INET):
    """A connected pair of TCP sockets: client, server."""
    with tcp_listener(family) as listener:
        client = socket.create_connection(listener.getsockname()[:2], DEADLINE)
        server, _ = listener.accept()
    return client, server


def unix_pair():
    client, server = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(DEADLINE)
    return client, server


def udp_socket(address="127.0.0.1", port=0):
    """A datagram socket bound to a loopback address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((address, port))
    sock.settimeout(DEADLINE)
    return sock


def udp_server(address="127.0.0.1"):
    """The same for a program: blocking, as superd hands it over."""
    sock = udp_socket(address)
    sock.settimeout(None)
    return sock


def read_all(sock):
    """Everything up to end of file."""
    parts = []
    while True:
        part = sock.recv(1 << 18)
        if not part:
            return b"".join(parts)
        parts.append(part)


def reset(sock):
    """Closes with a reset instead of an end of file."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def may_trace():
    """Whether strace works here, for start(inject=...)."""
    try:
        done = subprocess.run(
            ["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def silent(sock):
    """Whether nothing has come on sock."""
    return not select.select([sock], [], [], 0)[0]


def until(condition, what):
    """Polls until condition() is true."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.01)


class Program:
    """One running service; its log is kept in a file."""

    def __init__(self, process, log):
        self.process = process
        self.pid = process.pid
        self._log = log
        self.looked_at = False

    def status(self):
        """The exit status, waited for; negative for a signal."""
        self.looked_at = True
        return self.process.wait(DEADLINE)

    def stop(self):
        """Ends a program that would wait for its idle time."""
        assert self.running()
        self.process.terminate()
        assert self.status() == -signal.SIGTERM

    def running(self):
        return self.process.poll() is None

    def log(self):
        """What it has written to standard error so far."""
        if self._log is None:
            return ""
        with open(self._log.name, encoding="ascii") as file:
            return file.read()

    def children(self):
        """Process ids of its children, zombies too."""
        path = f"/proc/{self.pid}/task/{self.pid}/children"
        with open(path, encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]

    def resident_kib(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        return 0


class Stand:
    """Starts programs and holds them to account."""

    def __init__(self, build):
        self.build = build
        self.programs = []

    def start(self, name, *arguments, stdin, stdout=None, stderr=None, env=None, listen=(),
              setup=None, inject=()):
        """Starts services/NAME with stdin on 0 and stdout (by default the same) on 1.

        listen: sockets for descriptors 3 and up by LISTEN_FDS.  stderr: a descriptor; by
        default a file that Program.log() reads.  inject: what strace(1) makes of the program's
        own system calls (not of its children's), "CALL:error=ERRNO" and the like.
        """
        log = None
        if stderr is None:
            log = tempfile.NamedTemporaryFile(prefix="service-log-")
            stderr = log
        command = [str(self.build / "services" / name)] + [str(word) for word in arguments]
        variables = {"PATH": "/usr/bin:/bin"}
        for key in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if key in os.environ:
                variables[key] = os.environ[key]
        variables.update(env or {})
        fds = [sock.fileno() for sock in listen]

        def prepare():
            # Above all targets first, so that no dup2() overwrites a source.
            high = [os.dup2(fd, 100 + index) for index, fd in enumerate(fds)]
            for index, fd in enumerate(high):
                os.dup2(fd, 3 + index)
            for name in os.listdir("/proc/self/fd"):
                if int(name) >= 3 + len(fds):
                    try:
                        os.set_inheritable(int(name), False)
                    except OSError:
                        pass  # the one that listed them
            if setup:
                setup()

        if fds:
            variables["LISTEN_FDS"] = str(len(fds))
            # exec keeps the pid, which the program wants to see in its environment.
            command = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$0" "$@"'] + command
        if inject:
            calls = ",".join(rule.partition(":")[0] for rule in inject)
            tracer = ["strace", "-D", "-qq", "-o", "/dev/null", "-e", f"trace={calls}"]
            command = tracer + [f"-einject={rule}" for rule in inject] + command
            # one that is traced cannot look for leaks
            variables["ASAN_OPTIONS"] = variables.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        process = subprocess.Popen(
            command, stdin=stdin, stdout=stdin if stdout is None else stdout, stderr=stderr,
            env=variables, close_fds=not fds, preexec_fn=prepare if fds or setup else None)
        program = Program(process, log)
        self.programs.append(program)
        return program

    def tcp(self, name, *arguments, family=socket.AF_INET, **how):
        """Starts a service on a TCP connection; the client's socket and the program."""
        client, server = tcp_pair(family)
        with server:
            return client, self.start(name, *arguments, stdin=server, **how)

    def unix(self, name, *arguments, **how):
        client, server = unix_pair()
        with server:
            return client, self.start(name, *arguments, stdin=server, **how)

    def pipes(self, name, *arguments, data=b"", **how):
        """Runs a service on two pipes to its end; (output, program)."""
        program = self.start(name, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **how)
        output, _ = program.process.communicate(data, DEADLINE)
        return output, program

    def exchange(self, transport, name, data, *arguments, **how):
        """Sends data, half-closes and reads to the end; (answer, program)."""
        if transport == "pipe":
            return self.pipes(name, *arguments, data=data, **how)
        if transport == "tcp6":
            client, program = self.tcp(name, *arguments, family=socket.AF_INET6, **how)
        else:
            client, program = getattr(self, transport)(name, *arguments, **how)
        with client:
            sender = threading.Thread(target=send_and_end, args=(client, data))
            sender.start()
            answer = read_all(client)
            sender.join()
        return answer, program

    def close(self):
        wrong = []
        for program in self.programs:
            if program.running():
                wrong.append(f"{program.process.args}: still running")
                program.process.kill()
                program.process.wait()
            elif not program.looked_at:
                wrong.append(f"{program.process.args}: exit status not looked at")
            for pipe in (program.process.stdin, program.process.stdout):
                if pipe:
                    pipe.close()
        assert not wrong, wrong


def send_and_end(sock, data):
    """Sends data and half-closes; a server that has gone already is no error here."""
    try:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass
