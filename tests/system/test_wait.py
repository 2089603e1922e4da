"""Wait programs: the sockets themselves, handed over and taken back."""

import signal
import socket

import pytest

import faults
import stand

LOG = "log { events = { accept, refuse, exit, error } }\n"

# Accepts one client on each listed descriptor in turn, tells it what it was started with, ends.
ROOM = """#!/usr/bin/python3
import os, select, socket
count = int(os.environ["LISTEN_FDS"])
assert int(os.environ["LISTEN_PID"]) == os.getpid(), os.environ["LISTEN_PID"]
names = os.environ["LISTEN_FDNAMES"]
listeners = [socket.socket(fileno=3 + i) for i in range(count)]
same = os.fstat(0).st_ino == os.fstat(1).st_ino == os.fstat(3).st_ino
for _ in range({clients}):
    ready = select.select(listeners, [], [])[0][0]
    client, _ = ready.accept()
    client.sendall(f"{{os.getpid()}} {{count}} {{names}} {{same}} {{ready.getblocking()}}\\n".encode())
    client.close()
"""


def test_all_stream_sockets_go_to_one_program(superd, program, kinds):
    room = program("room", ROOM.format(clients=4))
    port = stand.free_port()
    daemon = superd(LOG + f"service room {{ listen = {port} wait = yes exec = {room} }}", *kinds)
    answers = [stand.ask(port, host=host).split() for host in ("127.0.0.1", "::1") * 2]
    pids = {answer[0] for answer in answers}
    assert len(pids) == 1, "one room over both families"
    assert all(answer[1:4] == [b"2", b"room:room", b"True"] for answer in answers)
    daemon.wait_event("exit", service="room", status=0)
    daemon.wait_idle()
    assert stand.ask(port).split()[0] not in pids  # taken back, and started anew
    assert len(daemon.events("accept")) == 2


def test_environment_tells_of_descriptor_0(superd, program, kinds, tmp_path):
    """The first socket is on 0, whichever a client came to."""
    teller = program(
        "teller",
        "#!/usr/bin/python3\nimport os, select, socket\n"
        "listeners = [socket.socket(fileno=3), socket.socket(fileno=4)]\n"
        "client, _ = select.select(listeners, [], [])[0][0].accept()\n"
        "family = socket.socket(fileno=os.dup(0)).family.name\n"
        "client.sendall((os.environ['PROTO'] + ' ' + family).encode())\n",
    )
    port, path = stand.free_port(), tmp_path / "unix"
    listen = f"listen = {{ 127.0.0.1:{port}, unix:{path} }}"
    superd(LOG + f"service teller {{ {listen} wait = yes exec = {teller} }}", *kinds)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(stand.DEADLINE)
        client.connect(str(path))
        assert stand.read_all(client) == b"TCP AF_INET"
    assert stand.ask(port) == b"TCP AF_INET"


def test_shut_down_listener_is_opened_again(superd, program, kinds):
    rude = program(
        "rude",
        "#!/usr/bin/python3\nimport os, socket\n"
        "listener = socket.socket(fileno=3)\n"
        "client, _ = listener.accept()\n"
        "listener.shutdown(socket.SHUT_RDWR)\n"
        'client.sendall(b"bye\\n")\n',
    )
    port = stand.free_port()
    daemon = superd(
        LOG + f"service rude {{ listen = 127.0.0.1:{port} wait = yes exec = {rude} }}", *kinds
    )
    for count in (1, 2, 3):
        assert stand.ask(port) == b"bye\n"
        daemon.wait_event("exit", count=count)


def test_shut_down_unix_listener_is_opened_again(superd, program, tmp_path):
    rude = program(
        "rude",
        "#!/usr/bin/python3\nimport os, socket\n"
        "listener = socket.socket(fileno=3)\n"
        "client, _ = listener.accept()\n"
        "listener.shutdown(socket.SHUT_RDWR)\n"
        'client.sendall(b"bye\\n")\n',
    )
    path = tmp_path / "rude.sock"
    daemon = superd(LOG + f"service rude {{ listen = unix:{path} wait = yes exec = {rude} }}")
    for count in (1, 2, 3):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(stand.DEADLINE)
            client.connect(str(path))
            assert stand.read_all(client) == b"bye\n"
        daemon.wait_event("exit", count=count)


