"""What the tests of reload share: a superd with a control socket, told to reload and asked."""

import json
import os
import socket
import subprocess

import stand

HEAD = "log { events = { accept, refuse, exit, error } }\n"


class Operated:
    """A superd that can be reloaded with another text."""

    def __init__(self, daemon, build, socket_path, head):
        self.daemon = daemon
        self.build = build
        self.socket_path = socket_path
        self.head = head

    def write(self, text):
        """The configuration becomes text, at once as a whole."""
        path = self.daemon.config_path
        new = path.with_suffix(".new")
        if isinstance(text, str):
            text = (self.head + text).encode()
        else:
            self.daemon.told = False  # nobody knows what a broken file does to the log
        new.write_bytes(text)
        os.rename(new, path)

    def superctl(self, *words, timeout=90):
        return subprocess.run(
            [str(self.build / "superd/superctl"), "-s", str(self.socket_path), *words],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def reload(self, text=None):
        """Reloads, with text where it is given, and says whether that was done."""
        if text is not None:
            self.write(text)
        self.last = self.superctl("reload")
        return self.last.returncode == 0

    def must_reload(self, text=None):
        assert self.reload(text), f"{self.last.stderr}\n{self.daemon.log_text()}"

    def must_refuse(self, text=None):
        """Returns what superctl says of a reload that must not be done."""
        assert not self.reload(text), self.daemon.log_text()
        return self.last.stderr

    def status(self):
        done = self.superctl("status", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def services(self):
        """{name: its status}"""
        return {service["name"]: service for service in self.status()["services"]}

    def generation(self):
        return self.status()["config"]["generation"]

    def sockets(self):
        """The inodes of the sockets that superd has open."""
        found = set()
        folder = f"/proc/{self.daemon.pid}/fd"
        for name in os.listdir(folder):
            try:
                link = os.readlink(f"{folder}/{name}")
            except FileNotFoundError:
                continue
            if link.startswith("socket:["):
                found.add(int(link[len("socket:[") : -1]))
        return found


def listening(port, host="127.0.0.1"):
    """The inode of the TCP socket that listens there, or None."""
    wanted = f"{socket.inet_aton(host)[::-1].hex().upper()}:{port:04X}"
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in file:
            fields = line.split()
            if fields[1] == wanted and fields[3] == "0A":
                return int(fields[9])
    return None


def refuses(port, host="127.0.0.1"):
    """Whether nobody listens there."""
    try:
        stand.connect(port, host).close()
    except ConnectionRefusedError:
        return True
    return False


def echoes(client, text=b"ping"):
    """Whether the session is alive."""
    client.sendall(text)
    got = b""
    while len(got) < len(text):
        piece = client.recv(len(text) - len(got))
        if not piece:
            break
        got += piece
    return got == text


def memory_kib(pid):
    """Resident memory of the process."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    raise AssertionError("no VmRSS")


def turned_away(port, source=None):
    """Whether a client is accepted and closed without a word."""
    with stand.connect(port, source=source) as client:
        return client.recv(1) == b""
