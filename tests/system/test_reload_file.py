"""Reload with files that are broken in every way: nothing changes, and one error says why."""

import os
import random
import re
import signal
import struct
import subprocess

import pytest

import reload
import stand
from reload import echoes

FLIPS = int(os.environ.get("SUPERD_FLIPS", "150"))  # 10,000 in `make soak`


@pytest.fixture
def operated(superd, build, services, tmp_path):
    def start(text, *options, **more):
        path = tmp_path / "control"
        head = f'control-socket = {path}\nservice-directory = {services}\n'
        daemon = superd(head + text, *options, **more)
        return reload.Operated(daemon, build, path, head)

    return start


@pytest.fixture
def running(operated):
    """A superd with a service, a session of it, and their check."""
    port = stand.free_port()
    it = operated(f"service e {{ listen = 127.0.0.1:{port} exec = echo }}\n")
    held = stand.connect(port)
    assert echoes(held)

    def whole():
        assert it.generation() == 1 and set(it.services()) == {"e"}
        assert echoes(held) and stand.ask(port, b"x") == b"x"

    yield it, whole
    held.close()


def reload_refused(it, whole, said, count=1):
    """One reload that fails: one error says why, in superctl and in the log."""
    text = it.must_refuse()
    assert said in text, text
    whole()
    events = it.daemon.events("error", step="reload")
    assert stand.poll("an error in the log", lambda: it.daemon.events("error", step="reload"))
    it.daemon.wait_event("error", step="reload", count=count)
    events = it.daemon.events("error", step="reload")
    assert said in events[-1]["error"], events


def test_failures_are_counted(running):
    """Three in a row: told with their count, beside a success of the same second."""
    it, _ = running
    it.must_reload()
    it.must_reload()
    good = it.daemon.config_path.read_text()
    it.write(b"service broken {\n")
    for _ in range(3):
        it.must_refuse()
    it.daemon.config_path.write_text(good)

    def count(name, **fields):
        return sum(int(event.get("count", 1)) for event in it.daemon.events(name, **fields))

    stand.poll("all of them in the log", lambda: count("error", step="reload") == 3)
    stand.poll("the good ones too", lambda: count("reload") == 2)
    assert it.generation() == 3


@pytest.mark.parametrize("what", ["deleted", "empty", "garbled", "folder", "fifo", "gigabyte",
                                  "unreadable", "link", "others", "zero"])
def test_file_that_is_none(running, tmp_path, what):
    it, whole = running
    path = it.daemon.config_path
    text = path.read_text()
    path.unlink()
    if what == "empty":
        path.write_text("")
        said = "no service"
    elif what == "garbled":
        path.write_bytes(bytes(random.Random(1).randbytes(5000)))
        said = str(path)
    elif what == "folder":
        path.mkdir()
        said = "regular file"
    elif what == "fifo":
        os.mkfifo(path)
        said = "regular file"
    elif what == "gigabyte":
        with open(path, "wb") as file:
            file.truncate(1 << 30)
        said = "1 MiB"
    elif what == "unreadable":
        if os.getuid() == 0:
            pytest.skip("root reads everything")
        path.write_text(text)
        path.chmod(0)
        said = "Permission denied"
    elif what == "link":
        path.symlink_to("/no/such/file")
        said = str(path)
    elif what == "others":
        path.write_text(text)
        path.chmod(0o666)
        said = "writ"
    elif what == "zero":
        path.symlink_to("/dev/zero")
        said = "regular file"
    else:
        said = "No such file"
    reload_refused(it, whole, said)
    if path.is_dir():
        path.rmdir()
    elif os.path.lexists(path):
        path.unlink()
    path.write_text(text)
    it.must_reload()


def declared(build, path):
    """{service: number of sockets} of what superd -T makes of the file; None: a problem."""
    done = subprocess.run([str(build / "superd/superd"), "-T", "-c", str(path)], capture_output=True,
                          timeout=60, check=False)
    if done.returncode != 0:
        return None
    found = {}
    name = None
    for line in done.stdout.decode(errors="replace").splitlines():
        match = re.match(r'service "?([^" ]+)"? \{', line)
        if match:
            name = match[1]
            found[name] = ""
        if name and re.match(r"\s+(listen|exec|argv0|env|enabled|banner|[A-Z]+) ?=", line):
            found[name] += line.split("  #")[0].strip() + "\n"
    return found


