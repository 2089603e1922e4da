"""What a program gets, and what happens when it cannot be had: over both spawn kinds."""

import os
import pathlib
import pwd
import signal
import socket

import pytest

import stand

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root to change identity")


def report(port, host="127.0.0.1"):
    """What probe told of itself."""
    fields = dict(line.split("=", 1) for line in stand.ask(port, b"", host).decode().splitlines())
    assert fields["end"] == "1"
    return fields


@pytest.fixture(params=["vm", "fork"])
def spawn(request):
    return f"--spawn={request.param}"


def test_clean_slate(superd, probe, spawn):
    port = stand.free_port()
    daemon = superd(
        f"service p {{ listen = {port} exec = {{ {probe}, report, 'a b' }} argv0 = name }}", spawn
    )
    with stand.connect(port) as client:
        own = client.getsockname()
        client.shutdown(socket.SHUT_WR)
        text = stand.read_all(client).decode()
    got = dict(line.split("=", 1) for line in text.splitlines())
    assert sorted(key for key in got if key.startswith("fd.")) == ["fd.0", "fd.1", "fd.2"]
    assert got["fd.0"] == got["fd.1"] and got["fd.0"].startswith("socket:")
    assert got["fd.2"].startswith("pipe:")
    assert got["pid"] == got["sid"] == got["pgid"] and int(got["ppid"]) == daemon.pid
    assert [got["argv.0"], got["argv.1"], got["argv.2"]] == ["name", "report", "a b"]
    for mask in ("SigBlk", "SigIgn", "SigPnd"):
        assert int(got[mask], 16) == 0, mask
    assert got["umask"] == "022" and got["cwd"] == "/" and got["nice"] == "0"
    assert got["limit.core-size"] == "0,0"
    soft = int(got["limit.open-files"].split(",")[0])
    assert soft == __import__("resource").getrlimit(__import__("resource").RLIMIT_NOFILE)[0]
    env = {key[4:]: value for key, value in got.items() if key.startswith("env.")}
    want = {
        "PROTO": "TCP",
        "TCPREMOTEIP": "127.0.0.1",
        "TCPREMOTEPORT": str(own[1]),
        "TCPLOCALIP": "127.0.0.1",
        "TCPLOCALPORT": str(port),
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": str(own[1]),
        "TCPCONNNUM": "0",
        "SUPERD_SERVICE": "p",
    }
    assert {key: env.get(key) for key in want} == want
    assert int(env.pop("SUPERD_CONN_ID"), 16) > 0
    passed = {name for name in ("PATH", "LANG", "TZ") if name in os.environ}
    assert set(env) == set(want) | passed


def test_tcpconnnum_counts_the_sources_connections(superd, probe, spawn):
    port = stand.free_port()
    superd(f"service p {{ listen = {port} exec = {{ {probe}, hold }} }}", spawn)
    held = []
    for expected in range(3):
        client = stand.connect(port)
        held.append(client)
        with client.makefile("r") as lines:
            env = [line.strip() for line in iter(lines.readline, "end=1\n")]
        assert f"env.TCPCONNNUM={expected}" in env
    with stand.connect(port, source="127.0.0.2") as other, other.makefile("r") as lines:
        assert "env.TCPCONNNUM=0" in [line.strip() for line in iter(lines.readline, "end=1\n")]
    for client in held:
        client.close()


def test_environment_options(superd, probe, spawn):
    port = stand.free_port()
    superd(
        f"service p {{ listen = {port} exec = {probe} pass-env = {{ KEPT, MISSING }}"
        ' env { GREETING = "hello world" KEPT = "own" OTHER = "x=y" } }',
        spawn,
        env={"KEPT": "superd's", "DROPPED": "1"},
    )
    got = report(port)
    assert got["env.GREETING"] == "hello world"
    assert got["env.KEPT"] == "own" and got["env.OTHER"] == "x=y"
    assert not [key for key in got if key in ("env.DROPPED", "env.MISSING", "env.PATH")]


