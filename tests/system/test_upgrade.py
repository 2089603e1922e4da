"""Upgrade in place: the same process, another program, and nobody notices."""

import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess

import pytest

import stand

LOG = "log { events = { accept, refuse, exit, error } }\n"
CAT = "exec = /bin/cat"


class Tree:
    """A build tree of its own, whose superd can be replaced."""

    def __init__(self, build, folder):
        self.real = build / "superd/superd"
        self.root = folder / "tree"
        self.program = self.root / "superd/superd"
        self.program.parent.mkdir(parents=True)
        shutil.copy2(self.real, self.program)
        self.program.with_name("superctl").symlink_to(build / "superd/superctl")

    def replace(self, source):
        """Puts another program in place of superd: a path, or the text of a script."""
        new = self.program.with_name("new")
        if isinstance(source, str):
            new.write_text(source.replace("REAL", str(self.real)))
            new.chmod(0o755)
        else:
            shutil.copy2(source, new)
        new.rename(self.program)


@pytest.fixture
def tree(build, tmp_path):
    return Tree(build, tmp_path)


@pytest.fixture(params=["select+vm", "epoll+fork"])
def two_kinds(request):
    """Both loops and both ways to start programs, in two runs."""
    loop, spawn = request.param.split("+")
    return [f"--loop={loop}", f"--spawn={spawn}"]


def upgrade(daemon):
    """Sends USR2 and waits until the new program serves."""
    before = len(daemon.events("upgrade"))
    daemon.send_signal(signal.SIGUSR2)
    daemon.wait_event("upgrade", count=before + 1, pid=daemon.pid)
    return daemon.events("upgrade")[-1]


def refused_upgrade(daemon):
    """Sends USR2 and returns the error that says why the old program goes on."""
    before = len(daemon.events("error", step="upgrade"))
    daemon.send_signal(signal.SIGUSR2)
    daemon.wait_event("error", count=before + 1, step="upgrade")
    return daemon.events("error", step="upgrade")[-1]["error"]


def comm(daemon):
    """The name of the process, as ps shows it."""
    return pathlib.Path(f"/proc/{daemon.pid}/comm").read_text().strip()


def echo(client, text=b"ping\n"):
    client.sendall(text)
    got = b""
    while len(got) < len(text):
        piece = client.recv(100)
        assert piece, "the session ended"
        got += piece
    return got == text


def test_sessions_go_on(superd, kinds, tmp_path):
    tcp = stand.free_port()
    path = tmp_path / "cat.sock"
    daemon = superd(
        LOG
        + f"service tcp {{ listen = {tcp} {CAT} }}\n"
        + f"service unix {{ listen = unix:{path} {CAT} }}",
        *kinds,
    )
    clients = [stand.connect(tcp), stand.connect(tcp, host="::1")]
    local = socket.socket(socket.AF_UNIX)
    local.connect(str(path))
    clients.append(local)
    assert all(echo(client) for client in clients)
    programs = set(daemon.children())
    name = path.stat().st_ino
    for _ in range(3):
        event = upgrade(daemon)
        assert event["services"] == "2" and event["listeners"] == "3"
        assert event["programs"] == "3"
        assert all(echo(client) for client in clients), "sessions go on"
        assert set(daemon.children()) == programs
        assert path.stat().st_ino == name, "the listener is the same"
    later = stand.connect(tcp)
    assert echo(later)
    accepted = daemon.events("accept")[-1]
    assert accepted["running"] == "3/64", "sessions from before count"
    assert accepted["id"] == "4", "numbers go on"
    for client in (*clients, later):
        client.close()
    for number in range(1, 5):
        daemon.wait_event("exit", id=number, status=0)
    assert len(daemon.events("exit")) == 4
    daemon.wait_idle()
    assert comm(daemon) == "superd"
    assert len(daemon.events("start")) == 1
    daemon.stop()
    assert not path.exists(), "the name is still superd's to remove"


WAITING = """#!/usr/bin/python3
import os, socket
listener = socket.socket(fileno=0)
while True:
    client = listener.accept()[0]
    data = client.recv(100)
    client.sendall(b"%d %s" % (os.getpid(), data))
    client.close()
    if data == b"end":
        break
"""

DATAGRAMS = """#!/usr/bin/python3
import os, socket
sock = socket.socket(fileno=0)
while True:
    data, peer = sock.recvfrom(100)
    sock.sendto(b"%d %s" % (os.getpid(), data), peer)
    if data == b"end":
        break
"""


