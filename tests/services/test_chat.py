"""chat alone: a room on listening sockets that are handed over as superd does it."""

import contextlib
import fcntl
import os
import random
import resource
import select
import signal
import socket
import statistics
import struct
import subprocess
import threading
import time

import pytest

DEADLINE = 20.0
QUEUE = 65536


def listener(family=socket.AF_INET, address=None):
    """A listening socket on a free port of the loopback interface."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind(address or ("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    sock.listen(1024)
    return sock


class Client:
    """A connection to the room, read by lines, never without a deadline."""

    def __init__(self, sock, receive_buffer=None):
        self.sock = socket.socket(sock.family, socket.SOCK_STREAM)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(DEADLINE)
        self.sock.connect(sock.getsockname())
        self.pending = b""

    def send(self, *lines):
        self.sock.sendall(b"".join(line.encode() + b"\n" for line in lines))

    def raw_line(self):
        while b"\n" not in self.pending:
            piece = self.sock.recv(65536)
            if not piece:
                assert not self.pending, f"cut line {self.pending!r}"
                return None
            self.pending += piece
        line, self.pending = self.pending.split(b"\n", 1)
        return line

    def line(self):
        """The next line; None at end of file."""
        line = self.raw_line()
        return None if line is None else line.decode()

    def expect(self, *lines):
        for line in lines:
            assert self.line() == line

    def until(self, wanted):
        """All lines up to and with the wanted one."""
        lines = []
        while not lines or lines[-1] != wanted:
            lines.append(self.line())
            assert lines[-1] is not None, f"no {wanted!r} in {lines}"
        return lines

    def rest(self):
        """All lines up to the end of file."""
        lines = []
        while (line := self.line()) is not None:
            lines.append(line)
        return lines

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()


class Room:
    """A running chat on listening sockets."""

    def __init__(self, build, sockets, options=(), by_listen_fds=False, **more):
        self.sockets = sockets
        # Above those that the shell moves them to.
        fds = [fcntl.fcntl(sock, fcntl.F_DUPFD_CLOEXEC, 20) for sock in sockets]
        script = f'exec "$@" 0<&{fds[0]} 1>&{fds[0]}'
        if by_listen_fds:
            script = f"export LISTEN_PID=$$ LISTEN_FDS={len(fds)}; " + script
            script += "".join(f" {3 + i}<&{fd}" for i, fd in enumerate(fds))
        script += "".join(f" {fd}<&-" for fd in fds)
        command = ["/bin/bash", "-c", script, "chat", build / "services/chat", *options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, pass_fds=fds, **more)
        for fd in fds:
            os.close(fd)
        self.clients = []

    def client(self, index=0, **more):
        """Somebody who comes; the greeting has been read, the others have not read theirs."""
        client = Client(self.sockets[index], **more)
        self.clients.append(client)
        return client

    def join(self, *here, index=0, **more):
        """Somebody who comes, with all greetings and announcements read."""
        client = self.client(index, **more)
        assert client.line().startswith("Your address: ")
        for other in here:
            assert other.line().endswith(" joined")
        return client

    def people(self, count):
        here = []
        for _ in range(count):
            here.append(self.join(*here))
        return here

    def end(self, status=0):
        """Waits for the end by itself; returns the log."""
        log = self.process.communicate(timeout=DEADLINE)[1].decode()
        assert self.process.returncode == status, log
        return log

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.end()

    def rss(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def cleanup(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        for client in self.clients:
            client.close()


@pytest.fixture
def rooms(build):
    """Starts rooms: rooms(socket..., options=..., by_listen_fds=...)."""
    with contextlib.ExitStack() as stack:

        def start(*sockets, **more):
            sockets = sockets or (stack.enter_context(listener()),)
            room = Room(build, sockets, **more)
            stack.callback(room.cleanup)
            return room

        yield start


@pytest.fixture
def room(rooms):
    """One room on one socket; it has to end in order after the test."""
    started = rooms()
    yield started
    if started.process.poll() is None:
        assert started.stop() == ""


# --- what is said --------------------------------------------------------------------------------


def test_first_client_is_told_its_address(room):
    client = room.client()
    host, port = client.sock.getsockname()
    client.expect(f"Your address: {host}:{port}")
    client.send("is anybody here?")
    client.expect("(OK)")


def test_a_line_reaches_all_others(room):
    one, two, three = room.people(3)
    one.send("hello")
    one.expect("(OK)")
    two.expect("guest1: hello")
    three.expect("guest1: hello")
    three.send("  blanks stay  ", "")
    three.expect("(OK)", "(OK)")
    one.expect("guest3:   blanks stay  ", "guest3: ")
    two.expect("guest3:   blanks stay  ", "guest3: ")


def test_joined_and_left(room):
    one = room.join()
    two = room.client()
    one.expect("* guest2 joined")
    two.close()
    one.expect("* guest2 left")
    room.client()
    one.expect("* guest3 joined")


def test_nobody_gets_an_own_line(rooms):
    room = rooms()
    people = room.people(8)
    names = [f"guest{i + 1}" for i in range(len(people))]
    for round_number in range(10):
        for person in people:
            person.send(f"round {round_number}")
    for person in people:
        person.send("/quit")
    for person, name in zip(people, names):
        lines = person.rest()
        assert lines[-1] == "(bye)"
        assert lines.count("(OK)") == 10
        for other in names:
            heard = [line for line in lines if line.startswith(f"{other}: ")]
            if other == name:
                assert heard == []
            else:
                # All before it left itself, in order.
                assert heard == [f"{other}: round {i}" for i in range(len(heard))]
        assert f"* {name} joined" not in lines and f"* {name} left" not in lines
    assert room.stop() == ""


@pytest.mark.parametrize("name", ["m", "maria", "Maria_2-x", "a" * 16, "0", "-", "guest99"])
def test_nick(room, name):
    one, two = room.people(2)
    one.send(f"/nick {name}", "hi", "/me waves", "/quit")
    one.expect("(OK)", "(OK)", "(OK)", "(bye)", None)
    two.expect(f"* guest1 is now {name}", f"{name}: hi", f"* {name} waves", f"* {name} left")


@pytest.mark.parametrize("name", ["", "a" * 17, "two words", "dot.", "sl/ash", "ä", "a\tb", "a:b"])
def test_nick_that_is_none(room, name):
    one, two = room.people(2)
    one.send(f"/nick {name}", "still me")
    one.expect("(a name has 1 to 16 of A-Z a-z 0-9 _ -)", "(OK)")
    two.expect("guest1: still me")


def test_nick_is_unique(room):
    one, two = room.people(2)
    one.send("/nick maria")
    one.expect("(OK)")
    two.expect("* guest1 is now maria")
    for name in "maria", "MARIA":
        two.send(f"/nick {name}")
        two.expect(f"(the name {name} is taken)")
    # Its own name in another way is no collision; the same one is no news.
    one.send("/nick Maria", "/nick Maria")
    one.expect("(OK)", "(OK)")
    two.expect("* maria is now Maria")
    two.send("/nick guest1")
    two.expect("(OK)")
    one.expect("* guest2 is now guest1")
    # A name is free when its bearer has left.
    one.send("/quit")
    one.expect("(bye)", None)
    two.expect("* Maria left")
    two.send("/nick maria")
    two.expect("(OK)")


def test_guest_names_pass_over_taken_ones(room):
    one = room.join()
    one.send("/nick Guest2")
    one.expect("(OK)")
    two = room.client()
    one.expect("* guest3 joined")
    two.send("/who")
    assert two.until("(2 here, you are guest3)")[1:-1] == ["(here: Guest2, guest3)"]


def test_who_help_me_and_unknown(room):
    one, two = room.people(2)
    two.send("/who")
    two.expect("(here: guest1, guest2)", "(2 here, you are guest2)")
    two.send("/help")
    told = [two.line() for _ in range(5)]
    for word in "/nick", "/who", "/me", "/quit", "/help":
        assert any(line.startswith(f"({word}") for line in told)
    two.send("/me", "/me  ", "/foo bar", "/", "//", "/nickname x", "/Who", "/who  ")
    two.expect("(what do you do? /me ACTION)", "(what do you do? /me ACTION)")
    for word in "/foo", "/", "//", "/nickname", "/Who":
        two.expect(f"(there is no command {word}, try /help)")
    two.expect("(here: guest1, guest2)", "(2 here, you are guest2)")
    two.send("/me  claps  twice ")
    two.expect("(OK)")
    one.expect("* guest2 claps  twice")


def test_who_in_a_crowd(rooms):
    room = rooms(options=["--max-queue", "8192"])
    people = [room.client() for _ in range(300)]
    people[0].until("* guest300 joined")
    people[0].send("/who")
    lines = []
    while not lines or not lines[-1].startswith("(300 here"):
        lines.append(people[0].line())
    listed = [name for line in lines if line.startswith("(here: ")
              for name in line[7:-1].split(", ")]
    assert all(len(line) <= 100 for line in lines if line.startswith("(here: "))
    assert 10 < len(listed) < 300 and len(set(listed)) == len(listed)
    assert lines[-1] == f"(300 here, you are guest1; too many to list {300 - len(listed)} of them)"
    assert room.stop() == ""


# --- what is sent ----------------------------------------------------------------------------------


def test_length_of_lines(room):
    one, two = room.people(2)
    one.send("x" * 1024)
    one.sock.sendall(b"y" * 1024 + b"\r\n")
    one.send("z" * 1025, "fine")
    one.expect("(OK)", "(OK)", "(a line of more than 1024 bytes was dropped)", "(OK)")
    two.expect("guest1: " + "x" * 1024, "guest1: " + "y" * 1024, "guest1: fine")


def test_a_mebibyte_without_newline(room):
    one, two = room.people(2)
    before = room.rss()
    one.sock.sendall(b"x" * (1 << 20))
    one.send("", "after it")
    one.expect("(a line of more than 1024 bytes was dropped)", "(OK)")
    two.expect("guest1: after it")
    assert room.rss() - before < 512 << 10


def test_byte_by_byte(room):
    one, two = room.people(2)
    one.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in b"slow\r\n/me typ\xc3\xa4s\n":
        one.sock.sendall(bytes([byte]))
    one.expect("(OK)", "(OK)")
    two.expect("guest1: slow", "* guest1 typäs")


@pytest.mark.parametrize("sent, seen", [
    (b"\x1b[2J\x1b]0;title\x07", "?[2J?]0;title?"),
    (b"a\x00b\x01c\x7fd", "a?b?c?d"),
    (b"a\tb", "a b"),
    (b"a\rb\r", "a?b"),
    ("Grüße, 你好, 🙂".encode(), "Grüße, 你好, 🙂"),
    (b"\x9b31m", "?31m"),
    ("\u0085\u009b31m".encode(), "????31m"),
    (b"\xff\xfd\x06", "???"),
    (b"cut \xe4\xbd", "cut ??"),
    (b"\xed\xa0\x80\xc0\x80\xf5\x80\x80\x80", "?????????"),
    (b"\x00/quit", "?/quit"),
])
def test_control_characters_are_replaced(room, sent, seen):
    one, two = room.people(2)
    one.sock.sendall(sent + b"\n")
    one.expect("(OK)")
    two.expect("guest1: " + seen)


def test_control_characters_in_commands(room):
    one, two = room.people(2)
    one.sock.sendall(b"/me \x1b[7mblinks\n/nick \x1b[7m\n/\x1bfoo\n")
    one.expect("(OK)", "(a name has 1 to 16 of A-Z a-z 0-9 _ -)",
               "(there is no command /?foo, try /help)")
    two.expect("* guest1 ?[7mblinks")


def test_rate(room):
    one, two = room.people(2)
    one.send(*[f"line {i}" for i in range(100)])
    one.expect(*["(OK)"] * 20, "(too fast: more than 10 lines a second are dropped)")
    heard = [two.line() for _ in range(20)]
    assert heard == [f"guest1: line {i}" for i in range(20)]
    # The next line comes through as soon as there is a token again; nothing else was told.
    deadline = time.monotonic() + DEADLINE
    while True:
        assert time.monotonic() < deadline
        one.send("again")
        if select.select([one.sock], [], [], 0.02)[0]:
            break
    one.expect("(OK)")
    two.expect("guest1: again")


def test_half_close_gets_all_answers(room):
    one, two = room.people(2)
    one.sock.sendall(b"/nick maria\nhello\n/who\nand bye")
    one.sock.shutdown(socket.SHUT_WR)
    assert one.rest() == ["(OK)", "(OK)", "(here: maria, guest2)", "(2 here, you are maria)",
                          "(OK)"]
    two.expect("* guest1 is now maria", "maria: hello", "maria: and bye", "* maria left")


def test_quit_with_more_behind_it(room):
    one, two = room.people(2)
    one.send("/quit", "not heard")
    assert one.rest() == ["(bye)"]
    two.expect("* guest1 left")
    two.send("alone")
    two.expect("(OK)")


def test_resets(room):
    one = room.join()
    for i in range(50):
        other = room.client()
        other.send("hi" * random.randrange(400))
        other.reset()
    # The last one to come is told to have left, too.
    left = set()
    while len(left) < 50:
        line = one.line()
        if line.endswith(" left"):
            left.add(line)
    one.send("still here")
    one.until("(OK)")


def test_silent_connections_and_ends_at_once(room):
    one = room.join()
    for _ in range(20):
        room.client().close()
    left = 0
    while left < 20:
        left += one.line().endswith(" left")
    one.send("/who")
    one.until("(1 here, you are guest1)")


# --- sockets and processes -----------------------------------------------------------------------


def test_one_room_on_all_sockets(rooms, tmp_path):
    with listener() as four, listener(socket.AF_INET6) as six, \
            listener(socket.AF_UNIX, str(tmp_path / "chat.sock")) as local:
        room = rooms(four, six, local, by_listen_fds=True)
        one = room.client(0)
        one.expect("Your address: 127.0.0.1:%d" % one.sock.getsockname()[1])
        two = room.client(1)
        two.expect("Your address: [::1]:%d" % two.sock.getsockname()[1])
        one.expect("* guest2 joined")
        three = room.client(2)
        three.expect(f"Your address: unix:pid={os.getpid()},uid={os.getuid()}")
        one.expect("* guest3 joined")
        two.expect("* guest3 joined")
        for sender, others in (one, [two, three]), (two, [one, three]), (three, [one, two]):
            sender.send("all of you?")
            sender.expect("(OK)")
            for other in others:
                assert other.line().endswith(": all of you?")
        assert room.stop() == ""


def test_foreign_listen_pid_is_not_believed(rooms):
    environment = dict(os.environ, LISTEN_FDS="2", LISTEN_PID="1")
    room = rooms(env=environment)
    room.people(2)
    assert room.stop() == ""


def test_listening_socket_is_left_alone(rooms):
    with listener() as sock:
        sock.setblocking(True)
        before = fcntl.fcntl(sock, fcntl.F_GETFL), sock.getsockopt(
            socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)
        room = rooms(sock)
        room.people(2)
        assert room.stop() == ""
        assert before == (fcntl.fcntl(sock, fcntl.F_GETFL), sock.getsockopt(
            socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16))
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


def test_sigterm_says_farewell(rooms):
    room = rooms()
    people = room.people(5)
    people[0].send("before")
    people[0].expect("(OK)")
    assert room.stop() == ""
    for person in people[1:]:
        person.expect("guest1: before")
    for person in people:
        assert person.rest() == ["* the channel is closing"]


def test_sigterm_is_not_held_up(rooms):
    """Those who do not read get a bounded time."""
    room = rooms(options=["--max-queue", str(4 << 20)])
    one = room.join()
    for _ in range(3):
        room.join(one, receive_buffer=4096)
    big = ["x" * 1000] * 20
    senders = []
    for _ in range(40):
        senders.append(room.client())
        senders[-1].send(*big)
    readers = [threading.Thread(target=sender.rest) for sender in senders]
    for reader in readers:
        reader.start()
    received = 0
    while received < 40 * 20:
        received += one.line().endswith("x")
    begin = time.monotonic()
    room.process.send_signal(signal.SIGTERM)
    assert one.rest()[-1] == "* the channel is closing"
    assert room.end() == ""
    assert time.monotonic() - begin < 15
    for reader in readers:
        reader.join()


def test_idle_exit(rooms):
    room = rooms(options=["-t", "1"])
    begin = time.monotonic()
    assert room.end() == ""
    assert time.monotonic() - begin >= 0.9


def test_idle_time_begins_when_the_last_has_left(rooms):
    room = rooms(options=["-t", "1"])
    one = room.join()
    with pytest.raises(subprocess.TimeoutExpired):
        room.process.wait(1.5)
    one.close()
    begin = time.monotonic()
    assert room.end() == ""
    assert time.monotonic() - begin >= 0.9


def test_no_idle_exit_by_zero(rooms):
    room = rooms(options=["-t0"])
    with pytest.raises(subprocess.TimeoutExpired):
        room.process.wait(1.5)
    assert room.stop() == ""


def test_killed_and_there_again(rooms):
    with listener() as sock:
        room = rooms(sock)
        people = room.people(3)
        room.process.kill()
        room.process.wait()
        for person in people:
            with contextlib.suppress(ConnectionResetError):
                assert person.rest() == []
        # Who comes before the next program is there waits in the kernel's queue.
        early = Client(sock)
        early.send("anybody?")
        room = rooms(sock)
        early.expect(f"Your address: 127.0.0.1:{early.sock.getsockname()[1]}", "(OK)")
        later = room.join(early)
        later.send("me")
        early.expect("guest2: me")
        early.close()
        assert room.stop() == ""


def test_max_clients(rooms):
    room = rooms(options=["--max-clients", "3"])
    one, two, three = room.people(3)
    for _ in range(5):
        assert room.client().rest() == ["* the channel is full, try again later"]
    two.send("/quit")
    assert two.rest()[-1] == "(bye)"
    one.expect("* guest2 left")
    three.expect("* guest2 left")
    four = room.join(one, three)
    four.send("in")
    one.expect("guest4: in")
    log = room.stop().splitlines()
    assert 1 <= len(log) <= 5
    assert all(line.endswith("refused: the channel is full")
               or "the channel is full (and" in line for line in log)


def test_few_descriptors(rooms):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    room = rooms(preexec_fn=limit)
    people = []
    for _ in range(60):
        client = room.client()
        greeting = client.line()
        if greeting == "* the channel is full, try again later":
            break
        people.append(client)
    assert 20 <= len(people) < 40
    people[0].send("works")
    people[0].until("(OK)")
    assert "there are not enough descriptors" in room.stop()


def test_soft_descriptor_limit_is_raised(rooms):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, hard))

    room = rooms(preexec_fn=limit)
    people = [room.client() for _ in range(100)]
    people[0].until("* guest100 joined")
    assert room.stop() == ""


def test_socket_that_listens_no_more(rooms):
    """Those who are in stay; then the room ends and says why."""
    with listener() as sock, listener() as other:
        room = rooms(sock, other, by_listen_fds=True)
        one, two = room.people(2)
        sock.shutdown(socket.SHUT_RD)
        one.send("hello")
        one.expect("(OK)")
        two.expect("guest1: hello")
        three = room.join(one, two, index=1)
        other.shutdown(socket.SHUT_RD)
        three.send("and me")
        one.expect("guest3: and me")
        for person in one, two, three:
            person.send("/quit")
            person.until("(bye)")
        log = room.end(1)
        assert "accept: Invalid argument" in log
        assert log.endswith("chat: no socket listens any more\n")


def test_log_that_nobody_reads(build):
    """A full pipe on standard error delays nobody."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    with listener() as sock:
        with subprocess.Popen([build / "services/chat", "--max-clients", "2"], stdin=sock,
                              stdout=sock, stderr=writer) as process:
            one, two = Client(sock), Client(sock)
            assert two.line() and Client(sock).rest() == ["* the channel is full, try again later"]
            one.send("goes on")
            two.expect("guest1: goes on")
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE) == 0
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_no_listening_socket(build, kind):
    one, other = socket.socketpair(socket.AF_UNIX, kind)
    with one, other:
        done = subprocess.run([build / "services/chat"], stdin=other, stdout=other,
                              stderr=subprocess.PIPE, timeout=DEADLINE, check=False)
    assert done.returncode == 2
    assert b"a room needs listening ones" in done.stderr


