"""Reload: a new configuration in force as a whole or not at all, and no client hurt."""

import grp
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import sys
import threading

import pytest

import faults
import reload
import stand
from reload import echoes, listening, refuses, turned_away


@pytest.fixture
def operated(superd, build, services, tmp_path):
    """Starts a superd with a control socket: operated(text, options...)."""

    def start(text, *options, head=reload.HEAD, **more):
        path = tmp_path / "control"
        head += f"control-socket = {path}\nservice-directory = {services}\n"
        daemon = superd(head + text, *options, **more)
        return reload.Operated(daemon, build, path, head)

    return start


def echo(name, port, more="", host="127.0.0.1"):
    return f"service {name} {{ listen = {host}:{port}  exec = echo  {more} }}\n"


# --- the plan ------------------------------------------------------------------------------------


def test_hup_adds_changes_removes_and_keeps(operated, kinds):
    kept, changed, removed, added = (stand.free_port() for _ in range(4))
    it = operated(echo("kept", kept) + echo("changed", changed) + echo("removed", removed), *kinds)
    held = {port: stand.connect(port) for port in (kept, changed, removed)}
    assert all(echoes(client) for client in held.values())
    it.write(echo("kept", kept) + echo("changed", changed, 'banner = "hi\\n"') + echo("added", added))
    it.daemon.send_signal(signal.SIGHUP)
    event = it.daemon.wait_event("reload")
    wanted = {"generation": "2", "added": "1", "changed": "1", "removed": "1", "kept": "1"}
    assert {key: event[key] for key in wanted} == wanted and int(event["ms"]) >= 0
    assert stand.ask(kept, b"x") == b"x" and stand.ask(added, b"x") == b"x"
    assert stand.ask(changed, b"x") == b"hi\nx"
    assert refuses(removed)
    assert all(echoes(client) for client in held.values()), "a session was touched"
    assert set(it.services()) >= {"kept", "changed", "added"}
    for client in held.values():
        client.close()
    it.daemon.wait_event("exit", service="removed", status=0)
    stand.poll("removed is gone", lambda: set(it.services()) == {"kept", "changed", "added"})
    assert it.services()["kept"]["accepted"] == 2
    it.daemon.wait_idle()


def test_unchanged_endpoints_keep_socket_and_queue(operated, kinds):
    port = stand.free_port()
    config = echo("one", port, "limits { instances = 1 }")
    it = operated(config, *kinds)
    first = stand.connect(port)
    assert echoes(first)
    inode = listening(port)
    queued = [stand.connect(port) for _ in range(3)]
    it.must_reload(config)
    it.must_reload(echo("one", port, 'limits { instances = 1 } backlog = 77 banner = ""'))
    assert listening(port) == inode and inode in it.sockets()
    it.must_reload(echo("one", port, "limits { instances = 4 }"))
    assert listening(port) == inode
    assert all(echoes(client) for client in queued), "the queue was lost"
    assert echoes(first)
    for client in (first, *queued):
        client.close()


@pytest.mark.parametrize("how", ["moved", "renamed", "swapped", "gathered"])
def test_endpoint_of_another_service_keeps_its_socket(operated, kinds, how):
    a, b = stand.free_port(), stand.free_port()
    full = "limits { instances = 1 }"
    it = operated(echo("a", a, full) + echo("b", b, full), *kinds)
    held = [stand.connect(a), stand.connect(b)]
    assert all(echoes(client) for client in held)
    waiting = [stand.connect(a), stand.connect(b)]  # in the queues
    inodes = listening(a), listening(b)
    new = {
        "moved": f"service b {{ listen = {{ 127.0.0.1:{a}, 127.0.0.1:{b} }}  exec = echo }}\n",
        "renamed": echo("c", a) + echo("d", b),
        "swapped": echo("a", b) + echo("b", a),
        "gathered": f"service c {{ listen = {{ 127.0.0.1:{b}, 127.0.0.1:{a} }}  exec = echo }}\n",
    }[how]
    it.must_reload(new)
    assert (listening(a), listening(b)) == inodes
    assert all(echoes(client) for client in held + waiting)
    assert stand.ask(a, b"x") == b"x" and stand.ask(b, b"y") == b"y"
    for client in held + waiting:
        client.close()
    it.daemon.wait_idle()


@pytest.mark.parametrize("there", [True, False])
def test_wildcard_in_place_of_an_address(operated, kinds, there):
    port = stand.free_port()
    hosts = ["127.0.0.1", "0.0.0.0"] if there else ["0.0.0.0", "127.0.0.1"]
    it = operated(echo("e", port, host=hosts[0]), *kinds)
    held = stand.connect(port)
    assert echoes(held)
    it.must_reload(echo("e", port, host=hosts[1]))
    assert echoes(held)
    assert stand.ask(port, b"x") == b"x"
    assert refuses(port, "127.0.0.2") == (not there)
    # nobody else can be bound beside it afterwards
    with socket.socket() as other, pytest.raises(OSError):
        other.bind((hosts[1], port))
        other.listen()
    held.close()


def test_disabled_service_is_removed_and_added(operated):
    port = stand.free_port()
    it = operated(echo("e", port) + echo("f", stand.free_port()))
    it.must_reload(echo("e", port, "enabled = no") + echo("f", stand.free_port()))
    assert refuses(port)
    it.must_reload(echo("e", port))
    assert stand.ask(port, b"x") == b"x"