def test_wait_programs_keep_their_sockets(superd, kinds, program):
    tcp, udp = stand.free_port(), stand.free_port()
    room = program("room", WAITING)
    datagrams = program("datagrams", DATAGRAMS)
    daemon = superd(
        LOG
        + f"service room {{ listen = {tcp} wait = yes exec = {room} }}\n"
        + f"service udp {{ listen = udp:127.0.0.1:{udp} exec = {datagrams} }}",
        *kinds,
    )
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(stand.DEADLINE)
    client.connect(("127.0.0.1", udp))

    def ask_udp(text):
        client.send(text)
        return client.recv(100).split()[0]

    first = stand.ask(tcp, b"one").split()[0], ask_udp(b"one")
    upgrade(daemon)
    assert first == (stand.ask(tcp, b"two").split()[0], ask_udp(b"two"))
    upgrade(daemon)
    assert first == (stand.ask(tcp, b"end").split()[0], ask_udp(b"end"))
    daemon.wait_event("exit", service="room", status=0)
    daemon.wait_event("exit", service="udp", status=0)
    assert first[0] != stand.ask(tcp, b"end").split()[0], "the sockets came back"
    assert first[1] != ask_udp(b"end")
    daemon.wait_idle()


def test_limits_go_on(superd, two_kinds):
    held, rated = stand.free_port(), stand.free_port()
    daemon = superd(
        LOG
        + f"service held {{ listen = {held} {CAT} limits {{ per-source = 2 }} }}\n"
        + f"service rated {{ listen = {rated} {CAT} limits {{ per-source-rate = 1/h burst = 3 }} }}",
        *two_kinds,
    )
    clients = [stand.connect(held) for _ in range(2)]
    assert all(echo(client) for client in clients)
    assert stand.ask(rated, b"one") == b"one"
    upgrade(daemon)
    assert stand.ask(held) == b""
    daemon.wait_event("refuse", service="held", reason="per-source")
    assert stand.ask(rated, b"two") == b"two"
    upgrade(daemon)
    assert stand.ask(rated, b"three") == b"three"
    upgrade(daemon)
    assert stand.ask(rated) == b"", "three tokens an hour, over all upgrades"
    daemon.wait_event("refuse", service="rated", reason="per-source-rate")
    assert stand.ask(rated, source="127.0.0.2", data=b"x") == b"x", "others have theirs"
    clients.pop().close()
    daemon.wait_event("exit", service="held")
    again = stand.connect(held)
    assert echo(again), "one that ended does not count any more"


def test_standard_error_still_arrives(superd, two_kinds, program):
    port = stand.free_port()
    teller = program("teller", "#!/bin/sh\nwhile read x; do printf '%s ' \"$x\" >&2; done\necho >&2\n")
    daemon = superd(LOG + f"service teller {{ listen = {port} exec = {teller} }}", *two_kinds)
    client = stand.connect(port)
    pipes = {os.readlink(f"/proc/{daemon.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{daemon.pid}/fd")}
    client.sendall(b"half\n")
    pid = daemon.wait_event("accept")["pid"]
    upgrade(daemon)
    client.sendall(b"and half\n")
    upgrade(daemon)
    client.close()
    assert daemon.wait_event("stderr", service="teller")["text"] == "half and half "
    daemon.wait_event("exit", pid=pid, status=0)
    assert pipes
    daemon.wait_idle()


def test_dropped_standard_error_is_still_counted(superd, two_kinds, program):
    """Dropped by one superd, told by the next one, with no line after it."""
    port = stand.free_port()
    burst = program("burst", "#!/bin/sh\nseq 1 30 >&2\nread x\n")
    daemon = superd(LOG + f"service burst {{ listen = {port} exec = {burst} }}", *two_kinds)
    client = stand.connect(port)
    daemon.wait_event("stderr", service="burst", text="20")
    upgrade(daemon)
    daemon.wait_event("stderr", service="burst", dropped="10")
    upgrade(daemon)
    client.close()
    daemon.wait_event("exit", service="burst")
    daemon.wait_idle()
    lines = daemon.events("stderr", service="burst")
    assert sum("text" in line for line in lines) == 20
    assert [line["dropped"] for line in lines if "dropped" in line] == ["10"]


def test_throttled_stays_throttled(superd, two_kinds):
    port = stand.free_port()
    daemon = superd(
        LOG + f"service broken {{ listen = {port} wait = yes exec = /bin/false }}", *two_kinds
    )
    waiting = stand.connect(port)
    for pause_ms in (1000, 2000):
        daemon.wait_event("state", state="throttled", ms=pause_ms)
        upgrade(daemon)
    daemon.wait_event("state", state="throttled", ms=4000)
    waiting.close()
    assert len(daemon.events("state")) == 3, "each pause was kept, and they double over upgrades"
    lines = [event.line for event in daemon.events() if event.get("event") in ("state", "accept")]
    for before, after in zip(lines, lines[1:]):
        if "event=state" in before:
            pause = int(stand.parse_line(before)["ms"]) / 1000
            assert (clock(after) - clock(before)) % 86400 >= pause - 0.01, "nobody was served in it"


def clock(line):
    """The seconds of the day in front of a line of the log."""
    hours, minutes, seconds = re.match(r"\S+T(\d+):(\d+):([\d.]+)Z", line).groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


