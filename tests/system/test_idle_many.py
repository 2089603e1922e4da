"""Thousands of sessions under `idle`: the silent ones end, the others stay, and superd rests."""
# It takes the whole machine:
# tests/run: alone

import math
import resource
import select
import signal
import time

import pytest

import faults
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


def start(superd, services, sessions, program="discard"):
    port = stand.free_port()
    daemon = superd(
        f"log {{ {stand.TELL_ALL} }}\nservice-directory = {services}\n"
        f"max-instances = {2 * sessions}\n"
        f"service s {{ listen = 127.0.0.1:{port} exec = {program}\n"
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


STEP_S = 0.1  # deadlines of idle fall on multiples of it (service_deadline.c)
REAP_S = 0.01  # a death that no signal named is seen so much later, with more than 512 programs


def spin_until(due):
    """Until a time on the monotonic clock, to a part of a millisecond."""
    while time.monotonic() < due:
        pass


def stop_before(daemon, pid, due):
    """
    Kills the program and stops superd once it has been reaped, within REAP_S before due. Returns
    whether that was in time.
    """
    faults.pause(max(0, due - time.monotonic() - 0.05))
    spin_until(due - 0.8 * REAP_S)
    stand.kill(pid, signal.SIGKILL)
    while stand.stat_of(pid) and time.monotonic() < due:
        pass
    daemon.send_signal(signal.SIGSTOP)
    return time.monotonic() < due


def test_programs_that_end_in_the_turn_in_which_they_are_silent_too_long(superd, services):
    """
    Their deadlines pass, and in the same turn a timer later they are reaped: nobody is asked about
    who is not there any more, and no signal goes to process 0, which is superd's own group.
    """
    count = 700
    for _ in range(20):
        daemon, port = start(superd, services, count, "/bin/cat")
        clients = connect_talking(daemon, port, count)
        first, *others = daemon.children()
        spin_until(math.ceil(time.monotonic() / STEP_S) * STEP_S + 0.01)
        due = math.ceil(time.monotonic() / STEP_S) * STEP_S + IDLE_S
        talk(clients)
        in_time = stop_before(daemon, first, due)
        for pid in others if in_time else []:
            stand.kill(pid, signal.SIGKILL)
        faults.pause(max(0, due + 5 * REAP_S - time.monotonic()))
        daemon.send_signal(signal.SIGCONT)
        for client in clients:
            client.close()
        daemon.wait_idle()
        assert not daemon.events("deadline", pid="0")
        assert stand.ask(port) == b""
        if in_time:
            assert len(daemon.events("exit", signal="KILL")) == count
            return
        daemon.stop()
    pytest.skip("this machine is too busy to stop superd within ten milliseconds")
