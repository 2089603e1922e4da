"""messenger through superd: as the shipped configuration runs it, full, killed and reloaded."""

import os
import pathlib
import pwd
import signal
import socket
import subprocess

import pytest

import stand

ROOT = os.getuid() == 0


@pytest.fixture
def climess(build):
    return build / "services/clients/climess"


@pytest.fixture
def spool(tmp_path):
    """A spool of the user that the services run as: nobody, where the tests are root's."""
    path = tmp_path / "spool"
    path.mkdir(mode=0o700)
    for folder in [tmp_path, *tmp_path.parents]:
        # Only what pytest made: its folders are closed to other users.
        if ROOT and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    if ROOT:
        os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
    return path


class Mail:
    """superd with both services."""

    def __init__(self, superd, services, climess, spool, options=(), send=(), limits=""):
        self.climess = climess
        self.ports = [stand.free_port(), stand.free_port()]
        words = ", ".join(f'"{word}"' for word in send)
        self.config = (
            f'service-directory = "{services}"\n'
            f"service messenger {{\n\tlisten = 127.0.0.1:{self.ports[0]}\n"
            f'\texec = {{ messenger, send, -l, --spool, "{spool}" {"," if words else ""}{words} }}\n'
            f"\t{limits}\n}}\n"
            f"service messenger-fetch {{\n\tlisten = 127.0.0.1:{self.ports[1]}\n"
            f'\texec = {{ messenger, fetch, --spool, "{spool}" }}\n}}\n'
        )
        self.superd = superd
        self.daemon = superd(self.config, *options)

    def send_start(self, to="maria1"):
        return subprocess.Popen(
            [self.climess, "send", "sender", to, "-H", "127.0.0.1", "-p", str(self.ports[0])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def send(self, body, to="maria1"):
        process = self.send_start(to)
        answer, _ = process.communicate(body, stand.DEADLINE)
        return answer

    def fetch(self, login="maria1"):
        done = subprocess.run(
            [self.climess, "fetch", login, "-H", "127.0.0.1", "-p", str(self.ports[1])],
            capture_output=True, check=True, timeout=stand.DEADLINE)
        # The server deletes after the client has closed.
        self.daemon.wait_idle()
        return done.stdout


def test_a_message_goes_through(superd, services, climess, spool, kinds):
    mail = Mail(superd, services, climess, spool, kinds)
    assert mail.send(b"hello\n") == b"250 stored 6 bytes for maria1\n"
    mail.daemon.wait_idle()
    owners = {path.stat().st_uid for path in spool.rglob("*")}
    assert owners == {pwd.getpwnam("nobody").pw_uid if ROOT else os.getuid()}
    answer = mail.fetch()
    assert answer.startswith(b"250 1 messages\nFROM sender DATE ")
    assert answer.endswith(b" BYTES 6\nhello\n")
    assert mail.fetch() == b"250 0 messages\n"


def test_more_senders_than_programs(superd, services, climess, spool):
    """The rest waits in the kernel's queue, and every one is served."""
    mail = Mail(superd, services, climess, spool, limits="limits { instances = 3 }",
                send=["--no-fsync"])
    clients = [mail.send_start() for _ in range(30)]
    answers = [client.communicate(b"x" * 10_000, stand.DEADLINE)[0] for client in clients]
    assert answers == [b"250 stored 10000 bytes for maria1\n"] * 30
    assert mail.fetch().startswith(b"250 30 messages\n")


def test_silent_clients_do_not_close_the_service(superd, services, climess, spool):
    """Every program is held by a client that says nothing, until its time-out."""
    mail = Mail(superd, services, climess, spool, limits="limits { instances = 3 }",
                send=["-t", "1"])
    silent = [stand.connect(mail.ports[0]) for _ in range(3)]
    stand.poll("3 messengers", lambda: len(mail.daemon.children()) == 3)
    assert mail.send(b"hello") == b"250 stored 5 bytes for maria1\n"
    for client in silent:
        with client:
            assert stand.read_all(client) == b"421 timed out\n"


def test_mail_survives_the_death_of_superd(superd, services, climess, spool):
    mail = Mail(superd, services, climess, spool)
    assert mail.send(b"hello") == b"250 stored 5 bytes for maria1\n"
    mail.daemon.check = False
    os.kill(mail.daemon.pid, signal.SIGKILL)
    mail.daemon.process.wait(stand.DEADLINE)
    mail.daemon = superd(mail.config)
    assert mail.fetch().endswith(b" BYTES 5\nhello")


def test_a_spool_of_somebody_else_is_told_in_the_log(superd, services, climess, tmp_path):
    """The services run as nobody, the spool is root's; or the services are the tests', as it is."""
    spool = pathlib.Path("/") if not ROOT else tmp_path / "spool"
    if ROOT:
        spool.mkdir(mode=0o755)
        for folder in [tmp_path, *tmp_path.parents]:
            if not folder.stat().st_mode & 0o001:
                folder.chmod(folder.stat().st_mode | 0o011)
    mail = Mail(superd, services, climess, spool)
    assert mail.send(b"hello") == b"451 local error\n"
    event = mail.daemon.wait_event("stderr", service="messenger")
    assert "belongs to user" in event["text"]
    exit_event = mail.daemon.wait_event("exit", service="messenger")
    assert exit_event["status"] == "75"


def test_a_session_survives_a_reload(superd, services, climess, spool):
    """A half-sent message goes on while superd reads its configuration anew."""
    mail = Mail(superd, services, climess, spool)
    with stand.connect(mail.ports[0]) as client:
        client.sendall(b"sender\nmaria1\nBYTES 10\nhello")
        stand.poll("a messenger", lambda: len(mail.daemon.children()) == 1)
        os.kill(mail.daemon.pid, signal.SIGHUP)
        assert mail.send(b"other") == b"250 stored 5 bytes for maria1\n"
        client.sendall(b"world")
        client.shutdown(socket.SHUT_WR)
        assert stand.read_all(client) == b"250 stored 10 bytes for maria1\n"
    assert mail.fetch().startswith(b"250 2 messages\n")