STUBBORN = """#!/usr/bin/python3
import signal
signal.signal(signal.SIGTERM, lambda *_: print("no", flush=True))
print("ready", flush=True)
while True:
    signal.pause()
"""


def test_deadlines_go_on(superd, two_kinds, program):
    port, idle = stand.free_port(), stand.free_port()
    stubborn = program("stubborn", STUBBORN)
    daemon = superd(
        LOG
        + "grace = 2s\n"
        + f"service stubborn {{ listen = {port} exec = {stubborn} limits {{ time = 2s }} }}\n"
        + f"service idle {{ listen = 127.0.0.1:{idle} {CAT} limits {{ idle = 2s }} }}",
        *two_kinds,
    )
    client = stand.connect(port)
    silent = stand.connect(idle)
    assert echo(silent)
    assert client.recv(100) == b"ready\n"
    upgrade(daemon)
    daemon.wait_event("deadline", service="stubborn", limit="time")
    assert client.recv(100) == b"no\n"
    upgrade(daemon)
    assert daemon.wait_event("exit", service="stubborn")["signal"] == "KILL"
    daemon.wait_event("deadline", service="idle", limit="idle")
    assert stand.read_all(silent) == b""
    assert len(daemon.events("deadline")) == 2
    daemon.wait_idle()


# Waits in the place of the new program until the old one's child has ended.
BETWEEN = """#!/usr/bin/python3
import os, signal, sys
if os.environ["SUPERD_UPGRADE"].startswith("take"):
    pid = int(open("{folder}/pid").read())
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
os.execv("REAL", sys.argv)
"""


def test_who_ends_between_the_programs_is_reaped(superd, two_kinds, tree, tmp_path):
    port = stand.free_port()
    daemon = superd(LOG + f"service cat {{ listen = {port} {CAT} }}", *two_kinds, at=tree.root)
    clients = [stand.connect(port) for _ in range(2)]
    assert all(echo(client) for client in clients)
    pid = daemon.events("accept")[0]["pid"]
    (tmp_path / "pid").write_text(pid)
    tree.replace(BETWEEN.format(folder=tmp_path))
    upgrade(daemon)
    daemon.wait_event("exit", pid=pid, id=1, signal="KILL")
    assert echo(clients[1])
    assert len(daemon.children()) == 1
    daemon.wait_event("accept", count=2)


def by_id(connections):
    return {one["id"]: one for one in connections}


def test_superctl_upgrade(superd, two_kinds, program):
    port, udp, drained = (stand.free_port() for _ in range(3))
    datagrams = program("datagrams", DATAGRAMS)
    daemon = superd(
        LOG
        + f"service cat {{ listen = {port} {CAT} limits {{ instances = 2 on-full = refuse }} }}\n"
        + f"service udp {{ listen = udp:127.0.0.1:{udp} exec = {datagrams} }}\n"
        + f"service drained {{ listen = {drained} {CAT} }}\n",
        *two_kinds,
    )
    clients = [stand.connect(port) for _ in range(2)]
    assert all(echo(client) for client in clients)
    assert stand.ask(port) == b""
    last = stand.connect(drained)
    assert echo(last)
    daemon.ctl("drain", "drained")
    daemon.ctl("pause", "udp")
    daemon.wait_event("refuse", reason="full")
    daemon.ctl("log", "debug")
    before, sessions = daemon.status(), by_id(daemon.connections())
    changing = {"age": 0, "idle": 0, "cpu": 0, "rss": 0}
    socket_before = os.stat(daemon.control).st_ino
    for count in range(1, 4):
        daemon.ctl("upgrade")
        assert len(daemon.events("upgrade")) == count, "superctl returns when the new one serves"
        after = daemon.status()
        assert after["config"].pop("generation") == before["config"]["generation"] + count
        assert after["uptime_s"] >= before["uptime_s"]
        assert after["pid"] == before["pid"] and after["services"] == before["services"]
        now = by_id(daemon.connections())
        assert len(now) == len(sessions) == 3
        for number, session in now.items():
            assert session["age"] >= sessions[number]["age"], "it began when it began"
            assert {**session, **changing} == {**sessions[number], **changing}
        assert os.stat(daemon.control).st_ino == socket_before
    assert all(echo(client) for client in (*clients, last))
    with pytest.raises(ConnectionRefusedError):
        stand.connect(drained)
    assert daemon.service("udp")["state"] == "paused"
    assert daemon.service("drained")["state"] == "draining"
    daemon.ctl("resume", "drained")
    daemon.ctl("resume", "udp")
    assert stand.ask(drained, b"again") == b"again"
    daemon.wait_event("exit", service="drained")  # the log is read to its end, and told no more
    daemon.ctl("log", "error")
    lines = len(daemon.log_text().splitlines())
    daemon.ctl("upgrade")
    daemon.ctl("log", "info")
    assert len(daemon.log_text().splitlines()) == lines, "the level goes on, too"
    daemon.ctl("kill", "1")
    daemon.wait_event("exit", id=1, signal="TERM")