@pytest.mark.parametrize("deed", ["s.shutdown(socket.SHUT_RD)", "s.setsockopt(0, 11, 1)\nreflect(s)"])
def test_spoilt_datagram_socket_does_not_spin(superd, program, deed):
    spoil = program(
        "spoil",
        "#!/usr/bin/python3\nimport socket\n"
        "def reflect(s):\n"  # an ICMP error that stays queued: IP_RECVERR, and nobody listens
        "    s.sendto(b'x', ('127.0.0.1', 9))\n"
        "s = socket.socket(fileno=0)\ndata, peer = s.recvfrom(100)\ns.sendto(data, peer)\n"
        f"try:\n    {deed.split(chr(10))[0]}\nexcept OSError:\n    pass\n"
        + (deed.split(chr(10))[1] + "\n" if chr(10) in deed else ""),
    )
    port = stand.free_port()
    daemon = superd(LOG + f"service s {{ listen = udp:127.0.0.1:{port} exec = {spoil} }}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(stand.DEADLINE)
        client.sendto(b"one", ("127.0.0.1", port))
        assert client.recv(100) == b"one"
        daemon.wait_event("exit")
        before = stand.cpu_seconds(daemon.pid)
        with pytest.raises(TimeoutError):  # a second without traffic
            client.settimeout(1)
            client.recv(100)
        assert stand.cpu_seconds(daemon.pid) - before < 0.1, "it spins"
        client.settimeout(stand.DEADLINE)
        client.sendto(b"two", ("127.0.0.1", port))
        assert client.recv(100) == b"two"


def test_one_shot_programs_are_not_throttled_because_clients_are_many(superd, program):
    once = program(
        "once",
        "#!/usr/bin/python3\nimport socket\n"
        "client, _ = socket.socket(fileno=3).accept()\n"
        'client.sendall(b"hi\\n")\n',
    )
    port = stand.free_port()
    daemon = superd(LOG + f"service once {{ listen = 127.0.0.1:{port} wait = yes exec = {once} }}")
    clients = [stand.connect(port) for _ in range(24)]
    assert [stand.read_all(client) for client in clients] == [b"hi\n"] * 24
    assert not daemon.events("state")


def test_killed_room_is_there_for_the_next_client(superd, program, kinds):
    room = program("room", ROOM.format(clients=100))
    port = stand.free_port()
    daemon = superd(LOG + f"service room {{ listen = {port} wait = yes exec = {room} }}", *kinds)
    first = stand.ask(port).split()[0]
    (pid,) = daemon.children()
    __import__("os").kill(pid, 9)
    daemon.wait_event("exit", signal="KILL")
    assert stand.ask(port).split()[0] != first


def test_program_that_leaves_its_datagram_is_not_started_in_a_tight_loop(superd, program):
    lazy = program("lazy", "#!/bin/sh\nexit 0\n")
    port = stand.free_port()
    daemon = superd(LOG + f"service lazy {{ listen = udp:127.0.0.1:{port} exec = {lazy} }}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"x", ("127.0.0.1", port))
        daemon.wait_event("state", service="lazy", state="throttled", count=2)
    assert len(daemon.events("accept")) <= 8


def test_one_program_per_datagram_is_no_failure(superd, program):
    single = program(
        "single",
        "#!/usr/bin/python3\nimport socket\n"
        "s = socket.socket(fileno=0)\ndata, peer = s.recvfrom(100)\ns.sendto(data, peer)\n",
    )
    port = stand.free_port()
    daemon = superd(LOG + f"service single {{ listen = udp:127.0.0.1:{port} exec = {single} }}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(stand.DEADLINE)
        for _ in range(10):  # the same bytes from the same client, all queued at once
            client.sendto(b"same", ("127.0.0.1", port))
        for _ in range(10):
            assert client.recv(100) == b"same"
    assert not daemon.events("state")
    daemon.wait_event("exit", count=10)


@pytest.mark.parametrize("endpoint", ["tcp", "udp"])
def test_wait_counts_as_an_instance(superd, program, endpoint):
    room = program("room", "#!/bin/sh\nexec sleep 1000\n")
    port = stand.free_port()
    daemon = superd(
        LOG + f"service room {{ listen = {endpoint}:127.0.0.1:{port} wait = yes exec = {room} }}"
    )
    kind = socket.SOCK_STREAM if endpoint == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as client:
        client.connect(("127.0.0.1", port))
        client.send(b"x")
        assert daemon.wait_event("accept")["running"] == "1/64"
        daemon.stop()
    assert daemon.events("exit")[0]["signal"] == "TERM"


@faults.needs_strace
@pytest.mark.parametrize("endpoint", ["tcp", "udp"])
def test_stop_while_the_program_has_not_taken_its_sockets_yet(
    superd, program, sanitized, endpoint
):
    """The child of vm still uses superd's table: what superd closes then is gone for it too."""
    if sanitized:
        pytest.skip("LeakSanitizer cannot look at what strace holds")
    room = program("room", "#!/bin/sh\nexec sleep 1000\n")
    port = stand.free_port()
    daemon = superd(
        LOG + f"service room {{ listen = {endpoint}:127.0.0.1:{port} wait = yes exec = {room} }}",
        "--spawn=vm",
    )
    kind = socket.SOCK_STREAM if endpoint == "tcp" else socket.SOCK_DGRAM
    held_up = faults.traced(daemon.pid, "close_range", "delay_enter=500000")
    with held_up, socket.socket(socket.AF_INET, kind) as client:
        client.connect(("127.0.0.1", port))
        client.send(b"x")
        daemon.wait_event("accept")
        daemon.stop()
    assert daemon.events("exit")[0]["signal"] == "TERM"


def test_sockets_are_closed_when_the_program_ends_during_drain(superd, program):
    room = program("room", "#!/bin/sh\nexec sleep 1000\n")
    ports = [stand.free_port(), stand.free_port()]
    daemon = superd(
        LOG
        + "drain = 100s\n"
        + f"service room {{ listen = 127.0.0.1:{ports[0]} wait = yes exec = {room} }}\n"
        + f"service hold {{ listen = 127.0.0.1:{ports[1]} exec = echo }}"
    )
    with stand.connect(ports[1]) as hold, stand.connect(ports[0]) as client:
        event = daemon.wait_event("accept", service="room")
        daemon.wait_event("accept", service="hold")
        daemon.send_signal(signal.SIGTERM)
        daemon.wait_event("drain")
        stand.kill(int(event["pid"]), signal.SIGTERM)
        daemon.wait_event("exit", service="room")
        with pytest.raises(ConnectionError):
            client.recv(10)
        with pytest.raises(ConnectionRefusedError):
            stand.connect(ports[0])
        hold.shutdown(socket.SHUT_WR)
        assert hold.recv(10) == b""
    assert daemon.process.wait(stand.DEADLINE) == 0
