"""Spawn: programs that cannot be started, that crash, that will not end, that take too much."""

import ctypes
import os
import pathlib
import resource
import signal
import socket
import struct
import subprocess
import time

import pytest

import faults
import stand

USER = 54321  # nobody else's


@pytest.fixture(params=["vm", "fork"])
def spawn(request):
    return f"--spawn={request.param}"


def service(port, program, more="", name="sick"):
    return f"service {name} {{ listen = 127.0.0.1:{port} exec = {program} {more} }}\n"


def get_error(sick, **fields):
    event = sick.daemon.wait_event("error", service="sick", **fields)
    assert "path" in event, event.line
    return event["error"]


def set_processes(pid, most):
    """The soft limit of a running superd; by its own user, for root may not everywhere."""
    text = "unlimited" if most == resource.RLIM_INFINITY else str(most)
    subprocess.run(faults.as_user(USER, "prlimit", f"--pid={pid}", f"--nproc={text}:"), check=True)


def test_fork_eagain_by_rlimit_nproc(patient, spawn):
    """No process more for this user: clients are let go in order, and all is well after it."""
    port = stand.free_port()
    sick = patient(service(port, "echo"), spawn, wrapper=faults.as_user(USER))
    most = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    set_processes(sick.pid, 1)
    began, cpu = time.monotonic(), faults.cpu_ns(sick.pid)
    answers = []
    while time.monotonic() - began < 1:
        answers.append(stand.ask(port))
    assert set(answers) == {b""}, "an orderly end"
    assert get_error(sick, step="clone") == faults.errno_text("EAGAIN")
    assert (faults.cpu_ns(sick.pid) - cpu) / 1e9 < 5 * faults.CPU_SHARE
    set_processes(sick.pid, most)
    assert stand.ask(port, b"x") == b"x"
    assert len(sick.daemon.events("error", service="sick")) <= 3
    sick.health()


@pytest.mark.parametrize("code", ["EAGAIN", "ENOMEM"])
def test_clone_fails(patient, board, spawn, code):
    port = stand.free_port()
    sick = patient(service(port, "echo"), spawn, env=board.env)
    call = "clone" if spawn.endswith("vm") else "fork"
    board.fail(call, getattr(faults.errno, code), count=5)
    assert [stand.ask(port) for _ in range(5)] == [b""] * 5 and board.failed() == 5
    assert stand.ask(port, b"x") == b"x"
    assert get_error(sick, step="clone") == faults.errno_text(code)
    sick.health()


@faults.needs_strace
@pytest.mark.parametrize("call", ["execve", "close_range", "setsid", "dup3"])
def test_raw_call_of_the_child_fails(patient, spawn, call):
    """What the child calls past libc: the program is not run, and the client gets its end."""
    port = stand.free_port()
    sick = patient(service(port, "echo"), spawn)
    with faults.traced(sick.pid, call, "error=EIO:when=1"):
        assert stand.ask(port) == b""
    step = {"execve": "exec", "close_range": "close-range", "dup3": "dup"}.get(call, call)
    event = sick.daemon.wait_event("error", service="sick", step=step)
    assert event["error"] == faults.errno_text("EIO")
    assert stand.ask(port, b"x") == b"x"
    sick.health()


def test_exec_text_busy(patient, spawn, tmp_path):
    """A program that is being written."""
    victim = tmp_path / "victim"
    victim.write_bytes(pathlib.Path("/bin/true").read_bytes())
    victim.chmod(0o755)
    port = stand.free_port()
    sick = patient(service(port, victim), spawn)
    with open(victim, "ab"):
        assert stand.ask(port) == b""
        assert get_error(sick, step="exec") == faults.errno_text("ETXTBSY")
    assert stand.ask(port) == b""
    sick.daemon.wait_event("exit", service="sick", status=0)
    sick.health()


def test_exec_too_big(patient, spawn):
    """An environment that the kernel does not take under the program's own limits."""
    port = stand.free_port()
    big = "x" * 100000
    more = f'env {{ ONE = "{big}" TWO = "{big}" }} limits {{ stack = 256K }}'
    sick = patient(service(port, "echo", more), spawn)
    assert stand.ask(port) == b""
    assert get_error(sick, step="exec") == faults.errno_text("E2BIG")
    sick.health()


