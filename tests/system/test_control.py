"""The control socket and superctl: what they show and change, who may, and that nobody suffers."""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import termios
import threading

import pytest

import faults
import stand

NOBODY = 65534
GROUP = 54321  # a number nobody has
LOG = "log { events = { accept, refuse, exit, error } }\n"
USER = "user = root" if os.getuid() == 0 else ""
root = pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")


def cat(name, port, more=""):
    return f"service {name} {{ listen = 127.0.0.1:{port}  exec = /bin/cat  {USER} {more} }}\n"


def raw(daemon, data=b"", half_close=False):
    """A connection to the control socket that has sent data."""
    client = socket.socket(socket.AF_UNIX)
    client.connect(daemon.control)  # blocking: with a time-out a full queue is an error at once
    client.settimeout(stand.DEADLINE)
    if data:
        client.sendall(data)
    if half_close:
        client.shutdown(socket.SHUT_WR)
    return client


def answer(client):
    """Everything that comes until the end, which may be a reset for who has sent too much."""
    pieces = []
    try:
        while piece := client.recv(65536):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    client.close()
    return b"".join(pieces)


def ask(daemon, data):
    """One request as it is written; the answer, which is one line as well."""
    line = answer(raw(daemon, data))
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    return json.loads(line)


def busy(daemon, port, count=1):
    """Sessions of cat that are known to run."""
    clients = [stand.connect(port) for _ in range(count)]
    for client in clients:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    return clients


