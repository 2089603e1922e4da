"""The faults of a soak: each is a function of the stage that ends with all as it was before.

@trouble names what the fault may cost connections of the load that were open while it lasted
(spares: {service, or "" for any: outcomes}); what its own connections come to it tells the account.
superd stands still for at most a third of a second (a stopped process accepts nobody: that counts
as a gap), and no fault that concerns all services lasts longer.
"""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import time

import faults
import stage as stages
import stand
import tally

TROUBLES = {}
SHORT_S = 0.3  # what stops every service, at most
PATIENCE_S = 10.0
ORDERLY = {"": (tally.ORDERLY,)}


class Trouble:
    """A kind of fault."""

    def __init__(self, run, spares, needs):
        self.run, self.spares, self.needs = run, spares, needs


def trouble(kind, spares=None, needs=lambda stage: True):
    """Registers a kind of fault; needs(stage) says whether it can be had here."""

    def register(run):
        TROUBLES[kind] = Trouble(run, spares or {}, needs)
        return run

    return register


class Account:
    """What a fault's own connections came to; pause() is how long it lasts."""

    def __init__(self, stage, sick, rng, hurried, between):
        self.stage, self.sick, self.rng, self.hurried = stage, sick, rng, hurried
        self.between = between  # called in the midst of a fault
        self.kind = ""

    def add(self, what, count=1):
        self.sick.add(self.kind, what, count)

    def pause(self, shortest, longest):
        """The fault lasts; a reload that is due comes in its midst."""
        seconds = 0.1 if self.hurried else self.rng.uniform(shortest, longest)
        end = time.monotonic() + seconds
        self.between()
        faults.pause(max(0, end - time.monotonic()))

    def many(self, count):
        return max(count // 5, 2) if self.hurried else count


def connect(port, source=None):
    return stand.connect(port, source=source, timeout=PATIENCE_S)


def read_all(client):
    """Everything until the end: (what, how it ended: "end", "reset" or "hang")."""
    pieces = []
    try:
        while piece := client.recv(65536):
            pieces.append(piece)
    except TimeoutError:
        return b"".join(pieces), tally.HANG
    except OSError:
        return b"".join(pieces), tally.RESET
    return b"".join(pieces), "end"


def ask(account, port, wanted, refused=b"", words=b"", source=None):
    """A connection of the fault's own: answered, refused in order, or lost."""
    try:
        with connect(port, source) as client:
            with contextlib.suppress(OSError):
                client.sendall(words)
                client.shutdown(socket.SHUT_WR)
            got, how = read_all(client)
    except OSError as error:
        got, how = b"", repr(error)
    if how == "end" and got == wanted:
        account.add("answered")
    elif how == "end" and refused is not None and got == refused:
        account.add("refused")
    else:
        account.add("lost")


def must_answer(account, port, wanted, words=b""):
    """It is well again: an answer in good time, though the first ones may still be refused."""

    def answered():
        try:
            return stand.ask(port, words) == wanted
        except OSError:
            return False

    stand.poll(f"{account.kind}: port {port} answers again", answered, PATIENCE_S)


def end_all(account, clients, what="cut"):
    """Each of these gets an orderly end."""
    for client in clients:
        _, how = read_all(client)
        account.add(what if how == "end" else "lost")
        client.close()


def open_talks(account, name, count):
    """So many sessions, each of them alive."""
    clients = [connect(account.stage.ports[name]) for _ in range(count)]
    for client in clients:
        client.sendall(b"alive")
        assert client.recv(5) == b"alive", f"{account.kind}: a session of {name} did not begin"
    return clients


# --- what superd calls fails ----------------------------------------------------------------------


@trouble("accept-error")
def accept_error(stage, account):
    """Every accept of one service: who waits is served after it."""
    code = account.rng.choice("ENFILE ENOBUFS ENOMEM ECONNABORTED EPROTO EPERM EINTR".split())
    port = stage.ports[account.rng.choice(["echo", "hello", "sum"])]
    number = getattr(faults.errno, code)
    with faults.switched(
        lambda: stage.board.fail("accept4", number, object_=str(port)), stage.board.heal
    ):
        account.pause(0.2, 2)


@trouble("accept-error-once")
def accept_error_once(stage, account):
    """Some accepts of any service fail."""
    code = account.rng.choice("ECONNABORTED EPROTO EINTR".split())
    stage.board.fail("accept4", getattr(faults.errno, code), count=account.rng.randrange(1, 100))
    account.pause(0.1, 0.5)
    stage.board.heal()


@trouble("no-process", spares=ORDERLY)
def no_process(stage, account):
    """clone and fork: who has come gets an orderly end."""
    code = account.rng.choice([faults.errno.EAGAIN, faults.errno.ENOMEM])
    with faults.switched(
        lambda: [stage.board.fail(call, code) for call in ("clone", "fork")], stage.board.heal
    ):
        account.pause(0.1, SHORT_S)


@trouble("no-memory", spares=ORDERLY, needs=lambda stage: not stage.sanitized)
def no_memory(stage, account):
    """Some allocations in some, or all of them for a moment."""
    if account.rng.random() < 0.5:
        stage.board.fail("malloc", faults.errno.ENOMEM)
        stage.board.fail("mmap", faults.errno.ENOMEM)
    else:
        skip, count = account.rng.randrange(20), account.rng.randrange(1, 4)
        stage.board.fail("malloc", faults.errno.ENOMEM, skip=skip, count=count)
    with faults.switched(lambda: None, stage.board.heal):
        account.pause(0.1, SHORT_S)


@trouble("no-pipe")
def no_pipe(stage, account):
    """No pipe for standard error: the connection is served."""
    with faults.switched(
        lambda: stage.board.fail("pipe2", faults.errno.EMFILE), stage.board.heal
    ):
        account.pause(0.2, 1)


@trouble("no-descriptors")
def no_descriptors(stage, account):
    """EMFILE: who comes waits in the kernel's queue."""
    pid = stage.daemon.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    free = min(set(range(4000)) - {int(name) for name in os.listdir(f"/proc/{pid}/fd")})
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, before[1]))
    with faults.switched(
        lambda: None, lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    ):
        account.pause(0.1, SHORT_S)


