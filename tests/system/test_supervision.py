"""What a service manager and superd tell each other; stop with drain; superd as PID 1; bare machines."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import time

import pytest

import stand

LOG = "log { events = { accept, refuse, exit, error } }\n"
HERE = pathlib.Path(__file__).resolve().parent


def echo(services, *listens, more=""):
    """A configuration with one service, echo."""
    ends = ", ".join(listens)
    return (
        LOG + f'service-directory = {services}\ncontrol-socket = ""\n{more}\n'
        f"service echo {{ listen = {{ {ends} }} exec = echo }}\n"
    )


class Manager:
    """A service manager's side of NOTIFY_SOCKET: every message that came, as a dictionary."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.name = name
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.messages = []

    def read(self):
        """Takes what has come."""
        with contextlib.suppress(BlockingIOError):
            while True:
                text = self.socket.recv(4096, socket.MSG_DONTWAIT).decode()
                self.messages.append(dict(line.split("=", 1) for line in text.splitlines()))
        return self.messages

    def having(self, key, value=None):
        """The messages with that key (and value)."""
        return [m for m in self.read() if key in m and value in (None, m[key])]

    def wait(self, key, value=None, count=1):
        """The count-th message with that key, as soon as it is there."""
        return stand.poll(
            f"{count} x {key}={value}",
            lambda: len(found := self.having(key, value)) >= count and found[count - 1],
        )


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    """A manager that listens on a path or an abstract name."""
    name = str(tmp_path / "notify")
    if request.param == "abstract":
        name = f"@superd-test-notify-{os.getpid()}-{request.node.name}"[:90]
    made = Manager(name)
    yield made
    made.socket.close()


def test_notify_tells_start_status_and_stop(superd, services, kinds, manager):
    port = stand.free_port()
    daemon = superd(
        echo(services, f"127.0.0.1:{port}", more="grace = 2s\ndrain = 1s"),
        *kinds,
        env={"NOTIFY_SOCKET": manager.name},
    )
    ready = manager.wait("READY", "1")
    assert ready["MAINPID"] == str(daemon.pid)
    assert ready["STATUS"] == "1 services, 1 listeners, 0 programs running"
    with stand.connect(port) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        manager.wait("STATUS", "1 services, 1 listeners, 1 programs running")
    manager.wait("STATUS", "1 services, 1 listeners, 0 programs running", 2)
    daemon.stop()
    stopping = manager.wait("STOPPING", "1")
    assert int(stopping["EXTEND_TIMEOUT_USEC"]) >= 3_000_000
    assert not manager.having("WATCHDOG")


def test_status_is_told_once_a_second_and_only_when_it_changes(superd, services, manager):
    port = stand.free_port()
    daemon = superd(echo(services, f"127.0.0.1:{port}"), env={"NOTIFY_SOCKET": manager.name})
    begin = time.monotonic()
    for _ in range(300):
        assert stand.ask(port, b"x") == b"x"
    daemon.wait_event("exit", count=300)
    with stand.connect(port) as client:  # the last word is the true one
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        manager.wait("STATUS", "1 services, 1 listeners, 1 programs running")
        told = manager.having("STATUS")
        assert len(told) <= time.monotonic() - begin + 2
        texts = [message["STATUS"] for message in told]
        assert all(one != other for one, other in zip(texts, texts[1:]))