@pytest.fixture
def place():
    """A folder of a name short enough for a socket in it."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="superd-place-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


# --- what is shown ----------------------------------------------------------------------------


def test_status_has_the_fields_of_the_specification(superd, kinds):
    port = stand.free_port()
    daemon = superd(LOG + cat("one", port) + cat("two", stand.free_port()), *kinds)
    clients = busy(daemon, port, 3)
    clients.pop().close()
    daemon.wait_event("exit")
    status = daemon.status()
    assert list(status) == ["version", "pid", "uptime_s", "loop", "config", "services"]
    assert list(status["config"]) == ["file", "loaded_at", "generation"]
    assert status["pid"] == daemon.pid
    assert status["loop"] == kinds[0].partition("=")[2]
    assert status["config"]["file"] == str(daemon.config_path)
    assert status["config"]["generation"] == 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", status["config"]["loaded_at"])
    assert [service["name"] for service in status["services"]] == ["one", "two"]
    one = status["services"][0]
    assert list(one) == (
        "name state listeners running instances accepted refused failed exited sources".split()
    )
    assert one["state"] == "listening" and one["running"] == 2 and one["instances"] == 64
    assert one["listeners"] == [
        {"endpoint": f"tcp 127.0.0.1:{port}", "state": "open", "error": None}
    ]
    assert one["accepted"] == 3 and one["failed"] == 0 and one["sources"] == 1
    assert one["exited"] == {"ok": 1, "nonzero": 0, "signal": 0}
    assert one["refused"] == dict.fromkeys(
        "acl hours load full global-full per-source per-source-rate rate".split(), 0
    )
    assert daemon.status("two")["services"] == [status["services"][1]]
    assert ask(daemon, b"status\n")["ok"] is True
    for client in clients:
        client.close()
    daemon.wait_idle()


def test_status_tells_why_an_endpoint_is_not_open(superd):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon = superd(cat("fine", stand.free_port()) + cat("web", port))
        listener, = daemon.service("web")["listeners"]
        assert listener["state"] == "retrying"
        assert "Address already in use" in listener["error"]
        text = daemon.ctl("status")
        rows = [line.split()[0] for line in text.splitlines()[5:]]
        assert rows == ["web", "fine"], "problems first"
        assert f"127.0.0.1:{port}: bind: Address already in use" in text
        assert "1 not taking connections as configured" in text
        assert "retrying, bind: Address already in use" in daemon.ctl("status", "web")


def test_connections(superd, kinds):
    port, udp = stand.free_port(), stand.free_port()
    path = f"@superd-test-{os.getpid()}"
    daemon = superd(
        LOG
        + cat("one", port)
        + f"service two {{ listen = unix:{path}  exec = /bin/cat {USER} }}\n"
        + f"service wait {{ listen = udp:127.0.0.1:{udp}  "
        + f"exec = {{ /bin/dd, \"of=/dev/null\", \"count=2\" }} {USER} }}\n",
        *kinds,
    )
    clients = busy(daemon, port, 2)
    local = socket.socket(socket.AF_UNIX)
    local.connect("\0" + path[1:])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("127.0.0.1", udp))
    daemon.wait_event("accept", service="wait")
    daemon.wait_event("accept", service="two")
    # one that is just being executed has no memory for a moment
    stand.poll("all run", lambda: all(entry["rss"] > 4096 for entry in daemon.connections()))
    listed = {entry["id"]: entry for entry in daemon.connections()}
    accepted = {event["id"]: event for event in daemon.events("accept")}
    assert listed.keys() == accepted.keys() and len(listed) == 4
    for entry in listed.values():
        assert list(entry) == "id service peer pid age idle cpu rss".split()
        event = accepted[entry["id"]]
        assert entry["service"] == event["service"] and entry["pid"] == int(event["pid"])
        assert entry["peer"] == event.get("peer")
        assert 0 <= entry["age"] < stand.DEADLINE and entry["cpu"] >= 0 and entry["rss"] > 4096
        if entry["service"] == "one":
            assert 0 <= entry["idle"] <= entry["age"] + 0.01
        else:
            assert entry["idle"] is None
    assert {entry["peer"] for entry in listed.values() if entry["service"] == "one"} == {
        f"127.0.0.1:{client.getsockname()[1]}" for client in clients
    }
    assert len(daemon.connections("one")) == 2
    assert daemon.ctl("connections").splitlines()[0].split() == (
        "ID SERVICE PEER PID AGE IDLE CPU RSS".split()
    )
    for client in (*clients, local):
        client.close()
    waiting, = daemon.connections("wait")
    daemon.ctl("kill", waiting["id"])
    daemon.wait_idle()
    assert daemon.connections() == []


@pytest.mark.parametrize("again", range(3))
def test_connections_of_a_crowd_that_goes_before_all_are_told(superd, again):
    """An answer in pieces: what of the table was told, and what not, is given back meanwhile."""
    port = stand.free_port()
    count = 200 + 100 * again
    daemon = superd(LOG + cat("one", port, f"limits {{ instances = {count} }}"))
    clients = [stand.connect(port) for _ in range(count)]
    stand.poll("all are served", lambda: len(daemon.children()) == count)
    client = raw(daemon, b"connections\n")
    first = client.recv(100)
    with faults.stopped(daemon):
        for pid in daemon.children():
            stand.kill(pid, signal.SIGKILL)
    assert (first + answer(client)).startswith(b'{"ok": true')
    for client in clients:
        client.close()
    daemon.wait_idle()
    assert stand.ask(port, b"x") == b"x"


def test_idle_is_the_silence_of_the_connection(superd):
    port = stand.free_port()
    daemon = superd(cat("one", port))
    client, = busy(daemon, port)
    stand.poll("a silence of 0.3 s", lambda: daemon.connections()[0]["idle"] >= 0.3)
    client.sendall(b"y")
    assert client.recv(1) == b"y"
    entry, = daemon.connections()
    assert entry["idle"] < entry["age"]
    client.close()
    daemon.wait_idle()


def test_cpu_and_memory_are_the_programs(superd, program):
    port = stand.free_port()
    spin = program("spin", "#!/bin/sh\necho go\nwhile :; do :; done\n")
    daemon = superd(
        cat("calm", stand.free_port())
        + f"service spin {{ listen = 127.0.0.1:{port}  exec = {spin}  {USER} }}\n"
    )
    client = stand.connect(port)
    assert client.recv(3) == b"go\n"
    stand.poll("processor time", lambda: daemon.connections("spin")[0]["cpu"] >= 0.2)
    entry, = daemon.connections("spin")
    daemon.ctl("kill", entry["id"])
    client.close()
    daemon.wait_idle()


def test_explain_with_the_counts_of_the_moment(superd):
    port = stand.free_port()
    daemon = superd(
        cat("one", port, "acl { deny = 127.0.0.9 }  limits { per-source = 2  instances = 9 }")
        + f"service two {{ listen = unix:@superd-x-{os.getpid()}  exec = /bin/cat {USER}\n"
        + "acl { allow = user:0 } }\n"
    )
    clients = busy(daemon, port, 2)
    text = daemon.ctl("explain", "127.0.0.1", "one")
    assert "accept: no rule matches" in text and "running 2 of 9, of all services 2 of" in text
    assert "running for this source 2\nnow per-source\n" in text
    assert "now accept\n" in daemon.ctl("explain", "127.0.0.2", "one")
    assert "refuse: acl deny 127.0.0.9" in daemon.ctl("explain", "127.0.0.9", "one", status=1)
    assert "now accept" in daemon.ctl("explain", "user:root", "two")
    assert "now acl" in daemon.ctl("explain", "user:nobody", "two", status=1)
    text = daemon.ctl("explain", "::1", "one", status=1)
    assert "no endpoint for IPv6" in text and "now refuse\n" in text
    assert "no service 'three'" in daemon.ctl("explain", "::1", "three", status=1)
    assert "neither an address" in daemon.ctl("explain", "localhost", "one", status=1)
    refused = ask(daemon, b"explain user:nobody two\n")
    assert not refused["ok"] and "in numbers" in refused["error"], "superd looks no names up"
    assert ask(daemon, b"explain user:0:0,1,2 two\n")["accepted"] is True
    for client in clients:
        client.close()
    daemon.wait_idle()


def now(daemon, service, address="127.0.0.1"):
    """What explain says would become of a client that the configuration accepts."""
    line = daemon.ctl("explain", address, service).splitlines()[-1]
    word, _, fate = line.partition(" ")
    assert word == "now"
    return fate


def test_explain_says_what_happens_where_nothing_listens(superd):
    port = stand.free_port()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        daemon = superd(
            cat("one", port)
            + cat("web", taken.getsockname()[1])
        )
        assert now(daemon, "web") == "no-listener"
        assert now(daemon, "one") == "accept"
        daemon.ctl("drain", "web")
        assert now(daemon, "web") == "draining"
        daemon.ctl("drain", "one")
        assert now(daemon, "one") == "draining"
        with pytest.raises(ConnectionRefusedError):
            stand.connect(port)
        assert "now refuse\n" in daemon.ctl("explain", "::1", "one", status=1)
        daemon.ctl("resume", "one")
        assert now(daemon, "one") == "accept" and stand.ask(port, b"again") == b"again"
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        daemon = superd(
            f"service half {{ listen = {{ 127.0.0.1:{stand.free_port()},"
            f' "[::1]:{taken.getsockname()[1]}" }}  exec = /bin/cat {USER} }}\n'
        )
        assert now(daemon, "half") == "accept" and now(daemon, "half", "::1") == "no-listener"


def test_explain_says_who_waits_in_the_backlog(superd):
    ports = [stand.free_port() for _ in range(3)]
    daemon = superd(
        LOG
        + cat("calm", ports[0], "limits { instances = 1 }")
        + cat("strict", ports[1], "limits { instances = 1  on-full = refuse }")
        + f"service room {{ listen = 127.0.0.1:{ports[2]}  wait = yes  limits {{ instances = 1 }}\n"
        + f"exec = {{ /bin/sleep, 1000 }} {USER} }}\n"
    )
    clients = busy(daemon, ports[0]) + busy(daemon, ports[1]) + [stand.connect(ports[2])]
    daemon.wait_event("accept", service="room")
    assert now(daemon, "calm") == "queue"
    assert now(daemon, "strict") == "full"
    assert now(daemon, "room") == "accept", "its program takes clients itself"
    for client in clients:
        client.close()
    daemon.wait_event("exit", service="calm")
    daemon.wait_event("exit", service="strict")
    assert now(daemon, "calm") == now(daemon, "strict") == "accept"
    daemon.ctl("pause", "calm")
    assert now(daemon, "calm") == "queue"


def test_usr1_writes_the_status_to_the_log(superd):
    port = stand.free_port()
    daemon = superd(LOG + cat("one", port, "limits { instances = 2 }") + cat("two", stand.free_port()))
    clients = busy(daemon, port, 2)
    daemon.send_signal(signal.SIGUSR1)
    event = daemon.wait_event("status", service="one")
    assert daemon.events("status")[0]["uptime_s"] == "0"
    fields = "state listeners running accepted refused failed ok nonzero signal".split()
    assert [event[key] for key in fields] == ["full", "1/1", "2/2", "2", "0", "0", "0", "0", "0"]
    daemon.wait_event("status", service="two", state="listening")
    for client in clients:
        client.close()
    daemon.wait_idle()


# --- what is changed --------------------------------------------------------------------------


def test_kill_ends_one_program(superd, kinds):
    port = stand.free_port()
    daemon = superd(LOG + cat("one", port), *kinds)
    first, second = busy(daemon, port, 2)
    ids = [event["id"] for event in daemon.events("accept")]
    daemon.ctl("kill", ids[0])
    event = daemon.wait_event("exit", id=ids[0])
    assert event["signal"] == "TERM"
    assert first.recv(1) == b""
    second.sendall(b"y")
    assert second.recv(1) == b"y", "the other one goes on"
    assert "no connection" in daemon.ctl("kill", ids[0], status=1)
    for odd in ("", "xyz", "-1", "ffffffffffffffffff", "0", "1 "):
        assert daemon.ctl("kill", odd, status=None)
        assert daemon.connections()[0]["id"] == ids[1]
    done, = [event for event in daemon.events("control") if event["verb"] == "kill"]
    assert done["argument"] == ids[0] and done["uid"] == str(os.getuid()) and int(done["pid"]) > 1
    second.close()
    daemon.wait_idle()


def test_kill_kills_what_does_not_end(superd, program):
    port = stand.free_port()
    stubborn = program("stubborn", "#!/bin/sh\ntrap '' TERM\necho here\nwhile :; do sleep 1; done\n")
    daemon = superd(
        LOG
        + f"grace = 200ms\nservice one {{ listen = 127.0.0.1:{port} exec = {stubborn} {USER} }}\n"
    )
    client = stand.connect(port)
    assert client.recv(5) == b"here\n"
    daemon.ctl("kill", daemon.connections()[0]["id"])
    assert daemon.wait_event("exit")["signal"] == "KILL"
    client.close()
    daemon.wait_idle()


def test_pause_leaves_clients_in_the_queue(superd, kinds):
    port = stand.free_port()
    daemon = superd(LOG + cat("one", port) + cat("two", stand.free_port()), *kinds)
    live, = busy(daemon, port)
    daemon.ctl("pause", "one")
    assert daemon.service("one")["state"] == "paused"
    assert daemon.service("two")["state"] == "listening"
    waiting = stand.connect(port)
    waiting.sendall(b"z")
    live.sendall(b"y")
    assert live.recv(1) == b"y", "a session goes on"
    assert daemon.service("one")["accepted"] == 1
    daemon.ctl("pause", "one")
    daemon.ctl("resume", "one")
    assert waiting.recv(1) == b"z", "who waited is served"
    assert daemon.service("one")["state"] == "listening"
    daemon.ctl("resume", "one")
    assert "no service" in daemon.ctl("pause", "three", status=1)
    live.close()
    waiting.close()
    daemon.wait_idle()


def test_pause_of_datagrams(superd, services):
    port = stand.free_port()
    daemon = superd(
        f"service-directory = {services}\nservice echo {{ listen = udp:127.0.0.1:{port}  "
        f"exec = {{ echo, -t, 1 }} {USER} }}\n"
    )
    daemon.ctl("pause", "echo")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(stand.DEADLINE)
        client.connect(("127.0.0.1", port))
        client.send(b"hello")
        assert daemon.service("echo")["accepted"] == 0
        daemon.ctl("resume", "echo")
        assert client.recv(100) == b"hello"
    daemon.wait_idle()


def test_a_paused_service_is_paused_after_a_failure(superd, program):
    """No timer of another state's wakes it."""
    port = stand.free_port()
    daemon = superd(LOG + cat("one", port, "limits { instances = 1 }"))
    live, = busy(daemon, port)
    daemon.ctl("pause", "one")
    live.close()
    daemon.wait_event("exit")
    waiting = stand.connect(port)
    assert not select.select([waiting], [], [], 0.3)[0]
    assert daemon.service("one")["accepted"] == 1
    daemon.ctl("resume", "one")
    waiting.sendall(b"z")
    assert waiting.recv(1) == b"z"
    waiting.close()
    daemon.wait_idle()


