"""Random configurations one after the other, over the same few endpoints, with sessions held."""

import os
import random
import signal
import socket

import pytest

import reload
import stand
from reload import echoes

ROUNDS = int(os.environ.get("SUPERD_RELOAD_ROUNDS", "40"))  # 2,000 in `make soak`

# Serves one client on one of its sockets, keeps them all for a moment, ends.
ROOM = """#!/usr/bin/python3
import os, select, socket, sys, time
listeners = [socket.socket(fileno=3 + i) for i in range(int(os.environ["LISTEN_FDS"]))]
ready = select.select(listeners, [], [])[0][0]
if ready.type == socket.SOCK_DGRAM:
    data, peer = ready.recvfrom(100)
    ready.sendto(sys.argv[1].encode(), peer)
else:
    client, _ = ready.accept()
    client.sendall(sys.argv[1].encode())
    client.close()
time.sleep(float(sys.argv[2]))
"""


class World:
    """What may be configured, and what was."""

    def __init__(self, choose, folder, room):
        self.choose, self.room = choose, room
        self.tcp = [f"127.0.0.1:{stand.free_port()}" for _ in range(6)]
        self.udp = [f"udp:127.0.0.1:{stand.free_port()}" for _ in range(2)]
        self.unix = [f"unix:{folder}/u{i}" for i in range(2)]
        self.all = stand.free_port()  # at an address, or at all of them
        self.number = 0

    def options(self, is_tcp):
        """Some of those that any service may have, and, where all is tcp, of those for tcp."""
        choose = self.choose
        found = ["nice = 1", "receive-buffer = 8192", f"stderr = {choose.choice(('null', 'log'))}",
                 f"limits {{ instances = {choose.choice((30, 40))} }}",
                 f"log {{ level = {choose.choice(('error', 'info'))} }}"]
        if is_tcp:
            found += ["nodelay = no", "keepalive = 1m", f"backlog = {choose.choice((5, 50))}"]
        return " ".join(choose.sample(found, choose.choice((0, 0, 1, 3))))

    def service(self, name, endpoints, tag):
        """The text of a service; one with a datagram endpoint has a program that takes sockets."""
        choose = self.choose
        wait = choose.random() < 0.3 or any(e in self.udp for e in endpoints)
        is_tcp = not wait and not any(e in self.unix for e in endpoints)
        program = f'exec = {{ {self.room}, "{tag}", {choose.choice((0, 0.02, 0.3))} }} wait = yes'
        if not wait:
            program = f'exec = echo banner = "{tag}"'
        return (f"service {name} {{ listen = {{ {', '.join(endpoints)} }} {program}"
                f" {self.options(is_tcp)} }}\n")

    def answers(self, endpoint, tag):
        """
        Whether it is tag's service that answers.  Where all addresses took the place of one, a wait
        program may have that one still; who is in its queue when it ends is turned away.
        """
        try:
            return answer(endpoint) == tag
        except ConnectionResetError:
            assert endpoint == f"0.0.0.0:{self.all}", endpoint
            return False

    def next(self):
        """The text of another configuration, and which tag answers at which endpoint."""
        choose = self.choose
        self.number += 1
        free = self.tcp + self.udp + self.unix
        free.append(f"{choose.choice(('127.0.0.1', '0.0.0.0'))}:{self.all}")
        choose.shuffle(free)
        text, tags = "", {}
        for name in choose.sample("abcdef", choose.randrange(1, 6)):
            mine = [free.pop() for _ in range(choose.randrange(1, 4)) if free]
            if mine:
                tag = f"{name}.{self.number};"
                text += self.service(name, mine, tag)
                tags.update(dict.fromkeys(mine, tag))
        return text, tags


def answer(endpoint, deadline=stand.DEADLINE):
    """What stands before the ; there."""
    if endpoint.startswith("udp:"):
        host, port = endpoint[4:].split(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(deadline)
            client.sendto(b"x", (host, int(port)))
            return client.recv(100).decode()
    if endpoint.startswith("unix:"):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(deadline)
        client.connect(endpoint[5:])
    else:
        host, port = endpoint.rsplit(":", 1)
        client = stand.connect(int(port), "127.0.0.1", timeout=deadline)
    with client:
        got = b""
        while b";" not in got:
            piece = client.recv(100)
            if not piece:
                break
            got += piece
        return got.decode()


def test_random_configurations(operated_random, program, tmp_path, kinds):
    seed = int(os.environ.get("SUPERD_SEED", random.randrange(1 << 30)))
    print(f"SUPERD_SEED={seed}")
    choose = random.Random(seed)
    world = World(choose, tmp_path, program("room", ROOM))
    anchor = stand.free_port()
    first = f"service anchor {{ listen = 127.0.0.1:{anchor} exec = echo }}\n"
    it = operated_random(first, *kinds)
    held = []
    for _ in range(ROUNDS // 4 + 1):
        text, tags = world.next()
        if choose.random() < 0.2:  # one that cannot be had, between two that can
            bad = f"service z {{ listen = 127.0.0.1:{choose.choice(('1', '2'))}99999 exec = echo }}\n"
            it.must_refuse(first + text + bad)
        if choose.random() < 0.3:
            it.write(first + text)
            for _ in range(choose.randrange(5)):
                it.daemon.send_signal(signal.SIGHUP)
        it.must_reload(first + text)
        for endpoint, tag in tags.items():
            if choose.random() < 0.3:
                continue
            # who holds it still may answer first
            stand.poll(f"{tag} at {endpoint}", lambda e=endpoint, t=tag: world.answers(e, t))
        if len(held) < 20:
            held.append(stand.connect(anchor))
        assert all(echoes(client) for client in held)
    it.must_reload(first)
    for client in held:
        client.close()
    stand.poll("only the anchor is left", lambda: set(it.services()) == {"anchor"})
    it.daemon.wait_idle()
    assert not list(tmp_path.glob("u*")), "a unix socket's name is left"


@pytest.fixture
def operated_random(superd, build, services, tmp_path):
    def start(text, *options):
        path = tmp_path / "control"
        head = (f"control-socket = {path}\nservice-directory = {services}\n"
                "log { events = error }\nmax-instances = 500\n")
        return reload.Operated(superd(head + text, *options), build, path, head)

    return start
