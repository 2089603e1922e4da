"""System calls that fail on this machine's side: mail is never lost or answered for in vain, and
a program says what failed and ends, or goes on without spinning."""

import errno
import os
import signal
import socket
import subprocess

import pytest

import drive
import mail

pytestmark = pytest.mark.skipif(not drive.may_trace(), reason="strace does not work here")
TEMPFAIL = 75


MUSL = {"EBADF": "Bad file descriptor", "EMFILE": "No file descriptors available", "ENOMEM": "Out of memory"}


def says(code):
    return os.strerror(getattr(errno, code))


def tells(program, what, code):
    """How often a program's log has this line; the two C libraries have words of their own."""
    lines = [f"{what}: {text}\n" for text in {says(code), MUSL.get(code, says(code))}]
    return sum(program.log().count(line) for line in lines)


# --- messenger send: stored or refused, nothing between ---------------------------------------

@pytest.fixture
def office(stand, tmp_path):
    """A spool with one letter for maria1."""
    the_office = mail.Office(stand, tmp_path / "spool")
    the_office.send(b"before")
    return the_office


def holds(office, *bodies):
    """Nothing half done is in the spool, and everything that was stored can be had."""
    assert office.files("tmp") == []
    assert office.bodies() == [b"before", *bodies]


@pytest.mark.parametrize("rule, what, answer", [
    ("fsync:error=EIO:when=1", "cannot write maria1/tmp", "452 cannot store: " + says("EIO")),
    # the folder: by then the file has its name already, and must lose it
    ("fsync:error=EIO:when=2", "cannot fsync maria1", "452 cannot store: " + says("EIO")),
    ("fsync:error=ENOSPC:when=2", "cannot fsync maria1", "452 cannot store: " + says("ENOSPC")),
    ("renameat,renameat2:error=EDQUOT", "cannot rename maria1/tmp",
     "452 cannot store: " + says("EDQUOT")),
    ("renameat,renameat2:error=EACCES", "cannot rename maria1/tmp", "451 local error"),
    ("getdents64:error=EIO", "cannot list maria1/new", "452 cannot store: " + says("EIO")),
])
def test_a_message_that_cannot_be_stored(office, rule, what, answer):
    calls, _, action = rule.partition(":")
    rules = [f"{call}:{action}" for call in calls.split(",")]
    got, program = office.send_raw(b"sender\nmaria1\nlost?", inject=rules)
    assert got == answer.encode() + b"\n"
    assert program.status() == TEMPFAIL
    assert what in program.log()
    holds(office)
    office.send(b"after")
    holds_after = mail.Office(office.stand, office.spool)
    assert holds_after.bodies() == [b"after"]


@pytest.mark.parametrize("code", ["ENOLCK", "EIO"])
@pytest.mark.parametrize("when, what", [("1..4", "cannot list maria1/new"), ("5", "cannot lock maria1")])
def test_a_mailbox_that_cannot_be_locked(office, code, when, what):
    """Not by waiting: that is for one whom another has locked. (Before it fdopendir(3) has two, twice.)"""
    rule = f"fcntl:error={code}:when={when}"
    got, program = office.send_raw(b"sender\nmaria1\nlost?", inject=[rule])
    wanted = f"452 cannot store: {says(code)}" if code == "EIO" else "451 local error"
    assert got == wanted.encode() + b"\n" and program.status() == TEMPFAIL
    assert what in program.log()
    holds(office)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_mailbox_that_cannot_be_made(stand, tmp_path, number):
    """spool/maria1, its new and its tmp: whatever fails, the next letter finds its way."""
    spool = tmp_path / "spool"
    spool.mkdir(mode=0o700)
    office = mail.Office(stand, spool)
    got, program = office.send_raw(
        b"sender\nmaria1\nlost?", inject=[f"mkdirat:error=ENOSPC:when={number}"])
    assert got == f"452 cannot store: {says('ENOSPC')}\n".encode()
    assert program.status() == TEMPFAIL
    assert "cannot make" in program.log()
    office.send(b"hello")
    assert office.bodies() == [b"hello"]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_spool_whose_making_cannot_be_made_last(stand, tmp_path, number):
    """fsync of the folder above, of the mailbox, of the spool."""
    office = mail.Office(stand, tmp_path / "spool")
    got, program = office.send_raw(
        b"sender\nmaria1\nlost?", inject=[f"fsync:error=EIO:when={number}"])
    assert got == f"452 cannot store: {says('EIO')}\n".encode()
    assert program.status() == TEMPFAIL
    assert "cannot fsync" in program.log()
    office.send(b"hello")
    assert office.bodies() == [b"hello"]


# --- messenger fetch: what was not deleted comes again ----------------------------------------