def test_by_hand_on_pipes(build):
    done = subprocess.run([build / "services/chat"], input=b"hello\n/nick maria\n/who", text=False,
                          capture_output=True, timeout=DEADLINE, check=True)
    assert done.stdout.decode().splitlines() == [
        "Your address: unknown", "(OK)", "(OK)", "(here: maria)", "(1 here, you are maria)"]
    assert done.stderr == b""


@pytest.mark.parametrize("option", ["--max-clients=0", "--max-clients=x", "-t-1", "--max-queue=1",
                                    "--nothing", "operand"])
def test_wrong_options(build, option):
    done = subprocess.run([build / "services/chat", option], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=DEADLINE, check=False)
    assert done.returncode == 2 and done.stdout == b"" and b"-h helps" in done.stderr


def flood(client, data):
    """Sends for ever, until the connection ends."""
    client.sock.settimeout(None)
    with contextlib.suppress(OSError):
        while True:
            client.sock.sendall(data)


def test_floods_delay_nobody(rooms):
    room = rooms()
    one, two = room.people(2)
    floods = []
    for data in b"x" * 65536, b"spam\n" * 10000, b"\x1b[2J\x00" * 10000, b"/who\n" * 10000:
        client = room.client()
        floods.append((client, threading.Thread(target=flood, args=(client, data))))
    for _, thread in floods:
        thread.start()
    for i in range(20):
        one.send(f"line {i}")
        two.until(f"guest1: line {i}")
        one.until("(OK)")
    for client, thread in floods:
        client.sock.shutdown(socket.SHUT_RDWR)
        thread.join()
    one.send("/quit")
    one.until("(bye)")
    room.stop()


