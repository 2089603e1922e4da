"""The log as superd writes it: formats, files, events, and sinks that do not take."""

import fcntl
import json
import os
import re
import signal

import stand

TEXT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warning|notice|info|debug) event=\S")


def test_lines_are_in_fixed_order(superd, services):
    port = stand.free_port()
    daemon = superd(
        f"service-directory = {services}\nlog {{ events = {{ accept, exit }} }}\n"
        f"service time {{ listen = 127.0.0.1:{port} exec = time }}"
    )
    assert len(stand.ask(port)) == 4
    daemon.wait_event("exit")
    lines = daemon.log_text().splitlines()
    assert all(TEXT.match(line) for line in lines), lines
    accept = next(line for line in lines if "event=accept" in line)
    assert re.search(
        r" info event=accept service=time id=[0-9a-f]+ peer=127\.0\.0\.1:\d+"
        rf" local=127\.0\.0\.1:{port} pid=\d+ running=1/64$",
        accept,
    ), accept
    ended = next(line for line in lines if "event=exit" in line)
    assert re.search(
        r" info event=exit service=time id=[0-9a-f]+ peer=127\.0\.0\.1:\d+ pid=\d+ status=0"
        r" ms=\d+ cpu_ms=\d+( rss_kb=\d+)?$",
        ended,
    ), ended


def test_json_has_the_same_keys(superd, services):
    port = stand.free_port()
    daemon = superd(
        f"service-directory = {services}\n"
        "log { format = json events = { accept, refuse, exit, error } }\n"
        f"service time {{ listen = 127.0.0.1:{port} exec = time }}"
    )
    assert len(stand.ask(port)) == 4
    stand.poll("exit", lambda: '"exit"' in daemon.log_text())
    rows = [json.loads(line) for line in daemon.log_text().splitlines()]
    accept = next(row for row in rows if row["event"] == "accept")
    assert list(accept) == [
        "time", "level", "event", "service", "id", "peer", "local", "pid", "running",
    ]  # fmt: skip
    assert isinstance(accept["pid"], int) and accept["service"] == "time"


def test_json_figures_are_numbers(superd, services):
    port = stand.free_port()
    daemon = superd(
        f"service-directory = {services}\ndrain = 10s\n"
        "log { format = json }\n"
        f"service echo {{ listen = 127.0.0.1:{port} exec = echo }}"
    )
    with stand.connect(port) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        daemon.send_signal(signal.SIGUSR1)
        stand.poll("status", lambda: '"uptime_s"' in daemon.log_text())
        daemon.send_signal(signal.SIGTERM)
        stand.poll("drain", lambda: '"drain"' in daemon.log_text())
    daemon.process.wait(stand.DEADLINE)
    rows = [json.loads(line) for line in daemon.log_text().splitlines()]
    for event, key in (("status", "uptime_s"), ("drain", "programs")):
        row = next(row for row in rows if row["event"] == event)
        assert isinstance(row[key], int), row


def test_default_events_leave_accept_out(superd, services):
    port = stand.free_port()
    daemon = superd(
        f"service-directory = {services}\nservice t {{ listen = {port} exec = time }}", tell=False
    )
    stand.ask(port)
    daemon.wait_event("exit")
    assert not daemon.events("accept")


def test_a_file_for_one_service(superd, services, tmp_path):
    log = tmp_path / "t.log"
    ports = [stand.free_port(), stand.free_port()]
    daemon = superd(
        f"service-directory = {services}\n"
        f"service t {{ listen = {ports[0]} exec = time log {{ to = file file = {log} }} }}\n"
        f"service u {{ listen = {ports[1]} exec = time }}"
    )
    for port in ports:
        stand.ask(port)
    daemon.wait_event("exit", service="u")
    stand.poll("exit in the file", lambda: log.exists() and "event=exit service=t" in log.read_text())
    assert not daemon.events("exit", service="t")


def test_dev_full_and_a_stopped_reader(superd, services, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    ports = [stand.free_port(), stand.free_port()]
    daemon = superd(
        f"service-directory = {services}\n"
        "log { events = { accept, exit } }\n"
        f"service t {{ listen = {ports[0]} exec = time log {{ to = file file = /dev/full }} }}\n"
        f"service u {{ listen = {ports[1]} exec = time }}",
        wrapper=["/bin/sh", "-c", f'exec "$@" 2>{fifo}', "sh"],
    )
    for number in range(600):  # more than pipe and buffer hold
        assert len(stand.ask(ports[1])) == 4
        if number % 10 == 0:
            assert len(stand.ask(ports[0])) == 4
    os.set_blocking(reader, False)
    text = b""

    def read_more():
        nonlocal text
        try:
            text += os.read(reader, 65536)
        except BlockingIOError:
            pass
        stand.ask(ports[1])
        return b"event=log-dropped" in text

    stand.poll("the drop is told once it takes again", read_more)
    lines = text.decode().splitlines()[:-1]
    assert all(TEXT.match(line) for line in lines), "only whole lines"
    os.close(reader)
    for port in ports:  # and with the reader gone
        assert len(stand.ask(port)) == 4
    assert daemon.process.poll() is None


def test_level_option(superd, services):
    port = stand.free_port()
    daemon = superd(
        f"service-directory = {services}\nlog {{ events = {{ accept, exit }} }}\n"
        f"service t {{ listen = {port} exec = time }}",
        "-l",
        "error",
    )
    stand.ask(port)
    daemon.wait_idle()
    assert daemon.log_text() == ""
