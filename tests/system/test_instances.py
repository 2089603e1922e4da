"""Limits cost the surplus connection, never the service."""

import socket

import pytest

import stand

LOG = "log { events = { accept, refuse, exit, error } }\n"


def served(client):
    """Whether the client's echo answers; barriers, no sleeps."""
    client.sendall(b"?")
    return client.recv(1) == b"?"


def silent(client):
    """Whether nothing has come (and the connection is open)."""
    client.setblocking(False)
    try:
        return client.recv(1) == b"never"
    except BlockingIOError:
        return True
    finally:
        client.setblocking(True)
        client.settimeout(stand.DEADLINE)


def clients_of(where):
    def connect():
        client = socket.socket(where[0], socket.SOCK_STREAM)
        client.settimeout(stand.DEADLINE)
        client.connect(where[1])
        return client

    return connect


@pytest.mark.parametrize("family", ["tcp4", "tcp6", "unix"])
def test_queue_serves_the_third_when_one_ends(superd, services, kinds, tmp_path, family):
    port = stand.free_port()
    endpoint, where = {
        "tcp4": (f"127.0.0.1:{port}", (socket.AF_INET, ("127.0.0.1", port))),
        "tcp6": (f'"[::1]:{port}"', (socket.AF_INET6, ("::1", port))),
        "unix": (f"unix:{tmp_path}/s", (socket.AF_UNIX, f"{tmp_path}/s")),
    }[family]
    daemon = superd(
        LOG
        + f"service-directory = {services}\n"
        + f"service echo {{ listen = {endpoint} exec = echo limits {{ instances = 2 }} }}",
        *kinds,
    )
    connect = clients_of(where)
    first, second = connect(), connect()
    assert served(first) and served(second)
    third = connect()
    third.sendall(b"?")
    assert len(daemon.events("accept")) == 2 and silent(third)
    first.close()
    assert third.recv(1) == b"?"
    assert daemon.events("accept")[-1]["running"] == "2/2"
    second.close()
    third.close()
    daemon.wait_event("exit", count=3)
    daemon.wait_idle()


def test_refuse_answers_at_once(superd, services, kinds):
    port = stand.free_port()
    daemon = superd(
        LOG
        + f"service-directory = {services}\n"
        + f'service echo {{ listen = {port} exec = echo deny-banner = "full\\n"'
        + " limits { instances = 2 on-full = refuse } }",
        *kinds,
    )
    held = [stand.connect(port), stand.connect(port)]
    assert all(served(client) for client in held)
    with stand.connect(port) as third:
        third.sendall(b"x" * 1000)
        assert stand.read_all(third) == b"full\n"
    event = daemon.wait_event("refuse", service="echo", reason="full")
    assert event["count"] == "1" and event["peer"].startswith("127.0.0.1:")
    held.pop().close()
    daemon.wait_event("exit")
    with stand.connect(port) as again:
        assert served(again)


def test_refusals_are_summarised(superd, services):
    port = stand.free_port()
    daemon = superd(
        LOG
        + f"service-directory = {services}\n"
        + f"service echo {{ listen = {port} exec = echo limits {{ instances = 1 on-full = refuse }} }}"
    )
    with stand.connect(port) as held:
        assert served(held)
        for _ in range(300):
            assert stand.ask(port) == b""
        stand.poll(
            "all refusals told",
            lambda: sum(int(e["count"]) for e in daemon.events("refuse")) == 300,
        )
    assert len(daemon.events("refuse")) < 20


def test_max_instances_over_all_services(superd, services, kinds):
    ports = [stand.free_port(), stand.free_port()]
    daemon = superd(
        LOG
        + f"service-directory = {services}\nmax-instances = 2\n"
        + f"service a {{ listen = {ports[0]} exec = echo }}\n"
        + f"service b {{ listen = {ports[1]} exec = echo }}\n",
        *kinds,
    )
    first, second = stand.connect(ports[0]), stand.connect(ports[0])
    assert served(first) and served(second)
    third = stand.connect(ports[1])
    third.sendall(b"?")
    assert silent(third) and len(daemon.events("accept")) == 2
    first.close()
    assert third.recv(1) == b"?"
    for client in (second, third):
        client.close()
    daemon.wait_idle()