@trouble("log-full")
def log_full(stage, account):
    """ENOSPC for the log, and for a service whose log is /dev/full always."""
    with faults.switched(
        lambda: stage.board.fail("write", faults.errno.ENOSPC), stage.board.heal
    ):
        for _ in range(account.many(20)):
            ask(account, stage.ports["full"], b"Hello, world!\n", refused=None)
        account.pause(0.2, 2)


@trouble("log-reader-stopped")
def log_reader_stopped(stage, account):
    """The log of a service goes to a FIFO that nobody empties."""
    with faults.switched(stage.reader.reads.clear, stage.reader.reads.set):
        account.pause(1, 4)


@trouble("log-rotated")
def log_rotated(stage, account):
    """The log is renamed, and opened anew."""
    old = stage.log.with_suffix(".old")
    stage.log.rename(old)
    stage.daemon.ctl("reopen")
    assert stage.log.exists(), "log-rotated: no new log"
    account.pause(0, 0.2)
    old.unlink()


@trouble("clock-jump")
def clock_jump(stage, account):
    """The wall clock is wrong by years."""
    days = account.rng.choice([-3650, -1, 1, 3650])
    with faults.switched(
        lambda: stage.board.set_head(wall_offset_s=days * 86400), stage.board.set_head
    ):
        account.pause(0.2, 2)


@trouble("no-process-by-limit", spares=ORDERLY, needs=lambda stage: not faults.IS_ROOT)
def no_process_by_limit(stage, account):
    """RLIMIT_NPROC of this user is used up; it does not bind root."""
    pid = stage.daemon.pid
    before = resource.prlimit(pid, resource.RLIMIT_NPROC)
    resource.prlimit(pid, resource.RLIMIT_NPROC, (1, before[1]))
    with faults.switched(
        lambda: None, lambda: resource.prlimit(pid, resource.RLIMIT_NPROC, before)
    ):
        account.pause(0.1, SHORT_S)


# --- superd stands still --------------------------------------------------------------------------


@trouble("standstill")
def standstill(stage, account):
    with faults.stopped(stage.daemon):
        faults.pause(account.rng.uniform(0.05, SHORT_S))


@trouble("resets-before-accept")
def resets_before_accept(stage, account):
    """Clients that are gone before superd sees them: nobody's loss but their own."""
    gone = 0
    with faults.stopped(stage.daemon):
        end = time.monotonic() + SHORT_S
        while time.monotonic() < end and gone < account.many(500):
            faults.reset(connect(stage.ports["echo"]))
            gone += 1
    account.add("cut", gone)


# --- clients --------------------------------------------------------------------------------------


