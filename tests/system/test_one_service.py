"""superd --listen: one service, no file."""

import os
import pathlib
import signal
import socket
import subprocess

import pytest

import stand


def run(build, *words, **more):
    """superd with these words, to its end."""
    return subprocess.run(
        [build / "superd/superd", *words],
        capture_output=True,
        text=True,
        timeout=stand.DEADLINE,
        check=False,
        stdin=subprocess.DEVNULL,
        **more,
    )


@pytest.fixture
def one(build, tmp_path):
    """Starts superd without a file: one(words...) -> a stand.Superd; each is stopped at the end."""
    daemons = []

    class One(stand.Superd):
        """Its command line has no -c."""

        def start(self, ready=True):
            self.words = self.options
            self.options = []
            program = self.build / "superd/superd"
            script = tmp_path / f"start{len(daemons)}"
            # the stand appends its own options: they go in front of the program's words
            quoted = " ".join("'" + str(word).replace("'", "'\\''") + "'" for word in self.words)
            script.write_bytes(os.fsencode(f'#!/bin/sh\nexec {program} "$4" {quoted}\n'))
            script.chmod(0o755)
            self.wrapper = [str(script)]
            return super().start(ready)

    def start(*words, env=None):
        folder = tmp_path / f"one{len(daemons)}"
        folder.mkdir()
        daemon = One(build, folder, "", words, env=env)
        daemons.append(daemon)
        return daemon.start()

    yield start
    try:
        for daemon in daemons:
            daemon.stop()
    finally:
        for daemon in daemons:
            daemon.kill()
            daemon.remove()


def test_one_service(one, kinds):
    port = stand.free_port()
    daemon = one("--listen", f"127.0.0.1:{port}", *kinds, "--", "/bin/cat")
    for i in range(10):
        assert stand.ask(port, b"%d" % i) == b"%d" % i
    daemon.wait_event("exit", count=10, service="cat", status=0)
    start = daemon.events("start")[0]
    assert (start["services"], start["listeners"]) == ("1", "1")
    assert f"--loop={start['loop']}" in kinds and f"--spawn={start['spawn']}" in kinds


def test_several_endpoints_and_options(one, tmp_path):
    ports = [stand.free_port(), stand.free_port()]
    path = tmp_path / "socket"
    daemon = one(
        "--listen",
        f"127.0.0.1:{ports[0]}",
        f"--listen=tcp:[::1]:{ports[1]}",
        "--listen",
        f"unix:{path}",
        "--set",
        'argv0 = mine  limits { instances = 1 } env { A = "b c" } # a comment',
        "--set",
        "log { events = { accept } }\nstderr = null",
        "-l",
        "debug",
        "--",
        "/bin/sh",
        "-c",
        'echo "$0 $A"; cat',
    )
    assert stand.ask(ports[0], b"x") == b"mine b c\nx"
    with socket.create_connection(("::1", ports[1]), stand.DEADLINE) as client:
        client.shutdown(socket.SHUT_WR)
        assert client.makefile().read() == "mine b c\n"
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(stand.DEADLINE)
        client.connect(str(path))
        client.shutdown(socket.SHUT_WR)
        assert client.makefile().read() == "mine b c\n"
    assert daemon.wait_event("accept", count=3)["running"] == "1/1"
    assert not daemon.events("exit")


def test_several_endpoints_of_one_option(one):
    ports = [stand.free_port() for _ in range(3)]
    daemon = one(
        "--listen",
        f"127.0.0.1:{ports[0]}",
        f"127.0.0.1:{ports[1]}",
        "--set",
        "argv0 = mine",
        f"--listen=127.0.0.1:{ports[2]}",
        "--",
        "cat",
        "-u",
    )
    for port in ports:
        assert stand.ask(port, b"x") == b"x"
    daemon.send_signal(signal.SIGUSR2)
    assert daemon.wait_event("upgrade")["listeners"] == "3"
    for port in ports:
        assert stand.ask(port, b"y") == b"y"


@pytest.mark.parametrize(
    "words",
    [
        ["plain"],
        ["two words", "", "  "],
        ['"', "'", "\\", '\\"', "}", "{", "} service x {", "#", "//", "/* ", "*", "+", "="],
        ["${HOME}", "${NOT_SET_ANYWHERE}", "$HOME", "$", "\\${HOME}", "$${HOME}"],
        ["new\nline", "tab\t", "\x01\x1b[0m\x7f", "\r\n", "\\n", "ü€", "a" * 5000],
        ["-h", "--version", "--", "-c"],
        [b"\xff\xfe\x80not text\x9c"],
    ],
    ids=["plain", "blanks", "signs", "variables", "bytes", "options", "no-utf8"],
)
def test_arguments_arrive_as_they_are(one, program, words):
    port = stand.free_port()
    tell = program(
        "tell", "#!/bin/sh\nfor word; do printf '%s\\0' \"$word\"; done\n"
    )
    raw = [os.fsencode(word) if isinstance(word, str) else word for word in words]
    one("--listen", f"127.0.0.1:{port}", "--", str(tell), *[os.fsdecode(word) for word in raw])
    assert stand.ask(port).split(b"\0")[:-1] == raw