def test_reload_and_upgrade(superd, two_kinds):
    """In any order, with sessions of services that are gone."""
    ports = [stand.free_port() for _ in range(4)]

    def config(*which):
        return LOG + "".join(f"service s{i} {{ listen = {ports[i]} {CAT} }}\n" for i in which)

    daemon = superd(config(0, 1), *two_kinds)
    clients = {i: stand.connect(ports[i]) for i in (0, 1)}
    assert all(echo(client) for client in clients.values())
    for which in ((0, 2), (0, 3), (0, 2), (0, 1, 2, 3)):
        daemon.configure(config(*which))
        daemon.ctl("reload")
        upgrade(daemon)
        for i in which:
            assert stand.ask(ports[i], b"hello") == b"hello"
            if i not in clients:
                clients[i] = stand.connect(ports[i])
        assert all(echo(client) for client in clients.values())
        assert {service["name"] for service in daemon.status()["services"]} >= {
            f"s{i}" for i in which
        }
    for i, client in clients.items():
        pid = daemon.wait_event("accept", service=f"s{i}")["pid"]
        client.close()
        daemon.wait_event("exit", service=f"s{i}", pid=pid, status=0)
    stand.poll("nobody left", lambda: not daemon.children())
    stand.poll(
        "two more services with two listeners each",
        lambda: daemon.descriptors() <= daemon.baseline + 2 * 2,
    )


def test_reloads_are_told_before_an_upgrade(superd, two_kinds):
    """Lines that wait for their second are the old program's to write."""
    port = stand.free_port()
    good = LOG + f"service s {{ listen = {port} {CAT} }}\n"
    daemon = superd(good, *two_kinds)
    for _ in range(3):
        daemon.ctl("reload")
    for text in ("first", "second"):
        daemon.configure(f"service s {{ listen = {port} {CAT} {text} = wrong }}\n")
        assert text in daemon.ctl("reload", status=1)
    daemon.configure(good)
    upgrade(daemon)
    daemon.stop()
    events = [event for event in daemon.events() if event.get("event") in ("reload", "upgrade")
              or event.get("step") == "reload"]  # fmt: skip
    assert events[-1]["event"] == "upgrade", [event.line for event in events]
    done = [event for event in events if event["event"] == "reload"]
    assert done[-1]["generation"] == "4"
    assert sum(int(event.get("count", 1)) for event in done) == 3
    failed = [event for event in events if event["event"] == "error"]
    assert len(failed) == 2, [event.line for event in events]
    assert "first" in failed[0]["error"] and "second" in failed[1]["error"]


