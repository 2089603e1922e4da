"""The main job: real clients talk to real programs over every kind of endpoint."""

import os
import socket

import stand

LOG = "log { events = { accept, refuse, exit, error } }\n"


def test_tcp_both_families(superd, services, kinds):
    port = stand.free_port()
    daemon = superd(
        LOG + f"service-directory = {services}\nservice echo {{ listen = {port} exec = echo }}\n",
        *kinds,
    )
    for host in ("127.0.0.1", "::1"):
        assert stand.ask(port, b"hello\n" * 1000, host) == b"hello\n" * 1000
    for host in ("127.0.0.1", "[::1]"):
        found = [e for e in daemon.events("accept") if e["peer"].startswith(host + ":")]
        assert found and found[0]["local"] == f"{host}:{port}", daemon.log_text()
    daemon.wait_event("exit", count=2, service="echo", status=0)
    daemon.wait_idle()


def test_three_lines_are_a_service(superd, kinds):
    port = stand.free_port()
    superd(f'service hello {{ listen = {port}  exec = {{ /usr/bin/printf, "hello\\n" }} }}\n', *kinds)
    assert stand.ask(port) == b"hello\n"


def test_ten_megabytes_with_half_close(superd, services, kinds):
    port = stand.free_port()
    superd(f"service-directory = {services}\nservice echo {{ listen = {port} exec = echo }}\n", *kinds)
    data = os.urandom(1 << 20) * 10
    with stand.connect(port) as client:
        got = bytearray()
        sent = 0
        client.setblocking(False)
        view = memoryview(data)
        while len(got) < len(data):
            if sent < len(data):
                try:
                    sent += client.send(view[sent : sent + 262144])
                    if sent == len(data):
                        client.shutdown(socket.SHUT_WR)
                except BlockingIOError:
                    pass
            try:
                piece = client.recv(262144)
                assert piece, f"closed after {len(got)} bytes"
                got += piece
            except BlockingIOError:
                pass
        client.setblocking(True)
        assert client.recv(1) == b""
    assert got == data


def test_udp_both_families(superd, services, kinds):
    port = stand.free_port()
    daemon = superd(
        LOG
        + f"service-directory = {services}\n"
        + f"service echo {{ listen = udp:{port} exec = {{ echo, -t, 1 }} }}\n",
        *kinds,
    )
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.settimeout(stand.DEADLINE)
            for text in (b"one", b"two", b""):
                client.sendto(text, (host, port))
                assert client.recv(1000) == text
    # each datagram socket has a program of its own, and superd takes the sockets back
    assert len(daemon.events("accept")) == 2
    daemon.wait_event("exit", count=2, status=0)
    daemon.wait_idle()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(stand.DEADLINE)
        client.sendto(b"again", ("127.0.0.1", port))
        assert client.recv(1000) == b"again"


def test_unix_endpoints(superd, services, kinds, tmp_path):
    stream, dgram, packet = (tmp_path / name for name in ("stream", "dgram", "packet"))
    abstract = f"@superd-test-{os.getpid()}-{kinds[0]}-{kinds[1]}"
    daemon = superd(
        LOG
        + f"service-directory = {services}\n"
        + f'service s {{ listen = {{ unix:{stream}, "unix:{abstract}" }} exec = echo }}\n'
        + f"service d {{ listen = unix-dgram:{dgram} exec = {{ echo, -t, 1 }} }}\n"
        + f"service p {{ listen = unix-seqpacket:{packet} exec = echo socket-mode = 0600 }}\n",
        *kinds,
    )
    assert os.stat(stream).st_mode & 0o777 == 0o660
    assert os.stat(packet).st_mode & 0o777 == 0o600
    for kind, where in (
        (socket.SOCK_STREAM, str(stream)),
        (socket.SOCK_STREAM, "\0" + abstract[1:]),
        (socket.SOCK_SEQPACKET, str(packet)),
    ):
        with socket.socket(socket.AF_UNIX, kind) as client:
            client.settimeout(stand.DEADLINE)
            client.connect(where)
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"
    accept = daemon.wait_event("accept", service="s")
    assert f"pid={os.getpid()}" in accept["peer"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.settimeout(stand.DEADLINE)
        client.bind(str(tmp_path / "client"))
        os.chmod(tmp_path / "client", 0o777)
        client.sendto(b"hello", str(dgram))
        assert client.recv(100) == b"hello"
    daemon.stop()
    assert not stream.exists() and not dgram.exists() and not packet.exists()


def test_port_range_and_name(superd, services, kinds):
    first = stand.free_range(4)
    superd(
        f"service-directory = {services}\n"
        f"service many {{ listen = 127.0.0.1:{first}-{first + 3} exec = daytime }}\n",
        *kinds,
    )
    for port in range(first, first + 4):
        assert len(stand.ask(port)) == 26


def test_program_learns_its_client_by_getpeername(superd, services, kinds):
    port = stand.free_port()
    daemon = superd(
        f"service-directory = {services}\nservice hello {{ listen = {port} exec = hello }}\n", *kinds
    )
    with stand.connect(port) as client:
        own = client.getsockname()
        assert stand.read_all(client) == b"Hello, world!\n"
    line = daemon.wait_event("stderr", service="hello")
    assert f"{own[0]}" in line["text"] and str(own[1]) in line["text"]


def test_stale_unix_socket_is_taken_over(superd, services, tmp_path):
    path = tmp_path / "stale"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    superd(f"service-directory = {services}\nservice s {{ listen = unix:{path} exec = daytime }}\n")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        assert len(stand.read_all(client)) == 26