def test_removed_and_added_while_sessions_of_it_live(operated, kinds):
    port = stand.free_port()
    other = echo("f", stand.free_port())
    it = operated(echo("e", port) + other, *kinds)
    first = stand.connect(port)
    assert echoes(first)
    it.must_reload(other)
    it.must_reload(echo("e", port) + other)
    second = stand.connect(port)
    assert echoes(first) and echoes(second)
    it.must_reload(other)
    assert echoes(first) and echoes(second)
    first.close()
    second.close()
    it.daemon.wait_event("exit", count=2, service="e")
    stand.poll("both are gone", lambda: set(it.services()) == {"f"})
    it.daemon.wait_idle()


def views(it, name):
    """What each view says of the service: status, that of all, the pids of its connections."""
    def shown(verb, *words):
        done = it.superctl(verb, *words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    alone = shown("status", name)["services"]
    assert alone == [one for one in it.status()["services"] if one["name"] == name]
    pids = {one["pid"] for one in shown("connections", name)["connections"]}
    assert pids == {
        one["pid"] for one in shown("connections")["connections"] if one["service"] == name
    }
    metrics = it.superctl("metrics").stdout.splitlines()
    active = [line for line in metrics
              if line.startswith(f'superd_connections_active{{service="{name}"}}')]
    assert [int(line.split()[1]) for line in active] == [alone[0]["running"]] == [len(pids)]
    return alone[0], pids


@pytest.mark.parametrize("gone", ["removed", "disabled"])
def test_left_over_programs_count_when_their_service_comes_back(operated, build, kinds, gone):
    """Programs of a service that was taken away are its own again when it is put back."""
    port, taken = stand.free_port(), stand.free_port()
    other = echo("f", stand.free_port())
    without = other if gone == "removed" else echo("e", port, "enabled = no") + other
    it = operated(echo("e", port, "limits { instances = 2 }") + other, *kinds)
    held = stand.connect(port)
    assert echoes(held)
    _, pids = views(it, "e")
    assert len(pids) == 1
    # twice, and each time with other rules
    for round_ in range(2):
        assert it.superctl("pause" if round_ else "drain", "e").returncode == 0
        it.must_reload(without)
        shown, now = views(it, "e")
        assert (shown["state"], now) == ("draining", pids) and refuses(port)
        for verb in ("pause", "drain", "resume"):
            assert "there is no service 'e'" in it.superctl(verb, "e").stderr
        # what cannot be had changes nothing
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", taken))
            holder.listen()
            it.must_refuse(echo("e", port) + echo("y", taken) + other)
        assert views(it, "e")[1] == pids and refuses(port) and echoes(held)
        # nor does asking
        done = subprocess.run([build / "superd/superd", "--diff", "-c", it.daemon.config_path],
                              capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.startswith("add e 0\n") and views(it, "e")[1] == pids
        it.must_reload(echo("e", port, f'banner = "{round_}" limits {{ instances = 1 on-full = refuse }}')
                       + other)
        shown, now = views(it, "e")
        assert (shown["state"], shown["instances"], now) == ("full", 1, pids)
        assert turned_away(port), "one runs, and one may"
        it.must_reload(echo("e", port, f'banner = "{round_}" limits {{ instances = 2 }}') + other)
        with stand.connect(port) as second:
            assert second.recv(1) == b"%d" % round_ and echoes(second) and echoes(held)
            shown, now = views(it, "e")
            assert (shown["state"], shown["running"]) == ("full", 2) and pids < now
        it.daemon.wait_event("exit", count=round_ + 1, service="e")
    held.close()
    it.daemon.wait_event("exit", count=3, service="e")
    shown, now = views(it, "e")
    assert (shown["state"], now) == ("listening", set())
    assert shown["exited"]["ok"] == shown["accepted"] == 3
    assert stand.ask(port, b"x") == b"1x"
    it.must_reload(without)
    stand.poll("it is gone", lambda: set(it.services()) == {"f"})
    assert "there is no service 'e'" in it.superctl("status", "e").stderr
    it.daemon.wait_idle()


def test_a_source_still_counts_when_its_service_comes_back(operated, kinds):
    """What a client has open counts for per-source, also where sources are cut otherwise by then."""
    port = stand.free_port()
    other = echo("f", stand.free_port())
    it = operated(echo("e", port) + other, *kinds)
    held = stand.connect(port, source="127.0.0.2")
    assert echoes(held)
    for more in ("", "source-prefix4 = 24"):
        it.must_reload(other)
        it.must_reload(echo("e", port, f"limits {{ per-source = 1 {more} }}") + other)
        assert turned_away(port, source="127.0.0.2")
        with stand.connect(port, source="127.0.0.3") as neighbour:
            assert neighbour.recv(1) == b"" if more else echoes(neighbour)
        assert echoes(held)
        it.daemon.wait_event("exit", service="e")
    held.close()
    it.daemon.wait_event("exit", count=2, service="e")
    stand.poll("its source is free", lambda: it.services()["e"]["sources"] == 0)
    with stand.connect(port, source="127.0.0.2") as again:
        assert echoes(again)


# --- nothing of a configuration that cannot be had -----------------------------------------------


def hold_port(port):
    """A process of its own that listens there, and its pid."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import socket, sys\ns = socket.socket()\n"
         f"s.bind(('127.0.0.1', {port}))\ns.listen()\nprint('ready', flush=True)\nsys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"ready\n"
    return process


def test_conflict_keeps_all_as_it_was_and_names_the_process(operated, kinds):
    port, taken, free = (stand.free_port() for _ in range(3))
    it = operated(echo("e", port) + echo("gone", free), *kinds)
    held = stand.connect(port)
    assert echoes(held)
    holder = hold_port(taken)
    try:
        inodes = listening(port), listening(free)
        new = echo("e", port, 'banner = "new"') + echo("x", free) + echo("y", taken)
        said = it.must_refuse(new)
        assert f"tcp 127.0.0.1:{taken}" in said and "Address already in use" in said
        assert f"process {holder.pid} (" in said, said
        assert f"{it.daemon.config_path}:" in said
        event = it.daemon.wait_event("error", step="reload")
        assert str(taken) in event["error"] and str(holder.pid) in event["error"]
        assert (listening(port), listening(free)) == inodes
        assert set(it.services()) == {"e", "gone"} and it.generation() == 1
        assert stand.ask(port, b"x") == b"x" and stand.ask(free, b"x") == b"x" and echoes(held)
    finally:
        holder.communicate()
    it.must_reload(new)
    assert stand.ask(port, b"x") == b"newx" and stand.ask(taken, b"x") == b"x"
    held.close()


def test_endpoint_that_was_not_there_before_is_no_reason(operated):
    port, taken = stand.free_port(), stand.free_port()
    holder = hold_port(taken)
    try:
        two = "listen = {{ 127.0.0.1:{}, 127.0.0.1:{} }} exec = echo".format(port, taken)
        it = operated(f"service e {{ {two} }}\n")
        it.must_reload(f'service e {{ {two} banner = "hi" }}\n')
        assert stand.ask(port, b"x") == b"hix"
        # it moves on to another service, which gets further sockets, and is still tried
        more = stand.free_port()
        it.must_reload(echo("e", port) + f"service f {{ listen = {{ 127.0.0.1:{more},"
                       f" 127.0.0.1:{taken} }} exec = echo }}\n")
        states = {one["endpoint"]: one["state"] for one in it.services()["f"]["listeners"]}
        assert states[f"tcp 127.0.0.1:{taken}"] == "retrying"
        assert stand.ask(more, b"x") == b"x"
    finally:
        holder.communicate()
    it.must_reload()  # a change of the service tries at once
    it.must_reload(echo("e", port) + echo("f", taken, 'banner = ""'))
    assert stand.ask(taken, b"x") == b"x"


def test_no_descriptors_in_the_middle(operated, kinds):
    port = stand.free_port()
    it = operated(echo("e", port), *kinds)
    held = stand.connect(port)
    assert echoes(held)
    first = stand.free_range(40)
    more = f"service many {{ listen = 127.0.0.1:{first}-{first + 39} exec = echo }}\n"
    pid = it.daemon.pid
    used = sum(int(name) < 256 for name in os.listdir(f"/proc/{pid}/fd"))
    before = it.daemon.descriptors()
    limits = subprocess.run(
        ["prlimit", f"--pid={pid}", "--nofile", "--output=SOFT,HARD", "--noheadings", "--raw"],
        capture_output=True, text=True, check=True,
    ).stdout.split()

    def limit(count):
        subprocess.run(["prlimit", f"--pid={pid}", f"--nofile={count}:{limits[1]}"], check=True)

    it.write(echo("e", port, 'banner = "no"') + more)
    for room in (4, 5, 6, 7, 20, 30):  # without more it cannot even be asked
        limit(used + room)
        assert not it.reload(), it.daemon.log_text()
        assert "Too many open files" in it.last.stderr, it.last.stderr
        assert echoes(held)
        limit(limits[0])
        stand.poll("descriptors are back", lambda: it.daemon.descriptors() <= before)
        assert all(refuses(p) for p in (first, first + 39))
    assert stand.ask(port, b"x") == b"x"
    it.must_reload(echo("e", port) + more)
    assert stand.ask(first + 39, b"x") == b"x"
    held.close()


# --- limits, pauses, log, the rest ---------------------------------------------------------------


def test_rate_goes_on_through_a_reload(operated):
    port = stand.free_port()
    rate = "limits { per-source-rate = 1/h burst = 3 %s }"
    it = operated(echo("e", port, rate % ""))
    assert [stand.ask(port, b"x") for _ in range(3)] == [b"x"] * 3 and turned_away(port)
    it.must_reload(echo("e", port, rate % "" + ' banner = "b"'))
    assert turned_away(port), "the reload filled the bucket"
    assert it.services()["e"]["refused"]["per-source-rate"] == 2
    it.must_reload(echo("e", port, "limits { per-source-rate = 2/h burst = 3 }"))
    assert stand.ask(port, b"x") == b"x"


def test_sources_are_counted_again_when_they_are_cut_anew(operated, kinds):
    port = stand.free_port()
    it = operated(echo("e", port, "limits { per-source = 3 }"), *kinds)
    held = [stand.connect(port, source=f"127.0.0.{i}") for i in (2, 2, 3)]
    assert all(echoes(client) for client in held)
    assert it.services()["e"]["sources"] == 2
    it.must_reload(echo("e", port, "limits { per-source = 3 source-prefix4 = 24 }"))
    assert it.services()["e"]["sources"] == 1
    assert turned_away(port, "127.0.0.4"), "the fourth of 127.0.0.0/24"
    held.pop().close()
    it.daemon.wait_event("exit")
    assert stand.ask(port, b"x", source="127.0.0.4") == b"x"
    it.must_reload(echo("e", port, "limits { per-source = 3 source-prefix4 = 23 }"))
    it.must_reload(echo("e", port, "limits { per-source = 3 source-prefix4 = 22 }"))
    for client in held:
        client.close()
    it.daemon.wait_event("exit", count=4)
    stand.poll("no source is left", lambda: it.services()["e"]["sources"] == 0)


def test_lower_limits_touch_no_session(operated):
    port = stand.free_port()
    it = operated(echo("e", port, "limits { instances = 10 }"))
    held = [stand.connect(port) for _ in range(5)]
    assert all(echoes(client) for client in held)
    it.must_reload(echo("e", port, "limits { instances = 2 time = 1s on-full = refuse }"))
    assert it.services()["e"]["state"] == "full" and turned_away(port)
    assert all(echoes(client) for client in held)
    for client in held:
        client.close()
    it.daemon.wait_event("exit", count=5)
    assert not it.daemon.events("deadline")
    late = stand.connect(port)  # `time` is for those that come after the reload
    assert stand.read_all(late) == b"" and it.daemon.wait_event("deadline", limit="time")
    late.close()


def test_idle_newly_in_use(operated):
    port = stand.free_port()
    it = operated(echo("e", port))
    before = stand.connect(port)
    assert echoes(before)
    it.must_reload(echo("e", port, "limits { idle = 1s }"))
    after = stand.connect(port)
    assert echoes(after)
    assert stand.read_all(after) == b""
    assert it.daemon.wait_event("deadline", limit="idle")
    assert echoes(before), "its rules were those of its start"
    it.must_reload(echo("e", port))
    before.close()


def test_throttle_and_counts_survive(operated, program):
    port = stand.free_port()
    bad = program("bad", "#!/bin/sh\nexit 0\n")
    config = f"service e {{ listen = 127.0.0.1:{port} exec = {bad} %s }}\n"
    it = operated(config % "")
    bad.write_text("#!/no/such/interpreter\n")
    for _ in range(6):
        stand.ask(port)
    it.daemon.wait_event("state", state="throttled")
    stand.poll("all are counted", lambda: it.services()["e"]["failed"] == 6)
    bad.write_text("#!/bin/sh\nexit 0\n")
    it.must_reload(config % 'banner = ""')
    assert it.services()["e"]["failed"] == 6
    assert it.services()["e"]["state"] in ("throttled", "listening")
    stand.poll("the pause ends", lambda: it.services()["e"]["state"] == "listening")


def test_log_files(operated, tmp_path):
    port = stand.free_port()
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    head = f"log {{ to = file file = {first} events = {{ accept, error }} }}\n"
    it = operated(echo("e", port), head=head)
    stand.ask(port, b"x")
    stand.poll("a line", lambda: "event=accept" in first.read_text())
    os.rename(first, tmp_path / "rotated.log")
    it.must_reload()
    stand.ask(port, b"x")
    stand.poll("a line in the new file", lambda: first.exists() and "event=accept" in first.read_text())
    assert (tmp_path / "rotated.log").read_text().count("event=accept") == 1
    it.head = it.head.replace(str(first), str(second))
    it.must_reload(echo("e", port))
    stand.ask(port, b"x")
    stand.poll("a line in another file", lambda: "event=accept" in second.read_text())
    assert first.read_text().count("event=accept") == 1
    links = {os.readlink(f"/proc/{it.daemon.pid}/fd/{n}") for n in os.listdir(f"/proc/{it.daemon.pid}/fd")
             if os.path.islink(f"/proc/{it.daemon.pid}/fd/{n}")}
    assert str(first) not in links, "the old file is still open"
    it.head = it.head.replace(str(second), "/no/such/folder/x.log")
    assert "/no/such/folder/x.log" in it.must_refuse(echo("e", port))
    stand.ask(port, b"x")
    stand.poll("still there", lambda: second.read_text().count("event=accept") == 2)


def test_options_of_superd_itself(operated, tmp_path):
    port = stand.free_port()
    one, two = tmp_path / "one.pid", tmp_path / "two.pid"
    it = operated(f"pid-file = {one}\n" + echo("e", port))
    assert one.read_text() == f"{it.daemon.pid}\n"
    it.must_reload(f"pid-file = {two}\nmax-instances = 1\n" + echo("e", port, "limits { on-full = refuse }"))
    assert two.read_text() == f"{it.daemon.pid}\n" and not one.exists()
    held = stand.connect(port)
    assert echoes(held)
    assert turned_away(port)
    assert it.services()["e"]["refused"]["global-full"] == 1
    assert "two.pid" in it.must_refuse(f"pid-file = {tmp_path}/no/two.pid\n" + echo("e", port))
    assert two.exists()
    held.close()
    # the control socket moves
    old = it.socket_path
    new = tmp_path / "moved"
    it.head = it.head.replace(str(old), str(new))
    it.must_reload(echo("e", port))
    it.socket_path = new
    assert it.generation() == 3 and not old.exists() and not two.exists()


def test_relative_path(build, services, superd, tmp_path):
    """A daemon goes to "/": the file is found all the same."""
    port = stand.free_port()
    daemon = superd(
        f'service-directory = {services}\ncontrol-socket = ""\n' + echo("e", port),
        wrapper=["sh", "-c", f'cd {tmp_path}/superd0; shift 3; exec {build}/superd/superd -c superd.conf "$@"', "x"],
    )
    daemon.send_signal(signal.SIGHUP)
    assert daemon.wait_event("reload")["kept"] == "1"


# --- wait services -------------------------------------------------------------------------------

ROOM = """#!/usr/bin/python3
import os, select, socket, sys
count = int(os.environ["LISTEN_FDS"])
listeners = [socket.socket(fileno=3 + i) for i in range(count)]
while True:
    ready = select.select(listeners, [], [])[0][0]
    client, _ = ready.accept()
    client.sendall(f"{os.getpid()} {count} {sys.argv[1]} {ready.getblocking()}\\n".encode())
    if client.recv(4) == b"stop":
        sys.exit(0)
"""


class Room:
    """Clients of a wait program that says who it is."""

    @staticmethod
    def visit(port, word=b"stay"):
        with stand.connect(port) as client:
            answer = b""
            while not answer.endswith(b"\n"):
                piece = client.recv(100)
                if not piece:
                    break
                answer += piece
            client.sendall(word)
            return answer.split()


def room_config(path, name, ports, tag="a", wait="yes", more=""):
    listen = ", ".join(f"127.0.0.1:{port}" for port in ports)
    exec_ = f"{{ {path}, {tag} }}" if wait == "yes" else "echo"
    return f"service {name} {{ listen = {{ {listen} }} wait = {wait} exec = {exec_} {more} }}\n"


def test_wait_program_keeps_its_sockets(operated, program, kinds):
    room = program("room", ROOM)
    a, b, c = (stand.free_port() for _ in range(3))
    it = operated(room_config(room, "room", [a, b]), *kinds)
    pid, count, tag, blocking = Room.visit(a)
    assert (count, tag, blocking) == (b"2", b"a", b"True")
    # another program, and another endpoint in place of one: those that are held are held on
    it.must_reload(room_config(room, "room", [a, c], "b", more="backlog = 33"))
    assert Room.visit(a)[0] == pid and Room.visit(b)[0] == pid
    assert it.services()["room"]["state"] == "busy"
    waiting = stand.connect(c)  # is served when the room is free
    assert Room.visit(a, b"stop")[0] == pid
    it.daemon.wait_event("exit", service="room", status=0)
    assert waiting.recv(100).split()[2] == b"b"
    waiting.sendall(b"stop")
    waiting.close()
    it.daemon.wait_event("exit", count=2, service="room")
    assert refuses(b)
    assert Room.visit(a, b"stop")[1:3] == [b"2", b"b"]


def test_wait_program_of_a_renamed_service(operated, program, kinds):
    room = program("room", ROOM)
    port, other = stand.free_port(), stand.free_port()
    it = operated(room_config(room, "old", [port]), *kinds)
    pid = Room.visit(port)[0]
    it.must_reload(room_config(room, "new", [port, other], "b"))
    assert Room.visit(port)[0] == pid, "the socket was taken away"
    visitor = Room.visit(other)
    assert visitor[1] == b"1", "only what nobody has is handed over"
    assert Room.visit(port)[0] == pid
    Room.visit(port, b"stop")
    it.daemon.wait_event("exit", service="old", status=0)
    Room.visit(other, b"stop")
    it.daemon.wait_event("exit", service="new", status=0)
    assert Room.visit(port, b"stop")[1:3] == [b"2", b"b"]
    it.daemon.wait_event("exit", count=2, service="new")
    stand.poll("old is gone", lambda: set(it.services()) == {"new"})


@pytest.mark.parametrize("ends", ["asked", "killed"])
def test_wait_turned_off_while_the_program_holds_the_socket(operated, program, kinds, ends):
    room = program("room", ROOM)
    port = stand.free_port()
    it = operated(room_config(room, "room", [port]), *kinds)
    pid = Room.visit(port)[0]
    it.must_reload(room_config(room, "room", [port], wait="no"))
    assert Room.visit(port) [0] == pid and Room.visit(port)[3] == b"True"
    if ends == "asked":
        Room.visit(port, b"stop")
    else:
        os.kill(int(pid), signal.SIGKILL)
    it.daemon.wait_event("exit", service="room")
    assert stand.ask(port, b"x") == b"x"
    it.must_reload(room_config(room, "room", [port]))
    assert Room.visit(port, b"stop")[3] == b"True"


def test_wait_service_removed_while_its_program_runs(operated, program, kinds):
    room = program("room", ROOM)
    port = stand.free_port()
    other = echo("e", stand.free_port())
    it = operated(room_config(room, "room", [port]) + other, *kinds)
    pid = Room.visit(port)[0]
    it.must_reload(other)
    assert Room.visit(port)[0] == pid, "the program has the socket as long as it runs"
    # configured again, under another name: the socket is there, and the program has it still
    it.must_reload(room_config(room, "again", [port], "b") + other)
    assert Room.visit(port)[0] == pid and it.services()["again"]["state"] == "busy"
    it.must_reload(other)
    it.must_reload(echo("again", port, host="0.0.0.0") + other)
    assert Room.visit(port)[0] == pid
    it.must_reload(other)
    Room.visit(port, b"stop")
    it.daemon.wait_event("exit", service="room", status=0)
    stand.poll("nobody listens", lambda: refuses(port))
    it.must_reload(room_config(room, "room", [port]) + other)
    assert Room.visit(port, b"stop")[2] == b"a"


def test_wait_program_ends_while_a_reload_counts_on_its_socket(operated, program, tmp_path):
    """What a removed service left is to be taken over, and is given up before that happens."""
    room = program("room", ROOM)
    port = stand.free_port()
    other = echo("f", stand.free_port())
    it = operated(room_config(room, "room", [port]) + other)
    pid = int(Room.visit(port)[0])
    it.must_reload(other)
    places = [tmp_path / f"s{number}" for number in range(1500)]
    many = "".join(
        f"service n{number} {{ listen = unix:{place} exec = echo }}\n"
        for number, place in enumerate(places)
    )
    it.write(room_config(room, "again", [port], "b") + other + many)
    it.daemon.send_signal(signal.SIGHUP)
    stand.poll("the new sockets are being made", places[0].exists)
    stand.kill(pid, signal.SIGKILL)
    it.daemon.wait_event("reload", generation="3")
    assert Room.visit(port, b"stop")[2] == b"b"


def test_wait_service_comes_back_while_its_program_runs(operated, program, kinds):
    """The program is the service's own again: as a wait service, as another kind, elsewhere."""
    room = program("room", ROOM)
    port, elsewhere = stand.free_port(), stand.free_port()
    other = echo("f", stand.free_port())
    it = operated(room_config(room, "e", [port]) + other, *kinds)
    pid = Room.visit(port)[0]

    def shown():
        service, pids = views(it, "e")
        assert pids == {int(pid)}
        return service["state"]

    it.must_reload(other)
    assert shown() == "draining" and Room.visit(port)[0] == pid
    it.must_reload(room_config(room, "e", [port], "b") + other)
    assert shown() == "busy" and Room.visit(port)[0] == pid
    it.must_reload(other)
    it.must_reload(room_config(room, "e", [port], wait="no") + other)
    assert shown() == "busy" and Room.visit(port)[0] == pid
    it.must_reload(other)
    it.must_reload(echo("e", elsewhere) + other)
    assert shown() == "listening" and Room.visit(port)[0] == pid
    assert stand.ask(elsewhere, b"x") == b"x"
    it.daemon.wait_event("exit", service="e")
    it.must_reload(other)
    it.must_reload(room_config(room, "e", [port, elsewhere], "c") + other)
    assert Room.visit(port)[0] == pid
    assert Room.visit(elsewhere)[1:3] == [b"1", b"c"], "only what nobody has is handed over"
    assert len(views(it, "e")[1]) == 2
    Room.visit(port, b"stop")
    Room.visit(elsewhere, b"stop")
    it.daemon.wait_event("exit", count=3, service="e")
    assert Room.visit(port, b"stop")[1:3] == [b"2", b"c"]
    it.daemon.wait_event("exit", count=4, service="e")
    assert views(it, "e")[1] == set()


def test_kind_of_a_service_that_comes_back(operated, program, kinds):
    """Sessions and datagram programs of one service, one after the other and together."""
    answer = program("answer", "#!/usr/bin/python3\nimport socket\ns = socket.socket(fileno=0)\n"
                     "while True:\n    data, peer = s.recvfrom(100)\n    s.sendto(data, peer)\n"
                     "    if data == b'stop':\n        break\n")
    port = stand.free_port()
    other = echo("f", stand.free_port())
    datagrams = f"service e {{ listen = udp:127.0.0.1:{port} exec = {answer} }}\n"

    def ask(word):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(stand.DEADLINE)
            client.sendto(word, ("127.0.0.1", port))
            return client.recv(100)

    it = operated(echo("e", port) + other, *kinds)
    held = stand.connect(port)
    assert echoes(held)
    it.must_reload(other)
    it.must_reload(datagrams + other)
    assert refuses(port) and ask(b"x") == b"x" and echoes(held)
    shown, pids = views(it, "e")
    assert (shown["state"], len(pids)) == ("busy", 2)
    it.must_reload(other)
    it.must_reload(echo("e", port) + other)
    with stand.connect(port) as second:
        assert echoes(second) and echoes(held) and ask(b"x") == b"x"
        assert len(views(it, "e")[1]) == 3
    it.daemon.wait_event("exit", service="e")
    it.must_reload(other)
    it.must_reload(datagrams + other)
    held.close()
    it.daemon.wait_event("exit", count=2, service="e")
    assert ask(b"x") == b"x" and views(it, "e")[1] < pids
    assert ask(b"stop") == b"stop"
    it.daemon.wait_event("exit", count=3, service="e")
    assert ask(b"stop") == b"stop", "a program is started anew"
    it.daemon.wait_event("exit", count=4, service="e")
    assert views(it, "e")[1] == set()


def test_datagram_services(operated, program, kinds):
    answer = program("answer", "#!/usr/bin/python3\nimport os, socket, sys\ns = socket.socket(fileno=0)\n"
                     "while True:\n    data, peer = s.recvfrom(100)\n    s.sendto(sys.argv[1].encode(), peer)\n"
                     "    if data == b'stop':\n        break\n")
    a, b = stand.free_port(), stand.free_port()

    def config(name, ports, tag):
        listen = ", ".join(f"udp:127.0.0.1:{port}" for port in ports)
        return f"service {name} {{ listen = {{ {listen} }} exec = {{ {answer}, {tag} }} }}\n"

    def ask(port, word=b"x"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(stand.DEADLINE)
            client.sendto(word, ("127.0.0.1", port))
            return client.recv(100)

    it = operated(config("u", [a, b], "old"), *kinds)
    assert ask(a) == b"old" and ask(b) == b"old"
    it.must_reload(config("u", [b], "new") + config("v", [a], "new"))
    assert ask(a) == b"old" and ask(b) == b"old", "who has a socket keeps it"
    assert ask(a, b"stop") == b"old"
    it.daemon.wait_event("exit", service="u")
    assert ask(a) == b"new" and ask(b) == b"old"
    assert ask(b, b"stop") == b"old"
    it.daemon.wait_event("exit", count=2, service="u")
    assert ask(b, b"stop") == b"new" and ask(a, b"stop") == b"new"


@faults.needs_strace
def test_starts_under_way(operated, program):
    """Programs that have not reached their exec use what a reload would free: it waits for them."""
    say = program("say", "#!/usr/bin/python3\nimport os, socket, sys\ns = socket.socket(fileno=3)\n"
                  "c, _ = s.accept()\nc.sendall(('%d %s' % (s.getsockname()[1], os.environ['X'])).encode())\n")
    a, b = stand.free_port(), stand.free_port()

    def config(x, port_a, port_b):
        env = f'env {{ X = "{x}" }}'
        return (echo("e", port_a, f'banner = "{x} " {env}')
                + f"service w {{ listen = 127.0.0.1:{port_b} wait = yes exec = {say} {env} }}\n")

    it = operated(config("old" * 1000, a, b), "--spawn=vm")
    with faults.traced(it.daemon.pid, "execve", "delay_enter=1500000"):
        one, two = stand.connect(a), stand.connect(b)
        it.daemon.wait_event("accept", count=2)
        for i in range(4):
            it.must_reload(config("new" * i, stand.free_port(), stand.free_port()))
        it.must_reload(echo("other", stand.free_port()))
        assert refuses(a), "what no program needs is closed at once"
        banner = b""
        while len(banner) < 3001:
            banner += one.recv(3001 - len(banner))
        assert banner == b"old" * 1000 + b" " and echoes(one)
        assert two.recv(10000).split() == [b"%d" % b, b"old" * 1000]
        one.close()
        it.daemon.wait_event("exit", service="e")
        it.daemon.wait_event("exit", service="w")
        stand.poll("nobody listens", lambda: refuses(b))
        stand.poll("both are gone", lambda: set(it.services()) == {"other"})


@faults.needs_strace
@pytest.mark.parametrize("back", ["as it was", "elsewhere"])
def test_starts_under_way_of_a_service_that_comes_back(operated, program, back):
    """What a start uses stays until its exec, whatever becomes of its service meanwhile."""
    room = program("room", ROOM)
    a, b = stand.free_port(), stand.free_port()
    other = echo("f", stand.free_port())

    def config(x, port_a, port_b):
        env = f'env {{ X = "{x}" }}'
        return echo("e", port_a, env) + room_config(room, "w", [port_b], x, more=env) + other

    it = operated(config("old", a, b), "--spawn=vm")
    with faults.traced(it.daemon.pid, "execve", "delay_enter=4000000"):
        one, two = stand.connect(a), stand.connect(b)
        it.daemon.wait_event("accept", count=2)
        there = a, b
        for i in range(4):
            it.must_reload(other)
            if back == "elsewhere":
                there = stand.free_port(), stand.free_port()
            it.must_reload(config("new" * i + "x", *there))
        own = os.readlink(f"/proc/{it.daemon.pid}/exe")
        starting = [os.readlink(f"/proc/{pid}/exe") == own for pid in it.daemon.children()]
        assert starting == [True, True], "both are before their exec still"
        assert echoes(one)
        assert two.recv(100).split()[1:3] == [b"1", b"old"]
        assert len(views(it, "e")[1]) == len(views(it, "w")[1]) == 1
    two.sendall(b"stop")
    one.close()
    it.daemon.wait_event("exit", service="e")
    it.daemon.wait_event("exit", service="w")
    assert stand.ask(there[0], b"x") == b"x"
    assert Room.visit(there[1], b"stop")[2] == b"new" * 3 + b"x"
    assert back == "as it was" or refuses(a) and refuses(b)


# --- unix sockets --------------------------------------------------------------------------------


def unix_ask(path, data=b"x", kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_UNIX, kind) as client:
        client.settimeout(stand.DEADLINE)
        client.connect(str(path))
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return stand.read_all(client)


def test_unix_sockets(operated, tmp_path, kinds):
    path, other = tmp_path / "s", tmp_path / "t"
    config = "service e {{ listen = unix:{} exec = echo {} }}\n"
    it = operated(config.format(path, "socket-mode = 0600"), *kinds)
    inode = path.stat().st_ino
    it.must_reload(config.format(path, "socket-mode = 0666"))
    assert path.stat().st_ino == inode and stat.S_IMODE(path.stat().st_mode) == 0o666
    assert unix_ask(path) == b"x"
    it.must_reload(config.format(path, "").replace("service e", "service f"))
    assert path.stat().st_ino == inode and stat.S_IMODE(path.stat().st_mode) == 0o660
    assert unix_ask(path) == b"x"
    # another kind under the same name
    it.must_reload(config.format(path, "").replace("unix:", "unix-seqpacket:"))
    assert unix_ask(path, kind=socket.SOCK_SEQPACKET) == b"x"
    assert os.listdir(tmp_path).count("s") == 1 and not list(tmp_path.glob("*superd-new"))
    it.must_reload(config.format(other, ""))
    assert not path.exists() and unix_ask(other) == b"x"
    it.daemon.stop()
    assert not other.exists()


def test_unix_socket_that_cannot_be_had(operated, tmp_path):
    path, port = tmp_path / "s", stand.free_port()
    it = operated(f"service e {{ listen = {{ unix:{path}, 127.0.0.1:{port} }} exec = echo }}\n")
    inode = path.stat().st_ino
    said = it.must_refuse(f"service e {{ listen = {{ unix-seqpacket:{path}, unix:/no/such/x }} exec = echo }}\n")
    assert "/no/such/x" in said
    assert path.stat().st_ino == inode and unix_ask(path) == b"x" and stand.ask(port, b"x") == b"x"
    assert not list(tmp_path.glob("*superd-new"))


# --- requests ------------------------------------------------------------------------------------


def test_stop_while_reloading(operated, kinds):
    first = stand.free_range(200)
    one = echo("e", stand.free_port())
    many = f"service many {{ listen = 127.0.0.1:{first}-{first + 199} exec = echo }}\n"
    it = operated(one, *kinds)
    for round_ in range(10):
        it.write(one + (many if round_ % 2 == 0 else ""))
        it.daemon.send_signal(signal.SIGHUP)
    it.daemon.stop()


def test_clients_of_the_control_socket_are_all_answered(operated):
    port = stand.free_port()
    it = operated(echo("e", port))
    results = []
    threads = [threading.Thread(target=lambda: results.append(it.superctl("reload"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(stand.DEADLINE)
    assert [done.returncode for done in results] == [0] * 8, [done.stderr for done in results]
    assert 2 <= it.generation() <= 9


def test_diff(operated, build, tmp_path):
    ports = [stand.free_port() for _ in range(4)]
    it = operated(echo("kept", ports[0]) + echo("changed", ports[1]) + echo("removed", ports[2]))
    held = [stand.connect(port) for port in (*ports[:3], ports[1])]
    assert all(echoes(client) for client in held)
    it.write(echo("kept", ports[0]) + "\n# a comment moves lines\n\n"
             + echo("changed", ports[1], "nice = 1") + echo("added", ports[3]))

    def diff(*words):
        return subprocess.run([str(build / "superd/superd"), "--diff", *words], capture_output=True,
                              text=True, timeout=60, check=False)

    done = diff("-c", str(it.daemon.config_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "keep kept 0\nchange changed 2\nadd added 0\nremove removed 1\n"
    assert it.generation() == 1 and refuses(ports[3])
    it.must_reload()
    assert diff("-c", str(it.daemon.config_path)).stdout == "keep kept 0\nkeep changed 0\nkeep added 0\n"
    it.write("service x { listen = 70000 exec = echo }\n")
    done = diff("-c", str(it.daemon.config_path))
    assert done.returncode == 1 and "70000" in done.stderr and done.stdout == ""
    done = diff("-c", str(tmp_path / "none.conf"))
    assert done.returncode == 1 and "No such file" in done.stderr
    for client in held:
        client.close()


def test_single_service_without_a_file(build, superd, tmp_path):
    """HUP means the command line again: nothing to change, and no harm."""
    port = stand.free_port()
    daemon = superd(
        "", wrapper=["sh", "-c", f'shift 3; exec {build}/superd/superd "$@" --listen 127.0.0.1:{port}'
                     " --set 'limits { time = 60s }' -- /bin/cat", "x"])
    daemon.send_signal(signal.SIGHUP)
    assert daemon.wait_event("reload")["kept"] == "1"
    assert stand.ask(port, b"x") == b"x"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_group_may_ask_about_the_own_file_only(operated, build, tmp_path):
    it = operated("control-group = daemon\ncontrol-mode = 0660\n" + echo("e", stand.free_port()))
    other = tmp_path / "other.conf"
    other.write_text(it.daemon.config_path.read_text())
    group = grp.getgrnam("daemon").gr_gid

    def diff(path):
        return subprocess.run(
            [str(build / "superd/superd"), "--diff", "-c", str(path)], user=65534, group=group,
            extra_groups=[], capture_output=True, text=True, timeout=60, check=False)

    done = diff(it.daemon.config_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "keep e 0\n", "")
    done = diff(other)
    assert done.returncode == 1 and "only root may ask" in done.stderr


@faults.needs_strace
@pytest.mark.parametrize("spawn", ["vm", "fork"])
def test_closed_listener_of_which_a_new_child_has_a_copy(operated, spawn):
    """A child short of its exec holds what superd had open: nobody is to land in that queue."""
    a, b = stand.free_port(), stand.free_port()
    both = echo("a", a) + echo("b", b)
    it = operated(both, f"--spawn={spawn}")
    with faults.traced(it.daemon.pid, "dup3", "delay_enter=2000000"):
        client = stand.connect(b)
        child = int(it.daemon.wait_event("accept", service="b")["pid"])
        assert it.superctl("drain", "a").returncode == 0
        assert refuses(a)
        assert it.superctl("resume", "a").returncode == 0
        assert not refuses(a)
        it.must_reload(echo("b", b))
        assert refuses(a)
        it.must_reload(both)
        assert not refuses(a)
        name = pathlib.Path(f"/proc/{child}/comm").read_text().strip()
        assert name == "superd", "it was not held up long enough to show anything"
    with client:
        assert echoes(client)