BROKEN = {
    "missing": (None, "No such file or directory"),
    "not executable": (pathlib.Path("/etc/passwd"), "Permission denied"),
    "no program": (pathlib.Path("/etc/hostname"), "Exec format error"),
    "/bin/true": (pathlib.Path("/bin/true"), "is no superd: it ended without an answer"),
    "/bin/echo": (pathlib.Path("/bin/echo"), "is no superd: it ended without an answer"),
    "fails": ("#!/bin/sh\necho 'superd: out of luck' >&2\nexit 71\n", "out of luck"),
    "fails silently": ("#!/bin/sh\nexit 3\n", "failed its trial with exit status 3"),
    "crashes": ("#!/bin/sh\nkill -SEGV $$\n", "was killed by SIGSEGV in its trial"),
    "hangs": ("#!/bin/sh\nexec sleep 100\n", "did not answer within 5 s"),
    "talks much": (
        "#!/bin/sh\nhead -c 10000000 /dev/zero\nexit 0\n",
        "is no superd: it ended without an answer",
    ),
    "another state": (
        "#!/bin/sh\necho superd 9.9 state 4711\n",
        "'superd 9.9 state 4711' takes version 4711 of the state, and this is 1",
    ),
    "answers and fails": ("#!/bin/sh\necho superd 9.9 state 1\nexit 1\n", "superd 9.9 state 1"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_program_changes_nothing(superd, tree, case):
    source, why = BROKEN[case]
    port = stand.free_port()
    daemon = superd(LOG + f"service cat {{ listen = {port} {CAT} }}", at=tree.root)
    held = stand.connect(port)
    assert echo(held)
    if source is None:
        tree.program.unlink()
    else:
        tree.replace(source)
    if case == "not executable":
        tree.program.chmod(0o644)
    elif case == "no program":
        tree.program.chmod(0o755)
    daemon.send_signal(signal.SIGUSR2)
    assert echo(held) and stand.ask(port, b"meanwhile") == b"meanwhile"
    problem = daemon.wait_event("error", step="upgrade")["error"]
    assert why in problem
    if case != "hangs":
        assert why in daemon.ctl("upgrade", status=1)
    assert echo(held) and stand.ask(port, b"after") == b"after"
    assert not daemon.events("upgrade")
    tree.replace(tree.real)
    upgrade(daemon)
    assert echo(held) and stand.ask(port, b"new") == b"new"
    held.close()
    daemon.wait_idle()


def test_a_bad_configuration_changes_nothing(superd):
    port = stand.free_port()
    daemon = superd(LOG + f"service cat {{ listen = {port} {CAT} }}")
    held = stand.connect(port)
    assert echo(held)
    daemon.config_path.write_text(f"service cat {{\n{CAT}\nexecutable = x\nlisten = {port}}}\n")
    problem = refused_upgrade(daemon)
    assert re.match(r"\S*superd.conf:3: .*unknown option 'executable'", problem), problem
    assert echo(held) and stand.ask(port, b"old") == b"old"


# Passes the trial, and then it is gone.
VANISHING = """#!/bin/sh
echo superd 9.9 state 1
rm "$0"
"""


def test_an_exec_that_fails_changes_nothing(superd, two_kinds, tree, program):
    port = stand.free_port()
    noisy = program("noisy", "#!/bin/sh\nexec 3>&2\nwhile read x; do echo $x >&3; echo $x; done\n")
    daemon = superd(
        LOG + f"service noisy {{ listen = {port} exec = {noisy} }}", *two_kinds, at=tree.root
    )
    held = stand.connect(port)
    assert echo(held)
    tree.replace(VANISHING)
    problem = refused_upgrade(daemon)
    assert problem.endswith("superd/superd: No such file or directory")
    inherited = stand.ask(port, b"fresh\n")
    assert inherited == b"fresh\n" and echo(held)
    stand.poll("the fresh one has ended", lambda: len(daemon.children()) == 1)
    for pid in daemon.children():
        fds = set(os.listdir(f"/proc/{pid}/fd"))
        assert fds <= {"0", "1", "2", "3", "10"}, "no descriptor of superd's got out"
    tree.replace(tree.real)
    upgrade(daemon)
    assert echo(held)


# A program that speaks the protocol and cannot take over.
GOING_BACK = """#!/usr/bin/python3
import os, sys
words = os.environ["SUPERD_UPGRADE"].split()
if words[0] == "try":
    os.write(int(words[2]), b"superd 9.9 state 1\\n")
    sys.exit(0)
assert words[0] == "take", words
os.environ["SUPERD_UPGRADE"] = "back " + words[1] + " the dog ate it"
os.execve(int(words[2]), sys.argv, os.environ)
"""


def test_the_way_back(superd, kinds, tree):
    port = stand.free_port()
    daemon = superd(LOG + f"service cat {{ listen = {port} {CAT} }}", *kinds, at=tree.root)
    held = stand.connect(port)
    assert echo(held)
    programs = set(daemon.children())
    tree.replace(GOING_BACK)
    for _ in range(2):
        assert refused_upgrade(daemon) == "the dog ate it"
        assert "the dog ate it" in daemon.ctl("upgrade", status=1), "superctl is told as well"
        assert echo(held) and stand.ask(port, b"old") == b"old"
        stand.poll("old programs alone", lambda: set(daemon.children()) == programs)
    assert not daemon.events("upgrade") and len(daemon.events("start")) == 1
    assert os.readlink(f"/proc/{daemon.pid}/exe").endswith(" (deleted)")
    assert comm(daemon) == "superd"
    tree.replace(tree.real)
    upgrade(daemon)
    assert not os.readlink(f"/proc/{daemon.pid}/exe").endswith(" (deleted)")
    assert echo(held)
    held.close()
    daemon.wait_idle()


# Spoils the configuration before the real superd takes over: that one has to go back.
SPOILING = """#!/usr/bin/python3
import os, sys
if os.environ["SUPERD_UPGRADE"].startswith("take"):
    open("{config}", "w").write("service cat {{")
os.execv("REAL", sys.argv)
"""


def test_the_way_back_of_a_real_superd(superd, kinds, tree, tmp_path):
    """Its configuration is gone by then; that of the old one is not."""
    port, room_port = stand.free_port(), stand.free_port()
    path = tmp_path / "cat.sock"
    config = (
        LOG
        + f"service cat {{ listen = {{ {port}, unix:{path} }} {CAT} }}\n"
        + f"service gone {{ listen = {room_port} {CAT} }}\n"
    )
    daemon = superd(config, *kinds, at=tree.root)
    clients = [stand.connect(port), stand.connect(room_port)]
    assert all(echo(client) for client in clients)
    tree.replace(SPOILING.format(config=daemon.config_path))
    for _ in range(2):
        daemon.configure(config)
        problem = refused_upgrade(daemon)
        assert re.match(r"\S*superd.conf:1: the '{' opened here is never closed", problem), problem
        assert all(echo(client) for client in clients)
        assert stand.ask(port, b"old") == b"old" and stand.ask(room_port, b"old") == b"old"
        assert path.exists()
    daemon.wait_event("exit", count=4)
    assert len(daemon.children()) == 2
    daemon.configure(config)
    tree.replace(tree.real)
    upgrade(daemon)
    assert all(echo(client) for client in clients)


def test_a_stop_during_the_trial(superd, tree):
    port = stand.free_port()
    daemon = superd(LOG + f"service cat {{ listen = {port} {CAT} }}", at=tree.root)
    tree.replace("#!/bin/sh\nexec sleep 100\n")
    daemon.send_signal(signal.SIGUSR2)
    stand.poll("the trial runs", daemon.children)
    trial = list(daemon.children())[0]
    daemon.stop()
    stand.poll("the trial is gone", lambda: stand.stat_of(trial) is None)


def test_signals_on_the_way(superd, two_kinds):
    port = stand.free_port()
    daemon = superd(LOG + f"service cat {{ listen = {port} {CAT} }}", *two_kinds)
    held = stand.connect(port)
    assert echo(held)
    for number in (signal.SIGUSR2, signal.SIGUSR1, signal.SIGCHLD) * 30:
        daemon.send_signal(number)
        assert echo(held)
    stand.poll("no trial under way", lambda: len(daemon.children()) == 1)
    upgrade(daemon)
    daemon.send_signal(signal.SIGUSR2)
    daemon.send_signal(signal.SIGTERM)
    assert daemon.process.wait(stand.DEADLINE) == 0
    assert stand.read_all(held) == b""


def test_another_configuration(superd, two_kinds, tmp_path):
    kept, gone, new = (stand.free_port() for _ in range(3))
    path = tmp_path / "gone.sock"
    daemon = superd(
        LOG
        + f"service kept {{ listen = {kept} {CAT} }}\n"
        + f"service gone {{ listen = {{ {gone}, unix:{path} }} {CAT} limits {{ time = 60s }} }}",
        *two_kinds,
    )
    clients = [stand.connect(kept), stand.connect(gone)]
    assert all(echo(client) for client in clients)
    daemon.configure(
        LOG
        + f"service new {{ listen = {new} {CAT} }}\n"
        + f"service kept {{ listen = {kept} {CAT} limits {{ instances = 5 }} }}"
    )
    event = upgrade(daemon)
    assert event["services"] == "2" and event["programs"] == "2"
    assert all(echo(client) for client in clients)
    assert stand.ask(new, b"new") == b"new"
    assert stand.ask(kept, b"kept") == b"kept"
    assert daemon.events("accept", service="kept")[-1]["running"] == "2/5"
    with pytest.raises(ConnectionRefusedError):
        stand.connect(gone)
    assert not path.exists()
    upgrade(daemon)
    assert all(echo(client) for client in clients)
    clients[1].close()
    daemon.wait_event("exit", service="gone", id=2, status=0)
    clients[0].close()
    daemon.wait_event("exit", service="kept", id=1, status=0)
    stand.poll("nobody left", lambda: not daemon.children())


KEEPER = """#!/usr/bin/python3
import os, socket
listener = socket.socket(fileno=0)
while True:
    client = listener.accept()[0]
    client.sendall(b"%d %d" % (os.getpid(), listener.getblocking()))
    if client.recv(4) == b"stop":
        break
"""


def keeper_visit(client, word=b"stay"):
    """The pid of a keeper; its socket has to be a blocking one."""
    with client:
        client.settimeout(stand.DEADLINE)
        pid, blocking = client.recv(100).split()
        client.sendall(word)
    assert blocking == b"1"
    return int(pid)


@pytest.mark.parametrize("reload_first", [False, True])
def test_a_wait_service_is_renamed_while_its_program_runs(superd, two_kinds, program, reload_first):
    """The program goes on; no other is started beside it, and one after it."""
    port = stand.free_port()
    keeper = program("keeper", KEEPER)
    service = f"service {{}} {{{{ listen = 127.0.0.1:{port} wait = yes exec = {keeper} }}}}\n"
    daemon = superd(LOG + service.format("a"), *two_kinds)
    pid = keeper_visit(stand.connect(port))
    daemon.configure(LOG + service.format("b"))
    if reload_first:
        daemon.ctl("reload")
    upgrade(daemon)
    for _ in range(5):
        assert keeper_visit(stand.connect(port)) == pid
    assert daemon.children().keys() == {pid} and daemon.service("b")["state"] == "busy"
    assert not daemon.events("error")
    keeper_visit(stand.connect(port), b"stop")
    daemon.wait_event("exit", service="a", status=0)
    second = keeper_visit(stand.connect(port))
    assert [keeper_visit(stand.connect(port)) for _ in range(5)] == 5 * [second]
    keeper_visit(stand.connect(port), b"stop")
    daemon.wait_event("exit", service="b", status=0)
    assert len(daemon.events("accept")) == 2


def test_a_wait_service_takes_the_socket_of_another_by_an_upgrade(superd, two_kinds, program):
    """Its program has another one: the new socket is as a program of a wait service wants it."""
    port, other = stand.free_port(), stand.free_port()
    keeper = program("keeper", KEEPER)
    service = f"service e {{{{ listen = 127.0.0.1:{{}} wait = yes exec = {keeper} }}}}\n"
    daemon = superd(
        LOG + service.format(port) + f"service n {{ listen = 127.0.0.1:{other} {CAT} }}\n", *two_kinds
    )
    first = keeper_visit(stand.connect(port))
    daemon.configure(LOG + service.format(other))
    upgrade(daemon)
    assert keeper_visit(stand.connect(other)) != first
    assert keeper_visit(stand.connect(port)) == first


def test_standard_error_of_a_service_that_is_gone_is_closed(superd, two_kinds):
    """Its pipe stays for a second after its last program; an upgrade may come in between."""
    port = stand.free_port()
    kept = LOG + f"service f {{ listen = {stand.free_port()} {CAT} }}\n"
    daemon = superd(kept + f"service e {{ listen = {port} {CAT} }}\n", *two_kinds)
    stand.ask(port, b"x")
    daemon.configure(kept)
    before = daemon.descriptors()
    upgrade(daemon)
    stand.poll("its listener and its pipe are closed", lambda: daemon.descriptors() <= before - 3)


@pytest.mark.parametrize("how", ["moved", "returned"])
def test_a_wait_program_keeps_nothing_busy_that_it_does_not_have(
    superd, two_kinds, program, tmp_path, how
):
    """After an upgrade its service has another socket than it: the next client gets a new program."""
    keeper = program("keeper", KEEPER)
    old, new = tmp_path / "old", tmp_path / ("new" if how == "moved" else "old")
    without = LOG + f"service f {{ listen = {stand.free_port()} {CAT} }}\n"
    service = "service e {{ listen = unix:{} wait = yes exec = {} }}\n"

    def visit(path):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(path))
        return keeper_visit(client)

    daemon = superd(without + service.format(old, keeper), *two_kinds)
    first = visit(old)
    if how == "returned":
        daemon.configure(without)
        daemon.ctl("reload")
    daemon.configure(without + service.format(new, keeper))
    upgrade(daemon)
    assert daemon.service("e")["state"] == "listening"
    second = visit(new)
    assert first != second and visit(new) == second
    assert set(daemon.children()) == {first, second} and daemon.service("e")["running"] == 2
    assert daemon.service("e")["state"] == "busy"


@pytest.mark.parametrize("way", ["reload", "upgrade"])
def test_a_service_comes_back_after_an_upgrade(superd, two_kinds, program, way):
    """Programs left over from before an upgrade are their service's when it is put back."""
    port, chat = stand.free_port(), stand.free_port()
    quiet = program("quiet", "#!/bin/sh\necho one >&2\nread word && echo $word >&2\nread word\n")
    without = LOG + f"service f {{ listen = {stand.free_port()} {CAT} }}\n"
    full = without + (
        f"service e {{ listen = {port} {CAT} limits {{ instances = 1 on-full = refuse }} }}\n"
        + f"service q {{ listen = {chat} exec = {quiet} limits {{ instances = 1 }} }}\n"
    )
    daemon = superd(full, *two_kinds)

    def change(text, how):
        daemon.configure(text)
        if how == "reload":
            daemon.ctl("reload")
        else:
            upgrade(daemon)

    held, talk = stand.connect(port), stand.connect(chat)
    assert echo(held)
    daemon.wait_event("stderr", service="q", text="one")
    programs = set(daemon.children())
    for round_ in range(2):
        change(without, way)
        upgrade(daemon)
        if way == "upgrade":
            upgrade(daemon)
        change(full, way)
        assert set(daemon.children()) == programs and echo(held)
        for name in ("e", "q"):
            assert daemon.service(name)["state"] == "full"
            assert daemon.service(name)["running"] == len(daemon.connections(name)) == 1
            assert [one["name"] for one in daemon.status()["services"]].count(name) == 1
        with stand.connect(port) as second:
            assert second.recv(1) == b"", "one runs, and one may"
    talk.sendall(b"two\nthree\n")
    daemon.wait_event("stderr", service="q", text="two")
    daemon.wait_event("exit", service="q")
    held.close()
    daemon.wait_event("exit", service="e")
    assert daemon.service("e")["exited"]["ok"] == daemon.service("e")["accepted"] == 1
    assert stand.ask(port, b"x") == b"x"
    stand.ask(chat, b"four\nfive\n")
    daemon.wait_event("stderr", service="q", text="four")
    daemon.wait_idle()


def test_options_of_sockets_follow_the_configuration(superd, two_kinds, tmp_path):
    port, room = stand.free_port(), stand.free_port()
    path = tmp_path / "cat.sock"

    def config(options, wait):
        return (
            f"service cat {{ listen = {{ 127.0.0.1:{port}, unix:{path} }} {CAT} {options} }}\n"
            + f"service room {{ listen = 127.0.0.1:{room} exec = /bin/sleep wait = {wait} }}\n"
        ).replace("exec = /bin/sleep", 'exec = { "/bin/sleep", "1000" }')

    def backlog():
        """The backlog of the tcp listener, as ss shows it: Send-Q of a listening socket."""
        lines = subprocess.run(
            ["ss", "-ltnH", f"sport = :{port}"], stdout=subprocess.PIPE, text=True, check=True
        ).stdout.split()
        return int(lines[2])

    daemon = superd(LOG + config("backlog = 7 socket-mode = 0600", "yes"), *two_kinds)
    waiting = stand.connect(room)
    pid = daemon.wait_event("accept", service="room")["pid"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    inode = path.stat().st_ino
    upgrade(daemon)
    daemon.configure(LOG + config("backlog = 9 socket-mode = 0666", "no"))
    upgrade(daemon)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 and path.stat().st_ino == inode
    if shutil.which("ss"):
        assert backlog() == 9
    flags = pathlib.Path(f"/proc/{pid}/fdinfo/0").read_text()
    assert not int(re.search(r"flags:\s*(\d+)", flags)[1], 8) & os.O_NONBLOCK, "left to its holder"
    daemon.ctl("kill", "1")
    daemon.wait_event("exit", pid=pid, signal="TERM")
    assert daemon.wait_event("accept", count=2, service="room")["pid"] == pid
    assert daemon.events("accept", service="room")[1]["peer"], "superd accepts there now"
    waiting.close()
    assert stand.ask(port, b"x") == b"x"


def test_pid_file_and_daemon(superd, build, tmp_path):
    port = stand.free_port()
    pid_file = tmp_path / "pid"
    config = f"pid-file = {pid_file}\nlog {{ to = file file = {tmp_path}/log }}\n"
    daemon = superd(config + f"service cat {{ listen = {port} {CAT} }}")
    log = tmp_path / "log"
    for count in range(1, 3):
        daemon.send_signal(signal.SIGUSR2)
        stand.poll("upgraded", lambda: log.read_text().count("event=upgrade") == count)
    assert pid_file.read_text() == f"{daemon.pid}\n"
    second = superd(config + f"service cat {{ listen = {port} {CAT} }}", ready=False, check=False)
    assert second.process.wait(stand.DEADLINE) == 71
    assert f"already running as process {daemon.pid}" in second.log_text()
    daemon.stop()
    assert not pid_file.exists()


def report_of(port):
    """What a probe says of how it was started, but for what differs each time."""
    lines = stand.ask(port).decode().splitlines()
    differs = ("sid=", "pgid=", "pid=", "session", "group", "env.SUPERD_CONN_ID", "fd.", "env.TCPREMOTEPORT", "env.REMOTE_PORT")
    return [line for line in lines if not line.startswith(differs)]


def test_programs_are_started_as_before(superd, kinds, probe):
    port = stand.free_port()
    daemon = superd(LOG + f"service probe {{ listen = {port} exec = {probe} }}", *kinds)
    before = report_of(port)
    assert any(line.startswith("limit.open-files=") for line in before)
    for _ in range(2):
        upgrade(daemon)
        assert report_of(port) == before


def test_relative_paths_and_a_moved_program(superd, tree, tmp_path):
    """The command line means the same to the new program, wherever superd stands by now."""
    port = stand.free_port()
    daemon = superd(
        LOG + f"service cat {{ listen = {port} {CAT} }}",
        at=tree.root,
        wrapper=["/bin/sh", "-c", f'cd {tmp_path}/superd0 && exec "$1" -c superd.conf "$4"', "sh"],
    )
    held = stand.connect(port)
    assert echo(held)
    upgrade(daemon)
    tree.replace(tree.real)
    assert os.readlink(f"/proc/{daemon.pid}/exe").endswith(" (deleted)")
    upgrade(daemon)
    assert os.readlink(f"/proc/{daemon.pid}/exe") == str(tree.program)
    assert echo(held)


def test_strangers_to_the_protocol(build, tmp_path):
    """SUPERD_UPGRADE from who knows where starts no superd."""
    config = tmp_path / "superd.conf"
    config.write_text(f"service cat {{ listen = {stand.free_port()} {CAT} }}")
    for value in ("", "take", "take 3", "take 0 1", "back 5 x", "try 1 1", "take -1 2", "nonsense 4"):
        status = os.spawnve(
            os.P_WAIT,
            build / "superd/superd",
            ["superd", "-c", str(config)],
            dict(os.environ, SUPERD_UPGRADE=value),
        )
        assert status == 71, value


