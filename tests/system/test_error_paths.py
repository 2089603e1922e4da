"""Ways that are seldom taken: what a client, the machine or an operator does once in a year, each
with what superd has to make of it."""

import errno
import fcntl
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import termios

import pytest

import faults
import stand

CAT = "service {} {{ listen = 127.0.0.1:{} exec = /bin/cat {} }}\n"
GROUP = 54321  # a number nobody has
NOBODY = 65534


# --- the command line -------------------------------------------------------------------------


def superd_says(build, *words):
    return subprocess.run(
        [build / "superd/superd", *words], capture_output=True, text=True, check=False,
        timeout=stand.DEADLINE,
    )


@pytest.mark.parametrize("word", ["-h", "--help", "-V", "--version"])
def test_help_and_version(build, word):
    done = superd_says(build, word)
    assert (done.returncode, done.stderr) == (0, "")
    if "V" in word.upper():
        assert done.stdout.startswith("superd ") and done.stdout.count("\n") == 1
    else:
        assert done.stdout.startswith("usage: superd ") and "--explain" in done.stdout


def test_explain_without_a_running_superd(build, tmp_path):
    path = tmp_path / "superd.conf"
    path.write_text(
        "service one { listen = 7000 exec = /bin/cat  acl { deny = 192.0.2.0/24 allow = all } }\n"
    )

    def explain(address, service="one"):
        done = superd_says(build, "--explain", address, "-c", str(path), service)
        return done.returncode, done.stdout, done.stderr

    assert explain("127.0.0.1")[::2] == (0, "")
    status, text, errors = explain("192.0.2.7")
    assert (status, errors) == (1, "") and "192.0.2.0/24" in text
    assert "no service 'two'" in explain("127.0.0.1", "two")[2]
    assert "neither an address" in explain("localhost")[2]

    command = [build / "superd/superd", "--explain", "127.0.0.1", "-c", path, "one"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False,
                              timeout=stand.DEADLINE)
    assert (done.returncode, done.stderr) == (
        1, b"superd: standard output: No space left on device\n")
    assert {explain("localhost")[0], explain("::1", "two")[0]} == {2}


@faults.needs_root
@pytest.mark.parametrize("own, key, group, right", [
    ([], "group", GROUP, True), ([], "group", GROUP + 1, False),
    ([GROUP + 1], "group", GROUP + 1, False),  # setresgid(2) would not take it
    ([GROUP + 1], "socket-group", GROUP + 1, True),
    (list(range(60000, 60100)), "socket-group", 60099, True),
    ([GROUP + 1], "socket-group", GROUP + 2, False),
])
def test_groups_that_an_ordinary_user_may_give(build, own, key, group, right):
    """superd without privileges: what the kernel lets it have, and no other."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        os.chmod(name, 0o755)
        path = pathlib.Path(name) / "superd.conf"
        path.write_text(
            f"service one {{ listen = unix:{name}/socket exec = /bin/cat user = {GROUP}"
            f" {key} = {group} }}\n"
        )
        done = subprocess.run(
            [build / "superd/superd", "-t", "-c", path], capture_output=True, text=True,
            check=False, user=GROUP, group=GROUP, extra_groups=own, timeout=stand.DEADLINE,
        )
    assert (done.returncode == 0) == right, done
    if not right:
        assert f"cannot take on group '{group}'" in done.stderr


# --- accept -----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["EBADF", "EINVAL", "ENOTSOCK", "EOPNOTSUPP"])
@pytest.mark.parametrize("count", [1, 1 << 40])
def test_a_socket_that_accepts_no_more(patient, board, code, count):
    """It is looked at and, if need be, opened anew; where that does not help, nothing spins."""
    port = stand.free_port()
    sick = patient(CAT.format("cat", port, ""), env=board.env)
    with faults.switched(
        lambda: board.fail("accept4", getattr(errno, code), object_=str(port), count=count),
        board.heal,
    ):
        client = stand.connect(port)
        stand.poll("it has failed", board.failed)
        if count > 1:
            sick.look()
    with client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    sick.health()


@pytest.mark.parametrize("code", ["EMFILE", "ENOMEM", "EINVAL"])
def test_control_socket_that_cannot_accept(superd, board, code):
    """It rests and goes on: who asks meanwhile is answered after it."""
    daemon = superd(CAT.format("cat", stand.free_port(), ""), env=board.env)
    # a unix socket has no port
    board.fail("accept4", getattr(errno, code), object_="0", count=3)
    assert daemon.status()["services"][0]["name"] == "cat"
    assert board.failed() == 3
    board.heal()
    assert daemon.status()["services"][0]["name"] == "cat"


@faults.needs_root
@pytest.mark.parametrize("what, said", [
    ("others'", f"belongs to user {GROUP}, who is not trusted"),
    ("link to others'", f"belongs to user {GROUP}, who is not trusted"),
    ("group's", "is writable by others, mode 0770"),
    ("file", "Not a directory"),
    ("too long", "longer than 107 bytes"),
])
def test_a_control_socket_in_a_folder_that_cannot_be_trusted(build, tmp_path, what, said):
    """Whoever owns a folder on the way could put another superd's socket in its place."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        top = pathlib.Path(name)
        folder = top / "folder"
        if what == "file":
            folder.write_text("")
        else:
            folder.mkdir()
        if what.endswith("others'"):
            os.chown(folder, GROUP, 0)
        if what == "group's":
            os.chown(folder, 0, GROUP)
            folder.chmod(0o770)
        if what.startswith("link"):
            (top / "link").symlink_to(folder)
            folder = top / "link"
        if what == "too long":
            folder = folder / ("x" * 100)
        path = tmp_path / "superd.conf"
        path.write_text(
            CAT.format("cat", stand.free_port(), "") + f'control-socket = "{folder}/socket"\n'
        )
        done = superd_says(build, "-c", str(path))
        assert done.returncode not in (0, None) and said in done.stderr, done
        assert not folder.is_dir() or not list(folder.iterdir())


