"""
Who a source is, with addresses that are no loopback's: superd in a network namespace of its own,
clients in another one, a pair of interfaces between them.
"""

import ctypes
import errno
import os
import shutil
import socket
import subprocess

import pytest

import stand

CLONE_NEWNET = 0x40000000
SERVER = {socket.AF_INET: "10.9.9.9", socket.AF_INET6: "2001:db8:9::9"}
CLIENTS = [
    *("10.1.1.1/8", "10.1.1.2/8", "10.1.2.1/8", "10.2.1.1/8"),
    *("2001:db8:0:1::1/32", "2001:db8:0:1:ffff::2/32", "2001:db8:0:2::1/32", "2001:db8:1::1/32"),
    *(f"2001:db8:7::{number}/32" for number in range(1, 9)),
]
LIBC = ctypes.CDLL(None, use_errno=True)


def enter(namespace):
    """This thread's sockets are made there from now on."""
    if LIBC.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Network:
    """Two namespaces: server and client, held by descriptors of this process."""

    def __init__(self):
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.spaces = []
        self.server = self.make()
        self.client = self.make()

    def make(self):
        if LIBC.unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        space = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.spaces.append(space)
        enter(self.home)
        return space

    def run(self, space, *command):
        """Runs a command in a namespace."""
        enter(space)
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        finally:
            enter(self.home)

    def connect_both(self):
        """A wire between the two, and their addresses."""
        peer = f"/proc/{os.getpid()}/fd/{self.client}"
        self.run(
            self.server,
            *("ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", peer),
        )
        for space, addresses in (
            (self.server, ["10.9.9.9/8", "2001:db8:9::9/32"]),
            (self.client, CLIENTS),
        ):
            self.run(space, "ip", "link", "set", "lo", "up")
            for address in addresses:
                nodad = ["nodad"] if ":" in address else []
                self.run(space, "ip", "address", "add", address, "dev", "wire", *nodad)
            self.run(space, "ip", "link", "set", "wire", "up")

    def wrapper(self):
        """The words before a command that is to run in the server's namespace."""
        return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{self.server}"]

    def connect(self, port, source):
        """A client from that address."""
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        enter(self.client)
        try:
            client = socket.socket(family)
        finally:
            enter(self.home)
        client.settimeout(stand.DEADLINE)
        client.bind((source, 0))
        client.connect((SERVER[family], port))
        return client

    def close(self):
        for space in (*self.spaces, self.home):
            os.close(space)


@pytest.fixture(scope="module")
def network():
    if os.getuid() != 0:
        pytest.skip("needs root to make network namespaces")
    for tool in ("ip", "nsenter"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    try:
        made = Network()
    except OSError as error:
        pytest.skip(f"no network namespaces here: {os.strerror(error.errno or errno.EPERM)}")
    try:
        made.connect_both()
    except subprocess.CalledProcessError as error:
        made.close()
        pytest.skip(f"no pair of interfaces here: {error.stderr.strip()}")
    yield made
    made.close()


@pytest.fixture
def serve(superd, services, network):
    """Starts superd in the server's namespace, with those limits."""

    def start(limits):
        port = stand.free_port()
        daemon = superd(
            f"log {{ {stand.TELL_ALL} }}\nservice-directory = {services}\n"
            f"service s {{ listen = {port} exec = echo limits {{ {limits} }} }}\n",
            wrapper=network.wrapper(),
        )
        return daemon, port

    return start


def answers(client):
    """Whether it is served; one that is refused gets an end of file."""
    try:
        client.sendall(b"?")
        return client.recv(1) == b"?"
    except ConnectionError:
        return False


def served(network, port, source):
    """Whether one more client from there is served."""
    with network.connect(port, source) as client:
        return answers(client)


@pytest.mark.parametrize(
    "prefix, holder, same, others",
    [
        ("", "10.1.1.1", ["10.1.1.1"], ["10.1.1.2", "10.1.2.1", "2001:db8:0:1::1"]),
        ("source-prefix4 = 24", "10.1.1.1", ["10.1.1.1", "10.1.1.2"], ["10.1.2.1", "10.2.1.1"]),
        ("source-prefix4 = 16", "10.1.1.1", ["10.1.1.2", "10.1.2.1"], ["10.2.1.1"]),
        (
            "",
            "2001:db8:0:1::1",
            ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2"],
            ["2001:db8:0:2::1", "2001:db8:1::1", "10.1.1.1"],
        ),
        (
            "source-prefix6 = 48",
            "2001:db8:0:1::1",
            ["2001:db8:0:1:ffff::2", "2001:db8:0:2::1"],
            ["2001:db8:1::1"],
        ),
        (
            "source-prefix6 = 128",
            "2001:db8:0:1::1",
            ["2001:db8:0:1::1"],
            ["2001:db8:0:1:ffff::2", "2001:db8:0:2::1"],
        ),
    ],
)
def test_prefix_makes_the_source(serve, network, prefix, holder, same, others):
    daemon, port = serve(f"per-source = 1 {prefix}")
    held = network.connect(port, holder)
    assert answers(held)
    assert [source for source in same if served(network, port, source)] == []
    assert [source for source in others if not served(network, port, source)] == []
    stand.poll(
        "all refusals told",
        lambda: sum(int(e["count"]) for e in daemon.events("refuse")) == len(same),
    )
    assert {event["reason"] for event in daemon.events("refuse")} == {"per-source"}
    held.close()
    daemon.wait_event("exit", count=1 + len(others))
    assert served(network, port, same[-1])
    daemon.wait_idle()


def test_rate_of_a_64(serve, network):
    """The addresses of one /64 share its tokens."""
    _, port = serve("per-source-rate = 1/60s burst = 2")
    assert served(network, port, "2001:db8:0:1::1")
    assert served(network, port, "2001:db8:0:1:ffff::2")
    assert not served(network, port, "2001:db8:0:1::1")
    assert not served(network, port, "2001:db8:0:1:ffff::2")
    assert served(network, port, "2001:db8:0:2::1")


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_default_limits_leave_a_service_open(serve, network, family):
    """One client with 64 silent connections gets a quarter of `instances`, and others the rest."""
    daemon, port = serve("")
    sources = ["10.1.1.1"]
    if family == "ipv6":  # all addresses of its /64 in turn
        sources = [f"2001:db8:7::{number}" for number in range(1, 9)]
    silent = [network.connect(port, sources[i % len(sources)]) for i in range(64)]
    stand.poll(
        "48 refusals", lambda: sum(int(e["count"]) for e in daemon.events("refuse")) == 48
    )
    assert len(daemon.events("accept")) == 16
    for other in ("10.1.1.2", "10.2.1.1", "2001:db8:0:1::1"):
        assert served(network, port, other)
    for client in silent:
        client.close()
    daemon.wait_event("exit", count=16 + 3)
    assert served(network, port, sources[0])
    assert daemon.events("accept")[-1]["running"] == "1/64"
    daemon.wait_idle()
