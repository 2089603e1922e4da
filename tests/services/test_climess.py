"""climess against messenger, and against servers that break off."""

import os
import pty
import re
import resource
import signal
import socket
import subprocess
import threading

import pytest

import drive
import mail
import mailserver

MAX_MESSAGE = 1048576


class Climess:
    """Runs climess."""

    def __init__(self, build):
        self.program = build / "services/clients/climess"

    def start(self, *words, **how):
        return subprocess.Popen([str(word) for word in (self.program, *words)],
                                stdin=how.pop("stdin", subprocess.PIPE),
                                stdout=how.pop("stdout", subprocess.PIPE),
                                stderr=subprocess.PIPE, **how)

    def run(self, *words, data=b"", **how):
        """(exit status, standard output, standard error)"""
        process = self.start(*words, **how)
        output, errors = process.communicate(data, drive.DEADLINE)
        return process.returncode, output, errors.decode()


@pytest.fixture
def climess(build):
    return Climess(build)


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def serve(build, tmp_path, spool):
    """Starts a server with options by service; all are stopped at the end."""
    started = []

    def start(**options):
        started.append(mailserver.AcceptLoop(build, tmp_path / f"server{len(started)}", spool,
                                             options))
        return started[-1]
    yield start
    for server in started:
        server.stop()


@pytest.fixture
def server(serve):
    return serve()


@pytest.fixture
def listener():
    with drive.tcp_listener() as the_listener:
        the_listener.settimeout(drive.DEADLINE)
        yield the_listener


def to(server, service):
    return "-H", "127.0.0.1", "-p", server.ports[service]


def fetched(answer):
    return [letter.body for letter in mail.parse(answer)]


@pytest.mark.parametrize("body", [b"hello", b"", b"x" * MAX_MESSAGE, bytes(range(256)) * 99],
                         ids=["text", "empty", "largest", "binary"])
def test_what_is_sent_is_fetched(climess, server, body):
    sent = climess.run("send", "sender", "maria1", *to(server, "length"), data=body)
    assert sent == (0, b"250 stored %d bytes for maria1\n" % len(body), "")
    status, answer, errors = climess.run("fetch", "maria1", *to(server, "fetch"))
    assert (status, errors) == (0, "")
    assert fetched(answer) == [body]
    drive.until(lambda: not server.children(), "the server to end")
    assert climess.run("fetch", "maria1", *to(server, "fetch")) == (0, b"250 0 messages\n", "")


@pytest.mark.parametrize("order", range(4))
def test_options_before_and_after_the_verb(climess, server, order):
    options = [str(word) for word in to(server, "length")]
    words = ["send", "sender", "maria1"]
    words[order:order] = options
    assert climess.run(*words, data=b"hello")[0] == 0


def test_the_message_comes_from_a_file(climess, server, tmp_path):
    path = tmp_path / "message"
    path.write_bytes(b"from a file")
    assert climess.run("send", "sender", "maria1", path, *to(server, "length"))[0] == 0
    assert fetched(climess.run("fetch", "maria1", *to(server, "fetch"))[1]) == [b"from a file"]


@pytest.mark.parametrize("name,reason", [("none", "No such file"), ("", "Is a directory")])
def test_a_file_that_cannot_be_read(climess, server, tmp_path, spool, name, reason):
    status, output, errors = climess.run(
        "send", "sender", "maria1", tmp_path / name, *to(server, "length"))
    assert (status, output) == (1, b"")
    assert reason in errors
    assert not spool.exists()


def test_plain_for_a_server_without_a_length(climess, server):
    sent = climess.run("send", "--plain", "sender", "maria1", *to(server, "send"), data=b"hello")
    assert sent == (0, b"250 stored 5 bytes for maria1\n", "")
    assert fetched(climess.run("fetch", "maria1", *to(server, "fetch"))[1]) == [b"hello"]


def test_a_length_that_the_server_did_not_expect_is_noticed(climess, server):
    status, output, errors = climess.run(
        "send", "sender", "maria1", *to(server, "send"), data=b"hello")
    assert (status, output) == (1, b"250 stored 13 bytes for maria1\n")
    assert "--plain" in errors


def test_a_plain_message_that_the_server_did_not_expect_is_refused(climess, server):
    status, output, errors = climess.run(
        "send", "--plain", "sender", "maria1", *to(server, "length"), data=b"hello")
    assert (status, output, errors) == (1, b"501 invalid length\n", "")