@trouble("flood")
def flood(stage, account):
    """One source against its limit: refused in order, and another source is served."""
    clients = []
    source = f"127.0.9.{account.rng.randrange(1, 250)}"
    for _ in range(account.many(1000)):
        clients.append(connect(stage.ports["limited"], source))
        if len(clients) >= 50:
            finish_flood(account, clients)
    finish_flood(account, clients)
    ask(account, stage.ports["limited"], b"Hello, world!\n", refused=None,
        source=f"127.0.{account.rng.randrange(10, 250)}.{account.rng.randrange(1, 250)}")


def finish_flood(account, clients):
    for client in clients:
        got, how = read_all(client)
        if how != "end" or got not in (b"", b"Hello, world!\n"):
            account.add("lost")
        else:
            account.add("answered" if got else "refused")
        client.close()
    clients.clear()


@trouble("many-sources")
def many_sources(stage, account):
    """More sources than the service may serve at once: the others are told, and it serves on."""
    clients = []
    for number in range(account.many(250)):
        clients.append(connect(stage.ports["choosy"], f"127.0.8.{number % 250 + 1}"))
        with contextlib.suppress(OSError):
            clients[-1].shutdown(socket.SHUT_WR)
    for client in clients:
        got, how = read_all(client)
        if how == "end" and got in (b"", b"full\n"):
            account.add("refused" if got else "answered")
        else:
            account.add("lost")
        client.close()
    must_answer(account, stage.ports["choosy"], b"x", b"x")


@trouble("endless-line")
def endless_line(stage, account):
    """Megabytes without a newline to a service that wants lines."""
    with connect(stage.ports["sum"]) as client:
        for _ in range(account.many(100)):
            client.sendall(b"1" * 100000)
        client.shutdown(socket.SHUT_WR)
        got, how = read_all(client)
    account.add("answered" if (got, how) == (b"input error\n", "end") else "lost")


@trouble("held-sessions")
def held_sessions(stage, account):
    """Many that say nothing for a while, and end alive."""
    clients = open_talks(account, "victim", account.many(150))
    account.pause(0.5, 3)
    for client in clients:
        client.sendall(b"last")
        client.shutdown(socket.SHUT_WR)
        account.add("answered" if read_all(client) == (b"last", "end") else "lost")
        client.close()


@trouble("silent-clients")
def silent_clients(stage, account):
    """Slow loris: a byte now and then, or nothing, until a limit ends it."""
    clients = [connect(stage.ports["silent"]) for _ in range(account.many(50))]
    for client in clients[::2]:
        client.sendall(b"a")
    for client in clients:
        client.settimeout(PATIENCE_S)
    end_all(account, clients, "refused")


@trouble("reader-that-does-not-read")
def reader_that_does_not_read(stage, account):
    """The time limit ends the program; what is in the buffers is the client's."""
    clients = [connect(stage.ports["chargen"]) for _ in range(3)]
    stand.poll("three are served", lambda: stage.daemon.service("chargen")["running"] == 3)
    account.pause(0.5, 1)
    stand.poll("the limit ends them", lambda: stage.daemon.service("chargen")["running"] == 0)
    for client in clients:
        got, how = read_all(client)
        account.add("refused" if got and how in ("end", tally.RESET) else "lost")
        client.close()


@trouble("vanishing-clients")
def vanishing_clients(stage, account):
    """Resets in the midst of everything, by clients that have said something, or garbage."""
    names = ["echo", "sum", "hello", "send", "fetch", "chat", "moved", "victim"]
    for _ in range(account.many(100)):
        client = connect(stage.ports[account.rng.choice(names)])
        with contextlib.suppress(OSError):
            client.send(account.rng.randbytes(account.rng.choice([0, 10, 5000])))
        faults.reset(client)
        account.add("cut")


@trouble("service-full")
def service_full(stage, account):
    """Two may be served at once: the others wait, and all are served in the end."""
    clients = [connect(stage.ports["small"]) for _ in range(6)]
    for client in clients:
        client.sendall(b"next")
        client.shutdown(socket.SHUT_WR)
    for client in clients:
        got, how = read_all(client)
        account.add("answered" if (got, how) == (b"next", "end") else "lost")
        client.close()


@trouble("service-full-refuses")
def service_full_refuses(stage, account):
    """One is served: the others are told."""
    must_answer(account, stage.ports["choosy"], b"x", b"x")
    stand.poll("its end is seen", lambda: stage.daemon.service("choosy")["running"] == 0)
    (held,) = open_talks(account, "choosy", 1)
    for _ in range(account.many(50)):
        ask(account, stage.ports["choosy"], b"(never)", refused=b"full\n")
    held.shutdown(socket.SHUT_WR)
    end_all(account, [held], "answered")


