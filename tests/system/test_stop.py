"""Start and stop: signals, grace, daemon, pid file, readiness."""

import os
import signal
import subprocess

import pytest

import stand

LOG = "log { events = { accept, refuse, exit, error } }\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_ends_programs_in_order(superd, services, kinds, number):
    port = stand.free_port()
    daemon = superd(
        LOG + f"service-directory = {services}\nservice echo {{ listen = {port} exec = echo }}", *kinds
    )
    with stand.connect(port) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        daemon.stop(number)
        assert client.recv(1) == b""
    assert daemon.events("exit")[0]["signal"] == "TERM"


@pytest.mark.parametrize("how", ["stubborn", "family", "stopped"])
def test_kill_after_grace_takes_the_whole_group(superd, probe, kinds, how):
    port = stand.free_port()
    deed = "hold" if how == "stopped" else how
    daemon = superd(
        LOG + f"grace = 300ms\nservice p {{ listen = {port} exec = {{ {probe}, {deed} }} }}", *kinds
    )
    with stand.connect(port) as client, client.makefile("r") as lines:
        got = dict(line.strip().split("=", 1) for line in iter(lines.readline, "end=1\n"))
        if how == "stopped":
            os.kill(int(got["pid"]), signal.SIGSTOP)
        daemon.stop()
    assert stand.stat_of(int(got["pid"])) is None
    if how == "family":
        stand.poll(
            "grandchild gone", lambda: (stand.stat_of(int(got["grandchild"])) or "Z")[0] == "Z"
        )


def test_quit_leaves_sessions_running(superd, services, kinds):
    port = stand.free_port()
    config = LOG + f"service-directory = {services}\nservice echo {{ listen = {port} exec = echo }}"
    daemon = superd(config, *kinds)
    with stand.connect(port) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        daemon.stop(signal.SIGQUIT)
        client.sendall(b"y")
        assert client.recv(1) == b"y"


def test_quit_leaves_sessions_alone_that_are_being_started(superd, services, kinds):
    port = stand.free_port()
    config = LOG + f"service-directory = {services}\nservice echo {{ listen = {port} exec = echo }}"
    daemon = superd(config, *kinds)
    clients = [stand.connect(port) for _ in range(40)]
    daemon.stop(signal.SIGQUIT)
    accepted = {event["peer"] for event in daemon.events("accept")}
    for client in clients:
        host, own = client.getsockname()
        if f"{host}:{own}" in accepted:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        client.close()


def test_kill_nine_under_load_and_start_again(superd, services, kinds):
    port = stand.free_port()
    config = LOG + f"service-directory = {services}\nservice echo {{ listen = {port} exec = echo }}"
    first = superd(config, *kinds, check=False)
    held = [stand.connect(port) for _ in range(50)]
    for client in held:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    first.process.kill()
    first.process.wait()
    superd(config, *kinds)  # binds at once
    assert stand.ask(port, b"new") == b"new"
    for client in held:  # and the old sessions live on
        client.sendall(b"y")
        assert client.recv(1) == b"y"
        client.close()


def test_pid_file_is_locked(superd, services, tmp_path):
    path = tmp_path / "pid"
    config = (
        f"service-directory = {services}\npid-file = {path}\n"
        + "service d { listen = %d exec = daytime }"
    )
    path.write_text("99999999\n")  # stale: nobody holds its lock
    first = superd(config % stand.free_port())
    assert path.read_text() == f"{first.pid}\n"
    second = superd(config % stand.free_port(), ready=False, check=False)
    assert second.process.wait(stand.DEADLINE) == 71
    assert f"already running as process {first.pid}" in second.log_text()
    first.stop()
    assert not path.exists()


def test_no_listener_at_all(superd, services):
    port = stand.free_port()
    config = f"service-directory = {services}\nservice d {{ listen = 127.0.0.1:{port} exec = daytime }}"
    superd(config)
    second = superd(config, ready=False, check=False)
    assert second.process.wait(stand.DEADLINE) == 69
    assert "no listener could be opened" in second.log_text()
    assert "Address already in use" in second.log_text()


def daemonize(build, folder, config, *options):
    path = folder / "superd.conf"
    path.write_text(config)
    return subprocess.run(
        [build / "superd/superd", "-d", "-c", path, *options],
        capture_output=True,
        text=True,
        timeout=stand.DEADLINE,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_daemon_tells_the_truth_and_detaches(build, services, tmp_path):
    port = stand.free_port()
    log = tmp_path / "log"
    pid_file = tmp_path / "pid"
    config = (
        f"service-directory = {services}\nlog {{ to = file file = {log} }}\n"
        'control-socket = ""\n'
        f"service d {{ listen = {port} exec = daytime }}"
    )
    done = daemonize(build, tmp_path, config, "-p", pid_file)
    assert done.returncode == 0, done.stderr
    pid = int(pid_file.read_text())
    try:
        assert len(stand.ask(port)) == 26
        stat = stand.stat_of(pid)
        assert stat[3] == pid, "a session of its own"
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        for fd in (0, 1, 2):
            assert os.readlink(f"/proc/{pid}/fd/{fd}") == "/dev/null"
        again = daemonize(build, tmp_path, config, "-p", pid_file)
        assert again.returncode == 71 and "already running" in again.stderr
    finally:
        os.kill(pid, signal.SIGTERM)
        stand.poll("daemon gone", lambda: (stand.stat_of(pid) or "Z")[0] == "Z")
    assert "event=exit" in log.read_text()


def test_daemon_reports_a_bad_configuration(build, tmp_path):
    done = daemonize(build, tmp_path, "nonsense = 1\n")
    assert done.returncode == 1 and "superd.conf:1:" in done.stderr


@pytest.mark.parametrize(
    "options", [["-x"], ["--loop=poll"], ["--spawn=x"], ["-l", "loud"], ["--ready-fd=x"], ["extra"]]
)
def test_usage(build, options):
    done = subprocess.run(
        [build / "superd/superd", *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "usage:" in done.stderr
