"""What all services share: options, exit statuses, standard error, descriptors they do not serve."""

import os
import re
import socket
import subprocess

import pytest

import drive

SERVICES = ["echo", "discard", "daytime", "time", "chargen", "hello", "sum", "number", "metrics"]
STREAM_ONLY = ["hello", "number", "metrics"]
READERS = ["echo", "discard", "sum", "number"]


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_names_every_option(stand, name, option):
    answer, program = stand.pipes(name, option)
    assert program.status() == 0
    text = answer.decode("ascii")
    assert text.startswith(f"usage: {name} [OPTIONS]\n")
    assert re.search(r"-t, --idle SECONDS +\S", text)
    assert program.log() == ""


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(stand, name, option):
    answer, program = stand.pipes(name, option)
    assert re.fullmatch(rf"{name} \(superd\) \d+\.\d+\.\d+\n", answer.decode("ascii"))
    assert program.status() == 0


@pytest.mark.parametrize("words", [
    *[[name] for name in SERVICES], ["chat"], ["messenger"], ["messenger", "send"],
    ["messenger", "fetch"], ["clients/tcpcli"], ["clients/climess"],
], ids=" ".join)
@pytest.mark.parametrize("option", ["-h", "--help", "-V", "--version"])
def test_what_cannot_be_printed_is_a_failure(build, words, option):
    name = " ".join(words).rpartition("/")[2]
    command = [build / "services" / words[0], *words[1:], option]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=full, check=False,
                              stderr=subprocess.PIPE, timeout=drive.DEADLINE)
    assert (done.returncode, done.stderr.decode()) == (
        1, f"{name}: standard output: No space left on device\n")
    done = subprocess.run(["/bin/sh", "-c", 'exec "$@" >&-', "sh", *command], check=False,
                          stderr=subprocess.PIPE, timeout=drive.DEADLINE)
    assert (done.returncode, done.stderr.decode()) == (
        1, f"{name}: standard output: Bad file descriptor\n")


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("arguments", [
    ["-x"], ["--unknown"], ["operand"], ["-t"], ["-t", "x"], ["-t", "-1"], ["-t", "1.5"],
    ["-t", "1000001"], ["--idle="],
])
def test_a_wrong_command_line_is_refused(stand, name, arguments):
    answer, program = stand.pipes(name, *arguments)
    assert program.status() == 2
    assert answer == b""
    assert program.log().startswith(f"{name}: ")
    assert program.log().count("\n") == 1


@pytest.mark.parametrize("name", STREAM_ONLY)
def test_a_stream_service_refuses_datagrams(stand, name):
    with drive.udp_server() as server:
        program = stand.start(name, stdin=server)
        assert program.status() == 2
    assert "datagram" in program.log()


@pytest.mark.parametrize("name", READERS)
def test_a_vanished_log_does_not_matter(stand, name):
    """The log's reader has gone and there is something to log: no signal, and the right status."""
    reader, writer = os.pipe()
    os.close(reader)
    client, program = stand.tcp(name, "-t", "1", stderr=writer)
    os.close(writer)
    with client:
        assert program.status() == 1


def test_hello_greets_without_a_log(stand):
    reader, writer = os.pipe()
    os.close(reader)
    client, program = stand.tcp("hello", stderr=writer)
    os.close(writer)
    with client:
        assert drive.read_all(client) == b"Hello, world!\n"
    assert program.status() == 0


def test_a_closed_log_does_not_matter(stand):
    client, program = stand.tcp("hello", setup=lambda: os.close(2))
    with client:
        assert drive.read_all(client) == b"Hello, world!\n"
    assert program.status() == 0


@pytest.mark.parametrize("name, data", [
    ("echo", b"x"), ("daytime", b""), ("time", b""), ("hello", b""), ("sum", b"1 2\n"),
    ("number", b"\0\0\0\0"),
])
def test_a_vanished_reader_is_a_failure_not_a_signal(stand, name, data):
    reader, writer = os.pipe()
    os.close(reader)
    program = stand.start(name, stdin=subprocess.PIPE, stdout=writer)
    os.close(writer)
    program.process.stdin.write(data)
    program.process.stdin.close()
    assert program.status() == 1
    assert "Broken pipe" in program.log()


@pytest.mark.parametrize("name", READERS)
def test_no_time_out_when_there_is_none(stand, name):
    client, program = stand.tcp(name, "-t", "0")
    with client:
        with pytest.raises(subprocess.TimeoutExpired):
            program.process.wait(1.5)
    assert program.status() in (0, 1)
    assert "time-out" not in program.log()


@pytest.mark.parametrize("name", ["echo", "discard", "sum"])
def test_a_client_that_keeps_coming_is_not_idle(stand, name):
    client, program = stand.tcp(name, "-t", "1")
    with client:
        for _ in range(6):
            client.sendall(b"\n")
            with pytest.raises(subprocess.TimeoutExpired):
                program.process.wait(0.4)
        client.shutdown(socket.SHUT_WR)
        drive.read_all(client)
    assert program.status() == 0


@pytest.mark.parametrize("name", ["echo", "discard", "sum"])
def test_descriptor_flags_stay(stand, name):
    client, server = drive.tcp_pair()
    program = stand.start(name, stdin=server)
    with client, server:
        client.sendall(b"1 2\n")
        client.shutdown(socket.SHUT_WR)
        drive.until(lambda: not program.running(), "its end")
        assert program.status() == 0
        assert os.get_blocking(server.fileno())
        client.settimeout(drive.DEADLINE)


# To metrics it is a fault of the client: test_metrics_http.py.
@pytest.mark.parametrize("name", [name for name in SERVICES if name not in ("chargen", "metrics")])
def test_garbage_does_no_harm(stand, name):
    garbage = os.urandom(200_000) + b"\0\n\r\n\x1b[2J" * 1000
    _, program = stand.exchange("tcp", name, garbage)
    assert program.status() == 0
    assert "\x1b" not in program.log()
