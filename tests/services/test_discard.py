"""discard: swallows everything; with -r it tells how it came."""

import re
import socket

import pytest

import drive


@pytest.mark.parametrize("data", [b"", b"x", b"\0" * 3_000_000], ids=len)
def test_everything_is_swallowed(stand, transport, data):
    answer, program = stand.exchange(transport, "discard", data)
    assert answer == b""
    assert program.status() == 0
    assert program.log() == ""


def test_each_receive_is_told(stand):
    client, program = stand.unix("discard", "-r")
    with client:
        for count, length in enumerate((5, 70, 1), 1):
            client.sendall(b"x" * length)
            drive.until(lambda: program.log().count("\n") == count, "a line for each receive")
        client.shutdown(socket.SHUT_WR)
    assert program.status() == 0
    assert program.log() == (
        "discard: receive 1: 5 bytes, 5 in all\n"
        "discard: receive 2: 70 bytes, 75 in all\n"
        "discard: receive 3: 1 bytes, 76 in all\n"
        "discard: received 76 bytes in 3 receives\n")


def test_what_is_still_expected_is_told(stand):
    client, program = stand.unix("discard", "-r", "-n", "32769")
    with client:
        client.sendall(b"x" * 16384)
        drive.until(lambda: "receive 1" in program.log(), "the first receive")
        client.sendall(b"x" * 16385)
        client.shutdown(socket.SHUT_WR)
    assert program.status() == 0
    assert program.log() == (
        "discard: receive 1: 16384 bytes, 16385 still expected, 49.9 %\n"
        "discard: receive 2: 16385 bytes, 0 still expected, 100.0 %\n"
        "discard: received 32769 bytes in 2 receives\n")


def test_the_classic_experiment_adds_up(stand):
    client, program = stand.tcp("discard", "-rn", "32769")
    with client:
        client.sendall(b"x" * 32769)
        client.shutdown(socket.SHUT_WR)
        assert drive.read_all(client) == b""
    assert program.status() == 0
    lines = program.log().splitlines()
    told = [int(re.match(r"discard: receive \d+: (\d+) bytes", line)[1]) for line in lines[:-1]]
    assert sum(told) == 32769
    assert lines[-1] == "discard: received 32769 bytes in %d receive%s" % (
        len(told), "" if len(told) == 1 else "s")


def test_an_early_end_is_told(stand):
    client, program = stand.tcp("discard", "--expect=100")
    address = "%s:%d" % client.getsockname()
    with client:
        client.sendall(b"x" * 40)
        client.shutdown(socket.SHUT_WR)
        assert drive.read_all(client) == b""
    assert program.status() == 1
    assert re.fullmatch(r"discard: (127\.0\.0\.1:\d+: )?the client closed early: "
                        r"60 of 100 bytes are missing\n", program.log())
    assert address in program.log()


def test_more_than_expected_is_swallowed_too(stand):
    _, program = stand.pipes("discard", "-r", "-n", "10", data=b"x" * 30)
    assert program.status() == 0
    assert program.log() == (
        "discard: receive 1: 10 bytes, 0 still expected, 100.0 %\n"
        "discard: receive 2: 20 bytes, 0 still expected, 100.0 %\n"
        "discard: received 30 bytes in 2 receives\n")


def test_a_reset_is_reported_after_the_total(stand):
    client, program = stand.tcp("discard", "-r")
    client.sendall(b"xyz")
    drive.until(lambda: "receive 1" in program.log(), "the first receive")
    drive.reset(client)
    assert program.status() == 1
    lines = program.log().splitlines()
    assert lines[1] == "discard: received 3 bytes in 1 receive"
    assert lines[2].endswith("read: Connection reset by peer")


def test_a_silent_client_is_left(stand):
    client, program = stand.tcp("discard", "-t", "1")
    with client:
        assert client.recv(1) == b""
    assert program.status() == 1
    assert "time-out" in program.log()


@pytest.mark.parametrize("bytes_", ["", "0", "-1", "x", "99999999999999999999"])
def test_a_bad_number_is_refused(stand, bytes_):
    _, program = stand.pipes("discard", "-n", bytes_)
    assert program.status() == 2
    assert "-n" in program.log()


def test_datagrams_are_counted_alike(stand):
    server, client = drive.udp_server(), drive.udp_socket()
    with server, client:
        client.sendto(b"x" * 30, server.getsockname())
        client.sendto(b"", server.getsockname())
        client.sendto(b"x" * 70, server.getsockname())
        program = stand.start("discard", "-r", "-n", "100", "-t", "1", stdin=server)
        assert program.status() == 0
        assert drive.silent(client)
    assert program.log() == (
        "discard: receive 1: 30 bytes, 70 still expected, 30.0 %\n"
        "discard: receive 2: 0 bytes, 70 still expected, 30.0 %\n"
        "discard: receive 3: 70 bytes, 0 still expected, 100.0 %\n")
