"""Listeners that cannot be had, descriptors that run out: the others serve, nothing spins."""

# Thousands of programs at once leave nothing of the machine to tests beside them.
# tests/run: alone

import os
import resource
import signal
import socket

import pytest

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


@pytest.mark.parametrize("spawn", ["vm", "fork"])
def test_two_thousand_listeners_three_thousand_connections(superd, services, spawn, sanitized):
    wanted, connections = (200, 300) if sanitized else (2000, 3000)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 8000:
        pytest.skip("hard RLIMIT_NOFILE below 8000")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    ports = [stand.free_port() for _ in range(wanted)]
    services_text = "".join(
        f"service s{port} {{ listen = 127.0.0.1:{port} exec = echo }}\n" for port in ports
    )
    daemon = superd(
        f"service-directory = {services}\nmax-instances = 5000\n" + services_text,
        f"--spawn={spawn}",
    )
    clients = [stand.connect(ports[i % wanted]) for i in range(connections)]
    for client in clients:
        client.sendall(b"x")
    for client in clients:
        assert client.recv(1) == b"x"
    assert len(daemon.children()) == connections
    for client in clients:
        client.close()
    daemon.wait_event("exit", count=connections)
    daemon.wait_idle()


def test_descriptors_that_select_cannot_hold(superd, services):
    """Forced to select, what does not fit is reported and the rest serves, without spinning."""
    ports = [stand.free_port() for _ in range(1000)]
    listens = ", ".join(f"127.0.0.1:{port}" for port in ports)
    daemon = superd(
        f"service-directory = {services}\n"
        f"service many {{ listen = {{ {listens} }} exec = echo limits {{ instances = 1 }} }}",
        "--loop=select",
        control=False,  # there is no room for its sessions either
    )
    assert daemon.events("error", service="many")
    with stand.connect(ports[0]) as held:
        held.sendall(b"x")
        assert held.recv(1) == b"x"
        with stand.connect(ports[1]) as waiting:
            before = stand.cpu_seconds(daemon.pid)
            waiting.settimeout(1)
            with pytest.raises(TimeoutError):
                waiting.recv(1)
            assert stand.cpu_seconds(daemon.pid) - before < 0.1, "it spins"
            held.close()
            waiting.settimeout(stand.DEADLINE)
            waiting.sendall(b"y")
            assert waiting.recv(1) == b"y"
