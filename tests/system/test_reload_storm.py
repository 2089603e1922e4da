"""Reload under load: storms of HUPs, ten thousand services."""

# tests/run: alone

import json
import os
import signal
import threading
import time

import pytest

import reload
import stand
from reload import echoes, memory_kib

ROUNDS = int(os.environ.get("SUPERD_HUP_ROUNDS", "1"))  # each 1,000 HUPs in a second
SERVICES = int(os.environ.get("SUPERD_RELOAD_SERVICES", "2000"))  # 10,000 in `make soak`


@pytest.fixture
def operated(superd, build, services, tmp_path):
    def start(text, *options, **more):
        path = tmp_path / "control"
        head = f"control-socket = {path}\nservice-directory = {services}\nlog {{ events = error }}\n"
        daemon = superd(head + text, *options, **more)
        return reload.Operated(daemon, build, path, head)

    return start


class Callers:
    """Clients that connect so many times a second, each with a short dialogue."""

    def __init__(self, port, rate, threads=4):
        self.port, self.pause = port, threads / rate
        self.stopped = threading.Event()
        self.done = 0
        self.failures = []
        self.longest = 0.0
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]

    def one(self):
        begun = time.monotonic()
        try:
            answer = stand.ask(self.port, b"x")
        except OSError as error:
            answer = error
        took = time.monotonic() - begun
        with self.lock:
            self.done += 1
            self.longest = max(self.longest, took)
            if not (isinstance(answer, bytes) and answer.endswith(b"x")):
                self.failures.append(answer)

    def run(self):
        due = time.monotonic()
        while not self.stopped.wait(max(0, due - time.monotonic())):
            due += self.pause
            self.one()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


def config(port, number, extra):
    return (
        f"service e {{ listen = 127.0.0.1:{port} exec = echo"
        f' banner = "{number}:" limits {{ instances = 500 per-source = 0 }} }}\n'
        f"service other {{ listen = 127.0.0.1:{extra[number % len(extra)]} exec = echo }}\n"
    )


def storm(it, port, extra, numbers):
    """1,000 HUPs in a second while the configuration changes."""
    begun = time.monotonic()
    for count in range(1000):
        if count % 20 == 0:
            it.write(config(port, next(numbers), extra))
        it.daemon.send_signal(signal.SIGHUP)
        ahead = begun + count / 1000 - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)


def test_a_thousand_hups_in_a_second(operated, kinds, sanitized):
    port, extra = stand.free_port(), [stand.free_port() for _ in range(3)]
    numbers = iter(range(1, 1 << 30))
    it = operated(config(port, 0, extra), *kinds)
    held = [stand.connect(port) for _ in range(20)]
    assert all(client.recv(2) == b"0:" for client in held)
    memory = []
    with Callers(port, 50 if sanitized else 500) as callers:
        for _ in range(ROUNDS + 1):  # the first one fills what is allocated once
            storm(it, port, extra, numbers)
            memory.append(memory_kib(it.daemon.pid))
    last = next(numbers)
    it.must_reload(config(port, last, extra))
    assert stand.ask(port, b"x") == b"%d:x" % last, "not the last configuration"
    assert stand.ask(extra[last % 3], b"x") == b"x"
    assert all(reload.refuses(extra[i]) for i in range(3) if i != last % 3)
    assert not callers.failures and callers.done > 10, callers.failures[:3]
    assert all(echoes(client) for client in held), "a session died"
    for client in held:
        client.close()
    it.daemon.wait_idle()
    generation = it.generation()
    assert generation > 3
    if not sanitized:  # its allocator keeps what was freed
        assert memory[-1] - memory[0] < 1024, memory
    lines = it.daemon.events("reload")
    assert len(lines) <= 12 + 3 * ROUNDS, "not summarised"
    assert sum(int(line.get("count", 1)) for line in lines) == generation - 1
    assert not it.daemon.events("error", step="reload")


def test_storm_of_broken_files(operated):
    """What is broken is told once a second, and costs nobody anything."""
    port = stand.free_port()
    it = operated(config(port, 0, [stand.free_port()]))
    it.write("service {\n")
    with Callers(port, 50) as callers:
        for _ in range(300):
            it.daemon.send_signal(signal.SIGHUP)
            time.sleep(0.003)
    assert not callers.failures
    it.daemon.wait_event("error", step="reload")
    assert len(it.daemon.events("error", step="reload")) <= 20
    assert it.generation() == 1


PORTS = 16


def place(ports, i):
    """Address and port of service i: many addresses, for free ports are few."""
    return f"127.1.{i // PORTS // 250}.{1 + i // PORTS % 250}", ports[i % PORTS]


def many(ports, count, changed=None):
    return "".join(
        "service s%d { listen = %s:%d exec = echo" % (i, *place(ports, i))
        + (' banner = "new:" }\n' if i == changed else " }\n")
        for i in range(count)
    )


def test_many_services_one_changed(operated, sanitized):
    """Prints how long a reload took, and the longest that a client had to wait meanwhile."""
    count = SERVICES // 10 if sanitized else SERVICES
    ports = [stand.free_port() for _ in range(PORTS)]
    main = stand.free_port()
    text = f"service main {{ listen = 127.0.0.1:{main} exec = echo limits {{ per-source = 0 }} }}\n"
    it = operated(text + many(ports, count))
    before = it.daemon.descriptors()
    took = []
    with Callers(main, 20 if sanitized else 200, threads=2) as callers:
        quiet = stand.poll("some calls", lambda: callers.done > 20 and callers.longest)
        callers.longest = 0.0
        for changed in (count // 2, None, count - 1):
            it.write(text + many(ports, count, changed))
            begun = time.monotonic()
            it.must_reload()
            took.append(time.monotonic() - begun)
    lines = [int(line["ms"]) for line in it.daemon.events("reload")]
    print(json.dumps({"services": count, "took_s": took, "ms": lines, "longest_s": callers.longest,
                      "longest_before_s": quiet, "calls": callers.done}))
    assert not callers.failures
    assert max(took) < stand.DEADLINE and callers.longest < 5

    def ask(i):
        host, port = place(ports, i)
        return stand.ask(port, b"x", host)

    assert ask(count - 1) == b"new:x" and ask(count // 2) == b"x"
    stand.poll("descriptors as before", lambda: it.daemon.descriptors() <= before)
    # all of them at once: changed, removed, added
    it.must_reload(text + many(ports, count).replace("exec", 'banner = "all:" exec'))
    assert ask(0) == b"all:x"
    it.must_reload(text)
    with pytest.raises(ConnectionRefusedError):
        ask(0)
    stand.poll("their descriptors are closed", lambda: it.daemon.descriptors() < 50)
    it.must_reload(text + many(ports, count))
    assert ask(0) == ask(count - 1) == b"x"