def test_crash_loop_at_500_a_second(patient, program, spawn):
    crash = program("crash", "#!/bin/sh\nkill -SEGV $$\n")
    port = stand.free_port()
    sick = patient(service(port, crash), spawn)
    tried = 0
    end = time.monotonic() + (60 if faults.LONG else 1)
    while time.monotonic() < end:
        turn = time.monotonic()
        clients = faults.hold(port, 50)
        for client in clients:
            assert stand.read_all(client) == b""
            client.close()
        tried += 50
        sick.answers()
        faults.pause(max(0, turn + 0.1 - time.monotonic()))
    stand.poll("all ended", lambda: len(sick.daemon.events("exit", service="sick")) == tried)
    assert {e.get("signal") for e in sick.daemon.events("exit", service="sick")} == {"SEGV"}
    assert not sick.daemon.events("state"), "clients are many; that is no failure of the program"
    sick.health()


def test_program_that_exits_without_reading(patient, spawn):
    port = stand.free_port()
    sick = patient(service(port, "/bin/true"), spawn)
    for _ in range(100):
        with stand.connect(port) as client:
            try:
                client.sendall(b"x" * 100000)
                client.shutdown(socket.SHUT_WR)
                assert stand.read_all(client) == b""
            except OSError:
                pass  # what nobody read is the kernel's to reset
    stand.poll("100 exits", lambda: len(sick.daemon.events("exit", service="sick")) == 100)
    sick.health()


FORK_BOMB = """#!/usr/bin/python3
import os, time
made = 0
for _ in range(1000):
    try:
        if os.fork() == 0:
            time.sleep(1000)
            os._exit(0)
        made += 1
    except OSError as error:
        os.write(1, f"{made} {error.errno}\\n".encode())
        break
time.sleep(1000)
"""


@faults.needs_root
def test_fork_bomb_under_limits(patient, program, spawn):
    bomb = program("bomb", FORK_BOMB)
    port = stand.free_port()
    sick = patient(
        service(port, bomb, f"user = {USER} limits {{ processes = 50 time = 1s }}"),
        spawn,
        top="grace = 100ms",
    )
    with stand.connect(port) as client, client.makefile("r") as lines:
        made, code = lines.readline().split()
        assert int(made) < 50 and int(code) == faults.errno.EAGAIN
        sick.look(0.5)
        assert lines.read() == ""
    stand.poll("the whole group is gone", lambda: not processes_of(USER))
    sick.health()


def processes_of(uid):
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{name}").st_uid == uid and stand.stat_of(int(name))[0] != "Z":
                found.append(int(name))
        except (FileNotFoundError, TypeError):
            pass
    return found


def test_memory_bomb_under_limits(patient, program, spawn):
    bomb = program(
        "bomb",
        "#!/usr/bin/python3\nheld = []\ntry:\n    while True:\n        held.append(bytes(1 << 20))\n"
        "except MemoryError:\n    count = len(held)\n    del held\n    print(count)\n",
    )
    port = stand.free_port()
    sick = patient(service(port, bomb, "limits { memory = 128M }"), spawn)
    assert 0 < int(stand.ask(port)) < 128
    sick.daemon.wait_event("exit", service="sick", status=0)
    sick.health()


