"""sum: text and binary, in whatever pieces it comes."""

import random
import socket
import struct
import sys

import pytest

import drive

MAX = 2 ** 63 - 1
MIN = -2 ** 63


def binary(order, *numbers):
    """Integers as sum -b ORDER wants them."""
    return b"".join(struct.pack(">q" if order == "xdr" else "=q", number) for number in numbers)


@pytest.mark.parametrize("request_, answer", [
    (b"", b""),
    (b"2 3\n", b"5\n"),
    (b"2 3\r\n", b"5\n"),
    (b"2 3", b"5\n"),
    (b"  007\t-0008  \n", b"-1\n"),
    (b"2 3\n4 5\n", b"5\n9\n"),
    (b"2 3\n4 5", b"5\n9\n"),
    (b"\n", b"input error\n"),
    (b"2\n", b"input error\n"),
    (b"2 3 4\n5 6\n", b"input error\n11\n"),
    (b"two three\n5 6\n", b"input error\n11\n"),
    (b"2 3\0\n5 6\n", b"input error\n11\n"),
    (b"9223372036854775807 0\n", b"9223372036854775807\n"),
    (b"-9223372036854775808 0\n", b"-9223372036854775808\n"),
    (b"9223372036854775807 1\n1 1\n", b"input error\n2\n"),
    (b"9223372036854775808 0\n1 1\n", b"input error\n2\n"),
    (b"1 " + b"0" * 1021 + b"1\n", b"2\n"),
    (b"1 " + b"0" * 1022 + b"1\n1 1\n", b"input error\n2\n"),
    (b"1 " + b"0" * 1022 + b"1", b"input error\n"),
    (b"x" * 1_000_000 + b"\n1 1\n", b"input error\n2\n"),
    (b"x" * 1_000_000, b"input error\n"),
], ids=lambda value: repr(value[:20]))
def test_lines_are_answered(stand, transport, request_, answer):
    got, program = stand.exchange(transport, "sum", request_)
    assert got == answer
    assert program.status() == 0
    assert program.log() == ""


def test_a_dialogue(stand):
    client, program = stand.tcp("sum")
    with client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(100):
            for byte in b"%d %d\n" % (number, number):
                client.sendall(bytes([byte]))
            assert client.recv(100) == b"%d\n" % (2 * number)
        # An overlong line is answered before it ends.
        client.sendall(b"x" * 2000)
        assert client.recv(100) == b"input error\n"
        client.sendall(b"x" * 2000 + b"\n2 3\n")
        assert client.recv(100) == b"5\n"
        client.shutdown(socket.SHUT_WR)
        assert drive.read_all(client) == b""
    assert program.status() == 0


def test_many_lines(stand, transport):
    numbers = [(random.randint(MIN // 2, MAX // 2), random.randint(MIN // 2, MAX // 2))
               for _ in range(30_000)]
    request = b"".join(b"%d %d\n" % pair for pair in numbers)
    answer, program = stand.exchange(transport, "sum", request)
    assert answer == b"".join(b"%d\n" % sum(pair) for pair in numbers)
    assert program.status() == 0


@pytest.mark.parametrize("order", ["xdr", "native"])
@pytest.mark.parametrize("count", [0, 1, 100, 5000])
def test_binary_requests_are_answered(stand, transport, order, count):
    pairs = [(random.randint(MIN // 2, MAX // 2), random.randint(MIN // 2, MAX // 2))
             for _ in range(count)]
    request = b"".join(binary(order, *pair) for pair in pairs)
    answer, program = stand.exchange(transport, "sum", request, "-b", order)
    assert answer == b"".join(binary(order, sum(pair)) for pair in pairs)
    assert program.status() == 0
    assert program.log() == ""


@pytest.mark.parametrize("order", ["xdr", "native"])
def test_binary_requests_may_come_in_single_bytes(stand, order):
    client, program = stand.tcp("sum", f"--binary={order}")
    with client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for pair in ((1, 2), (MAX, MIN), (-1, -1)):
            request = binary(order, *pair)
            for index in range(16):
                assert drive.silent(client)
                client.sendall(request[index:index + 1])
            answer = b""
            while len(answer) < 8:
                answer += client.recv(8 - len(answer))
            assert answer == binary(order, sum(pair))
        client.shutdown(socket.SHUT_WR)
        assert drive.read_all(client) == b""
    assert program.status() == 0


@pytest.mark.parametrize("arguments, one, answer", [
    ((), b"1 2\n", b"3\n"),
    (("-b", "xdr"), binary("xdr", 1, 2), binary("xdr", 3)),
], ids=["text", "xdr"])
def test_what_came_together_leaves_together(stand, arguments, one, answer):
    # Packets show what was one write.
    client, server = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.settimeout(drive.DEADLINE)
    with server:
        program = stand.start("sum", *arguments, stdin=server)
    with client:
        client.sendall(one * 100)
        assert client.recv(1 << 16) == answer * 100
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert program.status() == 0


def test_the_wrong_byte_order_shows(stand):
    answer, program = stand.pipes("sum", "-b", "xdr", data=struct.pack("<qq", 1, 2))
    assert struct.unpack("<q", answer) == (3,)
    assert struct.unpack(">q", answer) == (3 << 56,)
    assert program.status() == 0
    # No carry goes where the machine would put it.
    answer, program = stand.pipes("sum", "-b", "xdr", data=struct.pack("<qq", 200, 100))
    assert struct.unpack("<q", answer) != (300,)
    assert program.status() in (0, 1)


@pytest.mark.parametrize("pair", [(MAX, 1), (MIN, -1), (MAX, MAX), (MIN, MIN)])
@pytest.mark.parametrize("order", ["xdr", "native"])
def test_an_overflow_ends_the_connection(stand, order, pair):
    request = binary(order, 1, 2, *pair, 3, 4)
    client, program = stand.tcp("sum", "-b", order)
    with client:
        client.sendall(request)
        # What was asked before it is answered; the rest is not.
        assert drive.read_all(client) == binary(order, 3)
    assert program.status() == 1
    assert "the sum does not fit 64 bits" in program.log()


@pytest.mark.parametrize("length", [1, 15, 17, 31])
def test_a_request_cut_short_is_told(stand, transport, length):
    request = binary("xdr", 1, 2, 3, 4)[:length]
    answer, program = stand.exchange(transport, "sum", request, "-b", "xdr")
    assert answer == (binary("xdr", 3) if length > 16 else b"")
    assert program.status() == 1
    assert "closed within a request" in program.log()


@pytest.mark.parametrize("arguments", [(), ("-b", "xdr")])
def test_a_silent_client_is_left(stand, arguments):
    client, program = stand.tcp("sum", "-t", "1", *arguments)
    with client:
        client.sendall(b"1")
        assert client.recv(1) == b""
    assert program.status() == 1
    assert "time-out" in program.log()


@pytest.mark.parametrize("arguments", [(), ("-b", "xdr")])
def test_a_reset_is_reported(stand, arguments):
    client, program = stand.tcp("sum", *arguments)
    client.sendall(b"1")
    drive.reset(client)
    assert program.status() == 1
    assert "Connection reset" in program.log()


@pytest.mark.parametrize("order", ["", "XDR", "big"])
def test_a_bad_order_is_refused(stand, order):
    _, program = stand.pipes("sum", "-b", order)
    assert program.status() == 2


def test_native_is_this_machines_order(stand):
    sign = "<" if sys.byteorder == "little" else ">"
    answer, program = stand.pipes("sum", "-b", "native", data=struct.pack(sign + "qq", 40, 2))
    assert struct.unpack(sign + "q", answer) == (42,)
    assert program.status() == 0