def connects(path, groups):
    """What a process of another user with these supplementary groups reads there."""
    program = (
        "import socket, sys\n"
        "client = socket.socket(socket.AF_UNIX)\n"
        "client.connect(sys.argv[1])\n"
        "client.sendall(b'x')\n"
        "client.shutdown(socket.SHUT_WR)\n"
        "sys.stdout.write(client.recv(1).decode())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=stand.DEADLINE, check=False, text=True,
        user=GROUP, group=GROUP + 1, extra_groups=groups,
    )
    # one that is refused may have found the connection broken when it sent
    assert not done.stderr or "BrokenPipeError" in done.stderr or "ResetError" in done.stderr, done
    return done.stdout == "x"


@faults.needs_root
@pytest.mark.parametrize("others", [0, 63, 64, 100, 1024, 5000])
def test_groups_of_a_unix_peer(superd, tmp_path, others):
    """A rule about a group holds however many other groups the peer is in."""
    only, but = tmp_path / "only", tmp_path / "but"
    daemon = superd(
        f"service only {{ listen = unix:{only} socket-mode = 0666 exec = /bin/cat\n"
        f" acl {{ allow = group:{GROUP} }} }}\n"
        f"service but {{ listen = unix:{but} socket-mode = 0666 exec = /bin/cat\n"
        f" acl {{ deny = group:{GROUP} allow = all }} }}\n"
    )
    more = list(range(100_000, 100_000 + others))
    assert connects(only, [GROUP, *more]) and not connects(only, more)
    assert connects(but, more) and not connects(but, [GROUP, *more])
    daemon.wait_event("refuse", service="but", reason="acl")


# --- limits -----------------------------------------------------------------------------------


def test_a_wait_program_waits_for_max_instances(superd, services):
    """Its datagram stays where it is until another program has ended."""
    held_port, port = stand.free_port(), stand.free_port()
    superd(
        f"service-directory = {services} max-instances = 1\n" + CAT.format("cat", held_port, "")
        + f"service echo {{ listen = udp:127.0.0.1:{port} wait = yes exec = {{ echo, -t, 1 }} }}\n"
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        with stand.connect(held_port) as held:
            held.sendall(b"x")
            assert held.recv(1) == b"x"
            client.send(b"y")
            client.settimeout(0.5)
            with pytest.raises(TimeoutError):
                client.recv(1)
        client.settimeout(stand.DEADLINE)
        assert client.recv(1) == b"y"


@pytest.mark.parametrize("spawn", ["vm", "fork"])
def test_programs_get_the_soft_limit_that_superd_was_started_with(superd, probe, out, spawn):
    """superd raises its own; 256 is what it was given."""
    port = stand.free_port()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard = min(before[1], 8192)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        daemon = superd(
            f'service p {{ listen = {port} exec = {probe} env {{ PROBE_OUT = "{out}/p" }} }}',
            f"--spawn={spawn}",
        )
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)[0] >= hard
    stand.connect(port).close()
    text = stand.poll("the probe", lambda: (out / "p").exists() and (out / "p").read_text())
    assert f"limit.open-files=256,{before[1]}\n" in text


