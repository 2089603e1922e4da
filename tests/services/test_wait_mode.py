"""Stream services on listening sockets: superd's wait mode."""

import os
import signal
import socket
import subprocess

import pytest

import drive

MAX_CLIENTS = 64  # SERVE_MAX_CLIENTS


def ask(address, data, family=socket.AF_INET):
    """One client: sends data, half-closes and reads to the end."""
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(drive.DEADLINE)
        client.connect(address)
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return drive.read_all(client)


@pytest.mark.parametrize("name, data, answer", [
    ("echo", b"hello\n" * 1000, b"hello\n" * 1000),
    ("discard", b"hello\n", b""),
    ("hello", b"", b"Hello, world!\n"),
    ("sum", b"2 3\n4 5", b"5\n9\n"),
    ("number", b"\0\0\0\x01", b"big-endian 1, little-endian 16777216\n"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_clients_are_served_one_after_the_other(stand, name, data, answer):
    with drive.tcp_listener() as listener:
        program = stand.start(name, stdin=listener, listen=[listener])
        for _ in range(20):
            assert ask(listener.getsockname(), data) == answer
        program.stop()


def test_the_sockets_go_back_when_nobody_comes(stand):
    with drive.tcp_listener() as listener:
        program = stand.start("echo", "-t", "1", stdin=listener, listen=[listener])
        assert ask(listener.getsockname(), b"x") == b"x"
        assert program.status() == 0
        assert program.log() == ""
        assert os.get_blocking(listener.fileno())
        # They still listen: who comes now is the next program's.
        with socket.create_connection(listener.getsockname(), drive.DEADLINE) as client:
            again = stand.start("echo", "-t", "1", stdin=listener, listen=[listener])
            client.sendall(b"y")
            client.shutdown(socket.SHUT_WR)
            assert drive.read_all(client) == b"y"
            assert again.status() == 0


@pytest.mark.parametrize("name", ["daytime", "time"])
def test_short_answers(stand, name):
    with drive.tcp_listener() as listener:
        program = stand.start(name, stdin=listener, listen=[listener])
        assert len(ask(listener.getsockname(), b"")) == {"daytime": 26, "time": 4}[name]
        program.stop()


def test_chargen(stand):
    with drive.tcp_listener() as listener:
        program = stand.start("chargen", stdin=listener, listen=[listener])
        with socket.create_connection(listener.getsockname(), drive.DEADLINE) as client:
            assert client.recv(74, socket.MSG_WAITALL).startswith(b" !\"#")
        program.stop()


def test_all_sockets_are_served(stand, tmp_path):
    listeners = [drive.tcp_listener(), drive.tcp_listener()]
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    unix.bind(str(tmp_path / "socket"))
    unix.listen()
    listeners.append(unix)
    program = stand.start("echo", "-t", "1", stdin=listeners[0], listen=listeners)
    for listener in listeners:
        assert ask(listener.getsockname(), b"x", listener.family) == b"x"
    assert program.status() == 0
    assert program.log() == ""
    for listener in listeners:
        listener.close()


def test_the_socket_on_0_serves_where_there_is_no_list(stand):
    with drive.tcp_listener() as listener:
        program = stand.start("echo", "-t", "1", stdin=listener)
        assert ask(listener.getsockname(), b"x") == b"x"
        assert program.status() == 0


def test_a_list_for_another_process_is_not_ours(stand):
    with drive.tcp_listener() as listener:
        program = stand.start("echo", stdin=listener,
                              env={"LISTEN_FDS": "5", "LISTEN_PID": str(os.getpid())})
        assert ask(listener.getsockname(), b"x") == b"x"
        program.stop()


def test_a_list_without_listening_sockets_leaves_the_one_on_0(stand):
    with drive.tcp_listener() as listener, drive.udp_server() as other:
        program = stand.start("echo", stdin=listener, listen=[other])
        assert ask(listener.getsockname(), b"x") == b"x"
        program.stop()


def test_a_silent_client_delays_nobody_and_keeps_the_service_up(stand):
    with drive.tcp_listener() as listener:
        program = stand.start("echo", "-t", "2", stdin=listener, listen=[listener])
        with socket.create_connection(listener.getsockname(), drive.DEADLINE) as silent:
            silent.sendall(b"x")
            assert silent.recv(1) == b"x"
            assert ask(listener.getsockname(), b"y") == b"y"
            for _ in range(5):
                # It is not idle as long as somebody is being served.
                with pytest.raises(subprocess.TimeoutExpired):
                    program.process.wait(0.6)
                silent.sendall(b"z")
                assert silent.recv(1) == b"z"
        assert program.status() == 0


def test_ended_clients_leave_no_zombie(stand):
    with drive.tcp_listener() as listener:
        program = stand.start("echo", "-t", "2", stdin=listener, listen=[listener])
        for _ in range(10):
            assert ask(listener.getsockname(), b"x") == b"x"
        drive.until(lambda: not program.children(), "its children to be reaped")
        assert program.running()
        program.stop()


def test_clients_hold_nothing_but_their_connection(stand):
    with drive.tcp_listener() as listener:
        program = stand.start("echo", stdin=listener, listen=[listener])
        with socket.create_connection(listener.getsockname(), drive.DEADLINE) as client:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            child, = program.children()
            assert sorted(os.listdir(f"/proc/{child}/fd")) == ["0", "1", "2"]
        program.stop()


def test_at_the_limit_clients_wait_in_the_queue(stand):
    with drive.tcp_listener() as listener:
        program = stand.start("echo", "-t", "5", stdin=listener, listen=[listener])
        held = []
        for _ in range(MAX_CLIENTS):
            client = socket.create_connection(listener.getsockname(), drive.DEADLINE)
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            held.append(client)
        extra = socket.create_connection(listener.getsockname(), drive.DEADLINE)
        extra.sendall(b"y")
        assert len(program.children()) == MAX_CLIENTS
        with pytest.raises(subprocess.TimeoutExpired):
            program.process.wait(0.3)
        assert len(program.children()) == MAX_CLIENTS
        assert drive.silent(extra)
        held.pop().close()
        assert extra.recv(1) == b"y"
        for client in held + [extra]:
            client.close()
        drive.until(lambda: not program.children(), "its children to end")
        program.process.send_signal(signal.SIGTERM)
        assert program.status() == -signal.SIGTERM


def test_clients_that_reset_do_no_harm(stand):
    with drive.tcp_listener() as listener:
        for _ in range(50):
            drive.reset(socket.create_connection(listener.getsockname(), drive.DEADLINE))
        program = stand.start("hello", stdin=listener, listen=[listener])
        assert ask(listener.getsockname(), b"") == b"Hello, world!\n"
        program.stop()


def test_a_socket_that_stops_listening_ends_it(stand):
    with drive.tcp_listener() as listener:
        program = stand.start("echo", "-t", "30", stdin=listener, listen=[listener])
        assert ask(listener.getsockname(), b"x") == b"x"
        listener.shutdown(socket.SHUT_RDWR)
        assert program.status() == 1
        assert "accept: " in program.log()


def test_each_client_is_logged_by_its_address(stand):
    with drive.tcp_listener() as listener:
        program = stand.start("hello", stdin=listener, listen=[listener])
        with socket.create_connection(listener.getsockname(), drive.DEADLINE) as client:
            port = client.getsockname()[1]
            assert drive.read_all(client) == b"Hello, world!\n"
        program.stop()
        assert program.log() == f"hello: client 127.0.0.1:{port}\n"