def test_drain_turns_clients_away_and_resume_ends_it(superd, kinds):
    port = stand.free_port()
    daemon = superd(LOG + cat("one", port), *kinds)
    live, = busy(daemon, port)
    daemon.ctl("drain", "one")
    assert daemon.service("one")["state"] == "draining"
    with pytest.raises(ConnectionRefusedError):
        stand.connect(port)
    live.sendall(b"y")
    assert live.recv(1) == b"y"
    daemon.ctl("resume", "one")
    assert stand.ask(port, b"again") == b"again"
    live.close()
    daemon.wait_idle()


def test_log_level_and_back(superd):
    port = stand.free_port()
    daemon = superd(LOG + cat("one", port))
    daemon.ctl("log", "error")
    assert stand.ask(port, b"x") == b"x"
    daemon.wait_idle()
    daemon.ctl("log", "default")
    assert stand.ask(port, b"x") == b"x"
    daemon.wait_event("exit")
    assert len(daemon.events("accept")) == 1 and daemon.service("one")["accepted"] == 2
    assert "is not error, warning" in daemon.ctl("log", "loud", status=1)


def test_reopen(superd, tmp_path):
    port = stand.free_port()
    log = tmp_path / "log"
    daemon = superd(
        f"log {{ to = file  file = {log}  events = {{ accept, exit }} }}\n" + cat("one", port)
    )
    stand.ask(port)
    stand.poll("a line", lambda: "event=exit" in log.read_text())
    log.rename(tmp_path / "old")
    daemon.ctl("reopen")
    stand.ask(port)
    stand.poll("a line in the new file", lambda: log.exists() and "event=exit" in log.read_text())
    assert (tmp_path / "old").read_text().count("event=exit") == 1


