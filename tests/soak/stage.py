"""The stage of a soak: one superd with healthy services for the load and sick ones for the faults."""

import contextlib
import fcntl
import os
import pathlib
import resource
import select
import shutil
import signal
import socket
import threading
import time

import faults
import stand
import tally

CRASH = "#!/bin/sh\nkill -SEGV $$\n"
SOUND = "#!/bin/sh\necho sound\n"
BROKEN = "#!/nonexistent/interpreter\n"
# takes memory until there is none, stays, and a process of its own with it
BOMB = (
    "#!/usr/bin/python3\nimport os, time\nif os.fork() == 0:\n    time.sleep(1000)\nx = []\n"
    "try:\n    while True:\n        x.append(bytearray(1 << 20))\n"
    "except MemoryError:\n    time.sleep(1000)\n"
)
RUDE = (
    "#!/usr/bin/python3\nimport socket\n"
    "listener = socket.socket(fileno=3)\n"
    "client, _ = listener.accept()\n"
    "listener.shutdown(socket.SHUT_RDWR)\n"
    'client.sendall(b"bye\\n")\n'
)
TCP = ("echo", "echo6", "moved", "sum", "hello", "send", "fetch", "chat", "limited", "silent",
       "victim", "crash", "flaky", "rude", "small", "choosy", "full", "late", "chargen", "drained", "bomb")


class Reader(threading.Thread):
    """Reads a service's log from a FIFO, unless it is told to stand still."""

    def __init__(self, path):
        super().__init__(daemon=True)
        os.mkfifo(path)
        path.chmod(0o666)
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.writer = os.open(path, os.O_WRONLY)  # so that there is never an end of file
        fcntl.fcntl(self.fd, fcntl.F_SETPIPE_SZ, 4096)
        self.reads = threading.Event()
        self.reads.set()

    def run(self):
        while True:
            self.reads.wait()
            select.select([self.fd], [], [], 0.1)
            with contextlib.suppress(BlockingIOError):
                os.read(self.fd, 65536)


