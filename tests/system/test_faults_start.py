"""Start: what is not there, what is there already, and what goes away while superd runs."""

import os
import pathlib
import pwd
import signal
import socket
import subprocess

import pytest

import faults
import stand


def service(port, program, more="", name="sick", host="127.0.0.1:"):
    return f"service {name} {{ listen = {host}{port} exec = {program} {more} }}\n"


def shell(text):
    """A wrapper: a shell that prepares, then becomes superd."""
    return ["/bin/sh", "-ec", text + '\nexec "$@"', "sh"]


def in_mounts(text):
    return ["unshare", "-m", "--propagation", "private", *shell(text)]


def in_net(text=""):
    return ["unshare", "-n", *shell("ip link set lo up\n" + text)]


def ask_inside(daemon, port, host="127.0.0.1", data=b"x"):
    return faults.inside(daemon.pid, ["net"], lambda: stand.ask(port, data, host))


@faults.needs_net
def test_address_not_there_yet(superd, services):
    """The others serve; the address is taken when it comes, whoever brings it."""
    ports = [stand.free_port(), stand.free_port()]
    daemon = superd(
        f"{faults.LOG}service-directory = {services}\n"
        + service(ports[0], "echo", host="10.9.8.7:")
        + service(ports[1], "echo", name="well"),
        wrapper=in_net(),
    )
    event = daemon.wait_event("error", service="sick", step="listen")
    assert faults.errno_text("EADDRNOTAVAIL") in event["error"]
    assert event["endpoint"] == f"tcp 10.9.8.7:{ports[0]}"
    assert ask_inside(daemon, ports[1]) == b"x"
    before = faults.cpu_ns(daemon.pid)
    subprocess.run(
        ["nsenter", "-t", str(daemon.pid), "-n", "ip", "addr", "add", "10.9.8.7/32", "dev", "lo"],
        check=True,
    )
    daemon.wait_event("listen", service="sick")
    assert faults.cpu_ns(daemon.pid) - before < 1e9 * faults.CPU_SHARE
    assert ask_inside(daemon, ports[0], "10.9.8.7") == b"x"


@faults.needs_net
@pytest.mark.parametrize("host", ["", "localhost:"])
@pytest.mark.parametrize("how", ["disabled", "unknown"])
def test_no_ipv6(superd, services, board, how, host):
    """A machine without IPv6: the other half of the endpoint serves, and nobody tries again."""
    port = stand.free_port()
    off = "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6\n" if how == "disabled" else ""
    if how == "unknown":
        board.fail("socket", faults.errno.EAFNOSUPPORT, object_=str(int(socket.AF_INET6)))
    daemon = superd(
        f"{faults.LOG}service-directory = {services}\n" + service(port, "echo", host=host),
        wrapper=in_net(off),
        env=board.env,
    )
    assert how == "disabled" or board.failed() == 1
    for _ in range(3):
        assert ask_inside(daemon, port) == b"x"
    faults.pause(1.2)  # longer than the first pause before a retry
    told = [e for e in daemon.events() if e.get("event") in ("error", "warning", "listen")]
    assert len(told) <= 1, daemon.log_text()
    assert not daemon.events("error"), "a family that the machine lacks is a warning"
    assert ask_inside(daemon, port) == b"x"


def without_services(folder):
    """An /etc that has users and no services."""
    return in_mounts(
        f"mkdir {folder}/etc\n"
        f"for name in passwd group nsswitch.conf ld.so.cache; do\n"
        f"    test ! -e /etc/$name || cp /etc/$name {folder}/etc/$name\ndone\n"
        f"mount --bind {folder}/etc /etc"
    )


@faults.needs_mount
def test_no_etc_services(superd, services, tmp_path):
    port = stand.free_port()
    config = f"{faults.LOG}service-directory = {services}\n" + service(port, "echo")
    superd(config, wrapper=without_services(tmp_path))
    assert stand.ask(port, b"x") == b"x"
    named = superd(
        f"service-directory = {services}\nservice echo {{ exec = echo }}\n",
        ready=False,
        check=False,
        wrapper=in_mounts(f"mount --bind {tmp_path}/etc /etc"),
    )
    assert named.process.wait(stand.DEADLINE) == 1
    assert "is not in /etc/services" in named.log_text()


