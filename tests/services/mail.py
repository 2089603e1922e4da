"""What the tests of messenger share: both dialogues from the client's side, and the spool."""

import os
import re
import socket

import drive

HEADER = re.compile(rb"FROM ([\w-]{6}) DATE (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) BYTES (\d+)\n", re.A)


class Letter:
    """One message as a fetch gets it."""

    def __init__(self, sender, date, body):
        self.sender = sender
        self.date = date
        self.body = body


def parse(answer):
    """The letters of a whole answer to a fetch; it must be exactly as specified."""
    first, _, rest = answer.partition(b"\n")
    match = re.fullmatch(rb"250 (\d+) messages", first)
    assert match, answer[:200]
    letters = []
    for _ in range(int(match[1])):
        header = HEADER.match(rest)
        assert header, rest[:200]
        body = rest[header.end():header.end() + int(header[3])]
        assert len(body) == int(header[3]), "the last message is cut short"
        letters.append(Letter(header[1].decode(), header[2].decode(), body))
        rest = rest[header.end() + len(body):]
    assert rest == b"", rest[:200]
    return letters


class Office:
    """A spool and the programs that work on it."""

    def __init__(self, stand, spool):
        self.stand = stand
        self.spool = spool

    def send_start(self, *options, transport="tcp", spool=None, **how):
        """Starts messenger send; (client's socket, program)."""
        return getattr(self.stand, transport)(
            "messenger", "send", "--spool", spool or self.spool, *options, **how)

    def send_raw(self, data, *options, **how):
        """Sends data as they are and half-closes; (answer, program)."""
        client, program = self.send_start(*options, **how)
        with client:
            drive.send_and_end(client, data)
            return drive.read_all(client), program

    def send(self, body=b"hello", *options, sender="sender", to="maria1", answer=None, **how):
        """Sends one message; the answer must be that one, by default that it is stored."""
        data = f"{sender}\n{to}\n".encode()
        if "-l" in options:
            data += b"BYTES %d\n" % len(body)
        got, program = self.send_raw(data + body, *options, **how)
        wanted = answer or f"250 stored {len(body)} bytes for {to}"
        assert got == wanted.encode() + b"\n"
        status = program.status()
        if got.startswith(b"250"):
            assert status == 0
        else:
            assert status == (75 if got.startswith(b"45") else 1)
        return program

    def fetch_start(self, login="maria1", *options, transport="tcp", spool=None, password=None,
                    **how):
        """Starts messenger fetch and sends the login; (client's socket, program)."""
        client, program = getattr(self.stand, transport)(
            "messenger", "fetch", "--spool", spool or self.spool, *options, **how)
        client.sendall(login.encode() + b"\n")
        if password is not None:
            client.sendall(password.encode() + b"\n")
        return client, program

    def fetch_raw(self, login="maria1", *options, **how):
        """Fetches and closes in order; (answer, program)."""
        client, program = self.fetch_start(login, *options, **how)
        with client:
            return drive.read_all(client), program

    def fetch(self, login="maria1", *options, **how):
        """Fetches all letters of a login; they are deleted."""
        answer, program = self.fetch_raw(login, *options, **how)
        assert program.status() == 0
        return parse(answer)

    def bodies(self, login="maria1", **how):
        return [letter.body for letter in self.fetch(login, **how)]

    def files(self, folder="new", login="maria1"):
        """The names in a folder of a mailbox, sorted; nothing where there is none."""
        path = self.spool / login / folder
        return sorted(os.listdir(path)) if path.is_dir() else []


def tcp_state(local, remote):
    """State of the TCP socket with these addresses, as /proc/net/tcp writes it, or None."""
    def form(address):
        host, port = address
        return f"{int.from_bytes(socket.inet_aton(host), 'little'):08X}:{port:04X}"
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in table:
            words = line.split()
            if words[1:3] == [form(local), form(remote)]:
                return words[3]
    return None