@pytest.mark.parametrize("sender,recipient,answer", [
    ("sende", "maria1", b"501 invalid sender login\n"),
    ("sender1", "maria1", b"501 invalid sender login\n"),
    ("../../", "maria1", b"501 invalid sender login\n"),
    ("", "maria1", b"501 invalid sender login\n"),
    ("sender", "mar a1", b"501 invalid recipient login\n"),
    ("sender", "x" * 400, b"501 invalid recipient login\n"),
], ids=lambda word: repr(word[:20]))
@pytest.mark.parametrize("size", [5, 30_000_000])
def test_the_servers_refusal_is_printed(climess, server, sender, recipient, answer, size):
    """Also where it comes while a large message is still being sent."""
    sent = climess.run("send", sender, recipient, *to(server, "length"), data=b"x" * size)
    assert sent == (1, answer, "")


def test_an_oversized_message(climess, server):
    sent = climess.run("send", "sender", "maria1", *to(server, "length"), data=b"x" * 20_000_000)
    assert sent == (1, b"552 message larger than 1048576 bytes\n", "")


def test_a_full_mailbox(climess, serve):
    server = serve(length=["--max-messages", "1"])
    words = "send", "sender", "maria1", *to(server, "length")
    assert climess.run(*words, data=b"hello")[0] == 0
    assert climess.run(*words, data=b"x" * 900_000) == (1, b"552 mailbox of maria1 is full\n", "")


@pytest.mark.parametrize("words", [
    [], ["post"], ["send"], ["send", "sender"], ["send", "a", "b", "c", "d"], ["fetch"],
    ["fetch", "a", "b"], ["fetch", "--plain", "a"], ["send", "-P", "x", "a", "b"], ["send", "-q"],
    ["send", "a\nb", "c"], ["fetch", "a\nb"], ["fetch", "-t", "x", "a"], ["fetch", "-w", "0", "a"],
], ids=repr)
def test_a_wrong_command_line(climess, words):
    status, output, errors = climess.run(*words)
    assert (status, output) == (2, b"")
    assert errors.startswith("climess: ")


@pytest.mark.parametrize("verb", [["send", "sender", "maria1"], ["fetch", "maria1"]])
@pytest.mark.parametrize("port", ["0", "65536", "72786", "", "-58285", "+7251", " 7251"])
def test_what_is_no_port(climess, verb, port):
    """getaddrinfo(3) would take most of them for another port: 72786 for 7250."""
    assert climess.run(*verb, "-H", "127.0.0.1", "-p", port) == (
        2, b"", f"climess: '{port}' is not a port from 1 to 65535 (-h helps)\n")


def test_help_and_version(climess):
    status, output, errors = climess.run("-h")
    assert (status, errors) == (0, "")
    assert output.startswith(b"usage: climess")
    assert re.fullmatch(rb"climess \(superd\) [\d.]+\n", climess.run("-V")[1])


def test_nobody_listens(climess, listener):
    port = listener.getsockname()[1]
    listener.close()
    for words in (["send", "sender", "maria1"], ["fetch", "maria1"]):
        status, output, errors = climess.run(*words, "-H", "127.0.0.1", "-p", port)
        assert (status, output) == (1, b"")
        assert "Connection refused" in errors


# --- fetch: confirmed only when all is written ---------------------------------------------------

BODIES = [b"one", b"", b"two\n" * 100_000, b"x" * 700_000]


@pytest.fixture
def filled(climess, server):
    for body in BODIES:
        assert climess.run("send", "sender", "maria1", *to(server, "length"), data=body)[0] == 0
    return server


def stays(climess, server):
    drive.until(lambda: not server.children(), "the server to end")
    assert fetched(climess.run("fetch", "maria1", *to(server, "fetch"))[1]) == BODIES


def test_everything_comes_in_order(climess, filled, spool, tmp_path):
    with open(tmp_path / "output", "wb") as output:
        assert climess.run("fetch", "maria1", *to(filled, "fetch"), stdout=output)[0] == 0
    assert fetched((tmp_path / "output").read_bytes()) == BODIES
    drive.until(lambda: not os.listdir(spool / "maria1/new"), "the mail to be deleted")


