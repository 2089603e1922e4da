"""Floods: who behaves is served during one, and everybody after it."""
# It takes the whole machine:
# tests/run: alone

import json
import socket
import subprocess

import pytest

import stand

FLOODER = "127.0.0.2"
POLITE = "127.0.1.1"
POLITE_SOURCES = 20
FLOOD_S = 60  # at most: it is told to end
POLITE_S = 1.5
HELLO = b"hello\n"


class Crowd:
    """Sources that connect: build/tests/bench/crowd."""

    def __init__(self, build, port, *words):
        command = [build / "tests/bench/crowd", *words, "127.0.0.1", port]
        self.process = subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.PIPE, text=True
        )

    def running(self):
        return self.process.poll() is None

    def end(self):
        """Tells it to end, and its result."""
        assert self.running(), "it ended before the others did"
        self.process.terminate()
        return self.result()

    def result(self):
        output = self.process.communicate(timeout=60)[0]
        assert self.process.returncode == 0
        return json.loads(output)


def polite(build, port, first=POLITE):
    """Sources that connect five times a second each."""
    words = ["-s", first, "-n", POLITE_SOURCES, "-r", 5, "-t", POLITE_S]
    return Crowd(build, port, *words)


def start(superd, build, limits, options=()):
    """superd with service a, which has the limits, and b; both send one line."""
    ports = [stand.free_port(), stand.free_port()]
    program = build / "tests/bench/hello"
    daemon = superd(
        f"log {{ {stand.TELL_ALL} }}\n"
        f"service a {{ listen = 127.0.0.1:{ports[0]} exec = {program} limits {{ {limits} }} }}\n"
        f"service b {{ listen = 127.0.0.1:{ports[1]} exec = {program} }}\n",
        *options,
    )
    return daemon, ports


def ask(port, source):
    try:
        return stand.ask(port, source=source)
    except ConnectionError:
        return b""


def served_again(ports, sources):
    """Within a second after the end of a flood everything serves (and a slow build in some)."""
    for port in ports:
        for source in sources:
            stand.poll(
                f"{source} is served at {port}", lambda p=port, s=source: ask(p, s) == HELLO, 5
            )


@pytest.mark.parametrize("manner", ["patient", "hasty"])
@pytest.mark.parametrize("kind", ["select+vm", "epoll+fork"])
def test_one_source_at_full_speed(superd, build, kind, manner):
    """
    It waits for answers (256 connections open at once), or closes each at once; meanwhile 20
    polite sources at the same service, and 20 at the other one, are all served.
    """
    loop, spawn = kind.split("+")
    words = [f"--loop={loop}", f"--spawn={spawn}"]
    daemon, ports = start(superd, build, "per-source-rate = 20/s", words)
    hasty = ["-x"] if manner == "hasty" else []
    flood = Crowd(build, ports[0], "-s", FLOODER, "-w", 256, "-t", FLOOD_S, *hasty)
    daemon.wait_event("refuse", service="a")
    crowds = [polite(build, ports[0]), polite(build, ports[1], "127.0.2.1")]
    for figures in [crowd.result() for crowd in crowds]:
        assert figures["served"] == figures["begun"] > 100, figures
    assert flood.end()["begun"] > 1000
    served_again(ports, [FLOODER, POLITE])
    assert not daemon.events("refuse", service="b")
    assert {event["reason"] for event in daemon.events("refuse")} == {"per-source-rate"}
    peers = {event["peer"].partition(":")[0] for event in daemon.events("refuse")}
    assert peers == {FLOODER}
    daemon.wait_idle()


@pytest.mark.parametrize(
    "limits",
    [
        "instances = 4",
        "instances = 4 on-full = refuse",
        "instances = 64 per-source = 1 per-source-rate = 5/s burst = 2",
        "rate = 50/s",
    ],
)
def test_many_sources_over_the_limits(superd, build, limits):
    """250 sources at full speed: what they do to one service is over when they are."""
    daemon, ports = start(superd, build, limits)
    flood = Crowd(build, ports[0], "-s", FLOODER, "-n", 250, "-w", 500, "-t", FLOOD_S)
    stand.poll("the flood", lambda: len(daemon.events("accept", service="a")) > 0)
    figures = polite(build, ports[1], "127.0.2.1").result()
    assert figures["served"] == figures["begun"] > 100, figures
    assert flood.end()["served"] > 0
    served_again(ports, [FLOODER, POLITE])
    daemon.wait_idle()


def test_silent_connections_to_the_limit(superd, services):
    """Who holds every instance of a service holds none of another one's, and none afterwards."""
    ports = [stand.free_port(), stand.free_port()]
    daemon = superd(
        f"service-directory = {services}\n"
        f"service a {{ listen = {ports[0]} exec = echo limits {{ instances = 60 }} }}\n"
        f"service b {{ listen = {ports[1]} exec = echo }}\n"
        f"log {{ {stand.TELL_ALL} }}\n"
    )
    held = [stand.connect(ports[0], source=f"127.0.1.{i % 250 + 1}") for i in range(250)]
    daemon.wait_event("accept", count=60, service="a")
    assert stand.ask(ports[1], b"?") == b"?"
    stand.poll("60 are left", lambda: len(daemon.children()) == daemon.replay() == 60)
    for client in held:
        client.shutdown(socket.SHUT_WR)
    assert [stand.read_all(client) for client in held] == [b""] * 250
    for client in held:
        client.close()
    daemon.wait_event("exit", count=250, service="a")
    daemon.wait_idle()
    assert stand.ask(ports[0], b"?") == b"?"
    assert daemon.events("accept", service="a")[-1]["running"] == "1/60"


def source_count(port, probe_source):
    """What the program is told: connections of that source that are open beside its own."""
    lines = stand.ask(port, source=probe_source).decode().splitlines()
    return int(next(line for line in lines if line.startswith("env.TCPCONNNUM=")).split("=")[1])


def test_counts_of_sources_after_a_storm(superd, build, probe, kinds):
    """As many as are open, for every source, and none when nothing is."""
    port = stand.free_port()
    daemon = superd(
        f"log {{ {stand.TELL_ALL} }}\n"
        f"service p {{ listen = 127.0.0.1:{port} exec = {{ {probe}, hold }} }}\n",
        *kinds,
    )
    sources = [f"127.0.1.{number}" for number in range(1, 6)]
    storm = ["-s", sources[0], "-n", len(sources), "-w", 100, "-x", "-c", 500]
    Crowd(build, port, *storm).result()
    held = [stand.connect(port, source=sources[0]) for _ in range(7)]
    for client in held:
        assert client.recv(1) == b"p"
    stand.poll("the storm is over", lambda: daemon.replay() == len(held), 60)
    assert len(daemon.children()) == len(held)
    assert [source_count(port, source) for source in sources] == [len(held), 0, 0, 0, 0]
    for client in held:
        client.close()
    daemon.wait_idle()
    assert source_count(port, sources[0]) == 0
    assert daemon.events("accept")[-1]["running"] == "1/64"
