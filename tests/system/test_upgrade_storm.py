"""
Upgrades in place under load: nobody is refused, nobody is cut off, nobody is forgotten.

SUPERD_UPGRADES sets how many upgrades there are (default 5; make soak: 100).
"""

# tests/run: alone

import os
import selectors
import signal
import socket
import threading
import time

import pytest

import stand

UPGRADES = int(os.environ.get("SUPERD_UPGRADES", "5"))
HELD = 1000
RATE = 1000  # connections a second
WAITING = 2000  # clients at once, at most: fewer than the backlog has room for
SANITIZED = 10  # one of so many of either, where programs take far more time or memory


class Storm(threading.Thread):
    """
    Clients at a fixed rate, whatever the server does, unless too many wait (a machine that is busy
    otherwise: the kernel resets some of those for which the backlog has no room). Each wants its
    own words back.
    """

    def __init__(self, port, rate):
        super().__init__()
        self.port = port
        self.rate = rate
        self.selector = selectors.DefaultSelector()
        self.stop = threading.Event()
        self.began = self.served = 0
        self.longest = 0.0
        self.problems = []

    def begin(self):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", self.port))
        self.began += 1
        what = [b"storm %d" % self.began, b"", time.monotonic()]
        self.selector.register(client, selectors.EVENT_WRITE, what)

    def end(self, client, problem=None, began=None):
        self.selector.unregister(client)
        client.close()
        if problem is None:
            self.served += 1
            self.longest = max(self.longest, time.monotonic() - began)
        else:
            self.problems.append(problem)

    def handle(self, client, what):
        """One step of a client's dialogue."""
        words, got, began = what
        if not got and self.selector.get_key(client).events == selectors.EVENT_WRITE:
            client.sendall(words)
            client.shutdown(socket.SHUT_WR)
            self.selector.modify(client, selectors.EVENT_READ, what)
            return
        piece = client.recv(1000)
        what[1] += piece
        if not piece:
            self.end(client, None if got == words else f"{got} is not {words}", began)

    def run(self):
        due = time.monotonic()
        while not self.stop.is_set() or self.selector.get_map():
            while not self.stop.is_set() and due <= time.monotonic():
                if len(self.selector.get_map()) < WAITING:
                    self.begin()
                due += 1 / self.rate
            for key, _ in self.selector.select(0.001):
                try:
                    self.handle(key.fileobj, key.data)
                except OSError as error:
                    self.end(key.fileobj, repr(error))
            if self.stop.is_set() and time.monotonic() > due + stand.DEADLINE:
                self.problems.append(f"{len(self.selector.get_map())} without an answer")
                return


def hold(port, count):
    """count sessions, each known to be served."""
    clients = [stand.connect(port) for _ in range(count)]
    for number, client in enumerate(clients):
        client.sendall(b"%08d" % number)
    for number, client in enumerate(clients):
        assert client.recv(8) == b"%08d" % number
    return clients


def upgrade_under_load(daemon, storm):
    """One upgrade, begun and ended while clients come."""
    before = storm.served
    done = len(daemon.events("upgrade"))
    daemon.send_signal(signal.SIGUSR2)
    event = daemon.wait_event("upgrade", count=done + 1, pid=daemon.pid)
    stand.poll("clients are served", lambda: storm.served > before + storm.rate // 20)
    assert not storm.problems, storm.problems[:10]
    return daemon.events("upgrade")[-1] if event else None


def check_listed(daemon, programs, elapsed):
    """The held sessions, as an administrator sees them."""
    listed = daemon.connections("held")
    assert {one["pid"] for one in listed} == programs
    assert {int(one["id"], 16) for one in listed} == set(range(1, len(programs) + 1))
    assert all(one["age"] >= elapsed for one in listed)
    assert daemon.service("held")["running"] == len(programs)


@pytest.mark.parametrize("kind", ["select+vm", "epoll+fork"])
def test_nobody_notices(superd, services, capsys, sanitized, counted, kind):
    loop, spawn = kind.split("+")
    slow = sanitized or counted
    count = HELD // SANITIZED if slow else HELD
    rate = RATE // SANITIZED if slow else RATE
    held_port, storm_port = stand.free_port(), stand.free_port()
    daemon = superd(
        f"service-directory = {services}\nmax-instances = 4000\n"
        "defaults { backlog = 4096 limits { instances = 2000 } }\n"
        f"service held {{ listen = {held_port} exec = echo log {{ events = {{ exit, error }} }} }}\n"
        f"service storm {{ listen = {storm_port} exec = echo log {{ events = {{ error }} }} }}\n",
        f"--loop={loop}",
        f"--spawn={spawn}",
    )
    held = hold(held_port, count)
    programs = set(daemon.children())
    assert len(programs) == count
    baseline = daemon.descriptors()
    storm = Storm(storm_port, rate)
    storm.start()
    events = []
    began = time.monotonic()
    try:
        stand.poll("the storm blows", lambda: storm.served > rate // 10)
        for _ in range(UPGRADES):
            events.append(upgrade_under_load(daemon, storm))
        elapsed = time.monotonic() - began
    finally:
        storm.stop.set()
        storm.join()
    assert not storm.problems, storm.problems[:10]
    assert storm.served == storm.began
    assert len(daemon.events("upgrade")) == UPGRADES and len(daemon.events("start")) == 1
    assert all(int(event["programs"]) >= count for event in events)
    for number, client in enumerate(held):
        client.sendall(b"%08d" % (number + 1))
        assert client.recv(8) == b"%08d" % (number + 1)
    stand.poll("the held ones are left", lambda: set(daemon.children()) == programs)
    stand.poll("descriptors as before", lambda: daemon.descriptors() <= baseline)
    assert not daemon.events("exit") and not daemon.events("error")
    check_listed(daemon, programs, elapsed)
    counts = daemon.service("storm")
    assert counts["accepted"] == counts["exited"]["ok"] == storm.served and counts["running"] == 0
    for client in held:
        client.close()
    daemon.wait_event("exit", count=count, service="held", status=0)
    exits = daemon.events("exit")
    assert {int(event["pid"]) for event in exits} == programs
    assert {int(event["id"], 16) for event in exits} == set(range(1, count + 1))
    assert all(int(event["ms"]) >= elapsed * 1000 for event in exits), "since they really began"
    daemon.wait_idle()
    pauses = sorted(int(event["ms"]) for event in events)
    with capsys.disabled():
        print(
            f"\n{kind}: {UPGRADES} upgrades in {elapsed:.1f} s with {count} sessions held: "
            f"{storm.served} clients served ({storm.served / elapsed:.0f}/s), none refused or cut "
            f"off; pauses of {pauses[0]} to {pauses[-1]} ms, median {pauses[len(pauses) // 2]}; "
            f"longest wait of a client {storm.longest * 1000:.0f} ms"
        )
