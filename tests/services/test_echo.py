"""echo: every byte comes back, whatever the client does."""

import os
import resource
import select
import socket
import threading

import pytest

import drive

BULK = 10_000_000


@pytest.fixture(scope="module")
def bulk():
    return os.urandom(BULK)


@pytest.mark.parametrize("data", [b"", b"x", b"hello\n", bytes(range(256)) * 300],
                         ids=len)
def test_what_is_sent_comes_back(stand, transport, data):
    answer, program = stand.exchange(transport, "echo", data)
    assert answer == data
    assert program.status() == 0
    assert program.log() == ""


def test_bulk_comes_back_whole(stand, transport, bulk):
    answer, program = stand.exchange(transport, "echo", bulk)
    assert answer == bulk
    assert program.status() == 0


@pytest.mark.parametrize("how", ["tcp", "unix"])
def test_a_client_may_send_all_before_it_reads(stand, how, bulk):
    client, program = getattr(stand, how)("echo")
    with client:
        client.sendall(bulk)
        client.shutdown(socket.SHUT_WR)
        assert drive.read_all(client) == bulk
    assert program.status() == 0


def test_a_client_may_do_so_again_on_one_connection(stand, bulk):
    client, program = stand.tcp("echo")
    with client:
        for _ in range(2):
            client.sendall(bulk)
            answer = bytearray()
            while len(answer) < BULK:
                answer += client.recv(1 << 18)
            assert answer == bulk
        client.shutdown(socket.SHUT_WR)
        assert drive.read_all(client) == b""
    assert program.status() == 0


def test_byte_by_byte(stand):
    client, program = stand.tcp("echo")
    with client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in range(256):
            client.sendall(bytes([byte]))
            assert client.recv(16) == bytes([byte])
        client.shutdown(socket.SHUT_WR)
        assert drive.read_all(client) == b""
    assert program.status() == 0


def test_a_reader_that_never_stops_sending_is_held_back(stand, sanitized):
    client, program = stand.tcp("echo", "-t", "2")
    with client:
        client.setblocking(False)
        sent = 0
        piece = b"x" * (1 << 16)
        # Whatever the kernel holds and the program's 16 MiB; then nothing goes any more.
        while select.select([], [client], [], 1)[1]:
            sent += client.send(piece)
            assert sent < 200_000_000
        assert sent > 16 << 20
        if not sanitized:
            assert program.resident_kib() < 20_000
        assert program.status() == 1
    assert "time-out" in program.log()


def test_a_memory_limit_keeps_the_buffer_small(stand, sanitized, bulk):
    if sanitized:
        pytest.skip("a build with sanitizers needs terabytes of address space")

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (8 << 20, 8 << 20))

    client, program = stand.tcp("echo", setup=limit)
    with client:
        # Nothing reads until echo has tried to grow and failed.
        sender = threading.Thread(target=drive.send_and_end, args=(client, bulk))
        sender.start()
        sender.join(1)
        assert drive.read_all(client) == bulk
        sender.join()
    assert program.status() == 0


def test_a_slow_reader_gets_everything(stand):
    client, program = stand.tcp("echo")
    data = os.urandom(60_000)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with client:
        sender = threading.Thread(target=drive.send_and_end, args=(client, data))
        sender.start()
        answer = bytearray()
        while True:
            part = client.recv(777)
            if not part:
                break
            answer += part
        sender.join()
    assert answer == data
    assert program.status() == 0


def test_a_reset_is_reported(stand):
    client, program = stand.tcp("echo")
    client.sendall(b"x")
    assert client.recv(1) == b"x"
    drive.reset(client)
    assert program.status() == 1
    assert "Connection reset" in program.log()


@pytest.mark.parametrize("how", ["tcp", "unix"])
def test_a_silent_client_is_left(stand, how):
    client, program = getattr(stand, how)("echo", "-t", "1")
    with client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        assert client.recv(1) == b""
    assert program.status() == 1
    assert "time-out" in program.log()


def test_packets_stay_packets(stand):
    client, server = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.settimeout(drive.DEADLINE)
    with server:
        program = stand.start("echo", stdin=server)
    with client:
        for packet in (b"one", b"two" * 1000):
            client.sendall(packet)
            assert client.recv(1 << 16) == packet
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert program.status() == 0
