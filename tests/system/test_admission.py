"""Access control and limits that depend on who comes: they cost the surplus connection alone."""

import os
import select
import socket
import time

import pytest

import stand

LOG = "log { events = { accept, refuse, exit, error } }\n"


def serve(superd, services, limits="", acl="", more="", program="echo", options=()):
    port = stand.free_port()
    daemon = superd(
        LOG
        + f"service-directory = {services}\n"
        + f"service s {{ listen = {port} exec = {program} {more}\n"
        + (f"  limits {{ {limits} }}\n" if limits else "")
        + (f"  acl {{ {acl} }}\n" if acl else "")
        + "}\n",
        *options,
    )
    return daemon, port


def echo(port, source="127.0.0.1", host="127.0.0.1"):
    with stand.connect(port, host, source) as client:
        try:
            client.sendall(b"?")
            return client.recv(1) == b"?"
        except ConnectionError:
            return False


def refused(daemon, reason):
    return sum(int(event["count"]) for event in daemon.events("refuse", reason=reason))


def wait_refused(daemon, reason, count):
    stand.poll(f"{count} refusals for {reason}", lambda: refused(daemon, reason) == count)


def test_acl_most_specific_decides(superd, services, kinds):
    daemon, port = serve(
        superd,
        services,
        acl="allow = { 127.0.0.0/8, 127.0.1.1, 127.0.2.2 } deny = { 127.0.1.0/24, 127.0.2.2 }",
        more='deny-banner = "no\\n"',
        options=kinds,
    )
    assert echo(port, "127.0.0.9") and echo(port, "127.0.1.1")
    for source in ("127.0.1.2", "127.0.2.2"):
        assert stand.ask(port, b"", source=source) == b"no\n"
    assert stand.ask(port, b"", "::1") == b"no\n"  # no match, and allow is not empty
    wait_refused(daemon, "acl", 3)
    daemon.wait_idle()


def test_acl_without_allow_accepts_the_rest(superd, services):
    daemon, port = serve(superd, services, acl="deny = { 127.0.0.2 }")
    assert echo(port) and echo(port, host="::1", source=None)
    assert stand.ask(port, b"", source="127.0.0.2") == b""
    wait_refused(daemon, "acl", 1)


def test_acl_for_unix_users(superd, services, tmp_path):
    path = tmp_path / "socket"
    if os.getuid() != 0:
        pytest.skip("needs root to be two users")
    superd(
        LOG
        + f"service-directory = {services}\n"
        + f"service s {{ listen = unix:{path} exec = echo socket-mode = 0666"
        + " acl { allow = { user:root } } }\n"
    )

    def ask():
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(stand.DEADLINE)
            client.connect(str(path))
            try:
                client.sendall(b"?")
                return client.recv(1)
            except ConnectionError:
                return b""

    assert ask() == b"?"
    os.seteuid(65534)
    try:
        assert ask() == b""
    finally:
        os.seteuid(0)


def test_hours(superd, services):
    today = time.strftime("%a")
    tomorrow = time.strftime("%a", time.localtime(time.time() + 86400))
    yesterday = time.strftime("%a", time.localtime(time.time() - 86400))
    _, port = serve(superd, services, acl=f'hours = {{ "{yesterday},{today},{tomorrow}" }}')
    assert echo(port)
    others = [day for day in "Mon Tue Wed Thu Fri Sat Sun".split()]
    for day in (yesterday, today, tomorrow):
        others.remove(day)
    daemon, port = serve(superd, services, acl=f'hours = {{ "{",".join(others)}" }}')
    assert not echo(port)
    wait_refused(daemon, "hours", 1)


def test_per_source(superd, services, kinds):
    daemon, port = serve(superd, services, "instances = 50 per-source = 2", options=kinds)
    held = [stand.connect(port, source="127.0.0.2") for _ in range(2)]
    for client in held:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    assert not echo(port, "127.0.0.2")
    assert echo(port, "127.0.0.3") and echo(port, "127.0.0.1")
    wait_refused(daemon, "per-source", 1)
    held.pop().close()
    daemon.wait_event("exit", count=3)
    assert echo(port, "127.0.0.2")
    for client in held:
        client.close()
    daemon.wait_idle()


def test_default_per_source_leaves_a_service_open(superd, services):
    """One client that opens 64 silent connections; loopback is exempt from the default."""
    daemon, port = serve(superd, services, "instances = 80")
    held = [stand.connect(port) for _ in range(64)]
    daemon.wait_event("accept", count=64)
    assert echo(port, "127.0.0.2")
    assert not daemon.events("refuse")
    for client in held:
        client.close()


