"""chat through superd: one room on demand, over all sockets of its service."""

import os
import signal
import socket

import pytest

import stand

LOG = "log { events = { accept, refuse, exit, error } }\n"


class Client:
    """A line client that never waits without a deadline."""

    def __init__(self, port, host="127.0.0.1"):
        self.sock = stand.connect(port, host)
        self.lines = self.sock.makefile("r", encoding="utf-8", newline="\n")

    def send(self, *lines):
        self.sock.sendall("".join(line + "\n" for line in lines).encode())

    def expect(self, *lines):
        for line in lines:
            assert self.lines.readline() == line + "\n"

    def greeting(self):
        host, port = self.sock.getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        self.expect(f"Your address: {host}:{port}")

    def close(self):
        self.lines.close()
        self.sock.close()


@pytest.fixture
def chat(superd, build):
    """A daemon with a chat on a free port: (daemon, port)."""

    def start(*arguments, listen="{port}", options=()):
        port = stand.free_port()
        words = ", ".join([str(build / "services/chat"), *arguments])
        listen = listen.format(port=port)
        config = f"service chat {{ listen = {listen} wait = yes exec = {{ {words} }} }}\n"
        return superd(LOG + config, *options), port

    return start


def test_one_room_over_both_families(chat, kinds):
    daemon, port = chat(options=kinds)
    one = Client(port)
    one.greeting()
    two = Client(port, "::1")
    two.greeting()
    one.expect("* guest2 joined")
    one.send("hello", "/nick maria")
    one.expect("(OK)", "(OK)")
    two.expect("guest1: hello", "* guest1 is now maria")
    two.send("/who", "good day")
    two.expect("(here: maria, guest2)", "(2 here, you are guest2)", "(OK)")
    one.expect("guest2: good day")
    assert len(daemon.children()) == 1
    one.close()
    two.expect("* maria left")
    two.close()


def test_a_killed_room_is_there_again(chat, kinds):
    daemon, port = chat(options=kinds)
    for count in range(1, 4):
        client = Client(port)
        client.greeting()
        client.send("/who")
        client.expect("(here: guest1)", "(1 here, you are guest1)")
        (pid,) = daemon.children()
        os.kill(pid, signal.SIGKILL)
        daemon.wait_event("exit", signal="KILL", count=count)
        client.close()


def test_an_empty_room_ends_and_comes_back(chat):
    daemon, port = chat("-t", "1")
    for count in (1, 2):
        client = Client(port)
        client.greeting()
        client.close()
        daemon.wait_event("exit", service="chat", status=0, count=count)
        daemon.wait_idle()


def test_a_full_room_refuses(chat):
    daemon, port = chat("--max-clients", "2")
    people = [Client(port) for _ in range(2)]
    for person in people:
        person.greeting()
    with socket.create_connection(("127.0.0.1", port), stand.DEADLINE) as late:
        assert stand.read_all(late) == b"* the channel is full, try again later\n"
    stand.poll("the line in the log", lambda: "the channel is full" in daemon.log_text())
    for person in people:
        person.close()


def test_the_end_of_superd_is_the_end_of_the_room(chat):
    daemon, port = chat()
    people = [Client(port) for _ in range(3)]
    for person in people:
        person.greeting()
    people[0].expect("* guest2 joined", "* guest3 joined")
    daemon.stop()
    people[0].expect("* the channel is closing")
    for person in people:
        assert person.lines.read().endswith("* the channel is closing\n") or person is people[0]
        person.close()


def test_without_wait_it_says_what_is_wrong(superd, build):
    port = stand.free_port()
    daemon = superd(LOG + f"service chat {{ listen = {port} exec = {build}/services/chat }}\n")
    assert stand.ask(port) == b""
    stand.poll("the line in the log", lambda: "wait = yes" in daemon.log_text())
    daemon.wait_event("exit", status=2)