def test_inherited_signals_are_reset(superd, probe, spawn):
    port = stand.free_port()
    wrapper = [
        "/usr/bin/python3",
        "-c",
        "import os, signal, sys\n"
        "for s in (signal.SIGINT, signal.SIGPIPE, signal.SIGCHLD, signal.SIGFPE, signal.SIGILL):\n"
        "    signal.signal(s, signal.SIG_IGN)\n"
        "import ctypes, platform, struct\n"
        "if platform.machine() == 'x86_64':\n"  # SIGCANCEL, which libc's sigaction refuses
        "    ctypes.CDLL(None).syscall(13, 32, struct.pack('QQQQ', 1, 0, 0, 0), None, 8)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGTERM])\n"
        "os.execv(sys.argv[1], sys.argv[1:])\n",
    ]
    superd(f"service p {{ listen = {port} exec = {probe} }}", spawn, wrapper=wrapper)
    got = report(port)
    assert int(got["SigBlk"], 16) == 0 and int(got["SigIgn"], 16) == 0


def test_limits(superd, probe, spawn):
    port = stand.free_port()
    superd(
        f"service p {{ listen = {port} exec = {probe} umask = 027 nice = 5 directory = /tmp"
        " limits { cpu = 7s memory = 64M processes = 4000 open-files = 33 file-size = 1M"
        " core-size = 2M stack = 4M } }",
        spawn,
    )
    got = report(port)
    assert got["umask"] == "027" and got["nice"] == "5" and got["cwd"] == "/tmp"
    want = {
        "cpu": 7,
        "memory": 64 << 20,
        "processes": 4000,
        "open-files": 33,
        "file-size": 1 << 20,
        "core-size": 2 << 20,
        "stack": 4 << 20,
    }
    assert {name: got[f"limit.{name}"] for name in want} == {
        name: f"{value},{value}" for name, value in want.items()
    }


@needs_root
def test_identity(superd, probe, spawn):
    nobody = pwd.getpwnam("nobody")
    ports = [stand.free_port() for _ in range(5)]
    superd(
        f"service default {{ listen = {ports[0]} exec = {probe} }}\n"
        f"service root {{ listen = {ports[1]} exec = {probe} user = root }}\n"
        f"service ids {{ listen = {ports[2]} exec = {probe} user = 4711 group = 4712"
        " groups = { 4713, daemon } }\n"
        f"service rootnnp {{ listen = {ports[3]} exec = {probe} user = root"
        " no-new-privileges = yes }\n"
        f"service open {{ listen = {ports[4]} exec = {probe} no-new-privileges = no }}\n",
        spawn,
    )
    got = [report(port) for port in ports]
    ids = f"{nobody.pw_uid} " * 4
    assert got[0]["Uid"] == ids.strip()
    assert got[0]["Gid"] == (f"{nobody.pw_gid} " * 4).strip()
    assert got[0]["Groups"].split() == [] and got[0]["NoNewPrivs"] == "1"
    assert got[1]["Uid"] == "0 0 0 0" and got[1]["NoNewPrivs"] == "0"
    assert got[2]["Uid"] == "4711 4711 4711 4711" and got[2]["Gid"] == "4712 4712 4712 4712"
    assert sorted(got[2]["Groups"].split()) == ["1", "4713"]
    assert got[3]["NoNewPrivs"] == "1" and got[4]["NoNewPrivs"] == "0"


@needs_root
def test_root_directory(superd, build, services, tmp_path, spawn):
    jail = tmp_path / "jail"
    (jail / "bin").mkdir(parents=True)
    for folder in (tmp_path, jail, jail / "bin"):
        folder.chmod(0o755)
    daytime = jail / "bin/daytime"
    daytime.write_bytes((services / "daytime").read_bytes())
    daytime.chmod(0o755)
    if b"ld-linux" in daytime.read_bytes():
        pytest.skip("the services are dynamic in this build")
    port = stand.free_port()
    superd(f"service d {{ listen = {port} exec = /bin/daytime root = {jail} }}", spawn)
    assert len(stand.ask(port)) == 26


