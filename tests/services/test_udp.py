"""Datagram services: answers, the end after the idle time, and what may not be answered."""

import re
import socket
import struct
import time

import pytest

import drive

SERVICE_PORTS = [7, 13, 17, 19, 37]
SO_TIMESTAMPNS = 35
BROADCAST = "127.255.255.255"  # of the loopback network


def chargen_pattern(length):
    ring = bytes(range(32, 127)) * 2
    lines = [ring[first:first + 72] + b"\r\n" for first in range(95)]
    return b"".join(lines)[:length]


def port_of(sock):
    return sock.getsockname()[1]


@pytest.mark.parametrize("name, arguments, request_, answer", [
    ("echo", (), b"", b""),
    ("echo", (), b"hello", b"hello"),
    ("echo", (), bytes(range(256)) * 255 + b"x" * 227, bytes(range(256)) * 255 + b"x" * 227),
    ("chargen", (), b"", b""),
    ("chargen", (), b"x", b" "),
    ("chargen", (), b"x" * 100, chargen_pattern(100)),
    ("chargen", (), b"x" * 65507, chargen_pattern(512)),
    ("sum", (), b"2 3", b"5\n"),
    ("sum", (), b"2 3\r\n4 5\n", b"5\n9\n"),
    ("sum", (), b"abc", b"input error\n"),
    ("sum", ("-b", "xdr"), struct.pack(">4q", 1, 2, 3, 4), struct.pack(">2q", 3, 7)),
    ("sum", ("-b", "native"), struct.pack("=2q", 1, 2), struct.pack("=q", 3)),
], ids=lambda value: value if isinstance(value, str) else "")
def test_answers(stand, loopback, name, arguments, request_, answer):
    with drive.udp_server(loopback) as server, drive.udp_socket(loopback) as client:
        # As superd starts it: the first datagram waits already.
        client.sendto(request_, server.getsockname())
        program = stand.start(name, *arguments, stdin=server)
        for _ in range(3):
            got, source = client.recvfrom(1 << 16)
            assert got == answer
            assert source == server.getsockname()
            client.sendto(request_, server.getsockname())
        assert client.recv(1 << 16) == answer
        program.stop()
        assert program.log() == ""


def test_longest_datagrams(stand, loopback):
    with drive.udp_server(loopback) as server, drive.udp_socket(loopback) as client:
        program = stand.start("echo", stdin=server)
        for length in (65506, 65507):
            client.sendto(b"x" * length, server.getsockname())
            assert len(client.recv(1 << 16)) == length
        program.stop()


def test_daytime_and_time(stand):
    for name in ("daytime", "time"):
        with drive.udp_server() as server, drive.udp_socket() as client:
            program = stand.start(name, stdin=server, env={"TZ": "UTC0"})
            before = int(time.time())
            client.sendto(b"", server.getsockname())
            answer = client.recv(1 << 16)
            if name == "time":
                assert before <= struct.unpack("!I", answer)[0] - 2208988800 <= time.time()
            else:
                time.strptime(answer.decode("ascii"), "%a %b %d %H:%M:%S %Y\r\n")
            program.stop()


@pytest.mark.parametrize("request_", [b"", b"\0" * 8, b"\0" * 17,
                                      struct.pack(">2q", 2 ** 63 - 1, 1)])
def test_what_is_no_binary_request_gets_no_answer(stand, request_):
    with drive.udp_server() as server, drive.udp_socket() as client:
        client.sendto(request_, server.getsockname())
        program = stand.start("sum", "-b", "xdr", stdin=server)
        client.sendto(struct.pack(">2q", 1, 2), server.getsockname())
        assert client.recv(100) == struct.pack(">q", 3)
        program.stop()
        assert drive.silent(client)
        assert f"127.0.0.1:{port_of(client)}: not a request" in program.log()


def test_sum_never_amplifies(stand):
    with drive.udp_server() as server, drive.udp_socket() as client:
        program = stand.start("sum", stdin=server)
        for request in (b"\n" * 1000, b"x\n" * 500, b"1 1\n" * 200 + b"\n" * 900):
            client.sendto(request, server.getsockname())
            assert 0 < len(client.recv(1 << 16)) <= len(request)
        program.stop()