def test_who_comes_and_goes_all_the_time(rooms):
    """A storm of connections: those who are in and read stay in."""
    room = rooms()
    one, two = room.people(2)
    for i in range(2000):
        client = Client(room.sockets[0])
        (client.reset if i % 2 else client.close)()
    left = 0
    while left < 2000:
        left += one.line().endswith(" left")
    one.send("quiet at last")
    one.expect("(OK)")
    two.until("guest1: quiet at last")
    assert room.stop() == ""


# --- many ----------------------------------------------------------------------------------------


def drain_until(readers, wanted):
    """Reads what comes to all clients until each has had a line with the wanted end."""
    poll = select.epoll()
    left = {client.sock.fileno(): client for client in readers}
    for fd in left:
        poll.register(fd, select.EPOLLIN)
    deadline = time.monotonic() + DEADLINE * 3
    while left:
        events = poll.poll(1)
        assert events or time.monotonic() < deadline, f"{len(left)} did not hear {wanted!r}"
        for fd, _ in events:
            client = left[fd]
            piece = client.sock.recv(262144)
            assert piece, "end of file"
            client.pending = (client.pending + piece)[-8192:]
            if client.pending.endswith(wanted):
                poll.unregister(fd)
                client.pending = b""
                del left[fd]
    poll.close()


