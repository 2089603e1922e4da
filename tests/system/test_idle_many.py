"""Thousands of sessions under `idle`: the silent ones end, the others stay, and superd rests."""
# It takes the whole machine:
# tests/run: alone

import resource
import select
import time

import pytest

import stand

SESSIONS = 5000
SESSIONS_SANITIZED = 400  # programs are large with sanitizers
IDLE_S = 2
SECONDS = 6
SPARE_DESCRIPTORS = 200
CPU_GOAL = 0.05  # of a core


@pytest.fixture
def sessions(sanitized):
    """How many there can be: descriptors for all clients, processes for all programs."""
    count = SESSIONS_SANITIZED if sanitized else SESSIONS
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < count + SPARE_DESCRIPTORS:
        pytest.skip(f"hard RLIMIT_NOFILE {hard} is too low for {count} clients")
    processes = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if processes != resource.RLIM_INFINITY and processes < 2 * count:
        pytest.skip(f"RLIMIT_NPROC {processes} is too low for {count} programs")
    return count


def start(superd, services, sessions):
    port = stand.free_port()
    daemon = superd(
        f"log {{ {stand.TELL_ALL} }}\nservice-directory = {services}\n"
        f"max-instances = {2 * sessions}\n"
        f"service s {{ listen = 127.0.0.1:{port} exec = discard\n"
        f"  limits {{ instances = {2 * sessions} idle = {IDLE_S}s }} }}\n"
    )
    return daemon, port


def connect_one(port, number):
    """A session from one of sources enough."""
    return stand.connect(port, source=f"127.0.1.{number % 250 + 1}")


def talk(clients):
    """A byte from each."""
    for client in clients:
        client.send(b"y")


def connect_talking(daemon, port, sessions):
    """All sessions, each with its program; none is silent for long even while they come."""
    clients = []
    for number in range(sessions):
        clients.append(connect_one(port, number))
        if number % 500 == 0:
            talk(clients)

    def all_served():
        talk(clients)
        return daemon.log_text().count("event=accept") == sessions

    stand.poll("a program for each", all_served)
    return clients


def wait_closed(clients):
    """Until superd's program has closed every one of them."""
    poller = select.epoll()
    by_number = {client.fileno(): client for client in clients}
    for number in by_number:
        poller.register(number, select.EPOLLIN)
    end = time.monotonic() + 60
    while by_number and time.monotonic() < end:
        for number, _ in poller.poll(1):
            poller.unregister(number)
            by_number.pop(number).close()
    poller.close()
    assert not by_number, f"{len(by_number)} sessions are still open"


def test_silent_sessions_are_ended(superd, services, sessions):
    daemon, port = start(superd, services, sessions)
    wait_closed([connect_one(port, number) for number in range(sessions)])
    stand.poll("all ends told", lambda: daemon.log_text().count("event=exit") == sessions, 60)
    daemon.wait_idle()
    ended = daemon.events("exit")
    assert all(event["signal"] == "TERM" for event in ended)
    assert len(daemon.events("deadline", limit="idle")) == sessions
    lives = sorted(int(event["ms"]) for event in ended)
    print(f"silent sessions lived {lives[0]} to {lives[-1]} ms, half of them {lives[sessions // 2]}")
    assert lives[0] >= IDLE_S * 1000
    assert lives[-1] < IDLE_S * 1000 + 5000  # 3000 ms on a machine that is not overrun


def test_talking_sessions_are_left_alone(superd, services, sessions, sanitized):
    """Each sends a byte a second; superd does nothing else but ask the kernel about them."""
    daemon, port = start(superd, services, sessions)
    clients = connect_talking(daemon, port, sessions)
    began, used = time.monotonic(), stand.cpu_seconds(daemon.pid)
    longest = 0
    for number in range(1, SECONDS + 1):
        last = time.monotonic()
        talk(clients)
        select.select([], [], [], max(0, began + number - time.monotonic()))
        longest = max(longest, time.monotonic() - last)
    wall = time.monotonic() - began
    share = (stand.cpu_seconds(daemon.pid) - used) / wall
    print(f"superd used {share:.1%} of a core for {sessions} sessions over {wall:.1f} s")
    if longest > IDLE_S * 0.75:
        pytest.skip(f"this machine cannot send {sessions} bytes a second")
    log = daemon.log_text()
    assert "event=deadline" not in log and "event=exit" not in log
    assert share < CPU_GOAL * (8 if sanitized else 2)
    for client in clients:
        client.close()
    daemon.wait_idle()