def test_stderr_to_client_and_null(superd, program, spawn):
    shout = program("shout", "#!/bin/sh\necho out\necho err >&2\n")
    ports = [stand.free_port() for _ in range(3)]
    daemon = superd(
        "".join(
            f"service {to} {{ listen = {port} exec = {shout} stderr = {to} }}\n"
            for to, port in zip(("client", "null", "log"), ports)
        ),
        spawn,
    )
    assert stand.ask(ports[0]) == b"out\nerr\n"
    assert stand.ask(ports[1]) == b"out\n"
    assert stand.ask(ports[2]) == b"out\n"
    assert daemon.wait_event("stderr", service="log")["text"] == "err"
    assert not daemon.events("stderr", service="null")


def test_stderr_beyond_its_budget_is_read_and_dropped(superd, program, spawn):
    flood = program("flood", "#!/bin/sh\nseq 1 200000 >&2\necho done\n")
    port = stand.free_port()
    daemon = superd(f"service flood {{ listen = {port} exec = {flood} }}", spawn)
    assert stand.ask(port) == b"done\n"  # never stopped by a full pipe
    daemon.wait_event("exit", service="flood")
    daemon.wait_idle()  # the pipe is closed
    lines = daemon.events("stderr", service="flood")
    assert 20 <= len(lines) <= 200, len(lines)
    told = sum("text" in line for line in lines)
    assert told + sum(int(line.get("dropped", 0)) for line in lines) == 200000


BURST = "#!/bin/sh\nseq 1 30 >&2\necho said\nread x\n"


@pytest.mark.parametrize("then", ["the program stays", "the program ends", "superd stops"])
def test_the_tail_of_stderr_is_counted(superd, program, spawn, then):
    """Lines beyond the budget with none after them: told all the same, once."""
    burst = program("burst", BURST)
    port = stand.free_port()
    daemon = superd(f"service burst {{ listen = {port} exec = {burst} }}", spawn)
    with stand.connect(port) as client:
        assert client.recv(5) == b"said\n"
        if then == "the program ends":
            client.close()
        if then != "superd stops":
            line = daemon.wait_event("stderr", service="burst", dropped=10).line
            assert line.endswith(" info event=stderr service=burst dropped=10"), line
        if then == "the program stays":
            assert not daemon.events("exit", service="burst")
    if then == "superd stops":
        daemon.stop()
    else:
        daemon.wait_idle()
    lines = daemon.events("stderr", service="burst")
    assert [line.get("text") for line in lines] == [*map(str, range(1, 21)), None]
    assert [line["dropped"] for line in lines if "dropped" in line] == ["10"]


def break_program(how, path):
    """Makes the program at path unusable after superd has loaded its configuration."""
    if how == "missing":
        path.unlink()
    elif how == "not executable":
        path.chmod(0o644)
    elif how == "interpreter":
        path.write_text("#!/no/such/interpreter\n")
    elif how == "format":
        path.write_text("no program\n")


@pytest.mark.parametrize(
    "how, code",
    [
        ("missing", "No such file or directory"),
        ("not executable", "Permission denied"),
        ("interpreter", "No such file or directory"),
        ("format", "Exec format error"),
    ],
)
def test_program_that_cannot_be_had(superd, program, services, spawn, how, code):
    path = program("victim", "#!/bin/sh\necho fine\n")
    ports = [stand.free_port(), stand.free_port()]
    daemon = superd(
        f"service-directory = {services}\n"
        f"service victim {{ listen = {ports[0]} exec = {path} }}\n"
        f"service other {{ listen = {ports[1]} exec = daytime }}\n",
        spawn,
    )
    assert stand.ask(ports[0]) == b"fine\n"
    break_program(how, path)
    for _ in range(3):
        assert stand.ask(ports[0]) == b""  # an orderly close, no reset
    event = daemon.wait_event("error", service="victim")
    assert event["step"] == "exec" and event["error"] == code and event["path"] == str(path)
    assert len(stand.ask(ports[1])) == 26
    daemon.wait_idle()
    assert daemon.events("exit", service="victim")[0]["status"] == "0"