def test_slow_reader_is_dropped_by_name(rooms):
    room = rooms(options=["--max-queue", "8192"])
    one = room.join()
    slow = room.join(one, receive_buffer=4096)
    slow.send("/nick sleepy")
    one.expect("* guest2 is now sleepy")
    address = slow.sock.getsockname()
    heard = []
    while "* sleepy left" not in heard:
        assert len(heard) < 2000
        speaker = room.client()
        speaker.send(*["x" * 1000] * 20)
        speaker.sock.shutdown(socket.SHUT_WR)
        # Who reads has every line, before, while and after the slow one is given up.
        name = one.line().split()[1]
        said = one.until(f"* {name} left")
        assert said.count(f"{name}: " + "x" * 1000) == 20
        heard += said
        assert speaker.rest().count("(OK)") == 20
    log = room.stop()
    assert log == (f"chat: sleepy (127.0.0.1:{address[1]}) dropped: it does not read, "
                   "its queue of 8192 bytes is full\n")


def test_everybody_talks_at_once(rooms):
    """More is said than any queue holds: nobody who reads is dropped, nothing is lost."""
    room = rooms()
    count, lines = 200, 20
    people = [room.client() for _ in range(count)]
    people[-1].until("Your address: 127.0.0.1:%d" % people[-1].sock.getsockname()[1])
    drain_until(people[:-1], f"* guest{count} joined\n".encode())
    for person in people:
        person.send(*["z" * 500] * lines)
    # The readers' host is busy for a moment, as every host is at times.
    time.sleep(0.3)
    left = {person.sock.fileno(): [person, 0] for person in people}
    size = sum(len(f"guest{i + 1}: \n") + 500 for i in range(count)) * lines
    poll = select.epoll()
    for fd in left:
        poll.register(fd, select.EPOLLIN)
    while left:
        events = poll.poll(DEADLINE)
        assert events, f"{len(left)} have not got everything"
        for fd, _ in events:
            person, got = left[fd]
            got += len(piece := person.sock.recv(65536))
            assert piece, "a reader was dropped"
            left[fd][1] = got
            own = lines * (len(f"guest{people.index(person) + 1}: \n") + 500)
            if got >= size - own + lines * len("(OK)\n"):
                assert got == size - own + lines * len("(OK)\n")
                poll.unregister(fd)
                del left[fd]
    poll.close()
    assert room.stop() == ""