def test_a_full_disk_confirms_nothing(climess, filled):
    with open("/dev/full", "wb") as full:
        status, _, errors = climess.run("fetch", "maria1", *to(filled, "fetch"), stdout=full)
    assert (status, errors) == (1, "climess: standard output: No space left on device\n")
    stays(climess, filled)


def test_a_file_that_may_not_grow_confirms_nothing(climess, filled, tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open(tmp_path / "output", "wb") as output:
        status, _, errors = climess.run("fetch", "maria1", *to(filled, "fetch"), stdout=output,
                                        preexec_fn=limit, restore_signals=False)
    assert status == 1
    assert "File too large" in errors
    stays(climess, filled)


def test_a_vanished_reader_confirms_nothing(climess, filled):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        status, _, errors = climess.run("fetch", "maria1", *to(filled, "fetch"), stdout=pipe)
    assert status == 1
    assert "Broken pipe" in errors
    stays(climess, filled)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_killed_client_confirms_nothing(climess, server, spool, number):
    """It has read what the server sent, but could not write it yet."""
    body = b"x" * 60_000
    assert climess.run("send", "sender", "maria1", *to(server, "length"), data=body)[0] == 0
    process = climess.start("fetch", "maria1", *to(server, "fetch"), pipesize=4096)
    # One page holds one write.
    drive.until(lambda: readable(process.stdout) > 0, "a full pipe")
    process.send_signal(number)
    assert process.wait(drive.DEADLINE) == -number
    process.communicate()
    drive.until(lambda: not server.children(), "the server to end")
    assert len(os.listdir(spool / "maria1/new")) == 1


def readable(pipe):
    """How many bytes wait in a pipe."""
    import array
    import fcntl
    import termios
    count = array.array("i", [0])
    fcntl.ioctl(pipe.fileno(), termios.FIONREAD, count)
    return count[0]


@pytest.mark.parametrize("answer,problem", [
    (b"", "incomplete"),
    (b"250 1 mess", "incomplete"),
    (b"250 1 messages\n", "incomplete"),
    (b"250 1 messages\nFROM sender DATE 2026-11-20T15:16:00Z BYTES 5\nhell", "incomplete"),
    (b"250 2 messages\nFROM sender DATE 2026-11-20T15:16:00Z BYTES 5\nhello", "incomplete"),
    (b"250 1 messages\nFROM sender DATE 2026-11-20T15:16:00Z BYTES 5\nhelloX", "did not end"),
    (b"250 1 messages\nFROM sender DATE 2026-11-20T15:16:00Z BYTES 5 6\nhello", "no sense"),
    (b"250 1 messages\nFROM sender BYTES 5\nhello", "no sense"),
    (b"250 many messages\n", "no sense"),
    (b"250 1 messages\n" + b"x" * 100_000, "too long"),
    (b"535 authentication failed\n", ""),
], ids=lambda word: repr(word[:60]) if isinstance(word, bytes) else "")
def test_a_broken_answer_is_reset(climess, listener, answer, problem):
    process = climess.start("fetch", "maria1", "-H", "127.0.0.1", "-p", listener.getsockname()[1])
    client, _ = listener.accept()
    with client:
        client.settimeout(drive.DEADLINE)
        assert client.recv(100) == b"maria1\n"
        reset = False
        try:
            client.sendall(answer)
            client.shutdown(socket.SHUT_WR)
        except OSError as error:
            # It has seen enough before the end.
            reset = isinstance(error, ConnectionError)
        output, errors = process.communicate(timeout=drive.DEADLINE)
        assert process.returncode == 1
        assert problem in errors.decode()
        assert answer.startswith(output)
        if not answer.startswith(b"535") and not reset:
            with pytest.raises(ConnectionResetError):
                client.recv(100)


def test_a_silent_server_is_given_up(climess, listener):
    for words in (["fetch", "maria1"], ["send", "sender", "maria1"]):
        status, output, errors = climess.run(
            *words, "-t", "1", "-H", "127.0.0.1", "-p", listener.getsockname()[1])
        assert (status, output) == (1, b"")
        assert "time" in errors.lower() and "out" in errors


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_server_that_leaves_without_an_answer(climess, listener, how):
    process = climess.start("send", "sender", "maria1", "-H", "127.0.0.1",
                            "-p", listener.getsockname()[1])
    process.stdin.close()
    client, _ = listener.accept()
    with client:
        client.settimeout(drive.DEADLINE)
        drive.read_all(client)
        if how == "reset":
            drive.reset(client)
    assert process.wait(drive.DEADLINE) == 1
    assert process.stdout.read() == b""
    assert b"answer" in process.stderr.read()
    process.stdout.close()
    process.stderr.close()


def test_a_killed_sender_is_discarded_by_a_plain_server(climess, listener):
    """Its connection ends with a reset, not with what looks like the end of the message."""
    process = climess.start("send", "--plain", "sender", "maria1", "-H", "127.0.0.1",
                            "-p", listener.getsockname()[1])
    feeder = threading.Thread(target=feed, args=(process.stdin, b"x" * 30_000_000))
    feeder.start()
    client, _ = listener.accept()
    with client:
        client.settimeout(drive.DEADLINE)
        assert client.recv(7) == b"sender\n"
        feeder.join()
        process.kill()
        process.wait()
        with pytest.raises(ConnectionResetError):
            drive.read_all(client)
    process.stdout.close()
    process.stderr.close()


def feed(pipe, data):
    with pipe:
        pipe.write(data)


# --- passwords -----------------------------------------------------------------------------------

HASH = "$6$rounds=1000$saltsalt$" \
    "LAV5VE5Y7w1d73x1mFNspYWUpazfmwv2SoepNXNKJ/otop/Zok96Hr8Q13LEv0DRY/x8v0/crpIjl8NJSAqXV/"


@pytest.fixture
def guarded(serve, climess, tmp_path):
    """A server that asks for a password, with one message for maria1."""
    path = tmp_path / "passwd"
    path.write_text(f"maria1:{HASH}\n", encoding="ascii")
    server = serve(fetch=["--passwd", str(path)])
    assert climess.run("send", "sender", "maria1", *to(server, "length"), data=b"hello")[0] == 0
    return server


@pytest.mark.parametrize("text", [b"secret\n", b"secret", b"secret\r\n", b"secret\nmore\n"])
def test_the_password_comes_from_a_file(climess, guarded, tmp_path, text):
    (tmp_path / "password").write_bytes(text)
    status, answer, errors = climess.run(
        "fetch", "maria1", "-P", tmp_path / "password", *to(guarded, "fetch"))
    assert (status, errors) == (0, "")
    assert fetched(answer) == [b"hello"]


def test_the_password_comes_from_standard_input(climess, guarded):
    status, answer, _ = climess.run(
        "fetch", "maria1", "-P", "-", *to(guarded, "fetch"), data=b"secret\n")
    assert status == 0
    assert fetched(answer) == [b"hello"]


def test_a_terminal_does_not_show_the_password(climess, guarded):
    master, slave = pty.openpty()
    process = climess.start("fetch", "maria1", "-P", "-", *to(guarded, "fetch"), stdin=slave)
    os.close(slave)
    # It asks once the echo is off.
    assert process.stderr.read(10) == b"password: "
    os.write(master, b"secret\n")
    answer, _ = process.communicate(timeout=drive.DEADLINE)
    assert process.returncode == 0
    assert fetched(answer) == [b"hello"]
    try:
        shown = os.read(master, 100)
    except OSError:
        shown = b""  # the other end is closed and nothing is left
    assert b"secret" not in shown
    os.close(master)


def test_a_wrong_password(climess, guarded):
    assert climess.run("fetch", "maria1", "-P", "-", *to(guarded, "fetch"), data=b"wrong\n") == \
        (1, b"535 authentication failed\n", "")


@pytest.mark.parametrize("name,reason", [("none", "No such file"), ("empty", "no password")])
def test_no_password(climess, listener, tmp_path, name, reason):
    (tmp_path / "empty").touch()
    status, output, errors = climess.run(
        "fetch", "maria1", "-P", tmp_path / name, "-H", "127.0.0.1",
        "-p", listener.getsockname()[1])
    assert (status, output) == (1, b"")
    assert reason in errors


def test_the_page_and_the_help_know_the_same_options(climess, source):
    page = (source / "man/climess.1").read_text(encoding="ascii")
    described = set()
    for line in re.findall(r"^\.It (Fl .*)$", page, re.MULTILINE):
        described |= set(re.findall(r"Fl (-?[\w-]+)", line))
    text = climess.run("-h")[1].decode()
    left = "\n".join(line[:28] for line in text.split("\n"))
    assert described == {word[1:] for word in re.findall(r"(?<=[ ,])--?[\w-]+(?=[ ,])", left)}