@pytest.mark.parametrize("name", ["echo", "discard", "daytime", "time", "chargen", "sum"])
def test_nobody_comes(stand, name):
    with drive.udp_server() as server:
        program = stand.start(name, "-t", "1", stdin=server)
        assert program.status() == 0
        assert program.log() == ""


def test_the_socket_stays_as_it_was(stand):
    with drive.udp_server() as server, drive.udp_socket() as client:
        program = stand.start("echo", "-t", "1", stdin=server)
        assert program.status() == 0
        server.settimeout(None)
        client.sendto(b"for the next", server.getsockname())
        again = stand.start("echo", "-t", "1", stdin=server)
        assert client.recv(100) == b"for the next"
        assert again.status() == 0


def check_refused(stand, name, forged, server, target, log):
    """A datagram from `forged` gets no answer, and the service goes on to serve others."""
    with drive.udp_socket() as client:
        forged.sendto(b"1 2", target)
        program = stand.start(name, stdin=server)
        # Its answer shows that the forged one, which came before it, has been dealt with.
        client.sendto(b"3 4", ("127.0.0.1", port_of(server)))
        assert client.recv(1 << 16) != b""
        # Now it has asked for destinations, which it had not when the first one came.
        forged.sendto(b"1 2", target)
        client.sendto(b"3 4", ("127.0.0.1", port_of(server)))
        assert client.recv(1 << 16) != b""
        assert drive.silent(forged)
        program.stop()
        assert drive.silent(forged)
        assert log in program.log()


@pytest.mark.parametrize("name", ["echo", "daytime", "time", "chargen", "sum"])
@pytest.mark.parametrize("port", SERVICE_PORTS)
def test_ports_of_other_services_get_no_answer(stand, name, port):
    try:
        forged = drive.udp_socket("127.0.0.1", port)
    except PermissionError:
        pytest.skip("binding a privileged port needs the right to")
    with forged, drive.udp_server() as server:
        check_refused(stand, name, forged, server, server.getsockname(),
                      f"127.0.0.1:{port}: source port of a service")


@pytest.mark.parametrize("name", ["echo", "daytime", "chargen", "sum"])
def test_its_own_port_gets_no_answer(stand, name):
    with drive.udp_server("127.0.0.1") as server, \
            drive.udp_socket("127.0.0.2", port_of(server)) as forged:
        check_refused(stand, name, forged, server, server.getsockname(), "own port as source")


def test_every_datagram_not_answered_is_told_of(stand):
    """At most one line a second: those behind the first are told of when the program ends."""
    with drive.udp_server("127.0.0.1") as server, \
            drive.udp_socket("127.0.0.2", port_of(server)) as forged:
        for _ in range(5):
            forged.sendto(b"ping", server.getsockname())
        program = stand.start("echo", "-t", "1", stdin=server)
        assert program.status() == 0
        told = re.findall(r"datagrams not answered: (\d+),", program.log())
        assert sum(map(int, told)) == 5


def test_two_echoes_do_not_play_ping_pong(stand):
    """One datagram forged between two services on one port costs two packets at most."""
    with drive.udp_server("127.0.0.1") as one, \
            drive.udp_socket("127.0.0.2", port_of(one)) as two:
        two.settimeout(None)
        two.sendto(b"ping", one.getsockname())
        programs = [stand.start("echo", "-t", "1", stdin=sock) for sock in (one, two)]
        for program in programs:
            assert program.status() == 0
        told = [program.log() for program in programs]
        assert "datagrams not answered: 1," in told[0]
        assert told[1] == ""


@pytest.mark.parametrize("stamped", [False, True])
def test_broadcasts_get_no_answer(stand, stamped):
    """Also on a socket that was asked for times of arrival, as superd's are."""
    with drive.udp_server("0.0.0.0") as server, drive.udp_socket() as forged:
        server.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, stamped)
        forged.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        check_refused(stand, "echo", forged, server, (BROADCAST, port_of(server)),
                      "sent to broadcast or multicast")