def test_a_thousand_clients(rooms, capsys):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < 2100:
        pytest.skip(f"needs 2100 descriptors, the hard limit is {hard}")
    room = rooms()
    before = room.rss()
    begin = time.monotonic()
    deaf = [room.join(receive_buffer=4096) for _ in range(10)]
    people = [room.client() for _ in range(990)]
    people[-1].until("Your address: 127.0.0.1:%d" % people[-1].sock.getsockname()[1])
    drain_until(people[:-1], b"* guest1000 joined\n")
    joined = time.monotonic() - begin
    latencies = []
    for i in range(30):
        speaker = people[i * 31]
        others = [person for person in people if person is not speaker]
        begin = time.monotonic()
        speaker.send(f"line {i}")
        drain_until(others, f": line {i}\n".encode())
        latencies.append(time.monotonic() - begin)
        speaker.expect("(OK)")
    # Enough for the queues of those who do not read, in portions that the others keep up with.
    listener_one, speakers = people[-1], people[:-1]
    gone = set()
    wave = 0
    while len(gone) < len(deaf):
        assert wave < 60
        for speaker in speakers[wave * 16:wave * 16 + 16]:
            speaker.send("y" * 1000)
        for _ in range(16):
            line = listener_one.line()
            while not line.endswith("y"):
                gone.add(line)
                line = listener_one.line()
        assert gone <= {f"* guest{i + 1} left" for i in range(10)}
        listener_one.send(f"wave {wave}")
        drain_until(speakers, f": wave {wave}\n".encode())
        while (line := listener_one.line()) != "(OK)":
            gone.add(line)
        wave += 1
    grown = room.rss() - before
    assert grown < 1010 * (QUEUE + 8192)
    log = room.stop()
    names = sorted(line.split()[1] for line in log.splitlines() if " dropped: " in line)
    assert names == sorted(f"guest{i + 1}" for i in range(10))
    with capsys.disabled():
        print(f"\nchat: 1000 clients joined in {joined:.2f} s; a line reached all others in "
              f"{statistics.median(latencies) * 1000:.1f} ms at the median, "
              f"{max(latencies) * 1000:.1f} ms at most; memory grew by {grown >> 10} KiB")
    assert statistics.median(latencies) < 5
