# tests/run: alone
"""messenger's guarantee under a storm.

40 senders and 4 fetchers, messages of up to 200 KB for three recipients, while messengers are
killed with SIGKILL and clients end in every way they can.  Every message that was answered with
250 is fetched whole, exactly once per completed fetch; one that was not is fetched whole or not at
all; nothing else is ever fetched.

SUPERD_STORM_SECONDS sets how long each storm lasts (default 10; make soak: 600),
SUPERD_STORM_SEED the seed, which is printed.
"""

import contextlib
import hashlib
import os
import random
import shutil
import signal
import socket
import threading
import time

import pytest

import drive
import mail
import mailserver

SECONDS = float(os.environ.get("SUPERD_STORM_SECONDS", "10"))
SEED = int(os.environ.get("SUPERD_STORM_SEED", str(time.time_ns() % 1_000_000_000)))

SENDERS = 40
FETCHERS = 4
RECIPIENTS = ("maria1", "robert", "h_y-42")
MAX_SIZE = 200_000
OPTIONS = {service: ["--max-messages", "1000000", "--max-bytes", str(1 << 40), "-t", "30"]
           for service in ("send", "length")} | {"fetch": ["-t", "30"]}


class Sent:
    """One message that a sender has begun to send."""

    def __init__(self, sender, recipient, size, digest):
        self.sender = sender
        self.recipient = recipient
        self.size = size
        self.digest = digest
        self.must_not_come = False  # it was surely not sent to its end
        self.answer = b""


class Fetched:
    """One fetch, as its client saw it."""

    def __init__(self, login, port):
        self.login = login
        self.port = port  # the client's own
        self.letters = []  # those that came whole
        self.closed = False  # everything came, and the client closed in order
        self.certain = False  # and only then: the server must have taken it for a confirmation