def test_multicasts_get_no_answer(stand):
    group = "239.255.77.77"
    with drive.udp_server("0.0.0.0") as server, drive.udp_socket() as forged:
        try:
            server.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                              socket.inet_aton(group) + socket.inet_aton("127.0.0.1"))
            forged.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                              socket.inet_aton("127.0.0.1"))
            forged.sendto(b"probe", (group, port_of(server)))
            server.settimeout(1)
            server.recv(100)
        except OSError:
            pytest.skip("this machine has no multicast on loopback")
        server.settimeout(None)
        check_refused(stand, "echo", forged, server, (group, port_of(server)),
                      "sent to broadcast or multicast")


def test_answers_come_from_the_address_asked(stand):
    with drive.udp_server("0.0.0.0") as server, drive.udp_socket() as client:
        client.sendto(b"early", ("127.0.0.3", port_of(server)))
        program = stand.start("echo", stdin=server)
        assert client.recvfrom(100) == (b"early", ("127.0.0.3", port_of(server)))
        client.sendto(b"later", ("127.0.0.4", port_of(server)))
        assert client.recvfrom(100) == (b"later", ("127.0.0.4", port_of(server)))
        program.stop()


def test_clients_that_vanish_do_no_harm(stand):
    """Their host answers with ICMP errors."""
    with drive.udp_server() as server, drive.udp_socket() as client:
        for _ in range(20):
            with drive.udp_socket() as vanished:
                vanished.sendto(b"x", server.getsockname())
        program = stand.start("echo", stdin=server)
        for _ in range(20):
            with drive.udp_socket() as vanished:
                vanished.sendto(b"x", server.getsockname())
        client.sendto(b"y", server.getsockname())
        assert client.recv(100) == b"y"
        program.stop()


def test_a_connected_socket_survives_icmp_errors(stand):
    server, client = drive.udp_server(), drive.udp_socket()
    server.connect(client.getsockname())
    client.sendto(b"x", server.getsockname())
    address = client.getsockname()
    client.close()
    with server:
        program = stand.start("echo", "-t", "2", stdin=server)
        with drive.udp_socket("127.0.0.1", address[1]) as again:
            again.sendto(b"y", server.getsockname())
            # The first answer may have found the new socket.
            assert again.recv(100) in (b"x", b"y")
            program.stop()


def test_a_flood_of_refused_datagrams_does_not_flood_the_log(stand):
    with drive.udp_server("127.0.0.1") as server, drive.udp_socket() as client, \
            drive.udp_socket("127.0.0.2", port_of(server)) as forged:
        program = stand.start("echo", stdin=server)
        begin = time.monotonic()
        for round_ in range(20):
            for _ in range(50):
                forged.sendto(b"x", server.getsockname())
            client.sendto(b"%d" % round_, server.getsockname())
            assert client.recv(100) == b"%d" % round_
        seconds = int(time.monotonic() - begin)
        program.stop()
        assert 1 <= program.log().count("\n") <= seconds + 2


def test_unix_datagrams(stand, tmp_path):
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(str(tmp_path / "server"))
    named = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    named.bind(str(tmp_path / "client"))
    named.settimeout(drive.DEADLINE)
    nameless = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with server, named, nameless:
        nameless.sendto(b"who?", server.getsockname())
        program = stand.start("echo", stdin=server)
        named.sendto(b"me", server.getsockname())
        assert named.recv(100) == b"me"
        program.stop()
    assert "no source address" in program.log()


def test_a_pair_of_datagram_sockets(stand):
    client, server = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    client.settimeout(drive.DEADLINE)
    with client, server:
        program = stand.start("echo", "-t", "1", stdin=server)
        for data in (b"one", b"", b"x" * 50000):
            client.send(data)
            assert client.recv(1 << 16) == data
        assert program.status() == 0


def test_a_unix_client_that_does_not_read_blocks_nobody(stand, tmp_path):
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(str(tmp_path / "server"))
    clients = []
    for name in ("deaf", "polite"):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        client.bind(str(tmp_path / name))
        client.settimeout(drive.DEADLINE)
        clients.append(client)
    deaf, polite = clients
    with server, deaf, polite:
        program = stand.start("echo", "-t", "1", stdin=server)
        for _ in range(100):
            deaf.sendto(b"x", server.getsockname())
        polite.sendto(b"y", server.getsockname())
        assert polite.recv(100) == b"y"
        assert program.status() == 0
