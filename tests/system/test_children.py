"""The child table: exact, whatever ends when; and memory that does not grow."""

# Thousands of programs at once leave nothing of the machine to tests beside them.
# tests/run: alone

import os
import re
import signal

import pytest

import faults
import stand

LOG = "log { events = { accept, refuse, exit, error } }\n"


def kilobytes(pid, field):
    """Pss, Rss ... of a process in KiB."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return int(re.search(rf"^{field}:\s+(\d+) kB", file.read(), re.MULTILINE)[1])


def test_two_thousand_end_in_the_same_instant(superd, services, kinds):
    port = stand.free_port()
    daemon = superd(
        LOG
        + f"service-directory = {services}\nmax-instances = 3000\n"
        + f"service echo {{ listen = {port} exec = echo limits {{ instances = 2500 }} }}",
        *kinds,
    )
    rounds = 13 if faults.LONG else 1  # of four kinds
    for _ in range(rounds):
        clients = [stand.connect(port) for _ in range(2000)]
        for client in clients:
            client.sendall(b"x")
        for client in clients:
            assert client.recv(1) == b"x"
        assert len(daemon.children()) == 2000
        daemon.send_signal(signal.SIGSTOP)  # so that all of them have ended before superd looks
        for client in clients:
            client.close()
        stand.poll("2,000 zombies", lambda: list(daemon.children().values()).count("Z") == 2000)
        daemon.send_signal(signal.SIGCONT)
        stand.poll("none left", lambda: not daemon.children())
    stand.poll("every exit logged", lambda: len(daemon.events("exit")) == 2000 * rounds)
    daemon.wait_idle()
    assert stand.ask(port, b"x") == b"x"
    assert daemon.events("accept")[-1]["running"] == "1/2500"


def test_strangers_are_reaped_and_dropped(superd, program, services):
    orphan = program("orphan", "#!/bin/sh\n(sleep 0.1 & ) & \necho started\n")
    port = stand.free_port()
    wrapper = [
        "/usr/bin/python3",
        "-c",
        "import ctypes, os, sys\n"
        "ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)\n"  # PR_SET_CHILD_SUBREAPER
        "if os.fork() == 0:\n    os._exit(0)\n"
        "os.execv(sys.argv[1], sys.argv[1:])\n",
    ]
    daemon = superd(f"service o {{ listen = {port} exec = {orphan} }}", wrapper=wrapper)
    assert stand.ask(port) == b"started\n"
    stand.poll("no zombie of a stranger", lambda: not daemon.children())


def test_memory(superd, services, sanitized):
    """At most 2.5 MB proportional with five idle services; no growth over many connections."""
    if sanitized:
        pytest.skip("a sanitizer's memory is not superd's")
    ports = [stand.free_port() for _ in range(5)]
    daemon = superd(
        f"service-directory = {services}\n"
        + "".join(f"service s{p} {{ listen = {p} exec = time }}\n" for p in ports)
    )
    idle = kilobytes(daemon.pid, "Pss")
    assert idle <= 2560, f"{idle} KiB"
    for _ in range(500):
        assert len(stand.ask(ports[0])) == 4
    daemon.wait_idle()
    before = kilobytes(daemon.pid, "Rss")
    for _ in range(5000):
        assert len(stand.ask(ports[1])) == 4
    daemon.wait_idle()
    after = kilobytes(daemon.pid, "Rss")
    assert after - before <= 64, f"{before} KiB, then {after} KiB"