@pytest.mark.parametrize("spawn", ["vm", "fork"])
def test_a_limit_that_was_lowered_since_binds_programs_too(superd, probe, out, spawn):
    """
    An ordinary superd cannot give back the hard limit that prlimit(1) has taken from it: a program
    has what is left, and is started.
    """
    port = stand.free_port()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        daemon = superd(
            f'service p {{ listen = {port} exec = {probe} env {{ PROBE_OUT = "{out}/p" }} }}',
            f"--spawn={spawn}",
            wrapper=faults.as_user(NOBODY),
        )
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    for hard, soft in ((300, 256), (100, 100)):
        lower = ["prlimit", f"--pid={daemon.pid}", f"--nofile={hard}:{hard}"]
        subprocess.run(faults.as_user(NOBODY, *lower), check=True)
        stand.connect(port).close()
        text = stand.poll("the probe", lambda: (out / "p").exists() and (out / "p").read_text())
        assert f"limit.open-files={soft},{hard}\n" in text
        (out / "p").unlink()


TELL_PORTS = """#!/usr/bin/python3
import os, socket, sys
sockets = [socket.socket(fileno=3 + i) for i in range(int(os.environ["LISTEN_FDS"]))]
ports = [sock.getsockname()[1] for sock in sockets]
sockets[0].accept()[0].close()
with open(sys.argv[1] + ".new", "w") as file:
    print(*ports, len(os.listdir("/proc/self/fd")) - 2, file=file)
os.rename(sys.argv[1] + ".new", sys.argv[1])
"""


@pytest.mark.parametrize("spawn", ["vm", "fork"])
def test_a_wait_program_with_more_sockets_than_descriptors_lie_below_superds(
    superd, program, out, spawn
):
    """They come in the order of the configuration though targets and sources overlap."""
    ports = [stand.free_port() for _ in range(300)]
    tell = program("tell", TELL_PORTS)
    listen = ", ".join(f"127.0.0.1:{port}" for port in ports)
    superd(
        f"service many {{ listen = {{ {listen} }} wait = yes exec = {{ {tell}, {out}/ports }} }}\n",
        f"--spawn={spawn}",
    )
    assert stand.ask(ports[0]) == b""
    stand.poll("the program", (out / "ports").exists)
    got = [int(word) for word in (out / "ports").read_text().split()]
    assert got[:-1] == ports
    assert got[-1] <= 303  # and 0, 1, 2; nothing else


# --- reload and stop --------------------------------------------------------------------------


def test_metrics_of_a_service_that_was_removed_and_comes_again(superd):
    """While programs of the old one run its figures are told, once for each name."""
    port, other = stand.free_port(), stand.free_port()
    daemon = superd(CAT.format("one", port, "") + CAT.format("two", other, ""))

    def told(name):
        return daemon.ctl("metrics").count(f'superd_connections_active{{service="{name}"}}')

    def load(text):
        daemon.configure(text)
        daemon.ctl("reload")

    assert (told("one"), told("two")) == (1, 1)
    with stand.connect(port) as held:
        held.sendall(b"x")
        assert held.recv(1) == b"x"
        load(CAT.format("two", other, ""))
        assert (told("one"), told("two")) == (1, 1)
        load(CAT.format("one", port, "") + CAT.format("two", other, ""))
        with stand.connect(port) as second:
            second.sendall(b"x")
            assert second.recv(1) == b"x"
            load(CAT.format("two", other, ""))
            assert told("one") == 1
            held.sendall(b"y")
            assert held.recv(1) == b"y"
    daemon.wait_idle()


@pytest.fixture
def hanging(superd, source, tmp_path):
    """A superd whose loader hangs with hang.conf, and that file's name."""
    library = tmp_path / "fault.so"
    subprocess.run(
        [*os.environ.get("CC", "cc").split(), "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1"]
        + ["-Wno-null-dereference", "-o", library, source / "tests/conf/fault.c", "-ldl"],
        check=True,
    )
    text = CAT.format("cat", stand.free_port(), "")
    options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    daemon = superd(text, env={"LD_PRELOAD": str(library), "ASAN_OPTIONS": options})
    path = tmp_path / "hang.conf"
    path.write_text(text)
    return daemon, path