@pytest.mark.parametrize("rule, what", [
    ("getdents64:error=EIO:when=2+", "cannot list maria1"),
    ("unlinkat:error=EACCES", "cannot remove maria1/new/"),
    ("unlinkat:error=EIO", "cannot remove maria1/new/"),
    ("fsync:error=EIO", "cannot fsync maria1"),
])
def test_a_fetch_that_cannot_delete_or_list(office, rule, what):
    answer, program = office.fetch_raw(inject=[rule])
    assert program.status() == TEMPFAIL
    assert what in program.log()
    if rule.startswith("getdents64"):
        assert answer == b"451 local error\n"
    else:
        assert [letter.body for letter in mail.parse(answer)] == [b"before"]
    if not rule.startswith("fsync"):  # there the letter is gone, and may come back
        holds(office)


# --- programs that accept for themselves ------------------------------------------------------

def ask(listener, data):
    with socket.create_connection(listener.getsockname(), drive.DEADLINE) as client:
        drive.send_and_end(client, data)
        return drive.read_all(client)


@pytest.mark.parametrize("code", ["EMFILE", "ENOMEM"])
def test_accept_that_fails_for_a_while(stand, code):
    """One line, and the client, who waits in the queue meanwhile, is served."""
    rule = f"accept4:error={code}:when=1..3"
    with drive.tcp_listener() as listener:
        program = stand.start("echo", stdin=listener, listen=[listener], inject=[rule])
        assert ask(listener, b"hello") == b"hello"
        assert tells(program, "echo: accept", code) == 1
        program.stop()


@pytest.mark.parametrize("rule, what, code", [
    ("accept4:error=EBADF", "echo: accept", "EBADF"),
    ("ppoll:error=ENOMEM", "echo: ppoll", "ENOMEM"),
])
def test_a_service_that_cannot_go_on_ends(stand, rule, what, code):
    with drive.tcp_listener() as listener:
        program = stand.start("echo", stdin=listener, listen=[listener], inject=[rule])
        with socket.create_connection(listener.getsockname(), drive.DEADLINE):
            assert program.status() == 1
        assert tells(program, what, code) == 1


def test_fork_that_fails(stand):
    """Each client loses its connection at once, and the log has one line."""
    # by which call a C library forks is its own business
    calls = ["clone", "clone3"] + (["fork"] if os.uname().machine == "x86_64" else [])
    rules = [f"{call}:error=EAGAIN" for call in calls]
    with drive.tcp_listener() as listener:
        program = stand.start("echo", stdin=listener, listen=[listener], inject=rules)
        for _ in range(3):
            with socket.create_connection(listener.getsockname(), drive.DEADLINE) as client:
                assert client.recv(1) == b""
        assert tells(program, "echo: fork", "EAGAIN") == 1
        program.stop()


def test_a_datagram_socket_that_is_broken_ends_the_service(stand):
    with drive.udp_server() as server:
        program = stand.start("echo", stdin=server, inject=["recvmsg:error=ENOMEM"])
        with drive.udp_socket() as client:
            client.sendto(b"x", server.getsockname())
            assert program.status() == 1
        assert tells(program, "echo: recvmsg", "ENOMEM") == 1


# --- chat ------------------------------------------------------------------------------------

def test_chat_that_has_no_descriptor_for_a_client(stand):
    """It pauses instead of spinning, says so once, and the client gets in afterwards."""
    rule = "accept4:error=EMFILE:when=1..3"
    with drive.tcp_listener() as listener:
        program = stand.start("chat", stdin=listener, listen=[listener], inject=[rule])
        with socket.create_connection(listener.getsockname(), drive.DEADLINE) as client:
            assert client.makefile("rb").readline().startswith(b"Your address: ")
        assert tells(program, "chat: accept", "EMFILE") == 1
        program.process.send_signal(signal.SIGTERM)
        program.status()


@pytest.mark.parametrize("rule, what, code, status", [
    ("poll:error=ENOMEM:when=1", "chat: poll", "ENOMEM", 1),
    ("signalfd4:error=EMFILE", "chat: signalfd", "EMFILE", TEMPFAIL),
])
def test_chat_that_cannot_begin(stand, rule, what, code, status):
    with drive.tcp_listener() as listener:
        program = stand.start("chat", stdin=listener, listen=[listener], inject=[rule])
        assert program.status() == status
        assert tells(program, what, code) == 1


# --- tcpcli: every failure has its line -------------------------------------------------------

@pytest.mark.parametrize("rule, options, what", [
    ("socket:error=EMFILE:when=1+", (), says("EMFILE")),
    ("getsockname:error=ENOBUFS", ("-v",), "getsockname: " + says("ENOBUFS")),
    ("getpeername:error=ENOTCONN", ("-v",), "server terminated prematurely"),
    ("pipe2:error=EMFILE", ("--bytes", "100"), "pipe: " + says("EMFILE")),
])
def test_tcpcli_says_what_failed(build, rule, options, what):
    with drive.tcp_listener() as listener:
        port = listener.getsockname()[1]
        call = rule.partition(":")[0]
        done = subprocess.run(
            ["strace", "-qq", "-o", "/dev/null", f"-etrace={call}", f"-einject={rule}",
             str(build / "services/clients/tcpcli"), *options, "127.0.0.1", str(port)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=drive.DEADLINE,
            env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}, check=False)
    assert done.returncode == 1, done
    assert what in done.stderr + done.stdout, done