@faults.needs_mount
def test_no_dev_log(superd, services, sanitized):
    """Nobody hears; superd serves, and speaks as soon as somebody listens."""
    port = stand.free_port()
    well = stand.free_port()
    daemon = superd(
        f"log {{ to = syslog events = {{ accept, refuse, exit, error }} }}\n"
        f"service-directory = {services}\n"
        + service(port, "echo", "stderr = null")
        + service(well, "echo", "stderr = null", "well"),
        wrapper=in_mounts("mount -t tmpfs tmpfs /dev\nmknod -m 666 /dev/null c 1 3"),
    )
    for _ in range(200):
        assert stand.ask(port, b"x") == b"x"
    stand.poll("none left", lambda: not daemon.children())
    before = faults.cpu_ns(daemon.pid)
    faults.pause(1)
    assert faults.cpu_ns(daemon.pid) - before < 1e9 * faults.CPU_SHARE
    assert daemon.log_text() == ""
    said = faults.inside(daemon.pid, ["mnt"], listen_to_syslog)
    assert "event=start" in said or "event=log-dropped" in said, said
    assert stand.ask(port, b"x") == b"x"


def listen_to_syslog():
    """The first datagram that comes to a new /dev/log."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind("/dev/log")
        os.chmod("/dev/log", 0o666)
        log.settimeout(stand.DEADLINE)
        return log.recv(8192).decode()


@faults.needs_mount
def test_read_only_root(superd, services, tmp_path):
    port = stand.free_port()
    config = f"{faults.LOG}service-directory = {services}\n" + service(port, "echo")
    frozen = in_mounts("mount --bind / /\nmount -o remount,ro,bind /")
    superd(config, wrapper=frozen)
    assert stand.ask(port, b"x") == b"x"
    # what has to be written and cannot be is said at the start, not later
    other = superd(
        f"pid-file = {tmp_path}/pid\n{config}", ready=False, check=False, wrapper=frozen
    )
    assert other.process.wait(stand.DEADLINE) == 71
    assert faults.errno_text("EROFS") in other.log_text()


@faults.needs_mount
def test_user_deleted_with_sessions_live(superd, services, probe, tmp_path):
    """Users are looked up when the configuration is loaded: later their names do not matter."""
    passwd = tmp_path / "passwd"
    mine = "guest-of-superd:x:54322:54322::/:/bin/sh\n"
    passwd.write_text(pathlib.Path("/etc/passwd").read_text() + mine)
    port = stand.free_port()
    daemon = superd(
        f"{faults.LOG}service p {{ listen = {port} exec = {{ {probe}, hold }}"
        " user = guest-of-superd }",
        wrapper=in_mounts(f"mount --bind {passwd} /etc/passwd"),
    )
    with stand.connect(port) as client, client.makefile("r") as lines:
        one = dict(line.strip().split("=", 1) for line in iter(lines.readline, "end=1\n"))
        passwd.write_text(passwd.read_text().replace(mine, ""))
        gone = faults.inside(daemon.pid, ["mnt"], lambda: pwd.getpwuid(0).pw_name)
        assert gone == "root"
        two = dict(line.split("=", 1) for line in stand.ask(port).decode().splitlines())
        client.shutdown(socket.SHUT_WR)
        assert lines.read() == ""
    assert one["Uid"] == two["Uid"] == " ".join(["54322"] * 4)
    daemon.wait_event("exit", status=0, count=2)


@pytest.mark.parametrize("spawn", ["vm", "fork"])
def test_program_replaced_with_sessions_live(patient, program, tmp_path, spawn):
    path = program("program", "#!/bin/sh\necho old\nread -r line\necho old $line\n")
    port = stand.free_port()
    sick = patient(service(port, path), f"--spawn={spawn}")
    with stand.connect(port) as client, client.makefile("rw") as lines:
        assert lines.readline() == "old\n"
        new = program("program.new", "#!/bin/sh\necho new\n")
        os.rename(new, path)
        assert stand.ask(port) == b"new\n"
        lines.write("still\n")
        lines.flush()
        assert lines.readline() == "old still\n"
    sick.health()


def test_stale_pid_file_and_socket(superd, services, tmp_path):
    """What a superd that was killed left behind is in nobody's way."""
    config = (
        f"{faults.LOG}service-directory = {services}\npid-file = {tmp_path}/pid\n"
        f"service s {{ listen = {{ unix:{tmp_path}/s, {stand.free_port()} }} exec = echo }}\n"
    )
    first = superd(config, check=False)
    first.process.kill()
    first.process.wait()
    assert (tmp_path / "pid").exists() and (tmp_path / "s").exists()
    second = superd(config)
    assert (tmp_path / "pid").read_text() == f"{second.pid}\n"
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(stand.DEADLINE)
        client.connect(f"{tmp_path}/s")
        client.sendall(b"x")
        assert client.recv(1) == b"x"