@trouble("udp-garbage")
def udp_garbage(stage, account):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", stage.udp_port))
        for _ in range(account.many(100)):
            with contextlib.suppress(OSError):
                client.send(account.rng.randbytes(account.rng.choice([0, 1, 600, 65507])))


# --- programs -------------------------------------------------------------------------------------


@trouble("programs-killed")
def programs_killed(stage, account):
    """All in one instant."""
    clients = open_talks(account, "victim", account.many(50))
    pids = [one["pid"] for one in stage.daemon.connections("victim")]
    for pid in pids:
        stand.kill(pid, signal.SIGKILL)
    end_all(account, clients)


@trouble("programs-stopped")
def programs_stopped(stage, account):
    """They stand still, deaf to TERM: the time limit and KILL end them."""
    clients = open_talks(account, "silent", 3)
    for one in stage.daemon.connections("silent"):
        stand.kill(one["pid"], signal.SIGSTOP)
    end_all(account, clients)


@trouble("bombs")
def bombs(stage, account):
    """Programs that take memory without end, and leave grandchildren, under limits."""
    clients = [connect(stage.ports["bomb"]) for _ in range(3)]
    end_all(account, clients)


@trouble("wait-program-killed", spares={"chat": (tally.ORDERLY, tally.RESET)})
def wait_program_killed(stage, account):
    """The chat dies with its guests; who comes next finds a new room."""
    for one in stage.daemon.connections("chat"):
        stand.kill(one["pid"], signal.SIGKILL)
    with connect(stage.ports["chat"]) as client:
        got = client.recv(100)
        account.add("answered" if got.startswith(b"Your address") else "cut")
    account.pause(0, 0.1)


@trouble("udp-program-killed")
def udp_program_killed(stage, account):
    """Its datagram may be gone with it; the socket is not."""
    for one in stage.daemon.connections("udp"):
        stand.kill(one["pid"], signal.SIGKILL)
    account.pause(0, 0.1)


@trouble("crash-loop")
def crash_loop(stage, account):
    clients = [connect(stage.ports["crash"]) for _ in range(account.many(50))]
    end_all(account, clients)


@trouble("program-broken")
def program_broken(stage, account):
    """It cannot be started: throttled, and back by itself once it can."""
    stage.put_program("flaky", stages.BROKEN)
    try:
        for _ in range(3):
            with connect(stage.ports["flaky"]) as client:
                client.settimeout(0.3)  # once throttled it lets them wait
                got, how = read_all(client)
                account.add("refused" if got == b"" and how != tally.RESET else "lost")
    finally:
        stage.put_program("flaky", stages.SOUND)
    must_answer(account, stage.ports["flaky"], b"sound\n")


@trouble("listener-spoilt")
def listener_spoilt(stage, account):
    """A wait program shuts the listener down: superd opens it again."""
    for _ in range(2):
        must_answer(account, stage.ports["rude"], b"bye\n")


# --- reload, control, upgrade ---------------------------------------------------------------------


