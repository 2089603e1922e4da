"""Environment: logs that take nothing, clocks that jump, memory that is out, standstill."""

import fcntl
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import faults
import stand


def service(port, program, more="", name="sick"):
    return f"service {name} {{ listen = 127.0.0.1:{port} exec = {program} {more} }}\n"


# --- the log --------------------------------------------------------------------------------------


def flood(port, count):
    for _ in range(count):
        assert stand.ask(port, b"x") == b"x"


@pytest.mark.parametrize("kind", ["full", "stopped", "gone", "tmpfs"])
def test_log_that_takes_nothing(patient, tmp_path, kind):
    """A full disk, a reader that stands still, one that is gone: connections do not notice."""
    port = stand.free_port()
    reader = None
    wrapper = []
    target = tmp_path / "log"
    if kind == "full":
        target = pathlib.Path("/dev/full")
    elif kind == "tmpfs":
        if not faults.can("unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"):
            pytest.skip("needs root for a mount namespace")
        target = tmp_path / "small/log"
        target.parent.mkdir()
        wrapper = ["unshare", "-m", "/bin/sh", "-ec"]
        wrapper += [f'mount -t tmpfs -o size=16k tmpfs {target.parent}\nexec "$@"', "sh"]
    else:
        os.mkfifo(target)
        reader = os.open(target, os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    log = f"log {{ to = file file = {target} events = {{ accept, refuse, exit, error }} }}"
    sick = patient(service(port, "echo", log), wrapper=wrapper)
    if kind == "gone":
        os.close(reader)
        reader = None
    flood(port, 320 if sick.sanitized else 500)  # more than pipe and buffer hold
    sick.look()
    if reader is not None:
        got = bytearray()
        os.set_blocking(reader, False)

        def told():
            try:
                got.extend(os.read(reader, 1 << 16))
            except BlockingIOError:
                pass
            flood(port, 1)
            return b"event=log-dropped count=" in got

        stand.poll("it tells of what it dropped", told)
        lines = bytes(got).split(b"\n")[:-1]
        assert all(b" event=" in line for line in lines), "whole lines only"
        os.close(reader)
    sick.health()


def test_log_write_fails_for_a_while(patient, board):
    """An I/O error of the log: dropped, counted, told of once it takes again."""
    port = stand.free_port()
    sick = patient(service(port, "echo"), env=board.env)
    board.fail("write", faults.errno.EIO)
    flood(port, 50)
    before = faults.cpu_ns(sick.pid)
    faults.pause(1)
    assert faults.cpu_ns(sick.pid) - before < 1e9 * faults.CPU_SHARE
    assert board.failed() > 0
    board.heal()
    flood(port, 1)
    stand.poll("the drop is told", lambda: sick.daemon.events("log-dropped"))
    assert int(sick.daemon.events("log-dropped")[0]["count"]) >= 90
    sick.health()


# --- time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [-3650, -1, 1, 3650] if faults.LONG else [-3650, 3650])
def test_clock_jumps(patient, board, probe, days):
    """The wall clock says what it likes: lives, pauses and rates go by the other one."""
    ports = [stand.free_port() for _ in range(3)]
    sick = patient(
        service(ports[0], f"{{ {probe}, hold }}", "limits { time = 60s }")
        + service(ports[1], f"{{ {probe}, hold }}", "limits { time = 1s }", "short")
        + service(ports[2], "echo", "limits { rate = 1/100s burst = 2 }", "rare"),
        env=board.env,
    )
    with stand.connect(ports[0]) as long, stand.connect(ports[1]) as short:
        for client in (long, short):
            with client.makefile("r") as lines:
                list(iter(lines.readline, "end=1\n"))
        board.set_head(wall_offset_s=days * 86400)
        assert stand.read_all(short) == b"" and not sick.daemon.events("exit", service="sick")
        assert [stand.ask(ports[2], b"") for _ in range(4)] == [b""] * 4
        stand.poll("two refused", lambda: refused(sick, "rare") == 2)
        sick.look(0.5)
        board.set_head()
        sick.answers()
        long.shutdown(socket.SHUT_WR)
        assert stand.read_all(long) == b""
    ended = sick.daemon.wait_event("exit", service="short")
    assert 1000 <= int(ended["ms"]) < 1000 * faults.patience(3)
    years = {line[:4] for line in sick.daemon.log_text().splitlines()}
    assert len(years) == (2 if abs(days) > 400 else len(years)), "the log has the wall's time"
    sick.health()


def refused(sick, name):
    return sum(int(event["count"]) for event in sick.daemon.events("refuse", service=name))


def test_sigstop(patient):
    """Stopped for a minute under load: whoever came meanwhile is served after it."""
    port = stand.free_port()
    sick = patient(service(port, "echo"))
    held = faults.hold(port, 10)
    for client in held:
        client.sendall(b"a")
        assert client.recv(1) == b"a"
    with faults.stopped(sick.daemon):
        waiting = faults.hold(port, 50)
        for client in held:  # sessions do not need superd
            client.sendall(b"b")
            assert client.recv(1) == b"b"
        faults.pause(60 if faults.LONG else 1.5)
    for client in waiting:
        client.sendall(b"c")
        assert client.recv(1) == b"c"
    faults.close_all(held + waiting)
    assert not sick.daemon.events("state") and not sick.daemon.events("refuse")
    sick.health()


# --- memory ---------------------------------------------------------------------------------------


def needs_own_malloc(sanitized):
    if sanitized:
        pytest.skip("a sanitizer's malloc is its own")


@pytest.mark.parametrize("who", ["daemon", "loader"])
def test_malloc_fails_at_the_nth_call_of_a_start(build, services, board, tmp_path, who, sanitized):
    """Each start either works or says what was missing; it never dies otherwise."""
    needs_own_malloc(sanitized)
    path = tmp_path / "superd.conf"
    path.write_text(
        f"service-directory = {services}\n"
        + "".join(
            service(stand.free_port(), "echo", "limits { per-source = 4 } env { A = b }", f"s{i}")
            for i in range(3)
        )
    )
    rule = board.fail("malloc", faults.errno.ENOMEM, count=0, who=who)
    statuses = {start_and_quit(build, path, board)[0]}
    calls = board.seen(rule)
    assert statuses == {0} and calls > 10
    board.heal()
    numbers = list(range(calls))
    if not faults.LONG and calls > 60:
        numbers = sorted(random.sample(numbers, 60))
    for number in numbers:
        board.fail("malloc", faults.errno.ENOMEM, skip=number, count=1, who=who)
        status, text = start_and_quit(build, path, board)
        failed = board.failed()
        board.heal()
        assert status in (0, 1, 69, 71), f"call {number}: status {status}\n{text}"
        assert status == 0 or text.strip(), f"call {number}: status {status} and no word"
        assert failed == 1 or status == 0
        statuses.add(status)
    assert len(statuses) > 1, "none of them mattered"


def start_and_quit(build, path, board):
    """A start and, where it comes to be, its end: (exit status, what it said)."""
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [build / "superd/superd", "-c", path, f"--ready-fd={writer}"],
        env=dict(os.environ, **board.env),
        pass_fds=(writer,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        ready = pipe.read()
    if ready:
        process.send_signal(signal.SIGTERM)
    try:
        text = process.communicate(timeout=stand.DEADLINE)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, text


def test_malloc_fails_at_the_nth_call_under_load(patient, board, sanitized):
    """One call in some fails: connections may be lost to it, nothing else."""
    needs_own_malloc(sanitized)
    port = stand.free_port()
    limits = "limits { per-source-rate = 1000/s time = 30s per-source = 60 }"
    sick = patient(service(port, "echo", limits), env=board.env)
    served = 0
    for number in range(300 if faults.LONG else 40):
        rule = board.fail("malloc", faults.errno.ENOMEM, skip=number % 20, count=1 + number % 3)
        clients = [stand.connect(port, source=f"127.0.3.{i}") for i in range(1, 6)]
        for client in clients:
            try:
                client.sendall(b"x")
                served += client.recv(1) == b"x"
            except ConnectionError:
                pass
            client.close()
        assert board.seen(rule) >= 0
        board.heal()
    assert served > 0
    sick.health()


def test_no_memory_at_all_for_a_while(patient, board, sanitized):
    """Not one allocation succeeds: superd stands it, and is itself again afterwards."""
    needs_own_malloc(sanitized)
    port = stand.free_port()
    sick = patient(service(port, "echo"), env=board.env)
    board.fail("malloc", faults.errno.ENOMEM)
    board.fail("mmap", faults.errno.ENOMEM)
    clients = [stand.connect(port, source=f"127.0.3.{i}") for i in range(1, 100)]
    faults.pause(1)
    board.heal()
    faults.close_all(clients)
    with stand.connect(port) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    sick.health()


def test_pipe_for_standard_error_fails(patient, board):
    """Without a pipe the program's standard error goes nowhere; the connection is served."""
    port = stand.free_port()
    sick = patient(service(port, "hello", "stderr = log"), env=board.env)
    board.fail("pipe2", faults.errno.EMFILE)
    assert stand.ask(port) == b"Hello, world!\n"
    event = sick.daemon.wait_event("error", service="sick", step="stderr")
    assert event["error"] == faults.errno_text("EMFILE")
    board.heal()
    assert stand.ask(port) == b"Hello, world!\n"
    sick.daemon.wait_event("stderr", service="sick")
    sick.health()


# --- the surroundings -----------------------------------------------------------------------------


def test_odd_surroundings(superd, services, probe, tmp_path):
    """umask 0, a working directory that is gone, 1 MiB of environment."""
    ports = [stand.free_port() for _ in range(2)]
    path = tmp_path / "s"
    gone = tmp_path / "gone"
    gone.mkdir()
    env = {f"BIG{number}": "x" * 100000 for number in range(10)}
    daemon = superd(
        f"{faults.LOG}service-directory = {services}\n"
        f"service p {{ listen = {{ 127.0.0.1:{ports[0]}, unix:{path} }} exec = {probe}"
        f" pass-env = {{ BIG0, PATH }} }}\n" + service(ports[1], "echo"),
        wrapper=["/bin/sh", "-ec", f'umask 0; cd {gone}; rmdir {gone}; exec "$@"', "sh"],
        env=env,
    )
    got = dict(line.split("=", 1) for line in stand.ask(ports[0]).decode().splitlines())
    assert got["umask"] == "022" and got["cwd"] == "/"
    assert got["env.BIG0"] == env["BIG0"] and "env.BIG1" not in got
    assert path.stat().st_mode & 0o777 == 0o660
    assert stand.ask(ports[1], b"x") == b"x"
    daemon.wait_idle()


def test_a_pid_file_and_a_log_made_under_umask_0(superd, services, tmp_path):
    """Nothing that superd makes is writable by others, whatever it was started with."""
    daemon = superd(
        f"service-directory = {services}\npid-file = {tmp_path}/pid\n"
        f"log {{ to = file file = {tmp_path}/log }}\n" + service(stand.free_port(), "echo"),
        wrapper=["/bin/sh", "-ec", 'umask 0; exec "$@"', "sh"],
    )
    assert (tmp_path / "pid").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o640
    assert daemon.process.poll() is None