def test_failing_program_is_throttled_and_comes_back(superd, program, spawn):
    path = program("victim", "#!/bin/sh\necho fine\n")
    port = stand.free_port()
    daemon = superd(f"service victim {{ listen = {port} exec = {path} }}", spawn)
    text = path.read_text()
    path.unlink()
    clients = [stand.connect(port) for _ in range(8)]
    daemon.wait_event("state", service="victim", state="throttled")
    late = stand.connect(port)  # waits in the kernel's backlog
    path.write_text(text)
    path.chmod(0o755)
    assert stand.read_all(late) == b"fine\n"
    answers = [stand.read_all(client) for client in clients]
    for client in (late, *clients):
        client.close()
    stand.poll(
        "each failure counted",
        lambda: sum(int(event.get("count", 1)) for event in daemon.events("error"))
        == answers.count(b""),
    )
    assert len(daemon.events("error")) <= 3, "summarised: at most one a second"
    assert stand.ask(port) == b"fine\n"  # at once: one success ends the throttling


def test_directory_that_is_gone(superd, probe, tmp_path, spawn):
    folder = tmp_path / "gone"
    folder.mkdir()
    port = stand.free_port()
    daemon = superd(f"service p {{ listen = {port} exec = {probe} directory = {folder} }}", spawn)
    folder.rmdir()
    assert stand.ask(port) == b""
    event = daemon.wait_event("error", service="p")
    assert event["step"] == "directory" and event["path"] == str(folder)


def test_banner(superd, services, spawn):
    port = stand.free_port()
    superd(
        f"service-directory = {services}\n"
        f'service d {{ listen = {port} exec = discard banner = "welcome\\n" }}',
        spawn,
    )
    assert stand.ask(port) == b"welcome\n"


def test_program_is_not_started_with_a_wrong_identity(superd, probe, spawn, tmp_path):
    if os.getuid() == 0:
        pytest.skip("for an ordinary user")
    config = f"service p {{ listen = {stand.free_port()} exec = {probe} user = root }}"
    daemon = superd(config, spawn, ready=False, check=False)
    assert daemon.process.wait(stand.DEADLINE) == 1
    assert "user" in daemon.log_text()


def test_inherited_descriptors_do_not_reach_programs(superd, probe, spawn):
    port = stand.free_port()
    extra = os.open("/dev/null", os.O_RDONLY)
    wrapper = ["/bin/sh", "-c", f'exec 9</dev/null 300</dev/zero; exec "$@"', "sh"]
    wrapper = ["/bin/bash", "-c", 'exec 9</dev/null 300</dev/zero; exec "$@"', "bash"]
    os.close(extra)
    superd(f"service p {{ listen = {port} exec = {probe} }}", spawn, wrapper=wrapper)
    got = report(port)
    assert sorted(key for key in got if key.startswith("fd.")) == ["fd.0", "fd.1", "fd.2"]


def test_standard_descriptors_closed_at_start(superd, probe, spawn):
    port = stand.free_port()
    wrapper = ["/bin/sh", "-c", 'exec "$@" <&- >&-', "sh"]
    superd(f"service p {{ listen = {port} exec = {probe} }}", spawn, wrapper=wrapper)
    assert report(port)["fd.0"].startswith("socket:")


def test_killed_before_and_after_exec_counts_are_exact(superd, services, spawn):
    port = stand.free_port()
    daemon = superd(
        f"service-directory = {services}\n"
        "log { events = { accept, refuse, exit, error } }\n"
        f"service echo {{ listen = {port} exec = echo limits {{ instances = 500 }} }}\n",
        spawn,
    )
    clients = []
    for number in range(200):
        clients.append(stand.connect(port))
        if number % 3 == 0:  # whoever has just been born, on either side of its exec
            for pid in daemon.children():
                stand.kill(pid, signal.SIGSTOP if number % 2 else signal.SIGKILL)
    stand.poll("200 accepted", lambda: len(daemon.events("accept")) == 200)
    for pid in daemon.children():
        stand.kill(pid, signal.SIGKILL)
    stand.poll("200 ended", lambda: len(daemon.events("exit")) + len(daemon.events("error")) == 200)
    for client in clients:
        client.close()
    daemon.wait_idle()
    assert stand.ask(port, b"x") == b"x"
    last = daemon.events("accept")[-1]
    assert last["running"] == "1/500"
    assert pathlib.Path(f"/proc/{daemon.pid}").exists()