def test_watchdog_comes_from_the_loop(superd, services, kinds, manager):
    port = stand.free_port()
    env = {"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "200000"}
    daemon = superd(echo(services, f"127.0.0.1:{port}"), *kinds, env=env)
    manager.wait("WATCHDOG", "1", 5)
    daemon.send_signal(signal.SIGSTOP)
    stand.poll("stopped", lambda: stand.stat_of(daemon.pid)[0] == "T")
    before = len(manager.having("WATCHDOG"))
    time.sleep(0.5)  # five times the interval: nothing may come, and nothing tells of nothing
    assert len(manager.having("WATCHDOG")) == before
    daemon.send_signal(signal.SIGCONT)
    manager.wait("WATCHDOG", "1", before + 2)


def test_watchdog_of_another_process_is_left_alone(superd, services, tmp_path):
    manager = Manager(str(tmp_path / "notify"))
    port = stand.free_port()
    env = {"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}
    daemon = superd(echo(services, f"127.0.0.1:{port}"), env=env)
    manager.wait("READY", "1")
    assert stand.ask(port, b"x") == b"x"
    daemon.stop()
    manager.wait("STOPPING", "1")
    assert not manager.having("WATCHDOG")
    manager.socket.close()


def test_manager_that_reads_nothing_delays_nothing(superd, services, manager):
    port = stand.free_port()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
        filler.connect(manager.socket.getsockname())
        filler.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                filler.send(b"FILLER=1")
    daemon = superd(echo(services, f"127.0.0.1:{port}"), env={"NOTIFY_SOCKET": manager.name})
    for _ in range(20):
        assert stand.ask(port, b"x") == b"x"
    assert not manager.having("READY")[1:]
    assert manager.wait("READY", "1")["MAINPID"] == str(daemon.pid)  # sent again until it is taken


@pytest.mark.parametrize("name", ["nowhere", "/nonexistent/notify", "@" + "x" * 200, "vsock:2:1"])
def test_notify_socket_that_is_none(superd, services, name):
    port = stand.free_port()
    daemon = superd(echo(services, f"127.0.0.1:{port}"), env={"NOTIFY_SOCKET": name})
    assert stand.ask(port, b"x") == b"x"
    assert bool(daemon.events("notify")) == (name != "/nonexistent/notify")


def test_programs_do_not_get_the_managers_variables(superd, services, manager, tmp_path):
    ports = [stand.free_port(), stand.free_port()]
    env = {
        "NOTIFY_SOCKET": manager.name,
        "WATCHDOG_USEC": "9000000",
        "LISTEN_FDNAMES": "a",
    }
    superd(
        f'control-socket = ""\nservice plain {{ listen = {ports[0]} exec = /usr/bin/env }}\n'
        f"service told {{ listen = {ports[1]} exec = /usr/bin/env pass-env = {{ NOTIFY_SOCKET }} }}\n",
        env=env,
        wrapper=[str(HERE / "given"), f"unix:{tmp_path}/unused", "--"],
    )
    plain = stand.ask(ports[0]).decode()
    assert "SUPERD_SERVICE=plain" in plain
    for name in ("NOTIFY_SOCKET", "WATCHDOG", "LISTEN_"):
        assert name not in plain
    told = stand.ask(ports[1]).decode()
    assert f"NOTIFY_SOCKET={manager.name}" in told and "LISTEN_" not in told


# --- LISTEN_FDS


def given(*specs):
    """The wrapper that starts superd with sockets."""
    return [str(HERE / "given"), *specs, "--"]


def inode(pid, port, listening=True):
    """The inodes of the listening sockets of a port, of both families."""
    found = set()
    for name in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[1].endswith(f":{port:04X}") and (fields[3] == "0A") == listening:
                found.add(fields[9])
    return found


def sockets_of(pid):
    """{inode: descriptor} of a process."""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            if target.startswith("socket:["):
                found[target[8:-1]] = int(fd)
    return found


def test_given_sockets_are_used(superd, services, kinds, tmp_path):
    ports = [stand.free_port() for _ in range(4)]
    path = tmp_path / "socket"
    daemon = superd(
        echo(
            services,
            f"tcp:127.0.0.1:{ports[0]}",
            f"tcp:[::1]:{ports[1]}",
            f"udp:127.0.0.1:{ports[2]}",
            f"unix:{path}",
            f"tcp:127.0.0.1:{ports[3]}",
        ),
        *kinds,
        wrapper=given(
            f"unix:{path}",
            f"udp:127.0.0.1:{ports[2]}",
            f"tcp:::1:{ports[1]}",
            f"tcp:127.0.0.1:{ports[0]}",
        ),
    )
    assert not daemon.events("socket"), "each of them fits"
    assert not daemon.events("error")
    for port, host in ((ports[0], "127.0.0.1"), (ports[1], "::1"), (ports[3], "127.0.0.1")):
        with socket.create_connection((host, port), stand.DEADLINE) as client:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(stand.DEADLINE)
        client.sendto(b"datagram", ("127.0.0.1", ports[2]))
        assert client.recv(100) == b"datagram"
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(stand.DEADLINE)
        client.connect(str(path))
        client.sendall(b"u")
        assert client.recv(1) == b"u"
    stand.poll("every socket is high", lambda: min(sockets_of(daemon.pid).values()) >= 256)
    daemon.stop()
    assert stat.S_ISSOCK(path.stat().st_mode), "the name is not superd's to remove"


def test_given_socket_for_both_families(superd, services, kinds):
    port = stand.free_port()
    daemon = superd(echo(services, str(port)), *kinds, wrapper=given(f"both:{port}"))
    assert not daemon.events("error") and not daemon.events("socket")
    assert daemon.events("start")[0]["listeners"] == "2"
    for host in ("127.0.0.1", "::1"):
        with socket.create_connection((host, port), stand.DEADLINE) as client:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
    assert daemon.wait_event("accept", count=2)["peer"].startswith("127.0.0.1:")
    assert len(inode(daemon.pid, port)) == 1


def test_given_sockets_that_do_not_listen_yet(superd, services, kinds, tmp_path):
    """bind(2) is done, listen(2) is superd's: it does not collide with what it holds itself."""
    ports = [stand.free_port(), stand.free_port()]
    path = tmp_path / "socket"
    room = f"service room {{ listen = 127.0.0.1:{ports[1]} wait = yes exec = {services}/echo }}\n"
    daemon = superd(
        echo(services, f"tcp:127.0.0.1:{ports[0]}", f"unix:{path}") + room,
        *kinds,
        wrapper=given(f"idle:{ports[0]}", f"unix-idle:{path}", f"idle:{ports[1]}"),
    )
    assert not daemon.events("socket") and not daemon.events("error")
    assert daemon.events("start")[0]["listeners"] == "3"
    assert all(len(inode(daemon.pid, port)) == 1 for port in ports)
    assert stand.ask(ports[0], b"x") == b"x"
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(stand.DEADLINE)
        client.connect(str(path))
        client.sendall(b"u")
        assert client.recv(1) == b"u"
    daemon.stop()
    assert stat.S_ISSOCK(path.stat().st_mode), "the name is not superd's to remove"


def test_given_wait_socket_is_blocking_and_goes_on(superd, services, program):
    port = stand.free_port()
    one = program(
        "one",
        "#!/usr/bin/python3\nimport os, socket\ns = socket.socket(fileno=0)\nc, _ = s.accept()\n"
        "c.sendall(b'%d' % s.getblocking() + os.environ['LISTEN_FDS'].encode())\n",
    )
    daemon = superd(
        f'control-socket = ""\n{LOG}'
        f"service one {{ listen = 127.0.0.1:{port} wait = yes exec = {one} }}",
        wrapper=given(f"tcp:127.0.0.1:{port}"),
    )
    for _ in range(3):
        assert stand.ask(port) == b"11"
    daemon.wait_event("exit", count=3)


@pytest.mark.parametrize(
    "spec, text",
    [
        ("tcp:127.0.0.1:{other}", "descriptor 3 (tcp 127.0.0.1:{other}) fits no endpoint: closed"),
        ("udp:127.0.0.1:{port}", "descriptor 3 (udp 127.0.0.1:{port}) fits no endpoint: closed"),
        ("both:{other}", "descriptor 3 (tcp [::]:{other}) fits no endpoint (it takes IPv4 too): closed"),
        ("idle:{other}", "descriptor 3 (tcp 127.0.0.1:{other}) fits no endpoint: closed"),
        ("unbound", "descriptor 3 is bound to nothing: closed"),
        ("pipe", "descriptor 3 is no socket: closed"),
    ],
)
def test_given_what_fits_no_endpoint(superd, services, spec, text):
    names = {"port": stand.free_port(), "other": stand.free_port()}
    daemon = superd(
        echo(services, f"127.0.0.1:{names['port']}"), wrapper=given(spec.format(**names))
    )
    event = daemon.wait_event("socket")
    assert event["text"] == text.format(**names)
    assert event.line.split()[1] == "warning"
    assert stand.ask(names["port"], b"x") == b"x"
    with pytest.raises(ConnectionRefusedError):
        stand.connect(names["other"])


def test_sockets_for_another_process_are_left_alone(superd, services):
    ports = [stand.free_port(), stand.free_port()]
    daemon = superd(
        LOG + f'control-socket = ""\nservice env {{ listen = {ports[0]} exec = /usr/bin/env'
        " pass-env = { LISTEN_FDS, LISTEN_PID } }",
        wrapper=given("other-pid", f"tcp:127.0.0.1:{ports[1]}"),
    )
    assert not daemon.events("socket")
    text = stand.ask(ports[0]).decode()
    assert f"LISTEN_PID={daemon.pid + 1}\n" in text and "LISTEN_FDS=1\n" in text


def test_systemd_socket_activate_starts_superd(build, services, tmp_path):
    tool = shutil.which("systemd-socket-activate")
    if tool is None:
        pytest.skip("systemd-socket-activate is not installed")
    port = stand.free_port()
    path = tmp_path / "superd.conf"
    path.write_text(echo(services, str(port)))
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(
            [tool, "-l", str(port), str(build / "superd/superd"), "-c", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            stand.poll("it listens", lambda: inode(process.pid, port))
            assert stand.ask(port, b"x") == b"x"
            process.terminate()
            assert process.wait(stand.DEADLINE) == 0
        finally:
            process.kill()
            process.wait()
    assert "fits no endpoint" not in (tmp_path / "log").read_text()


# --- the stop with drain


def test_drain_lets_sessions_finish(superd, services, kinds):
    port = stand.free_port()
    daemon = superd(echo(services, f"127.0.0.1:{port}", more="drain = 60s"), *kinds)
    with stand.connect(port) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait_event("drain")["programs"] == "1"
        with pytest.raises(ConnectionRefusedError):
            stand.connect(port)
        client.sendall(b"still here")
        assert client.recv(10) == b"still here"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert daemon.process.wait(stand.DEADLINE) == 0
    assert daemon.events("exit")[0]["status"] == "0"
    assert not daemon.events("term")


def test_drain_ends(superd, services, kinds):
    port = stand.free_port()
    daemon = superd(echo(services, f"127.0.0.1:{port}", more="drain = 200ms"), *kinds)
    with stand.connect(port) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        daemon.send_signal(signal.SIGINT)
        assert client.recv(1) == b""
    assert daemon.process.wait(stand.DEADLINE) == 0
    assert daemon.events("term")[0]["programs"] == "1"
    assert daemon.events("exit")[0]["signal"] == "TERM"


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_second_signal_ends_the_drain(superd, services, kinds, second):
    port = stand.free_port()
    daemon = superd(echo(services, f"127.0.0.1:{port}", more="drain = 1h"), *kinds)
    with stand.connect(port) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        daemon.send_signal(signal.SIGTERM)
        daemon.wait_event("drain")
        daemon.send_signal(second)
        assert client.recv(1) == b""
    assert daemon.process.wait(stand.DEADLINE) == 0
    assert daemon.events("exit")[0]["signal"] == "TERM"


def test_drain_then_grace_then_kill(superd, probe, kinds):
    port = stand.free_port()
    daemon = superd(
        LOG + 'control-socket = ""\ndrain = 100ms\ngrace = 200ms\n'
        f"service p {{ listen = {port} exec = {{ {probe}, stubborn }} }}",
        *kinds,
    )
    with stand.connect(port) as client, client.makefile("r") as lines:
        for line in iter(lines.readline, "end=1\n"):
            assert line
        daemon.stop()
    order = [e["event"] for e in daemon.events() if e.get("event") in ("drain", "term", "kill")]
    assert order == ["drain", "term", "kill"]
    assert daemon.events("exit")[0]["signal"] == "KILL"


def test_drain_without_sessions_takes_no_time(superd, services):
    daemon = superd(echo(services, f"127.0.0.1:{stand.free_port()}", more="drain = 1h"))
    daemon.stop()
    assert not daemon.events("drain")


def test_quit_during_the_drain_leaves_the_session(superd, services):
    port = stand.free_port()
    daemon = superd(echo(services, f"127.0.0.1:{port}", more="drain = 1h"))
    with stand.connect(port) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        daemon.send_signal(signal.SIGTERM)
        daemon.wait_event("drain")
        daemon.stop(signal.SIGQUIT)
        client.sendall(b"y")
        assert client.recv(1) == b"y"


# --- the drain of one service


def two(services, *listens, more=""):
    """A configuration with echo, to be drained, and daytime, which goes on; and daytime's port."""
    port = stand.free_port()
    ends = ", ".join(listens)
    return (
        LOG + f"service-directory = {services}\n{more}\n"
        f"service echo {{ listen = {{ {ends} }} exec = echo }}\n"
        f"service daytime {{ listen = 127.0.0.1:{port} exec = daytime }}\n"
    ), port


def refused(port):
    """Whether nobody listens there."""
    try:
        stand.connect(port).close()
    except ConnectionRefusedError:
        return True
    return False


def test_drained_service_turns_away_and_comes_back(superd, services, kinds, tmp_path):
    port = stand.free_port()
    path = tmp_path / "socket"
    config, other = two(services, f"127.0.0.1:{port}", f"unix:{path}")
    daemon = superd(config, *kinds)
    before = daemon.descriptors()
    with stand.connect(port) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        for _ in range(2):  # a second time changes nothing
            daemon.ctl("drain", "echo")
        status = daemon.service("echo")
        assert (status["state"], status["running"]) == ("draining", 1)
        assert {one["state"] for one in status["listeners"]} == {"closed"}
        assert refused(port) and not path.exists()
        assert len(stand.ask(other)) == 26
        client.sendall(b"y")
        assert client.recv(1) == b"y"
    stand.poll("finished", lambda: daemon.service("echo")["running"] == 0)
    assert daemon.service("echo")["state"] == "draining", "until it is resumed"
    for _ in range(2):
        daemon.ctl("resume", "echo")
    assert daemon.service("echo")["state"] == "listening"
    assert stand.ask(port, b"z") == b"z"
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(stand.DEADLINE)
        client.connect(str(path))
        client.sendall(b"u")
        assert client.recv(1) == b"u"
    states = [event["state"] for event in daemon.events("state", service="echo")]
    assert states == ["draining", "listening"]
    daemon.wait_idle()
    assert daemon.descriptors() <= before


def test_drained_service_whose_port_is_taken_meanwhile(superd, services):
    port = stand.free_port()
    daemon = superd(two(services, f"127.0.0.1:{port}")[0])
    daemon.ctl("drain", "echo")
    with socket.create_server(("127.0.0.1", port)):
        daemon.ctl("resume", "echo")
        assert "Address already in use" in daemon.wait_event("error", service="echo")["error"]
        assert daemon.service("echo")["listeners"][0]["state"] == "retrying"
    daemon.wait_event("listen", service="echo")
    assert stand.ask(port, b"x") == b"x"


def test_drained_wait_service_keeps_what_its_program_has(superd, services, kinds, tmp_path):
    """The room goes on while somebody is in it; then its socket is closed, too."""
    ports = [stand.free_port(), stand.free_port()]
    daemon = superd(
        LOG + f"service-directory = {services}\n"
        f"service room {{ listen = 127.0.0.1:{ports[0]} wait = yes exec = chat }}\n"
        f"service udp {{ listen = udp:127.0.0.1:{ports[1]} exec = echo }}\n",
        *kinds,
    )
    with stand.connect(ports[0]) as client:
        assert client.recv(1)
        daemon.ctl("drain", "room")
        daemon.ctl("drain", "udp")
        assert daemon.service("room")["listeners"][0]["state"] == "open"
        assert daemon.service("udp")["listeners"][0]["state"] == "closed"
        with stand.connect(ports[0]) as guest:
            assert guest.recv(1), "the socket is the program's"
    pid = next(iter(daemon.children()), None)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
    stand.poll("closed", lambda: daemon.service("room")["listeners"][0]["state"] == "closed")
    assert refused(ports[0])
    daemon.ctl("resume", "room")
    daemon.ctl("resume", "udp")
    with stand.connect(ports[0]) as client:
        assert client.recv(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(stand.DEADLINE)
        client.sendto(b"datagram", ("127.0.0.1", ports[1]))
        assert client.recv(100) == b"datagram"


def test_drained_service_with_lent_sockets_gets_them_back(superd, services, kinds):
    """Closing them would turn nobody away, and they could not be opened again: they wait."""
    ports = [stand.free_port(), stand.free_port()]
    config, _ = two(services, f"127.0.0.1:{ports[0]}", str(ports[1]))
    daemon = superd(config, *kinds, control=True,
        wrapper=given(f"tcp:127.0.0.1:{ports[0]}", f"both:{ports[1]}"))
    daemon.ctl("drain", "echo")
    assert daemon.service("echo")["state"] == "draining"
    with stand.connect(ports[0]) as one, stand.connect(ports[1]) as other:
        for client in (one, other):
            client.sendall(b"x")
            client.settimeout(0.2)
            with pytest.raises(TimeoutError):
                client.recv(1)
        daemon.ctl("resume", "echo")
        for client in (one, other):
            client.settimeout(stand.DEADLINE)
            assert client.recv(1) == b"x"
    assert not daemon.events("error")


def test_drain_survives_a_reload(superd, services, kinds):
    ports = [stand.free_port(), stand.free_port()]
    config, other = two(services, f"127.0.0.1:{ports[0]}")
    daemon = superd(config, *kinds)
    with stand.connect(ports[0]) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        daemon.ctl("drain", "echo")
        daemon.configure(config.replace(f"127.0.0.1:{ports[0]}", f"127.0.0.1:{ports[1]}"))
        daemon.ctl("reload")
        assert daemon.service("echo")["state"] == "draining"
        assert refused(ports[0]) and refused(ports[1])
        daemon.ctl("resume", "echo")
        assert refused(ports[0])
        assert stand.ask(ports[1], b"y") == b"y"
        client.sendall(b"z")
        assert client.recv(1) == b"z"
    assert len(stand.ask(other)) == 26


def test_status_says_that_a_stop_is_draining(superd, services):
    port = stand.free_port()
    daemon = superd(two(services, f"127.0.0.1:{port}", more="drain = 1h")[0])
    with stand.connect(port) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        daemon.ctl("stop")
        daemon.wait_event("drain")
        assert daemon.service("echo")["state"] == "draining"
        assert daemon.service("daytime")["state"] == "stopped"
    assert daemon.process.wait(stand.DEADLINE) == 0


# --- reload, as the manager sees it


def test_notify_tells_of_reloads(superd, services, kinds, manager):
    port = stand.free_port()
    config = echo(services, f"127.0.0.1:{port}")
    daemon = superd(config, *kinds, env={"NOTIFY_SOCKET": manager.name})
    manager.wait("READY", "1")
    for number, text in enumerate((config, "nonsense\n", config), 1):  # READY follows in any case
        daemon.configure(text)
        daemon.send_signal(signal.SIGHUP)
        reloading = manager.wait("RELOADING", "1", number)
        assert int(reloading["MONOTONIC_USEC"]) <= time.monotonic() * 1e6
        manager.wait("READY", "1", number + 1)
    order = [key for m in manager.messages for key in ("READY", "RELOADING") if key in m]
    assert order == ["READY"] + ["RELOADING", "READY"] * 3
    assert stand.ask(port, b"x") == b"x"


# --- an upgrade in place


def upgrade(daemon):
    """Sends USR2 and waits until the new program serves."""
    before = len(daemon.events("upgrade"))
    daemon.send_signal(signal.SIGUSR2)
    daemon.wait_event("upgrade", count=before + 1)


def test_given_sockets_go_through_upgrades(superd, services, kinds, tmp_path):
    ports = [stand.free_port(), stand.free_port()]
    path = tmp_path / "socket"
    config, _ = two(services, f"127.0.0.1:{ports[0]}", f"{ports[1]}", f"unix:{path}")
    daemon = superd(
        config,
        *kinds,
        wrapper=given(f"tcp:127.0.0.1:{ports[0]}", f"both:{ports[1]}", f"unix:{path}"),
        control=True,
    )
    before = inode(daemon.pid, ports[0]) | inode(daemon.pid, ports[1])
    assert len(before) == 2
    for _ in range(3):
        upgrade(daemon)
        assert stand.ask(ports[0], b"x") == b"x"
        assert stand.ask(ports[1], b"y") == b"y"
        assert stand.ask(ports[1], b"z", host="::1") == b"z"
        states = {l["endpoint"]: l["state"] for l in daemon.service("echo")["listeners"]}
        assert states[f"tcp 0.0.0.0:{ports[1]}"] == "covered"
        assert states[f"unix {path}"] == "open"
    assert inode(daemon.pid, ports[0]) | inode(daemon.pid, ports[1]) == before
    assert not daemon.events("error") and not daemon.events("socket")
    daemon.ctl("drain", "echo")  # they are lent still
    daemon.ctl("resume", "echo")
    assert stand.ask(ports[0], b"x") == b"x"
    daemon.stop()
    assert stat.S_ISSOCK(path.stat().st_mode)


def test_draining_goes_through_an_upgrade(superd, services, kinds):
    port = stand.free_port()
    daemon = superd(two(services, f"127.0.0.1:{port}")[0], *kinds)
    with stand.connect(port) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        daemon.ctl("drain", "echo")
        upgrade(daemon)
        assert daemon.service("echo")["state"] == "draining"
        assert refused(port)
        client.sendall(b"y")
        assert client.recv(1) == b"y"
        daemon.ctl("resume", "echo")
    assert stand.ask(port, b"z") == b"z"


def test_notify_goes_through_an_upgrade(superd, services, kinds, manager):
    port = stand.free_port()
    env = {"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "400000"}
    daemon = superd(echo(services, f"127.0.0.1:{port}"), *kinds, env=env)
    manager.wait("WATCHDOG", "1", 2)
    upgrade(daemon)
    assert manager.wait("READY", "1", 2)["MAINPID"] == str(daemon.pid)
    before = len(manager.having("WATCHDOG"))
    manager.wait("WATCHDOG", "1", before + 2)
    assert not manager.having("STOPPING")
    assert stand.ask(port, b"x") == b"x"
    manager.wait("STATUS", "1 services, 1 listeners, 0 programs running")


# --- PID 1, and machines with next to nothing


def unshare(*options):
    """The command that makes namespaces; skips where it cannot."""
    tool = shutil.which("unshare")
    if tool is None:
        pytest.skip("unshare is not installed")
    command = [tool, *options]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"this user may not run {' '.join(command)}")
    return command


@pytest.fixture
def first(build, tmp_path):
    """Starts superd as PID 1 of a namespace of its own; first(config, options) -> (pid, wait, log)."""
    started = []

    def start(config, *options):
        command = unshare("--pid", "--fork", "--mount-proc", "--kill-child=KILL")
        path = tmp_path / "superd.conf"
        path.write_text(config)
        log = tmp_path / "log"
        reader, writer = os.pipe()
        with open(log, "wb") as stderr:
            process = subprocess.Popen(
                [*command, str(build / "superd/superd"), "-c", str(path)]
                + [f"--ready-fd={writer}", *options],
                pass_fds=(writer,),
                stdin=subprocess.DEVNULL,
                stderr=stderr,
            )
        started.append(process)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            assert pipe.readline() == b"ready\n", log.read_text()  # unshare holds it too
        pid = stand.poll("superd", lambda: list(stand.children_of(process.pid)))[0]
        return pid, process, log

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_pid_one_obeys_and_exits_0(first, services, kinds, number):
    port = stand.free_port()
    pid, process, log = first(echo(services, f"127.0.0.1:{port}"), *kinds)
    assert stand.ask(port, b"x") == b"x"
    with stand.connect(port) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        os.kill(pid, number)
        assert client.recv(1) == b""
    assert process.wait(stand.DEADLINE) == 0, log.read_text()
    assert " pid=1 " in log.read_text()


def test_pid_one_obeys_a_signal_from_inside(first, kinds):
    port = stand.free_port()
    user = "user = root" if os.getuid() == 0 else ""
    _, process, log = first(
        f'control-socket = ""\nservice end {{ listen = {port} {user}'
        ' exec = { /bin/sh, -c, "kill -TERM 1" } }',
        *kinds,
    )
    with contextlib.suppress(ConnectionResetError):
        stand.ask(port)
    assert process.wait(stand.DEADLINE) == 0, log.read_text()


def test_pid_one_reaps_strangers(first, kinds):
    port = stand.free_port()
    pid, process, log = first(
        LOG + f'control-socket = ""\nservice orphan {{ listen = {port}'
        ' exec = { /bin/sh, -c, "(sleep 0.2; exec sleep 0.1) >/dev/null 2>&1 & echo $!" } }',
        *kinds,
    )
    for _ in range(20):
        assert int(stand.ask(port)) > 1
    stand.poll("strangers came and went", lambda: not stand.children_of(pid))
    assert log.read_text().count("event=exit") == 20, "strangers are no programs of a service"
    os.kill(pid, signal.SIGTERM)
    assert process.wait(stand.DEADLINE) == 0


BARE = """
set -e
mount --make-rprivate /
mkdir "$1/etc" "$1/dev"
cp /etc/passwd /etc/group "$1/etc"
for file in /etc/nsswitch.conf /etc/ld.so.cache; do test ! -e $file || cp $file "$1/etc"; done
for name in null zero full random urandom; do : >"$1/dev/$name"; mount --bind /dev/$name "$1/dev/$name"; done
mount --bind "$1/etc" /etc
mount --rbind "$1/dev" /dev
mount -o remount,bind,ro /etc
mount -o remount,bind,ro /dev
mount -o remount,bind,ro /
shift
exec "$@"
"""


def test_read_only_root_no_dev_log_no_etc_services(superd, services, kinds, tmp_path):
    command = unshare("--mount")
    port = stand.free_port()
    bare = tmp_path / "bare"
    bare.mkdir(mode=0o755)
    daemon = superd(
        f'service-directory = {services}\ncontrol-socket = ""\n'
        f"service echo {{ listen = 127.0.0.1:{port} exec = echo }}\n"
        f"service loud {{ listen = 127.0.0.1:{stand.free_port()} exec = echo log {{ to = syslog }} }}\n",
        *kinds,
        wrapper=[*command, "/bin/sh", "-c", BARE, "bare", str(bare)],
    )
    assert not os.path.exists(f"/proc/{daemon.pid}/root/etc/services")
    assert not os.path.exists(f"/proc/{daemon.pid}/root/dev/log")
    for _ in range(5):
        assert stand.ask(port, b"x") == b"x"
    daemon.wait_event("exit", count=5)


def test_names_of_services_without_etc_services(superd, services, tmp_path):
    command = unshare("--mount")
    bare = tmp_path / "bare"
    bare.mkdir(mode=0o755)
    daemon = superd(
        f"service-directory = {services}\nservice daytime {{ exec = daytime }}\n",
        ready=False,
        check=False,
        wrapper=[*command, "/bin/sh", "-c", BARE, "bare", str(bare)],
    )
    assert daemon.process.wait(stand.DEADLINE) == 1
    assert 'service "daytime"' in daemon.log_text()


# --- what is installed


def test_units_are_sound(build, source, tmp_path):
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    for name in ("superd", "superd-bundled"):
        unit = tmp_path / f"{name}.service"
        text = (source / f"etc/{name}.service.in").read_text()
        # verify wants programs that are there
        text = text.replace("@sbindir@/superd ", f"{build}/superd/superd ")
        text = text.replace("@sbindir@/superctl", "/bin/true").replace("@sysconfdir@", "/etc")
        unit.write_text(text)
        done = subprocess.run(
            [tool, "verify", "--man=no", str(unit)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        complaints = [line for line in done.stderr.splitlines() if name in line]
        assert not complaints, done.stderr


def test_strict_unit_is_strict(source, tmp_path):
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "superd-bundled.service"
    text = (source / "etc/superd-bundled.service.in").read_text()
    unit.write_text(text.replace("@sbindir@", "/bin").replace("@sysconfdir@", "/etc"))
    done = subprocess.run(
        [tool, "security", "--offline=yes", "--threshold=25", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze cannot rate a unit's file")
    assert done.returncode == 0, done.stdout + done.stderr


def system_calls(tool, name):
    """The names in one of systemd's sets of system calls."""
    done = subprocess.run(
        [tool, "syscall-filter", "--no-pager", name], capture_output=True, text=True, check=True
    )
    found = set()
    for word in (line.strip() for line in done.stdout.splitlines()[1:]):
        if word.startswith("@"):
            found |= system_calls(tool, word)
        elif word and not word.startswith("#"):
            found.add(word)
    return found


@pytest.mark.parametrize("spawn", ["vm", "fork"])
def test_strict_unit_allows_what_is_needed(build, services, source, tmp_path, spawn, sanitized):
    """Its filter of system calls against what superd and the services of its example make."""
    strace, tool = shutil.which("strace"), shutil.which("systemd-analyze")
    if strace is None or tool is None:
        pytest.skip(f"{'strace' if strace is None else 'systemd-analyze'} is not installed")
    if sanitized:
        pytest.skip("sanitizers make system calls of their own")
    unit = (source / "etc/superd-bundled.service.in").read_text()
    assert "SystemCallFilter=@system-service\nSystemCallFilter=~@privileged\n" in unit
    allowed = system_calls(tool, "@system-service") - system_calls(tool, "@privileged")
    names = ("echo", "discard", "daytime", "time", "chargen", "sum", "number")
    ports = {name: stand.free_port() for name in names}
    text = (source / "etc/superd-bundled.conf").read_text()
    for name, port in ports.items():
        text, count = re.subn(
            rf"service {name} +{{ (listen = \d+ +)?", f"service {name} {{ listen = {port} ", text
        )
        assert count == 1
    config = tmp_path / "superd.conf"
    text = text.replace("/run/superd-bundled/control.sock", '""')
    config.write_text(f"service-directory = {services}\n" + text)
    traced = tmp_path / "traced"
    traced.mkdir()
    own = [] if os.getuid() else ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    traced.chmod(0o777)
    process = subprocess.Popen(
        [*own, strace, "-f", "-qq", "-o", traced / "calls", build / "superd/superd"]
        + ["-c", config, f"--spawn={spawn}"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        pid = None
        stand.poll("all listen", lambda: all(not refused(port) for port in ports.values()))
        for name in set(names) - {"chargen", "discard"}:
            assert stand.ask(ports[name], b"1 2\n")
        with stand.connect(ports["chargen"]) as client:
            assert client.recv(1)
        (pid,) = stand.children_of(process.pid)
        os.kill(pid, signal.SIGHUP)
        os.kill(pid, signal.SIGTERM)
        log = process.communicate(timeout=stand.DEADLINE)[1]
    finally:
        if pid is not None and process.poll() is None:
            os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait()
    assert process.returncode == 0, log
    calls = set(re.findall(r"^\d+ +(\w+)\(", (traced / "calls").read_text(), re.M))
    assert len(calls) > 30 and calls <= allowed, calls - allowed


@pytest.fixture
def init(build, services, tmp_path):
    """The init script for the superd of this build, with a configuration of its own."""
    port = stand.free_port()
    config = tmp_path / "superd.conf"
    pid_file = tmp_path / "pid"
    config.write_text(
        f'control-socket = ""\nservice-directory = {services}\n'
        f"log {{ to = file file = {tmp_path}/log }}\n"
        f"service echo {{ listen = 127.0.0.1:{port} exec = echo }}\n"
    )
    text = (build / "etc/superd.init").read_text()
    control = tmp_path / "superctl"
    control.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/control\n! test -e {tmp_path}/broken\n')
    control.chmod(0o755)
    for name, value in {
        "DAEMON": build / "superd/superd",
        "CONTROL": control,
        "CONFIG": config,
        "PIDFILE": pid_file,
    }.items():
        text = "\n".join(
            f"{name}={value}" if line.startswith(name + "=") else line for line in text.split("\n")
        )
    script = tmp_path / "init"
    script.write_text(text.replace("mkdir -p /run/superd", ":"))
    script.chmod(0o755)

    def run(*words):
        return subprocess.run(
            [script, *words], capture_output=True, text=True, timeout=60, check=False
        )

    run.port, run.config, run.pid_file, run.folder = port, config, pid_file, tmp_path
    yield run
    run("stop")


def test_init_script(init):
    assert init("status").returncode == 3
    assert init("reload").returncode == 7
    assert init("stop").returncode == 0
    assert init().returncode == 2
    done = init("start")
    assert done.returncode == 0, done.stderr
    pid = int(init.pid_file.read_text())
    assert stand.ask(init.port, b"x") == b"x"
    done = init("status")
    assert (done.returncode, done.stdout) == (0, f"superd is running ({pid})\n")
    assert init("start").returncode == 0, "it is running already"
    assert init("reload").returncode == 0
    assert (init.folder / "control").read_text() == "reload\n"
    (init.folder / "broken").touch()
    assert init("reload").returncode == 1
    assert init("restart").returncode == 0
    again = int(init.pid_file.read_text())
    assert again != pid
    assert stand.ask(init.port, b"x") == b"x"
    good = init.config.read_text()
    init.config.write_text("nonsense = 1\n")
    assert init("restart").returncode != 0, "what is wrong is not started, and nothing is stopped"
    assert stand.ask(init.port, b"x") == b"x"
    init.config.write_text(good)
    assert init("stop").returncode == 0
    assert stand.stat_of(again) is None or stand.stat_of(again)[0] == "Z"
    init.pid_file.write_text("1\n")  # left over, and somebody else's by now
    assert init("status").returncode == 1
    init.pid_file.unlink()


def test_logrotate_snippet(build, tmp_path):
    tool = shutil.which("logrotate", path="/usr/sbin:/sbin:" + os.environ.get("PATH", ""))
    if tool is None:
        pytest.skip("logrotate is not installed")
    done = subprocess.run(
        [tool, "-d", "-s", str(tmp_path / "state"), str(build / "etc/logrotate.d/superd")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0 and "error" not in done.stderr.lower(), done.stderr


def test_installed_where_it_belongs(build, tmp_path):
    """make install brings everything, twice over nothing an administrator has changed is lost."""
    if not (build / "../Makefile.am").exists():
        pytest.skip("the build stands without its sources here")
    made = subprocess.run(
        ["make", "-s", "-C", str(build), f"DESTDIR={tmp_path}", "prefix=/usr", "sysconfdir=/etc"]
        + ["install-data-local", "install-systemdsystemunitDATA", "install-tmpfilesDATA"]
        + ["install-examplesDATA", "install-dist_examplesDATA", "install-dist_sysusersDATA"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    for name in (
        "etc/superd.conf",
        "etc/init.d/superd",
        "etc/logrotate.d/superd",
        "usr/lib/systemd/system/superd.service",
        "usr/lib/tmpfiles.d/superd.conf",
        "usr/lib/sysusers.d/superd.conf",
        "usr/share/doc/superd/examples/superd-bundled.service",
        "usr/share/doc/superd/examples/superd-bundled.conf",
    ):
        assert (tmp_path / name).is_file(), name
    assert os.access(tmp_path / "etc/init.d/superd", os.X_OK)
    (tmp_path / "etc/init.d/superd").write_text("mine\n")
    again = subprocess.run(
        ["make", "-s", "-C", str(build), f"DESTDIR={tmp_path}", "prefix=/usr", "sysconfdir=/etc"]
        + ["install-data-local"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "init.d/superd is there already: not touched" in again.stdout
    assert (tmp_path / "etc/init.d/superd").read_text() == "mine\n"