def test_stop(superd):
    port = stand.free_port()
    daemon = superd(LOG + cat("one", port))
    live, = busy(daemon, port)
    daemon.ctl("stop")
    assert live.recv(1) == b""
    assert daemon.process.wait(stand.DEADLINE) == 0
    assert not os.path.exists(daemon.control), "its name is removed"
    assert "no superd answers" in daemon.ctl("status", status=1)
    daemon.wait_event("control", verb="stop")


def test_while_it_stops_it_answers(superd, program):
    port = stand.free_port()
    stubborn = program("stubborn", "#!/bin/sh\ntrap '' TERM\necho here\nwhile :; do sleep 1; done\n")
    daemon = superd(
        f"grace = 2s\nservice one {{ listen = 127.0.0.1:{port} exec = {stubborn} {USER} }}\n"
    )
    client = stand.connect(port)
    assert client.recv(5) == b"here\n"
    daemon.ctl("stop")
    assert daemon.service("one")["state"] in ("stopped", "draining")
    assert len(daemon.connections()) == 1
    assert "superd stops" in daemon.ctl("resume", "one", status=1)
    assert daemon.process.wait(stand.DEADLINE) == 0
    client.close()


# --- who may ----------------------------------------------------------------------------------


def as_user(daemon, *words, uid=NOBODY, gid=NOBODY, groups=()):
    """superctl as somebody else; (exit status, what it says)."""
    done = subprocess.run(
        [daemon.build / "superd/superctl", "-s", daemon.control, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=stand.DEADLINE,
        check=False,
        user=uid,
        group=gid,
        extra_groups=list(groups),
    )
    return done.returncode, done.stdout


@pytest.fixture
def open_build(build):
    """The build's programs have to be within reach of nobody."""
    for folder in (build, *build.parents):
        if not folder.stat().st_mode & 0o001:
            pytest.skip(f"{folder} is not open to other users")


@root
def test_another_user_cannot_use_it(superd, open_build):
    daemon = superd(cat("one", stand.free_port()))
    mode = os.stat(daemon.control)
    assert stat.S_IMODE(mode.st_mode) == 0o600 and mode.st_uid == 0
    for verb in (["status"], ["stop"], ["metrics"]):
        code, text = as_user(daemon, *verb)
        assert code == 1 and "Permission denied" in text


@root
def test_the_mode_alone_lets_nobody_in(superd, open_build):
    daemon = superd("control-mode = 0666\n" + cat("one", stand.free_port()))
    for verb in (["status"], ["stop"], ["connections"], ["pause", "one"]):
        code, text = as_user(daemon, *verb)
        assert code == 1 and "permission denied" in text
    event = daemon.wait_event("control", error="permission denied")
    assert event["uid"] == str(NOBODY)
    assert daemon.status()["services"][0]["state"] == "listening"


@root
@pytest.mark.parametrize("gid, groups", [(GROUP, ()), (NOBODY, (GROUP + 5, GROUP))])
def test_status_group_may_look(superd, open_build, gid, groups):
    daemon = superd(f"status-group = {GROUP}\n" + cat("one", stand.free_port()))
    mode = os.stat(daemon.control)
    assert stat.S_IMODE(mode.st_mode) == 0o660 and mode.st_gid == GROUP
    for verb in (["status"], ["connections"], ["metrics"], ["explain", "::1", "one"]):
        code, text = as_user(daemon, *verb, gid=gid, groups=groups)
        assert "permission" not in text and "takes root" not in text
        assert code == 0 or verb[0] == "explain"
    for verb in ("kill 1", "pause one", "resume one", "drain one", "reload", "reopen", "stop",
                 "log debug"):
        code, text = as_user(daemon, *verb.split(), gid=gid, groups=groups)
        assert code == 1 and "takes root, superd's user or a member of control-group" in text, verb
    assert daemon.service("one")["state"] == "listening"


@root
def test_control_group_may_do_everything(superd, open_build):
    daemon = superd(
        f"control-mode = 0666\ncontrol-group = {GROUP}\nstatus-group = {GROUP + 1}\n"
        + cat("one", stand.free_port())
    )
    assert os.stat(daemon.control).st_gid == GROUP
    assert as_user(daemon, "pause", "one", gid=GROUP)[0] == 0
    assert as_user(daemon, "status", gid=GROUP + 1)[0] == 0
    assert as_user(daemon, "resume", "one", gid=GROUP + 1)[0] == 1
    assert as_user(daemon, "status", gid=GROUP + 2)[0] == 1
    assert daemon.service("one")["state"] == "paused"
    assert as_user(daemon, "stop", groups=[GROUP])[0] == 0
    assert daemon.process.wait(stand.DEADLINE) == 0


@root
def test_superds_own_user_may_do_everything(superd, open_build, place):
    os.chown(place, NOBODY, NOBODY)
    daemon = superd(
        f"service one {{ listen = 127.0.0.1:{stand.free_port()}  exec = /bin/cat }}\n"
        + f'control-socket = "{place}/socket"\n',
        wrapper=["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"],
    )
    daemon.control = f"{place}/socket"
    assert os.stat(daemon.control).st_uid == NOBODY
    assert as_user(daemon, "pause", "one")[0] == 0
    assert as_user(daemon, "status", uid=NOBODY - 1)[0] == 1
    assert daemon.service("one")["state"] == "paused", "and so may root"


# --- the socket's name ------------------------------------------------------------------------


def starts(superd, path, *more):
    """A daemon whose control socket is path, which may not come up."""
    config = f'control-socket = "{path}"\n' + cat("one", stand.free_port()) + "".join(more)
    daemon = superd(config, ready=False, check=False)
    daemon.control = str(path)
    return daemon


def test_a_name_left_over_is_taken_over(superd, place):
    path = place / "socket"
    first = starts(superd, path)
    stand.poll("it answers", path.exists)
    first.process.kill()
    first.process.wait()
    assert path.exists()
    second = starts(superd, path)
    stand.poll("it answers", lambda: '"pid"' in second.ctl("status", "--json", status=None))
    assert second.status()["pid"] == second.pid
    second.stop()
    assert not path.exists()


def test_a_name_in_use_is_an_error(superd, place):
    path = place / "socket"
    first = starts(superd, path)
    stand.poll("it answers", path.exists)
    second = starts(superd, path)
    assert second.process.wait(stand.DEADLINE) == 71
    assert "is in use, by another superd" in second.log_text()
    assert first.status()["pid"] == first.pid, "the first one keeps it"
    first.stop()


@pytest.mark.parametrize("kind", ["file", "folder", "missing", "open folder", "link"])
def test_a_name_that_cannot_be_had_is_an_error(superd, place, kind):
    path = place / "a" / "socket"
    if kind != "missing":
        path.parent.mkdir()
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    elif kind == "open folder":
        path.parent.chmod(0o777)
    elif kind == "link":
        (place / "target").write_text("precious")
        path.symlink_to(place / "target")
    daemon = starts(superd, path)
    assert daemon.process.wait(stand.DEADLINE) == 71
    assert "control-socket: " in daemon.log_text() and str(path.parent) in daemon.log_text()
    if kind == "file":
        assert path.read_text() == "precious"
    if kind == "link":
        assert (place / "target").read_text() == "precious"


@root
def test_a_default_that_cannot_be_made_is_a_warning(superd):
    """An ordinary user's superd cannot make anything in /run."""
    port = stand.free_port()
    daemon = superd(
        f"# control-socket is the default\nservice one {{ listen = 127.0.0.1:{port} exec = /bin/cat }}\n",
        wrapper=["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"],
    )
    event = daemon.wait_event("control")
    assert "/run/superd" in event["error"] and " warning event=" in event.line
    assert stand.ask(port, b"x") == b"x"


@root
def test_the_default_and_its_folder_are_made(superd):
    """In a /run of its own."""
    wrapper = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$@"', "sh"]
    if subprocess.run([*wrapper, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this system does not let root have a mount namespace")
    daemon = superd("# control-socket is the default\n" + cat("one", stand.free_port()), wrapper=wrapper)
    daemon.control = f"/proc/{daemon.pid}/root/run/superd/control.sock"
    folder = os.stat(os.path.dirname(daemon.control))
    assert stat.S_IMODE(folder.st_mode) == 0o755 and folder.st_uid == 0
    assert stat.S_IMODE(os.stat(daemon.control).st_mode) == 0o600
    assert daemon.status()["pid"] == daemon.pid


def test_none(superd):
    port = stand.free_port()
    daemon = superd('control-socket = ""\n' + cat("one", port))
    assert not os.path.exists(daemon.control)
    assert stand.ask(port, b"x") == b"x"


def test_a_name_that_was_removed_is_made_again_by_a_reload(superd):
    daemon = superd(cat("one", stand.free_port()))
    os.unlink(daemon.control)
    daemon.send_signal(signal.SIGHUP)
    stand.poll("the socket", lambda: os.path.exists(daemon.control))
    assert daemon.status()["config"]["generation"] == 2


def test_reload_moves_and_changes_the_socket(superd, place):
    port = stand.free_port()
    daemon = superd(cat("one", port))
    old = daemon.control
    daemon.configure(f'control-socket = "{place}/other"\n' + cat("one", port))
    daemon.ctl("reload")
    assert not os.path.exists(old)
    daemon.control = f"{place}/other"
    assert daemon.status()["config"]["generation"] == 2
    if os.getuid() == 0:
        daemon.configure(
            f'control-socket = "{place}/other"\ncontrol-mode = 0660\nstatus-group = {GROUP}\n'
            + cat("one", port)
        )
        daemon.ctl("reload")
        mode = os.stat(daemon.control)
        assert stat.S_IMODE(mode.st_mode) == 0o660 and mode.st_gid == GROUP
    daemon.configure('control-socket = "/nonexistent/folder/socket"\n' + cat("one", port))
    assert "control-socket: " in daemon.ctl("reload", status=1)
    assert daemon.service("one")["state"] == "listening"
    daemon.stop()
    assert not os.path.exists(daemon.control)


# --- odd clients ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data, error",
    [
        (b"\n", "empty"),
        (b"  \n", "empty"),
        (b"\0\n", "control characters"),
        (b"status\0\n", "control characters"),
        (b"\x1b[2J\n", "control characters"),
        (b"nonsense\n", "no verb 'nonsense'"),
        (b"\xff\xfe\n", "no verb '??'"),
        (b"status one two\n", "arguments"),
        (b"kill\n", "arguments"),
        (b"a b c d e f g h i\n", "too many words"),
        (b"status \\\n", "backslash"),
        (b"x" * 8192, "longer than"),
        (b"x" * 100000, "longer than"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "no verb 'GET'"),
        (b'{"verb": "status"}\n', "no verb"),
    ],
)
def test_garbage_is_refused(superd, data, error):
    daemon = superd(cat("one", stand.free_port()))
    client = raw(daemon)
    try:
        client.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass
    refused = json.loads(answer(client))
    assert refused["ok"] is False and error in refused["error"]
    daemon.wait_idle()


def test_a_request_in_pieces_and_more_than_one(superd):
    daemon = superd(cat("one", stand.free_port()))
    client = raw(daemon)
    for byte in b"status one\n":
        client.send(bytes([byte]))
    with contextlib.suppress(ConnectionError):  # it may have answered and closed before that
        client.sendall(b"stop\nstop\n" * 100)
    assert json.loads(answer(client))["ok"] is True
    assert daemon.status()["pid"] == daemon.pid, "what follows the first line is not read"
    assert answer(raw(daemon, b"sta", half_close=True)) == b""
    assert json.loads(answer(raw(daemon, b"status\n", half_close=True)))["ok"] is True
    daemon.wait_idle()


def test_the_descriptors_of_control_lie_high(superd):
    daemon = superd(cat("one", stand.free_port()))
    before = set(os.listdir(f"/proc/{daemon.pid}/fd"))
    clients = [raw(daemon, b"sta") for _ in range(8)]
    stand.poll("all of them", lambda: daemon.descriptors() == len(before) + 8)
    new = set(os.listdir(f"/proc/{daemon.pid}/fd")) - before
    assert all(int(fd) >= 256 for fd in new), new
    for client in clients:
        client.close()
    daemon.wait_idle()


def many_services(count):
    """Services whose sockets have no name in the file system."""
    return "".join(
        f"service s{i} {{ listen = unix:@superd-{os.getpid()}-{i}  exec = /bin/cat {USER} }}\n"
        for i in range(count)
    )


def hold(daemon, kinds):
    """100 clients that each stall in another way; they are the caller's to close."""
    clients = []
    for number in range(100):
        client = raw(daemon)
        client.setblocking(False)
        clients.append(client)
        data = kinds[number % len(kinds)]
        try:
            client.send(data)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass
    return clients


def test_stalled_clients_hold_nobody_up(superd, kinds):
    """
    A hundred of them: silent, in the middle of a request, not reading a large answer, sending
    without end. Services go on, and so does superctl.
    """
    port = stand.free_port()
    daemon = superd(cat("one", port) + many_services(300), *kinds)
    stop = threading.Event()
    served = []

    def serve():
        while not stop.is_set():
            assert stand.ask(port, b"x" * 100) == b"x" * 100
            served.append(True)

    server = threading.Thread(target=serve)
    server.start()
    try:
        clients = hold(daemon, [b"", b"stat", b"status\n", b"metrics\n", b"x" * 200000])
        began = len(served)
        assert daemon.descriptors() <= daemon.baseline + 16 + 70, "and the starts under way"
        for _ in range(5):
            assert len(daemon.status()["services"]) == 301
        stand.poll("50 more clients served", lambda: len(served) >= began + 50)
        for client in clients:
            client.close()
    finally:
        stop.set()
        server.join()
    daemon.wait_idle()
    assert len(daemon.status()["services"]) == 301


def test_who_does_not_read_is_given_up(superd):
    daemon = superd(many_services(200))
    clients = [raw(daemon, b"metrics\n") for _ in range(3)]
    stand.poll("three sessions", lambda: daemon.descriptors() == daemon.baseline + 3)
    stand.poll("given up", lambda: daemon.descriptors() == daemon.baseline, 3 * stand.DEADLINE)
    for client in clients:
        assert not answer(client).endswith(b"\n")
    assert len(daemon.status()["services"]) == 200


def test_silent_clients_are_given_up(superd):
    daemon = superd(cat("one", stand.free_port()))
    clients = [raw(daemon, data) for data in (b"", b"stat")]
    stand.poll("two sessions", lambda: daemon.descriptors() == daemon.baseline + 2)
    stand.poll("given up", lambda: daemon.descriptors() == daemon.baseline, 3 * stand.DEADLINE)
    for client in clients:
        assert answer(client) == b""


def test_clients_that_vanish_leave_nothing(superd, kinds):
    daemon = superd(many_services(100), *kinds)
    for data in (b"", b"status", b"status\n", b"metrics\n", b"connections\n", b"x" * 9000) * 20:
        client = raw(daemon)
        try:
            client.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    daemon.wait_idle()
    assert len(daemon.status()["services"]) == 100


def test_a_large_answer_is_whole_and_shares_the_loop(superd, kinds):
    port = stand.free_port()
    daemon = superd(cat("one", port) + many_services(500), *kinds)
    client = raw(daemon, b"metrics\n")
    assert client.recv(1) == b"{"
    for _ in range(3):
        assert stand.ask(port, b"x") == b"x", "while an answer waits to be read"
    assert len(daemon.status()["services"]) == 501, "and so is another one"
    text = b"{" + answer(client)
    assert len(text) > 500 * 1000 and json.loads(text)["metrics"].endswith("# EOF\n")
    daemon.wait_idle()


def test_an_answer_never_mixes_two_configurations(superd):
    daemon = superd(many_services(300))
    client = raw(daemon, b"metrics\n")
    assert client.recv(1) == b"{"
    daemon.ctl("reload")
    text = answer(client)
    assert not text.endswith(b"\n"), "it is cut"
    assert len(daemon.status()["services"]) == 300
    daemon.wait_idle()


# --- superctl ---------------------------------------------------------------------------------


def on_terminal(daemon, *words, columns=80, lines=24, keys=b"", until=None):
    """What superctl writes to a terminal of that size, and its exit status."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(daemon.build / "superd/superctl", ["superctl", "-s", daemon.control, *words])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    text = b""
    sent = not keys
    while True:
        if not select.select([terminal], [], [], stand.DEADLINE)[0]:
            raise AssertionError(f"superctl hangs: {text!r}")
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        text += piece
        if not sent and until in text:
            os.write(terminal, keys)
            sent = True
    os.close(terminal)
    return text.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def bare(text):
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)


def test_tables_fit_the_terminal(superd):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon = superd(cat("one", stand.free_port()) + cat("a-service-of-a-long-name", port))
        plain = daemon.ctl("status")
        assert "\x1b" not in plain and f"127.0.0.1:{port}: bind: Address already in use" in plain
        text, status = on_terminal(daemon, "status", until=b"")
        assert status == 0 and "\x1b[31m" in text


def test_top_on_a_terminal_ends_with_q(superd):
    daemon = superd(cat("one", stand.free_port()))
    text, status = on_terminal(daemon, "top", "-d", "0.2", keys=b"q", until=b"ACCEPT/S")
    assert status == 0
    assert text.count("\x1b[H") >= 2, "written in place"
    assert "SERVICE" in bare(text)


def test_top_elsewhere_is_frame_after_frame(superd):
    port = stand.free_port()
    daemon = superd(cat("one", port))
    live, = busy(daemon, port)
    text = daemon.ctl("top", "-n", 3, "-d", 0.1)
    assert text.count("superd 0") == 3 and text.count("ACCEPTED") == 1
    assert text.count("ACCEPT/S") == 2 and "\x1b" not in text
    assert len(re.findall(r"^\S+ +one +127", text, re.M)) == 3
    live.close()
    daemon.wait_idle()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nonsense"],
        ["kill"],
        ["status", "a", "b"],
        ["-x"],
        ["top", "-d", "0"],
        ["top", "-n", "x"],
        ["pause", "a", "b"],
    ],
)
def test_usage(build, words):
    done = subprocess.run(
        [build / "superd/superctl", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "usage: superctl" in done.stderr and done.stdout == ""


def test_help_and_version(build):
    for word, text in (("-h", "usage: superctl"), ("-V", "superctl ")):
        done = subprocess.run(
            [build / "superd/superctl", word], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 and done.stdout.startswith(text) and done.stderr == ""


@pytest.mark.parametrize("program", ["superd", "superctl"])
@pytest.mark.parametrize("word", ["-h", "--help", "-V", "--version"])
def test_help_and_version_that_cannot_be_printed(build, program, word):
    command = [build / "superd" / program, word]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr.decode()) == (
        1, f"{program}: standard output: No space left on device\n")
    done = subprocess.run(["/bin/sh", "-c", 'exec "$@" >&-', "sh", *command],
                          stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr.decode()) == (
        1, f"{program}: standard output: Bad file descriptor\n")


def test_a_server_that_is_no_superd(build, place):
    """Whatever answers there: superctl says so, and ends."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place / "socket"))
        server.listen(16)

        def fake(reply):
            client, _ = server.accept()
            with client:
                client.recv(1000)
                client.sendall(reply)

        for reply, error in (
            (b"HTTP/1.1 400 Bad Request\n", "is not superd's"),
            (b"[]\n", "is not superd's"),
            (b'{"ok": 1}\n', "is not superd's"),
            (b'{"ok": false, "error": "\\u001b[2J"}\n', "?[2J"),
            (b'{"ok": true, "services": 7}\n', None),
        ):
            thread = threading.Thread(target=fake, args=(reply,))
            thread.start()
            done = subprocess.run(
                [build / "superd/superctl", "-s", place / "socket", "status"],
                capture_output=True,
                text=True,
                timeout=stand.DEADLINE,
                check=False,
            )
            thread.join()
            assert done.returncode == (1 if error else 0)
            assert (error or "") in done.stderr and "\x1b" not in done.stderr + done.stdout


# --- completion -------------------------------------------------------------------------------


def complete(source, build, name, *words):
    """What bash offers for the last of these words."""
    script = (
        f'PATH="{build}/superd:$PATH"; compopt() {{ :; }}; . "{source}/etc/completions/bash/{name}"\n'
        f'COMP_WORDS=({name} "$@"); COMP_CWORD=$#; _{name} {name} "${{COMP_WORDS[-1]}}" '
        '"${COMP_WORDS[-2]}"; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", *map(str, words)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_completion(superd, source, build):
    if not shutil.which("bash"):
        pytest.skip("bash is not installed")
    port = stand.free_port()
    daemon = superd(cat("one", port) + cat("other", stand.free_port()) + cat("two", stand.free_port()))
    live, = busy(daemon, port)
    ask_for = lambda *words: complete(source, build, "superctl", "-s", daemon.control, *words)
    verbs = ask_for("")
    listed = daemon.ctl("-h")
    assert len(verbs) == 14 and all(re.search(rf"^ +{verb}\b", listed, re.M) for verb in verbs)
    assert ask_for("re") == ["resume", "reload", "reopen"]
    assert sorted(ask_for("pause", "o")) == ["one", "other"]
    assert ask_for("explain", "::1", "t") == ["two"]
    assert ask_for("explain", "") == []
    assert ask_for("kill", "") == [daemon.connections()[0]["id"]]
    assert ask_for("log", "d") == ["debug", "default"]
    assert ask_for("stop", "") == []
    assert "--json" in complete(source, build, "superctl", "-")
    assert complete(source, build, "superctl", "-s", "/nonexistent", "pause", "") == []
    assert complete(source, build, "superd", "--lo") == ["--loop=select", "--loop=epoll"]
    assert complete(source, build, "superd", "-l", "w") == ["warning"]
    live.close()
    daemon.wait_idle()


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completions_parse(source, shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    for path in (source / "etc/completions" / shell).iterdir():
        subprocess.run([shell, "-n", path], check=True)
