"""Accept and descriptors: what runs out, what resets, what comes too fast."""

import os
import resource
import socket
import subprocess
import time

import pytest

import faults
import stand

ECHO = "service echo {{ listen = 127.0.0.1:{} exec = echo {} }}\n"


def talk(client, data=b"x"):
    client.sendall(data)
    assert client.recv(1) == data


def test_emfile_by_prlimit_with_200_clients(patient):
    port = stand.free_port()
    sick = patient(ECHO.format(port, ""))
    # high ones are open already and stay; every new one is low
    resource.prlimit(sick.pid, resource.RLIMIT_NOFILE, (64, 64))
    clients = faults.hold(port, 200)
    stand.poll("as many as may run", lambda: len(sick.daemon.children()) >= 64)
    sick.look(10 if faults.LONG else 1)
    # and with no room at all: whoever comes waits in the kernel's queue
    in_use = {int(name) for name in os.listdir(f"/proc/{sick.pid}/fd")}
    free = min(set(range(1000)) - in_use)
    resource.prlimit(sick.pid, resource.RLIMIT_NOFILE, (free, 64))
    with stand.connect(port) as waiting:
        faults.close_all(clients[:150])
        event = sick.daemon.wait_event("error", service="echo", step="accept")
        assert event["error"] == faults.errno_text("EMFILE") and event["endpoint"]
        before = faults.cpu_ns(sick.pid)
        faults.pause(1)
        assert faults.cpu_ns(sick.pid) - before < 1e9 * faults.CPU_SHARE * 2
        resource.prlimit(sick.pid, resource.RLIMIT_NOFILE, (64, 64))
        began = time.monotonic()
        talk(waiting)
        assert time.monotonic() - began < faults.patience()
    faults.close_all(clients)
    sick.health()


@pytest.mark.parametrize(
    "code", ["ENFILE", "ENOBUFS", "ENOMEM", "ECONNABORTED", "EPROTO", "EPERM", "EINTR"]
)
def test_accept_fails(patient, board, code):
    """Every accept of one service fails for a while; those who wait are served after it."""
    port = stand.free_port()
    sick = patient(ECHO.format(port, ""), env=board.env)
    number = getattr(faults.errno, code)
    with faults.switched(
        lambda: board.fail("accept4", number, object_=str(port)), board.heal
    ):
        clients = faults.hold(port, 5)
        stand.poll("it has failed", board.failed)
        sick.look()
    for client in clients:
        talk(client)
    faults.close_all(clients)
    if code not in ("ECONNABORTED", "EINTR"):  # those are nobody's fault
        event = sick.daemon.wait_event("error", service="echo", step="accept")
        assert event["error"] == os.strerror(number) and event["endpoint"].endswith(str(port))
    sick.health()


@pytest.mark.parametrize("code", ["ECONNABORTED", "EPROTO", "EINTR"])
def test_accept_fails_once_for_each_connection(patient, board, code):
    port = stand.free_port()
    sick = patient(ECHO.format(port, ""), env=board.env)
    board.fail("accept4", getattr(faults.errno, code), object_=str(port), count=200)
    clients = faults.hold(port, 20)
    for client in clients:
        talk(client)
    assert board.failed() == 200
    faults.close_all(clients)
    sick.health()


def test_a_thousand_resets_before_accept(patient):
    port = stand.free_port()
    sick = patient(ECHO.format(port, ""))
    with faults.stopped(sick.daemon):
        for _ in range(1000):
            faults.reset(stand.connect(port))
    sick.health()
    with stand.connect(port) as client:
        talk(client)


def start_cpu_s(superd, config, **more):
    """The processor time of a start, the loader's with it."""
    daemon = superd(config, **more)
    with open(f"/proc/{daemon.pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    daemon.stop()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def test_a_billion_descriptors_allowed(superd, services, board, sanitized):
    """Started with RLIMIT_NOFILE of 1,073,741,816 superd is as quick: nothing counts to it."""
    config = f"service-directory = {services}\nservice e {{ listen = %d exec = echo }}"
    board.set_head(open_files_max=1073741816)
    took = min(start_cpu_s(superd, config % stand.free_port(), env=board.env) for _ in range(3))
    assert took < (1 if sanitized else 0.1), f"{took} s"
    daemon = superd(config % (port := stand.free_port()), env=board.env)
    assert stand.ask(port, b"x") == b"x"
    assert faults.resident_kib(daemon.pid) < (1 << 20 if sanitized else 16384)


@pytest.mark.parametrize("spawn", ["vm", "fork"])
@pytest.mark.parametrize("closed", ["0", "1", "2", "0 1", "0 2", "1 2", "0 1 2"])
def test_standard_descriptors_closed(superd, services, probe, tmp_path, closed, spawn):
    port = stand.free_port()
    config = f"log {{ to = file file = {tmp_path}/log }}\nservice p {{ listen = {port} exec = {probe} }}"
    how = " ".join(f"{fd}>&-" for fd in closed.split())
    wrapper = ["/bin/sh", "-c", f'exec "$@" {how}', "sh"]
    daemon = superd(config, f"--spawn={spawn}", wrapper=wrapper)
    got = dict(line.split("=", 1) for line in stand.ask(port).decode().splitlines())
    assert [key for key in sorted(got) if key.startswith("fd.")] == ["fd.0", "fd.1", "fd.2"]
    assert got["fd.0"] == got["fd.1"] and got["fd.2"].startswith("pipe:")
    for fd in closed.split():
        assert os.readlink(f"/proc/{daemon.pid}/fd/{fd}") == "/dev/null"


def test_ten_thousand_held_connections(patient, sanitized):
    count = 10000 if faults.LONG else 100 if sanitized else 1000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    tasks = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    if hard < count + 200 or 0 <= tasks < count + 500:
        pytest.skip(f"limits of this user are below {count} descriptors or processes")
    port = stand.free_port()
    sick = patient(ECHO.format(port, f"limits {{ instances = {count} }}"), top="max-instances = 20000")
    clients = faults.hold(port, count)
    for client in clients:
        client.sendall(b"x")
    for client in clients:
        assert client.recv(1) == b"x"
    assert len(sick.daemon.children()) == count
    sick.look()
    faults.close_all(clients)
    sick.health()


def test_accept_queue_overflow(patient):
    """The kernel drops what the queue has no room for; all are served once superd goes on."""
    port = stand.free_port()
    sick = patient(ECHO.format(port, "backlog = 4"))
    clients = []
    with faults.stopped(sick.daemon):
        for _ in range(40):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            clients.append(client)
    for client in clients:
        client.setblocking(True)
        client.settimeout(stand.DEADLINE)
        stand.poll("connected", lambda c=client: c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0)
    answered = 0
    for client in clients:
        try:
            client.sendall(b"x")
            answered += client.recv(1) == b"x"
        except (ConnectionError, TimeoutError):
            pass
        client.close()
    assert answered == len(clients)
    sick.health()


def test_epoll_that_refuses_a_listener(patient, board):
    """A listener that cannot be watched is opened again later; the others serve."""
    port = stand.free_port()
    sick = patient(
        ECHO.format(port, "limits { instances = 1 }"), "--loop=epoll", env=board.env
    )
    held = stand.connect(port)
    talk(held)
    board.fail("epoll_ctl", faults.errno.ENOMEM)  # now it is full: not watched any more
    held.close()
    event = sick.daemon.wait_event("error", service="echo")
    assert faults.errno_text("ENOMEM") in event["error"]
    board.heal()
    stand.poll("taken up again", lambda: faults.is_answered(port))
    sick.health()