class Stage:
    """superd, its services, and what the faults need to get at it."""

    def __init__(self, build, folder, options):
        self.build, self.folder = build, pathlib.Path(folder)
        self.folder.chmod(0o755)
        self.sanitized = b"__asan_init" in (build / "superd/superd").read_bytes()
        self.ports = {name: stand.free_port() for name in TCP}
        self.udp_port = stand.free_port()
        self.extra = [stand.free_port() for _ in range(3)]
        self.generation = 0
        self.reloads = 0
        self.board = faults.Board(build, self.folder, self.sanitized)
        self.reader = Reader(self.folder / "fifo")
        self.reader.start()
        self.make_programs()
        self.spool = self.folder / "spool"
        self.spool.mkdir(mode=0o700)
        self.log = self.folder / "log"
        self.daemon = stand.Superd(
            self.tree, self.folder, self.config(), options, env=self.board.env, tell=False
        )

    def make_programs(self):
        """The scripts, and copies of the programs."""
        for name, text in (("crash", CRASH), ("flaky", SOUND), ("rude", RUDE),
                           ("bomb", BOMB)):
            self.put_program(name, text)
        self.tree = self.folder / "tree"  # a superd that can be replaced
        (self.tree / "superd").mkdir(parents=True)
        shutil.copy2(self.build / "superd/superd", self.tree / "superd/superd")
        (self.tree / "superd/superctl").symlink_to(self.build / "superd/superctl")
        (self.tree / "services").mkdir()  # programs run as nobody, who may not reach the build tree
        for path in (self.build / "services").iterdir():
            if path.is_file() and os.access(path, os.X_OK):
                shutil.copy2(path, self.tree / "services")

    def put_program(self, name, text):
        """Writes a script; whoever runs the old one goes on with that."""
        new = self.folder / f"{name}.new"
        new.write_text(text)
        new.chmod(0o755)
        new.rename(self.folder / name)

    def put_superd(self, text=None):
        """Puts a script in place of the superd that an upgrade would start, or the real one."""
        new = self.tree / "superd/new"
        if text is None:
            shutil.copy2(self.build / "superd/superd", new)
        else:
            new.write_text(text)
            new.chmod(0o755)
        new.rename(self.tree / "superd/superd")

    def service(self, name, program, more="", listen=None):
        listen = listen or f"127.0.0.1:{self.ports[name]}"
        return f"service {name} {{ listen = {listen} exec = {program} {more} }}\n"

    def healthy(self):
        """What the load uses: none of the faults is theirs."""
        wide = "limits { instances = 1000 }"
        root = "user = root" if faults.IS_ROOT else ""
        post = f"{root} {wide}"
        mail = f"--spool, {self.spool}, --max-messages, 100000, -t, 30"
        banner = f'banner = "{self.generation}:"'
        fifo = f"log {{ to = file file = {self.folder}/fifo events = {{ accept, exit, error }} }}"
        two = f"{{ 127.0.0.1:{self.ports['echo']}, unix:{self.folder}/echo.sock }}"
        return (
            self.service("echo", "echo", f"{wide} socket-mode = 0666", two)
            + self.service("echo6", "echo", wide, f'"[::1]:{self.ports["echo6"]}"')
            + self.service("moved", "echo", f"{banner} {wide}")
            + self.service("sum", "sum", f"{wide} stderr = log")
            + self.service("hello", "hello", f"{wide} {fifo}")
            + self.service("send", f"{{ messenger, send, {mail} }}", post)
            + self.service("fetch", f"{{ messenger, fetch, --spool, {self.spool}, -t, 30 }}", post)
            + self.service("chat", "{ chat, -t, 1 }", "wait = yes")
            + self.service("udp", "{ echo, -t, 1 }", "", f"udp:127.0.0.1:{self.udp_port}")
        )

    def sick(self):
        """What the faults are about."""
        folder = self.folder
        full = "log { to = file file = /dev/full events = { accept, exit } }"
        once = "limits { instances = 1 on-full = refuse } deny-banner = \"full\\n\""
        return (
            self.service("limited", "hello", "limits { per-source-rate = 5/s burst = 5 }")
            + self.service("silent", "echo", "limits { idle = 500ms time = 1s }")
            + self.service("victim", "/bin/cat", "limits { instances = 200 }")
            + self.service("crash", folder / "crash", "stderr = null")
            + self.service("flaky", folder / "flaky", "stderr = null")
            + self.service("rude", folder / "rude", "wait = yes stderr = null")
            + self.service("small", "echo", "limits { instances = 2 }")
            + self.service("choosy", "echo", once)
            + self.service("full", "hello", full)
            + self.service("late", "hello")
            + self.service("chargen", "chargen", "limits { time = 1s }")
            + self.service("drained", "echo")
            + self.service("bomb", folder / "bomb", "limits { memory = 200M time = 1s }")
        )

    def config(self, more=""):
        """The whole text; what changes with each reload is a banner and one service's port."""
        extra = f"127.0.0.1:{self.extra[self.generation % 3]}"
        return (
            f"service-directory = {self.tree}/services\nmax-instances = 4000\ngrace = 500ms\n"
            f"log {{ to = file file = {self.log} events = {{ accept, refuse, exit, error }} }}\n"
            # a pipe for standard error would stay for a second after the last program
            "defaults { stderr = null backlog = 4096 }\n" + self.healthy() + self.sick()
            + self.service(f"extra{self.generation % 5}", "echo", "", extra) + more
        )

    @property
    def places(self):
        """{service: (family and kind, address)} for the load."""
        found = {name: (socket.AF_INET, ("127.0.0.1", port)) for name, port in self.ports.items()}
        found["echo6"] = (socket.AF_INET6, ("::1", self.ports["echo6"]))
        found["unix"] = (socket.AF_UNIX, str(self.folder / "echo.sock"))
        found["udp"] = ((socket.AF_INET, socket.SOCK_DGRAM), ("127.0.0.1", self.udp_port))
        return found

    def write(self, text):
        """The configuration becomes text, at once as a whole."""
        new = self.daemon.config_path.with_suffix(".new")
        new.write_bytes(text if isinstance(text, bytes) else text.encode())
        new.rename(self.daemon.config_path)

    def with_control(self, text):
        return text + f'\ncontrol-socket = "{self.daemon.control}"\n'

    def next_generation(self):
        self.generation += 1
        self.write(self.with_control(self.config()))
        self.reloads += 1

    def reload(self):
        """The next generation, which has to be taken."""
        self.next_generation()
        self.daemon.ctl("reload")

    def signal_reload(self):
        """
        The next generation under a fault: done or refused, as a whole. Not by superctl, which
        would wait for the end of a fault that waits for it.
        """
        self.next_generation()
        self.daemon.send_signal(signal.SIGHUP)

    def refused_reload(self, text):
        """A reload that has to be refused, and changes nothing."""
        before = self.daemon.status()["config"]["generation"]
        self.write(text)
        try:
            said = self.daemon.ctl("reload", status=None)
            assert self.daemon.status()["config"]["generation"] == before, f"done: {said}"
        finally:
            self.write(self.with_control(self.config()))

    def start(self):
        """Starts it beside one that has the port of "late"; returns that one's socket."""
        taken = socket.create_server(("127.0.0.1", self.ports["late"]))
        # a limit that superd raises for itself and gives back to its programs: theirs stays when
        # a fault takes superd's away
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard - 1, 1024), hard))
        self.daemon.start()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return taken

    def wait_rest(self):
        """Until what ran has ended; whoever has not after the time limits stays to be counted."""
        stand.poll("no program runs", lambda: not self.daemon.children(), 30)

    def settled(self):
        """The descriptors at rest: a pipe for standard error stays for a second after its last use."""
        seen = {"count": 0, "since": time.monotonic()}

        def still():
            count = self.daemon.descriptors()
            if count != seen["count"]:
                seen.update(count=count, since=time.monotonic())
            return time.monotonic() - seen["since"] > 1.3

        stand.poll("descriptors come to rest", still)
        return seen["count"]

    def look(self, descriptors, memory_kib):
        """The state at rest, against these."""
        with contextlib.suppress(AssertionError):
            self.wait_rest()
        with contextlib.suppress(AssertionError):
            stand.poll("descriptors", lambda: self.daemon.descriptors() == descriptors, 10)
        states = self.daemon.children()
        grown = 0 if self.sanitized else faults.resident_kib(self.daemon.pid) - memory_kib
        return tally.Drift(
            descriptors=self.daemon.descriptors() - descriptors,
            memory_kib=grown,
            zombies=sum(state == "Z" for state in states.values()),
            children=len(states),
            same_pid=self.daemon.process.poll() is None,
        )

    def check_table(self):
        """The child table is what runs."""
        stand.poll("superctl's table is what runs",
                   lambda: self.daemon.table_agrees(self.daemon.children()), 10)

    def end(self):
        """Stops it; its exit status has to be 0."""
        self.daemon.send_signal(signal.SIGTERM)
        assert self.daemon.process.wait(stand.DEADLINE) == 0, "its exit status"

    def remove(self):
        self.daemon.kill()
        self.daemon.remove()