class Storm:
    """What all its threads share."""

    def __init__(self, servers, seed):
        self.servers = servers
        self.seed = seed
        self.end = time.monotonic() + SECONDS
        self.lock = threading.Lock()
        self.sent = {}
        self.fetches = []
        self.killed = set()  # the clients' ports of killed messengers, with their servers
        self.errors = []
        self.kills = 0

    def over(self):
        return time.monotonic() >= self.end

    def run_threads(self):
        threads = [threading.Thread(target=self.guard, args=(self.sender, number))
                   for number in range(SENDERS)]
        threads += [threading.Thread(target=self.guard, args=(self.fetcher, number))
                    for number in range(FETCHERS)]
        threads.append(threading.Thread(target=self.guard, args=(self.killer, 0)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not self.errors, self.errors[0]

    def guard(self, function, number):
        """An error in a thread ends the storm."""
        try:
            function(number, random.Random(f"{self.seed} {function.__name__} {number}"))
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(error)
            self.end = 0

    # --- senders

    def sender(self, number, rng):
        count = 0
        while not self.over():
            self.send_one(f"{number}-{count}", f"send{number:02}", rng)
            count += 1

    def body_of(self, identity, rng):
        size = min(int(rng.lognormvariate(8, 2)), MAX_SIZE - 100)
        head = f"{self.seed} {identity}\n".encode()
        return head + rng.randbytes(size)

    def send_one(self, identity, sender, rng):
        body = self.body_of(identity, rng)
        recipient = rng.choice(RECIPIENTS)
        message = Sent(sender, recipient, len(body), hashlib.sha256(body).digest())
        with self.lock:
            self.sent[identity] = message
        service = rng.choice(("send", "length"))
        data = f"{sender}\n{recipient}\n".encode()
        if service == "length":
            data += b"BYTES %d\n" % len(body)
        data += body
        # "short": a killed client, which looks like an orderly end to who knows no length.
        how = rng.choices(("whole", "reset", "short", "gone"), (80, 10, 5, 5))[0]
        if how == "short" and service == "send":
            how = "reset"
        if how in ("reset", "short"):
            data = data[:rng.randrange(len(data))]
            message.must_not_come = True
        with contextlib.suppress(OSError):
            server = rng.choice(self.servers)
            with socket.create_connection(("127.0.0.1", server.ports[service]),
                                          drive.DEADLINE) as client:
                pieces = rng.randrange(1, 4)
                for index in range(pieces):
                    client.sendall(data[index * len(data) // pieces:
                                        (index + 1) * len(data) // pieces])
                if how == "reset":
                    drive.reset(client)
                    return
                client.shutdown(socket.SHUT_WR)
                if how == "gone":
                    drive.reset(client)
                    return
                message.answer = drive.read_all(client)

    # --- fetchers

    def fetcher(self, number, rng):
        while not self.over():
            self.fetch_one(rng.choice(RECIPIENTS), rng)

    def fetch_one(self, login, rng, how=None):
        how = how or rng.choices(("whole", "reset", "early", "partial"), (70, 10, 10, 10))[0]
        with contextlib.suppress(OSError):
            server = rng.choice(self.servers)
            with socket.create_connection(("127.0.0.1", server.ports["fetch"]),
                                          drive.DEADLINE) as client:
                fetch = Fetched(login, (server, client.getsockname()[1]))
                with self.lock:
                    self.fetches.append(fetch)
                client.sendall(login.encode() + b"\n")
                if how == "early":
                    client.shutdown(socket.SHUT_WR)
                limit = rng.randrange(1, 500_000) if how == "partial" else None
                fetch.letters, whole = self.read_letters(client, limit)
                if how in ("reset", "partial") or not whole:
                    drive.reset(client)
                    return None
                # An end of file that is sent early may still arrive after everything was
                # acknowledged: then it confirms.
                fetch.closed = True
                fetch.certain = how == "whole"
                return fetch
        return None

    @staticmethod
    def read_letters(client, limit):
        """(identities, digests and so on of the whole letters, whether the answer was whole)"""
        with client.makefile("rb") as file:
            first = file.readline()
            if not first.startswith(b"250 "):
                assert first == b"", first
                return [], False
            letters = []
            taken = 0
            for _ in range(int(first.split()[1])):
                header = mail.HEADER.fullmatch(file.readline())
                if not header:
                    return letters, False
                body = file.read(int(header[3]))
                if len(body) < int(header[3]):
                    return letters, False
                letters.append((header[1].decode(), body.partition(b"\n")[0].decode("latin-1"),
                                len(body), hashlib.sha256(body).digest()))
                taken += len(body)
                if limit is not None and taken > limit:
                    return letters, False
            assert file.read(1) == b"", "more than was announced"
            return letters, True

    # --- the killer

    def killer(self, _, rng):
        while not self.over():
            time.sleep(rng.uniform(0, 0.03))
            server = rng.choice(self.servers)
            children = server.children()
            if not children:
                continue
            child = rng.choice(children)
            # Noted before: from now on nothing is promised about this one.
            with self.lock:
                self.killed.add((server, child.port))
            self.kills += child.kill()

    # --- the reckoning

    def drain(self):
        """Fetches what is left, in peace."""
        rng = random.Random(self.seed)
        for login in RECIPIENTS:
            # A fetch takes what it has descriptors for.
            for _ in range(1000):
                fetch = self.fetch_one(login, rng, "whole")
                assert fetch is not None, "a fetch failed in peace"
                if not fetch.letters:
                    break

    def check_letter(self, fetch, letter):
        """It is one that was sent, as it was sent.  Returns its identity."""
        sender, head, size, digest = letter
        seed, _, identity = head.partition(" ")
        message = self.sent.get(identity)
        assert seed == str(self.seed) and message, f"invented: {head!r}"
        assert (size, digest) == (message.size, message.digest), f"torn: {identity}"
        assert (sender, fetch.login) == (message.sender, message.recipient), f"astray: {identity}"
        assert not message.must_not_come, f"stored although it was cut short: {identity}"
        return identity

    def check(self):
        seen, completed = set(), {}
        for fetch in self.fetches:
            for letter in fetch.letters:
                identity = self.check_letter(fetch, letter)
                if not fetch.closed:
                    continue
                seen.add(identity)
                if fetch.certain and fetch.port not in self.killed:
                    completed[identity] = completed.get(identity, 0) + 1
        twice = [identity for identity, count in completed.items() if count > 1]
        assert not twice, f"fetched twice: {twice[:10]} ({len(twice)})"
        stored = {identity for identity, message in self.sent.items()
                  if message.answer.startswith(b"250")}
        for identity in stored:
            message = self.sent[identity]
            wanted = b"250 stored %d bytes for %s\n" % (message.size, message.recipient.encode())
            assert message.answer == wanted
        lost = stored - seen
        assert not lost, f"lost: {sorted(lost)[:10]} ({len(lost)} of {len(stored)})"
        answers = {message.answer for message in self.sent.values()} - {b""}
        odd = [answer for answer in answers if not answer.startswith(b"250")
               and answer != b"501 message cut short\n"
               and not b"501 invalid ".startswith(answer[:12])]
        assert not odd, odd
        return len(stored), len(seen)


@pytest.fixture(params=[(mailserver.AcceptLoop, 1), (mailserver.Superd, 2)],
                ids=["one accept loop", "two superds"])
def servers(request, build, tmp_path):
    """Servers on one spool."""
    kind, count = request.param
    spool = tmp_path / "spool"
    spool.mkdir(mode=0o700)
    started = []
    try:
        for number in range(count):
            started.append(kind(build, tmp_path / f"server{number}", spool, OPTIONS))
        yield started
    finally:
        for server in started:
            server.stop()
        shutil.rmtree(spool, ignore_errors=True)


def test_a_storm(servers, tmp_path, capsys):
    storm = Storm(servers, SEED)
    storm.run_threads()
    drive.until(lambda: not any(server.children() for server in servers), "no messengers")
    storm.drain()
    for server in servers:
        server.stop()
    stored, seen = storm.check()
    with capsys.disabled():
        print(f"\nstorm: seed {SEED}, {len(storm.sent)} messages begun, {stored} answered 250, "
              f"{seen} fetched, {len(storm.fetches)} fetches, {storm.kills} messengers killed")
    assert stored > 20 and storm.kills > 0, "hardly a storm"
    for server in servers:
        for trouble in ("cannot", "locked", "left alone", "runtime error", "Sanitizer"):
            assert trouble not in server.log_text()
        assert set(getattr(server, "statuses", {})) <= {0, 1, -signal.SIGKILL}
    for login in RECIPIENTS:
        assert os.listdir(tmp_path / "spool" / login / "new") == []
        assert len(os.listdir(tmp_path / "spool" / login / "tmp")) <= storm.kills