class Judge:
    """Says of every file what must be in force afterwards: all of it, or all of what was."""

    def __init__(self, it, build):
        self.it, self.build = it, build
        self.generation = it.generation()
        self.done = self.refused = 0

    def check(self, data):
        self.it.write(data)
        wanted = declared(self.build, self.it.daemon.config_path)
        before = self.it.status()
        loaded = self.it.reload()
        status = self.it.status()
        names = {service["name"] for service in status["services"]}
        if loaded:
            assert wanted is not None, f"{data!r} was loaded"
            self.done += 1
            self.generation += 1
            on = {name for name, text in wanted.items() if "enabled = no" not in text}
            assert names == on, f"{data!r}: {names} in place of {on}"
        else:
            self.refused += 1
            assert self.it.last.stderr.strip(), f"{data!r}: refused without a word"
            assert status["services"] == before["services"], f"{data!r}: something has changed"
        assert status["config"]["generation"] == self.generation


def test_truncated_at_every_byte(operated, build):
    ports = [stand.free_port() for _ in range(3)]
    body = "".join(f'service s{i} {{\n listen = 127.0.0.1:{p}\n exec = {{ /bin/cat, "-u" }}\n}}\n'
                   for i, p in enumerate(ports))
    it = operated(body)
    head = it.head.encode()
    judge = Judge(it, build)
    for length in range(len(body)):
        judge.check(head + body.encode()[:length])
    assert judge.refused > judge.done > 0
    it.must_reload(body)
    assert [stand.ask(port, b"x") for port in ports] == [b"x"] * 3


def test_flipped_bits_never_give_a_mixture(operated, build):
    seed = int(os.environ.get("SUPERD_SEED", random.randrange(1 << 30)))
    print(f"SUPERD_SEED={seed}")
    choose = random.Random(seed)
    ports = [stand.free_port() for _ in range(4)]
    body = "".join(
        f'service s{i} {{ listen = 127.0.0.1:{p} exec = echo banner = "m\\n"\n'
        f' limits {{ instances = {i + 3} per-source-rate = 100/s }} env {{ A = "b" }} }}\n'
        for i, p in enumerate(ports)).encode()
    it = operated(body.decode())
    head = it.head.encode()
    judge = Judge(it, build)
    for _ in range(FLIPS):
        flipped = bytearray(body)
        for _ in range(choose.choice((1, 1, 1, 2, 8))):
            flipped[choose.randrange(len(body))] ^= 1 << choose.randrange(8)
        judge.check(head + bytes(flipped))
    assert judge.refused > 0
    it.must_reload(body.decode())
    assert all(stand.ask(port, b"x").endswith(b"x") for port in ports)
    it.daemon.wait_idle()


@pytest.mark.parametrize("kind", ["crash", "killed", "exit"])
def test_parser_that_fails(operated, sanitized, source, tmp_path, kind):
    if sanitized and kind == "crash":
        pytest.skip("a sanitizer's report of the crash counts as a fault here")
    library = tmp_path / "fault.so"
    subprocess.run(
        [*os.environ.get("CC", "cc").split(), "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1"]
        + ["-Wno-null-dereference", "-o", library, source / "tests/conf/fault.c", "-ldl"],
        check=True,
    )
    port = stand.free_port()
    env = {
        "LD_PRELOAD": str(library),
        "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0",
    }
    service = f"service e {{ listen = 127.0.0.1:{port} exec = echo }}\n"
    it = operated(service, env=env)
    held = stand.connect(port)
    assert echoes(held)
    bad = it.daemon.folder / f"{kind}.conf"
    bad.write_text(f"service f {{ listen = 127.0.0.1:{stand.free_port()} exec = echo }}\n")
    for _ in range(3):
        said = it.must_refuse(service + f"include({bad.name})\n")
        assert "the configuration loader " in said, said
    assert it.generation() == 1 and echoes(held) and stand.ask(port, b"x") == b"x"
    it.must_reload(service)
    held.close()


