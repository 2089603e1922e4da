"""Listeners that cannot be had, descriptors that run out: the others serve, nothing spins."""

import os
import resource
import signal
import socket

import stand

LOG = "log { events = { accept, refuse, exit, error } }\n"


def test_port_in_use_is_taken_over_when_free(superd, services, kinds):
    ports = [stand.free_port(), stand.free_port()]
    holder = socket.create_server(("127.0.0.1", ports[0]))
    daemon = superd(
        LOG
        + f"service-directory = {services}\n"
        + f"service a {{ listen = 127.0.0.1:{ports[0]} exec = daytime }}\n"
        + f"service b {{ listen = 127.0.0.1:{ports[1]} exec = daytime }}\n",
        *kinds,
    )
    event = daemon.wait_event("error", service="a")
    assert event["step"] == "listen" and "Address already in use" in event["error"]
    assert event["endpoint"] == f"tcp 127.0.0.1:{ports[0]}"
    assert len(stand.ask(ports[1])) == 26
    holder.close()
    daemon.wait_event("listen", service="a")
    assert len(stand.ask(ports[0])) == 26


def test_out_of_descriptors_pauses_and_recovers(superd, services, kinds):
    port = stand.free_port()
    other = stand.free_port()
    daemon = superd(
        LOG
        + f"service-directory = {services}\n"
        + f"service echo {{ listen = {port} exec = echo stderr = null }}\n"
        + f"service other {{ listen = {other} exec = echo stderr = null }}\n",
        *kinds,
    )
    highest = max(int(name) for name in os.listdir(f"/proc/{daemon.pid}/fd"))
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (4, highest + 1))
    clients = [stand.connect(port) for _ in range(20)]
    event = daemon.wait_event("error", service="echo", step="accept")
    assert event["error"] == "Too many open files"
    before = stand.cpu_seconds(daemon.pid)
    daemon.wait_event("error", service="echo", step="accept", count=3)  # some seconds of it
    assert stand.cpu_seconds(daemon.pid) - before < 0.5, "it spins"
    assert len(daemon.events("error")) < 8
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (highest + 1, highest + 1))
    for client in clients:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        client.close()
    daemon.wait_idle()


def test_backlog_overflow_and_reset_before_accept(superd, services, kinds):
    port = stand.free_port()
    daemon = superd(
        LOG + f"service-directory = {services}\nservice echo {{ listen = {port} exec = echo }}", *kinds
    )
    daemon.send_signal(signal.SIGSTOP)
    for _ in range(300):
        client = stand.connect(port)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()  # a reset, before superd accepts
    daemon.send_signal(signal.SIGCONT)
    assert stand.ask(port, b"x") == b"x"
    daemon.wait_idle()


def test_select_moves_to_epoll_by_itself(superd, services):
    count = 1100
    ports = [stand.free_port() for _ in range(count)]
    listens = ", ".join(f"127.0.0.1:{port}" for port in ports)
    daemon = superd(
        f"service-directory = {services}\n"
        f"service many {{ listen = {{ {listens} }} exec = daytime }}"
    )
    assert daemon.events("start")[0]["loop"] == "epoll"
    for port in (ports[0], ports[count // 2], ports[-1]):
        assert len(stand.ask(port)) == 26