def ask(daemon, line):
    """A client of the control socket that has asked."""
    client = socket.socket(socket.AF_UNIX)
    client.connect(daemon.control)
    client.settimeout(stand.DEADLINE)
    client.sendall(line.encode() + b"\n")
    taken = bytearray(4)

    def is_taken():
        fcntl.ioctl(client, termios.TIOCOUTQ, taken)
        return not any(taken)

    stand.poll("it has been read", is_taken)
    return client


def stop_before(daemon, clients):
    """Each of those who wait is told why nothing comes of it."""
    daemon.send_signal(signal.SIGTERM)
    for client in clients:
        with client:
            assert b"superd is stopping" in stand.read_all(client)
    assert daemon.process.wait(stand.DEADLINE) == 0


@faults.needs_root
def test_who_waits_for_the_loader_when_superd_stops(hanging):
    """Each of them is told why nothing comes of it."""
    daemon, path = hanging
    clients = [ask(daemon, f"diff {path}") for _ in range(3)] + [ask(daemon, "reload")]
    stand.poll("the loader", daemon.children)
    assert daemon.status()["services"]
    stop_before(daemon, clients)


@faults.needs_root
def test_more_waiting_clients_than_the_control_socket_has_room_for(hanging):
    """The surplus one is turned away with a word; as soon as one of the others leaves it gets in."""
    daemon, path = hanging
    clients = [ask(daemon, f"diff {path}") for _ in range(16)]
    with socket.socket(socket.AF_UNIX) as surplus:
        surplus.connect(daemon.control)
        surplus.settimeout(stand.DEADLINE)
        assert b"superd is busy" in stand.read_all(surplus)
    clients.pop().close()

    def is_answered():
        return '"services"' in daemon.ctl("status", "--json", status=None)

    stand.poll("room for one", is_answered)
    stop_before(daemon, clients)


@faults.needs_root
def test_an_upgrade_that_has_to_wait(hanging):
    """For a loader; a second one is not begun meanwhile, and the end of superd ends the first."""
    daemon, path = hanging
    loading = ask(daemon, f"diff {path}")
    first = ask(daemon, "upgrade")
    assert "an upgrade is under way already" in daemon.ctl("upgrade", status=1)
    stand.poll("the end of the trial", lambda: len(daemon.children()) == 1)
    assert daemon.status()["services"]
    daemon.send_signal(signal.SIGTERM)
    for client in (loading, first):
        with client:
            assert b"superd is stopping" in stand.read_all(client)
    assert daemon.process.wait(stand.DEADLINE) == 0


def test_a_log_file_that_cannot_be_reopened_at_a_reload(superd, tmp_path):
    """The reload is done, says so, and the log goes on in the file that is open."""
    folder = tmp_path / "log"
    folder.mkdir()
    port = stand.free_port()
    text = f'log {{ to = file file = {folder}/superd.log }}\n' + CAT.format("cat", port, "")
    daemon = superd(text)
    (folder / "superd.log").rename(tmp_path / "moved")
    folder.rmdir()
    daemon.ctl("reload", status=None)
    assert stand.ask(port, b"x") == b"x"
    stand.poll("a line in the file", lambda: "reload" in (tmp_path / "moved").read_text())


@pytest.mark.parametrize("count", [3, 50, 300])
def test_a_file_with_more_problems_than_are_told(superd, count):
    """The log has some and says how many more there are; superctl has a hundred."""
    port = stand.free_port()
    daemon = superd(CAT.format("cat", port, ""))
    wrong = "".join(f"service s{number} {{ listen = nonsense exec = /bin/cat }}\n"
                    for number in range(count))
    daemon.config_path.write_text(wrong + f'control-socket = "{daemon.control}"\n')
    said = daemon.ctl("reload", status=1)
    assert said.count("nonsense") == min(count, 100)
    assert ("more problems are not shown" in said) == (count > 100)
    daemon.wait_event("error", step="reload")

    def told():
        return [event["error"] for event in daemon.events("error", step="reload")]

    if count > 10:
        stand.poll("what was left out", lambda: [
            event for event in daemon.events("warning", step="reload")
            if re.fullmatch(r"and \d+ more", event["warning"])])
    assert 1 <= len(told()) <= 10
    assert stand.ask(port, b"x") == b"x"