def test_loader_that_is_stopped_is_killed_in_the_end(operated):
    """A stopped process hears no alarm; superd's own deadline ends it."""
    if "SUPERD_SLOW" not in os.environ:
        pytest.skip("takes 21 s; set SUPERD_SLOW")
    port = stand.free_port()
    networks = "".join(f"10.{i >> 8 & 255}.{i & 255}.{i >> 16}/32\n" for i in range(50000))
    it = operated(f"service e {{ listen = 127.0.0.1:{port} exec = echo }}\n")
    file = it.daemon.folder / "networks"
    file.write_text(networks)
    it.write(f"service e {{ listen = 127.0.0.1:{port} exec = echo acl {{ deny = \"file:{file}\" }} }}\n")
    programs = set(it.daemon.children())
    it.daemon.send_signal(signal.SIGHUP)
    loader = stand.poll("the loader", lambda: set(it.daemon.children()) - programs).pop()
    os.kill(loader, signal.SIGSTOP)
    event = stand.poll("an error", lambda: it.daemon.events("error", step="reload"), deadline=40)[0]
    assert "longer than 20 s" in event["error"]
    assert stand.ask(port, b"x") == b"x" and it.generation() == 1
    it.must_reload()


class Famine:
    """Lets one allocation of superd fail."""

    def __init__(self, source, folder):
        self.library = folder / "famine.so"
        self.file = folder / "famine"
        subprocess.run(
            [*os.environ.get("CC", "cc").split(), "-shared", "-fPIC", "-O1", "-fno-builtin"]
            + ["-o", self.library, source / "tests/system/famine.c"],
            check=True,
        )
        self.set(0, -1)
        self.env = {"LD_PRELOAD": str(self.library), "FAMINE": str(self.file)}

    def set(self, pid, left):
        with open(self.file, "r+b" if self.file.exists() else "wb") as file:
            file.write(struct.pack("qq", pid, left))

    def left(self):
        return struct.unpack("qq", self.file.read_bytes())[1]


def test_every_allocation_fails_once(operated, sanitized, source, tmp_path):
    """A reload that lacks memory is not done, or is done: superd and its services are whole."""
    if sanitized:
        pytest.skip("a sanitizer has an allocator of its own")
    famine = Famine(source, tmp_path)
    a, b, c, d = (stand.free_port() for _ in range(4))
    room = tmp_path / "u"

    def config(turn):
        one = [
            f"service kept {{ listen = 127.0.0.1:{a} exec = echo }}\n",
            f"service moved {{ listen = {{ 127.0.0.1:{b}, 127.0.0.1:{c} }} exec = echo }}\n"
            f"service gone {{ listen = udp:127.0.0.1:{d} exec = echo }}\n",
        ]
        two = [
            one[0],
            f"service moved {{ listen = {{ 127.0.0.1:{c}, unix:{room} }} exec = echo"
            " limits { idle = 1h } stderr = null log { format = json } }\n"
            f"service new {{ listen = {{ 0.0.0.0:{b}, udp:127.0.0.1:{d} }} exec = echo"
            " nice = 1 }\n",
        ]
        return "".join(two if turn else one)

    it = operated(config(0), env=famine.env)
    it.daemon.told = False  # a line may lack memory, too
    held = stand.connect(a)
    assert echoes(held)
    turn, count, done, refused = 0, 0, 0, 0
    while True:
        it.write(config(1 - turn))
        famine.set(it.daemon.pid, count)
        it.reload()
        spent = famine.left() < 0
        famine.set(0, -1)
        names = set(it.services())
        wanted = [{"kept", "moved", "gone"}, {"kept", "moved", "new"}]
        assert names in wanted, names
        done += names == wanted[1 - turn]
        refused += names == wanted[turn]
        turn = wanted.index(names)
        assert stand.ask(a, b"x") == b"x" and stand.ask(b, b"x") == b"x" and stand.ask(c, b"x") == b"x"
        assert echoes(held)
        if not spent:
            break
        count += 1
    assert count > 25 and refused > 10 and done > 5, (count, refused, done)
    it.must_reload(config(0))
    it.must_reload(config(1))
    held.close()