def test_two_superds_on_one_configuration(superd, services, tmp_path):
    """The second says so and ends; the first does not notice, and its files stay."""
    port = stand.free_port()
    path = tmp_path / "s"
    text = f"{faults.LOG}service-directory = {services}\n%s\n" + (
        f"service s {{ listen = {{ unix:{path}, 127.0.0.1:{port} }} exec = echo }}\n"
    )
    pid_file = f"pid-file = {tmp_path}/pid"
    first = superd(text % pid_file)
    inode = path.stat().st_ino
    for top, status, said in (
        (pid_file, 71, f"already running as process {first.pid}"),
        ("", 69, "no listener could be opened"),
    ):
        second = superd(text % top, ready=False, check=False)
        assert second.process.wait(stand.DEADLINE) == status
        assert said in second.log_text()
        assert path.stat().st_ino == inode and (tmp_path / "pid").exists()
        assert stand.ask(port, b"x") == b"x"


def test_a_process_that_cannot_be_made_at_start(superd, services, board):
    """Whatever fails at the start is said, with its errno, and the status is the system's."""
    config = f"service-directory = {services}\n" + service(stand.free_port(), "echo")
    for call, code in (
        ("fork", "EAGAIN"), ("pipe2", "EMFILE"), ("signalfd", "EMFILE"), ("mmap", "ENOMEM"),
    ):  # fmt: skip
        board.fail(call, getattr(faults.errno, code))
        daemon = superd(config, ready=False, check=False, env=board.env)
        assert daemon.process.wait(stand.DEADLINE) == 71, daemon.log_text()
        assert faults.errno_text(code) in daemon.log_text()
        board.heal()


def test_kill_9_with_1000_sessions_and_start_again(superd, services, tmp_path, sanitized):
    count = 1000 if faults.LONG else 50 if sanitized else 300
    port = stand.free_port()
    config = (
        f"{faults.LOG}service-directory = {services}\nmax-instances = 3000\n"
        + service(port, "echo", "limits { instances = 1500 }")
    )
    first = superd(config, check=False)
    held = faults.hold(port, count)
    for client in held:
        client.sendall(b"a")
    for client in held:
        assert client.recv(1) == b"a"
    first.process.kill()
    first.process.wait()
    second = superd(config)
    assert stand.ask(port, b"x") == b"x"
    for client in held:
        client.sendall(b"b")
    for client in held:
        assert client.recv(1) == b"b"
    second.process.kill()
    second.process.wait()
    third = superd(config)
    faults.close_all(held)
    assert stand.ask(port, b"x") == b"x"
    third.wait_idle()


HOLDER = """#!/usr/bin/python3
import signal, socket
listener = socket.socket(fileno=3)
client, _ = listener.accept()
client.sendall(b"mine\\n")
client.close()
signal.pause()
"""


def test_an_endpoint_still_held_by_a_wait_program(superd, services, program):
    """After a kill -9 the program has the port; superd tries until it is free."""
    holder = program("holder", HOLDER)
    port, other = stand.free_port(), stand.free_port()
    config = (
        f"{faults.LOG}service-directory = {services}\n"
        + service(port, holder, "wait = yes")
        + service(other, "echo", name="well")
    )
    first = superd(config, check=False)
    assert stand.ask(port) == b"mine\n"
    (pid,) = first.children()
    try:
        first.process.kill()
        first.process.wait()
        second = superd(config)
        event = second.wait_event("error", service="sick", step="listen")
        assert faults.errno_text("EADDRINUSE") in event["error"]
        assert stand.ask(other, b"x") == b"x"
    finally:
        os.kill(pid, signal.SIGKILL)
    second.wait_event("listen", service="sick")
    assert stand.ask(port) == b"mine\n"