class HungFolder:
    """A file system that never answers: FUSE, and nobody at the other end."""

    INIT_OUT = struct.Struct("=IIIIHHIIHHI28x")
    HEAD = struct.Struct("=IiQ")

    def __init__(self, path):
        self.path = path
        self.fd = -1

    def __enter__(self):
        self.fd = os.open("/dev/fuse", os.O_RDWR)
        data = f"fd={self.fd},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions"
        if faults.LIBC.mount(b"hung", str(self.path).encode(), b"fuse", 0, data.encode()) != 0:
            code = ctypes.get_errno()
            os.close(self.fd)
            pytest.skip(f"needs FUSE: {os.strerror(code)}")
        request = os.read(self.fd, 65536)
        unique = struct.unpack_from("=Q", request, 8)[0]
        body = self.INIT_OUT.pack(7, 31, 65536, 0, 12, 9, 65536, 1, 0, 0, 0)
        os.write(self.fd, self.HEAD.pack(self.HEAD.size + len(body), 0, unique) + body)
        return self

    def close(self):
        """The connection is cut: all who wait get an error."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __exit__(self, *_):
        self.close()
        faults.LIBC.umount2(str(self.path).encode(), 2)  # MNT_DETACH


@faults.needs_root
def test_64_programs_stuck_before_exec_on_a_hung_file_system(patient, tmp_path, spawn):
    """Whoever wants to start there waits; it is told and killed; all others are served."""
    folder = tmp_path / "hung"
    folder.mkdir()
    ports = [stand.free_port() for _ in range(3)]
    sick = patient(
        "".join(
            service(port, "echo", f"directory = {folder}", name)
            for port, name in zip(ports, ("sick", "sicker", "sickest"))
        ),
        spawn,
    )
    with HungFolder(folder) as hung:
        clients = [client for port in ports for client in faults.hold(port, 64)]
        stand.poll("some stuck", lambda: len(sick.daemon.children()) >= 16)
        sick.look()
        if spawn.endswith("vm"):
            event = sick.daemon.wait_event("error", service="sick", step="start")
            assert "stuck before exec" in event["error"] and event["path"]
            sick.look(0.2)
        hung.close()
    faults.close_all(clients)
    folder.rmdir()
    sick.daemon.wait_event("error", service="sick")
    sick.health()


PID_ONE = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
assert libc.unshare(0x20020000) == 0  # CLONE_NEWPID, CLONE_NEWNS
child = os.fork()
if child == 0:
    libc.prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG
    libc.mount(None, b"/", None, 0x44000, None)  # MS_REC, MS_PRIVATE
    libc.mount(b"proc", b"/proc", b"proc", 0, None)
    os.execv(sys.argv[1], sys.argv[1:])
os.closerange(3, 1024)
import signal
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda n, f: os.kill(child, n))
while True:
    try:
        pid, status = os.waitpid(child, 0)
        break
    except InterruptedError:
        pass
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.fixture
def first(superd, services):
    """A superd that is PID 1 of its namespace: (daemon, its pid out here, an echo's port)."""
    if not faults.can("unshare", "-p", "-f", "-m", "true"):
        pytest.skip("needs root for a pid namespace")

    def start(text="", *options):
        port = stand.free_port()
        daemon = superd(
            f"{faults.LOG}service-directory = {services}\n"
            f"service echo {{ listen = 127.0.0.1:{port} exec = echo stderr = null }}\n{text}",
            *options,
            wrapper=["/usr/bin/python3", "-c", PID_ONE],
        )
        (pid,) = daemon.children()
        return daemon, pid, port

    return start


def test_pid_1(first, program, spawn):
    """It serves, reaps strangers, and obeys TERM."""
    port = stand.free_port()
    orphan = program("orphan", "#!/bin/sh\n(sleep 0.1 & ) & \necho started\n")
    daemon, pid, echo = first(service(port, orphan), spawn)
    for _ in range(5):
        assert stand.ask(port) == b"started\n"
        assert stand.ask(echo, b"x") == b"x"
    stand.poll("no child is left, no zombie", lambda: not stand.children_of(pid))
    assert daemon.events("start")[0]["pid"] == "1"
    daemon.stop()
    assert daemon.events("stop")[0]["signal"] == "TERM"


def test_pid_reuse(first, probe, spawn):
    """A pid that comes again at once is a new entry: counts are exact, the right one is ended."""
    port = stand.free_port()
    daemon, pid, _ = first(service(port, f"{{ {probe}, hold }}", "limits { time = 500ms }"), spawn)
    seen = []
    for _ in range(3):
        with open(f"/proc/{pid}/status", encoding="ascii"):
            set_last_pid(pid, 7000)
        with stand.connect(port) as client, client.makefile("r") as lines:
            got = dict(line.strip().split("=", 1) for line in iter(lines.readline, "end=1\n"))
            seen.append(got["pid"])
            if len(seen) < 3:
                client.shutdown(socket.SHUT_WR)
            assert lines.read() == ""
        daemon.wait_event("exit", service="sick", count=len(seen))
    assert len(set(seen)) == 1, seen
    exits = daemon.events("exit", service="sick")
    assert [e.get("status") or e.get("signal") for e in exits] == ["0", "0", "TERM"]
    assert int(exits[-1]["ms"]) >= 500, "the time of the first one ended the last"
    accepts = daemon.events("accept", service="sick")
    assert [e["running"] for e in accepts] == ["1/64"] * 3
    stand.poll("none left", lambda: not stand.children_of(pid))


def set_last_pid(pid, number):
    """The next process in pid's namespace gets the number after this one."""
    subprocess.run(
        ["nsenter", "-t", str(pid), "-p", "-m", "sh", "-c"]
        + [f"echo {number} >/proc/sys/kernel/ns_last_pid"],
        check=True,
    )


def test_a_stopped_program_is_ended_by_time(patient, probe, spawn):
    port = stand.free_port()
    sick = patient(
        service(port, f"{{ {probe}, hold }}", "limits { time = 300ms }"), spawn, top="grace = 200ms"
    )
    with stand.connect(port) as client, client.makefile("r") as lines:
        got = dict(line.strip().split("=", 1) for line in iter(lines.readline, "end=1\n"))
        os.kill(int(got["pid"]), signal.SIGSTOP)
        assert lines.read() == ""
    assert sick.daemon.wait_event("exit", service="sick")["signal"] in ("TERM", "KILL")
    sick.health()