def test_per_source_rate_and_burst(superd, services):
    daemon, port = serve(superd, services, "per-source-rate = 1/60s burst = 3")
    answers = [echo(port, "127.0.0.2") for _ in range(6)]
    assert answers == [True] * 3 + [False] * 3
    assert echo(port, "127.0.0.3")
    wait_refused(daemon, "per-source-rate", 3)


def test_rate_of_the_service(superd, services):
    daemon, port = serve(superd, services, "rate = 1/60s burst = 4")
    answers = [echo(port, f"127.0.0.{i}") for i in range(2, 9)]
    assert answers == [True] * 4 + [False] * 3
    wait_refused(daemon, "rate", 3)


def test_load(superd, services):
    limit = os.getloadavg()[0] / 2
    if limit < 0.01:
        pytest.skip("this machine has nothing to do: no load to refuse above")
    daemon, port = serve(superd, services, f"load = {limit:.2f}")
    assert not echo(port)
    wait_refused(daemon, "load", 1)


@pytest.mark.parametrize("how", ["hold", "stubborn", "family"])
def test_time_ends_a_program_and_its_group(superd, probe, kinds, how):
    port = stand.free_port()
    daemon = superd(
        LOG
        + "grace = 300ms\n"
        + f"service p {{ listen = {port} exec = {{ {probe}, {how} }} limits {{ time = 500ms }} }}",
        *kinds,
    )
    with stand.connect(port) as client, client.makefile("r") as lines:
        got = dict(line.strip().split("=", 1) for line in iter(lines.readline, "end=1\n"))
        assert lines.read() == ""  # until it is ended
    event = daemon.wait_event("exit", service="p")
    assert event["signal"] == ("KILL" if how == "stubborn" else "TERM")
    assert int(event["ms"]) >= 500
    assert daemon.events("deadline", service="p")[0]["limit"] == "time"
    if how == "family":
        stand.poll(
            "grandchild gone", lambda: (stand.stat_of(int(got["grandchild"])) or "Z")[0] == "Z"
        )


def test_time_leaves_shorter_programs_alone(superd, services):
    daemon, port = serve(superd, services, "time = 60s")
    for _ in range(20):
        assert echo(port)
    daemon.wait_event("exit", count=20)
    assert all(event["status"] == "0" for event in daemon.events("exit"))


def test_one_source_at_full_speed_costs_the_polite_nothing(superd, services):
    """A flood from one source: every polite source is served, and after it counts are exact."""
    daemon, port = serve(
        superd, services, "instances = 64 per-source = 8 per-source-rate = 100/s burst = 20"
    )
    address = ("127.0.0.1", port)
    flood = []
    polite = [f"127.0.1.{i}" for i in range(1, 21)]
    answered = 0
    end = time.monotonic() + 3
    turn = 0
    poller = select.poll()
    while time.monotonic() < end:
        for _ in range(20):
            client = socket.socket()
            client.setblocking(False)
            client.bind(("127.0.0.2", 0))
            client.connect_ex(address)
            poller.register(client)
            flood.append(client)
        if turn % 4 == 0:
            assert echo(port, polite[(turn // 4) % len(polite)])
            answered += 1
        turn += 1
        while len(flood) > 200:
            client = flood.pop(0)
            poller.unregister(client)
            client.close()
    for client in flood:
        client.close()
    assert answered > 20
    assert refused(daemon, "per-source-rate") + refused(daemon, "per-source") > 0
    daemon.wait_idle()
    accepts = len(daemon.events("accept"))
    stand.poll("as many exits as accepts", lambda: len(daemon.events("exit")) == accepts)
    assert echo(port, "127.0.0.9")
    assert daemon.events("accept")[-1]["running"] == "1/64"


def test_idle_ends_the_silent_and_leaves_the_others(superd, services, kinds):
    daemon, port = serve(superd, services, "idle = 2s", options=kinds)
    quiet = stand.connect(port)
    six = stand.connect(port, "::1")
    lively = stand.connect(port)
    began = time.monotonic()
    for client in (quiet, six, lively):
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    while time.monotonic() - began < 4:
        ready = select.select([], [], [], 0.5)
        assert ready == ([], [], [])
        lively.sendall(b"y")
        assert lively.recv(1) == b"y"
    for client in (quiet, six):
        assert client.recv(1) == b""
        client.close()
    ended = daemon.events("exit", signal="TERM")
    assert len(ended) == 2 and all(2000 <= int(event["ms"]) <= 3500 for event in ended)
    assert len(daemon.events("deadline", limit="idle")) == 2
    lively.close()
    daemon.wait_idle()