def test_names(build, program):
    """The service is called by the program's base name, as far as that can be a name."""
    port = stand.free_port()
    for name, wanted in (
        ("a.b-c_d+e@f", "a.b-c_d+e@f"),
        ("with blank(1)ü", "with_blank_1___"),
        ("n" * 100, "n" * 64),
    ):
        path = program(name, "#!/bin/sh\n")
        done = run(build, "-T", "--listen", str(port), "--", str(path))
        assert done.returncode == 0, done.stderr
        assert f"\nservice {wanted} {{" in done.stdout.replace('"', "")


def test_program_is_found_as_a_shell_finds_it(build, services, program, tmp_path):
    program("mine", "#!/bin/sh\n")
    program("echo", "#!/bin/sh\n")
    env = dict(os.environ, PATH=f"relative::/nonexistent:{tmp_path}:/usr/bin:/bin")

    def path_of(name):
        done = run(build, "-T", "--listen", "7000", "--", name, env=env, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        (line,) = [line for line in done.stdout.splitlines() if line.strip().startswith("exec = ")]
        return line.split("{")[1].split("}")[0].strip()

    assert path_of("mine") == f"{tmp_path}/mine"
    assert path_of("./mine") == f"{tmp_path}/./mine"
    assert path_of("/bin/cat") == "/bin/cat"
    assert path_of("echo") == "echo", "a bundled service comes first"


@pytest.mark.parametrize(
    "words, problems",
    [
        (["--set", "x = 1"], ['--set:1: service "cat": unknown option \'x\'']),
        (
            ["--set", "\nlimits { cpus = 1\n}\nuser = nobody-at-all"],
            ['--set:2: service "cat": limits: unknown option \'cpus\'', "--set:4: "],
        ),
        (["--set", "nice = 1", "--set", "nice = 2"], ["--set:2: ", "first in --set:1"]),
        (["--set", "} service x { exec = y"], ["--set:1: '}' without a matching '{'"]),
        (["--set", "/* open"], ["--set:1: the comment that begins here is never closed"]),
        (["--set", 'nice = "open'], ["--set:1: the closing quote"]),
        (["--set", "listen = 7"], ["--set:1: ", "listen is set twice (first in --listen:1)"]),
        (["--set", "exec = a"], ["--set:1: ", "exec is set twice (first in command line:1)"]),
        (["--set", "grace = 5s"], ['--set:1: service "cat": unknown option \'grace\'']),
        (["--set", 'include("/etc/superd.conf")'], ["--set:1: "]),
        (["--set", "use = t"], ["--set:1: "]),
        (["--listen", "70000"], ['--listen:2: service "cat": listen: port 70000 is not in 1..65535']),
        (["--listen", "7000"], ["--listen:2: ", "7000 is already taken"]),
        (["--listen", ""], ["--listen:2: "]),
        (["--listen", 'x" } exec = { "y'], ["--listen:2: "]),
    ],
)
def test_problems_name_the_command_line(build, words, problems):
    for option in ("-t", None):
        front = [option] if option else []
        done = run(build, *front, "--listen", "7000", *words, "--", "/bin/cat")
        assert done.returncode == 1
        for problem in problems:
            assert problem in done.stderr
        assert "superd.conf" not in done.stderr.replace("/etc/superd.conf", "")


def test_no_such_program(build):
    done = run(build, "-t", "--listen", "7000", "--", "/nonexistent/program", "-x")
    assert done.returncode == 1
    assert done.stderr.startswith('command line:1: service "program": exec: ')
    done = run(build, "-t", "--listen", "7000", "--", "no-such-program-anywhere")
    assert done.returncode == 1
    assert 'service "no-such-program-anywhere": exec: ' in done.stderr


def test_check_and_print(build):
    words = ["--listen", "127.0.0.1:7000", "--set", "limits { time = 60s }", "--", "/bin/cat", "-u"]
    done = run(build, "-t", *words)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = run(build, "-T", *words)
    assert done.returncode == 0
    assert "\tlisten = { 127.0.0.1:7000 }  # --listen:1\n" in done.stdout
    assert "\texec = { /bin/cat, -u }  # command line:1\n" in done.stdout
    assert "\t\ttime = 1m  # --set:1\n" in done.stdout or "time = 60s  # --set:1" in done.stdout


def test_what_is_printed_loads_again(build, tmp_path):
    words = ["--listen", "127.0.0.1:7000", "--set", "nice = 3", "--", "/bin/cat", 'a "b" ${c}']
    first = run(build, "-T", *words)
    path = tmp_path / "again.conf"
    path.write_text(first.stdout)
    second = run(build, "-T", "-c", str(path))
    assert second.returncode == 0, second.stderr

    def bare(text):
        return [line.split("  #")[0] for line in text.splitlines() if not line.startswith("#")]

    assert bare(first.stdout) == bare(second.stdout)


@pytest.mark.parametrize(
    "words",
    [
        ["--listen", "7000"],
        ["--listen", "7000", "--"],
        ["--listen"],
        ["--set", "nice = 1"],
        ["--set", "nice = 1", "--", "/bin/cat"],
        ["-c", "/etc/superd.conf", "--listen", "7000", "--", "/bin/cat"],
        ["--explain", "127.0.0.1", "--listen", "7000", "--", "/bin/cat"],
        ["--", "/bin/cat"],
    ],
)
def test_usage(build, words):
    done = run(build, *words)
    assert done.returncode == 2 and "usage:" in done.stderr


def test_user(one):
    """nobody where superd is root, otherwise its own."""
    port = stand.free_port()
    one("--listen", f"127.0.0.1:{port}", "--", "/usr/bin/id", "-u")
    nobody = 65534
    assert int(stand.ask(port)) == (os.getuid() or nobody)


def test_datagrams(one, services):
    port = stand.free_port()
    one("--listen", f"udp:127.0.0.1:{port}", "--", str(services / "echo"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(stand.DEADLINE)
        client.sendto(b"datagram", ("127.0.0.1", port))
        assert client.recv(100) == b"datagram"


def test_more_than_a_thousand_at_once_may_run(build):
    """The limit of all services together is none for a single one."""
    done = run(build, "-T", "--listen", "7000", "--set", "limits { instances = 5000 }", "--", "/bin/cat")
    assert "max-instances = 1000000" in done.stdout and "instances = 5000" in done.stdout


def test_no_control_socket(one):
    """The system's superd has that name."""
    port = stand.free_port()
    daemon = one("--listen", f"127.0.0.1:{port}", "--", "/bin/cat")
    assert stand.ask(port, b"x") == b"x"
    assert "control" not in daemon.log_text()


def test_hangup_loads_the_same_again(one, kinds, tmp_path):
    """Sessions and listener go on; what the command line names is looked up anew."""
    port = stand.free_port()
    program = tmp_path / "program"
    program.symlink_to("/bin/cat")
    daemon = one("--listen", f"127.0.0.1:{port}", *kinds, "--", str(program))
    with stand.connect(port) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        daemon.send_signal(signal.SIGHUP)
        daemon.wait_event("reload")
        client.sendall(b"y")
        assert client.recv(1) == b"y"
    program.unlink()
    daemon.send_signal(signal.SIGHUP)
    stand.poll(
        "the problem in the log",
        lambda: 'command line:1: service \\"program\\": exec: ' in daemon.log_text(),
    )
    program.symlink_to("/bin/cat")
    daemon.send_signal(signal.SIGHUP)
    daemon.wait_event("reload", count=2)
    assert stand.ask(port, b"z") == b"z"


def test_upgrade(one, kinds, tmp_path):
    port = stand.free_port()
    daemon = one("--listen", f"127.0.0.1:{port}", "--set", "nice = 2", *kinds, "--", "cat", "-u")
    with stand.connect(port) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        daemon.send_signal(signal.SIGUSR2)
        daemon.wait_event("upgrade", pid=daemon.pid)
        client.sendall(b"y")
        assert client.recv(1) == b"y"
    assert stand.ask(port, b"z") == b"z"
    daemon.wait_event("exit", service="cat", count=2)


def test_port_in_use(build):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        done = run(build, "--listen", f"127.0.0.1:{port}", "--", "/bin/cat")
    assert done.returncode == 69
    assert "Address already in use" in done.stderr


def test_daemon(build, tmp_path):
    port = stand.free_port()
    pid_file = tmp_path / "pid"
    done = run(
        build, "-d", "-p", str(pid_file), "--listen", f"127.0.0.1:{port}", "--", "/bin/cat"
    )
    assert done.returncode == 0, done.stderr
    pid = int(pid_file.read_text())
    try:
        assert stand.ask(port, b"x") == b"x"
    finally:
        os.kill(pid, signal.SIGTERM)
        stand.poll("daemon gone", lambda: (stand.stat_of(pid) or "Z")[0] == "Z")


def test_given_socket(one, tmp_path):
    """LISTEN_FDS goes with it: systemd-socket-activate -l PORT superd --listen PORT -- PROGRAM."""
    given = pathlib.Path(__file__).resolve().parent / "given"
    port = stand.free_port()
    daemon = one("--listen", f"127.0.0.1:{port}", "--", "/bin/cat")
    daemon.stop()
    process = subprocess.Popen(
        [given, f"tcp:127.0.0.1:{port}", "--", daemon.build / "superd/superd"]
        + ["--listen", f"127.0.0.1:{port}", "--", "/bin/cat"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        stand.poll("it listens", lambda: _connects(port))
        assert stand.ask(port, b"x") == b"x"
    finally:
        process.terminate()
        text = process.communicate(timeout=stand.DEADLINE)[1]
    assert process.returncode == 0 and b"fits no endpoint" not in text


def _connects(port):
    try:
        stand.connect(port).close()
    except ConnectionRefusedError:
        return False
    return True