@trouble("broken-configuration")
def broken_configuration(stage, account):
    """Cut, with bits flipped, empty, garbage: refused, and all as it was."""
    text = bytearray(stage.with_control(stage.config()).encode())
    how = account.rng.choice(["cut", "empty", "garbage", "unknown key", "no program"])
    if how == "cut":
        del text[account.rng.randrange(20, len(text) // 2):]
        text += b"\nservice {\n"
    elif how == "empty":
        text.clear()
    elif how == "garbage":
        text = account.rng.randbytes(5000)
    elif how == "unknown key":
        text += b"service x { listen = 1 exec = echo lisen = 2 }\n"
    else:
        text += b"service x { listen = 1 exec = /nonexistent/program }\n"
    stage.refused_reload(bytes(text))


@trouble("loader-fails", spares=ORDERLY)
def loader_fails(stage, account):
    """The process that reads the configuration has no memory, or cannot be made."""
    call, who = account.rng.choice([("malloc", "loader"), ("fork", "daemon")])
    if stage.sanitized:
        call, who = "fork", "daemon"
    stage.board.fail(call, faults.errno.ENOMEM, who=who)
    stage.refused_reload(stage.with_control(stage.config()))


@trouble("reload-fails-halfway")
def reload_fails_halfway(stage, account):
    """A new service's socket cannot be had: nothing of that reload is done."""
    call = account.rng.choice(["bind", "listen"])
    stage.board.fail(call, faults.errno.ENOBUFS)
    more = f"service new {{ listen = 127.0.0.1:{stand.free_port()} exec = echo }}\n"
    stage.refused_reload(stage.with_control(stage.config(more)))


@trouble("second-superd")
def second_superd(stage, account):
    """Another one on the same configuration is sent away."""
    done = subprocess.run(
        [stage.tree / "superd/superd", "-c", stage.daemon.config_path],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=PATIENCE_S, check=False,
    )
    assert done.returncode not in (0, None) and done.stdout, "it came up"


@trouble("port-taken")
def port_taken(stage, account):
    """A new service's port belongs to somebody: nothing of that reload is done."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        more = f"service new {{ listen = 127.0.0.1:{other.getsockname()[1]} exec = echo }}\n"
        stage.refused_reload(stage.with_control(stage.config(more)))


@trouble("services-come-and-go")
def services_come_and_go(stage, account):
    """A service is added, with a session it is removed, and the session lives on."""
    port = stand.free_port()
    more = f"service guest {{ listen = 127.0.0.1:{port} exec = /bin/cat }}\n"
    stage.write(stage.with_control(stage.config(more)))
    stage.daemon.ctl("reload")
    with connect(port) as client:
        client.sendall(b"one")
        assert client.recv(3) == b"one"
        stage.reload()
        client.sendall(b"two")
        got = client.recv(3)
        account.add("answered" if got == b"two" else "lost")


@trouble("hup-storm")
def hup_storm(stage, account):
    for _ in range(account.many(200)):
        stage.daemon.send_signal(signal.SIGHUP)
        faults.pause(0.001)
    stage.daemon.send_signal(signal.SIGUSR1)
    stage.reload()  # behind those that the storm has asked for


@trouble("upgrade")
def upgrade(stage, account):
    """With sessions: they go on."""
    clients = open_talks(account, "victim", 5)
    for _ in range(account.rng.randrange(1, 4)):
        stage.daemon.ctl("upgrade")
    for client in clients:
        client.sendall(b"still")
        got = client.recv(5)
        account.add("answered" if got == b"still" else "lost")
        client.close()


@trouble("upgrade-broken")
def upgrade_broken(stage, account):
    """To a program that is none: the old one goes on."""
    text = account.rng.choice(["#!/bin/false\n", "#!/bin/sh\nkill -SEGV $$\n", "nothing\n"])
    stage.put_superd(text)
    try:
        said = stage.daemon.ctl("upgrade", status=1)
        assert said.strip(), "upgrade-broken: no word"
    finally:
        stage.put_superd()


@trouble("paused-service")
def paused_service(stage, account):
    """Its clients wait in the kernel's queue."""
    name = account.rng.choice(["hello", "sum", "moved"])
    stage.daemon.ctl("pause", name)
    with faults.switched(lambda: None, lambda: stage.daemon.ctl("resume", name)):
        account.pause(0.2, 2)


@trouble("drained-service")
def drained_service(stage, account):
    """A session finishes, nobody new is let in."""
    (held,) = open_talks(account, "drained", 1)
    stage.daemon.ctl("drain", "drained")
    with faults.switched(lambda: None, lambda: stage.daemon.ctl("resume", "drained")):
        for _ in range(3):
            try:
                connect(stage.ports["drained"]).close()
                account.add("lost")
            except ConnectionRefusedError:
                account.add("refused")
        held.sendall(b"last")
        account.add("answered" if held.recv(4) == b"last" else "lost")
        held.close()
    must_answer(account, stage.ports["drained"], b"x", b"x")


def control(stage):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE_S)
    client.connect(stage.daemon.control)
    return client


@trouble("control-garbage")
def control_garbage(stage, account):
    for _ in range(account.many(20)):
        size = account.rng.choice([1, 100, 100000])
        with control(stage) as client, contextlib.suppress(OSError):
            client.sendall(account.rng.randbytes(size) + b"\n")
            while client.recv(65536):
                pass


@trouble("control-stalled")
def control_stalled(stage, account):
    """Clients of the control socket that do not read or speak, and a superctl that stands still."""
    clients = []
    with contextlib.ExitStack() as stack:
        for data in (b"", b"stat", b"metrics\n", b"status\n"):
            for _ in range(3):
                client = stack.enter_context(control(stage))
                with contextlib.suppress(OSError):
                    client.sendall(data)
                clients.append(client)
        top = subprocess.Popen(
            [stage.tree / "superd/superctl", "-s", stage.daemon.control, "top", "-d", "0.1"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            top.send_signal(signal.SIGSTOP)
            account.pause(0.2, 2)
            assert stage.daemon.status()["pid"] == stage.daemon.pid
        finally:
            top.kill()
            top.wait()
