"""The load of a soak: a process of its own whose clients use the healthy services all the time.

Short dialogues come at a fixed rate, whatever superd does; mail, chat and datagrams besides, each
from a thread of its own.  A client that finds its connection closed while it still sends goes on to
read: only what it reads there decides whether that was an orderly end.
"""

import errno
import multiprocessing
import random
import re
import selectors
import socket
import threading
import time

import tally
import mail

PATIENCE_S = 10.0  # then a client gives up: lost
AT_ONCE = 400
SIGNS = {tally.ANSWERED, tally.ORDERLY, tally.TORN}
NO_PORT_YET = 24  # IP_BIND_ADDRESS_NO_PORT


class Dialogue:
    """One client: what it says, what it has got, and since when."""

    def __init__(self, service, words, pattern):
        self.service, self.pattern = service, pattern
        self.out = memoryview(words)
        self.got = bytearray()
        self.began = time.monotonic()

    def verdict(self):
        """At the end of file. A banner alone is an end without an answer."""
        if self.pattern(bytes(self.got)):
            return tally.ANSWERED
        return tally.ORDERLY if re.fullmatch(rb"(\d+:)?", self.got) else tally.TORN


def exactly(words):
    return lambda got: got == words


def after_banner(words):
    return lambda got: got.endswith(words) and re.fullmatch(rb"\d+:", got[: -len(words)])


def make_dialogue(rng, places):
    """A random short dialogue: (its place, itself)."""
    kind = rng.choice(["echo", "echo", "echo6", "unix", "moved", "sum", "hello", "hello"])
    words = b""
    if kind == "hello":
        pattern = exactly(b"Hello, world!\n")
    elif kind == "sum":
        pairs = [(rng.randrange(1 << 40), rng.randrange(1 << 40)) for _ in range(20)]
        words = b"".join(b"%d %d\n" % pair for pair in pairs)
        pattern = exactly(b"".join(b"%d\n" % sum(pair) for pair in pairs))
    else:
        words = rng.randbytes(rng.choice([1, 100, 5000, 200000]))
        pattern = exactly(words)
    if kind == "moved":
        pattern = after_banner(words)
    return places[kind], Dialogue(kind, words, pattern)


class Crowd:
    """The short dialogues, in one thread."""

    def __init__(self, shared, rng, rate):
        self.shared, self.rng, self.rate = shared, rng, rate
        self.selector = selectors.DefaultSelector()

    def begin(self):
        place, dialogue = make_dialogue(self.rng, self.shared.places)
        family, address = place
        client = socket.socket(family)
        client.setblocking(False)
        if family == socket.AF_INET:
            client.setsockopt(socket.IPPROTO_IP, NO_PORT_YET, 1)
            client.bind((f"127.0.1.{self.rng.randrange(1, 200)}", 0))
        self.shared.begin(dialogue.service)
        code = client.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            client.close()
            self.shared.end(dialogue.service, tally.NOBODY, dialogue.began, errno.errorcode[code])
            return
        events = selectors.EVENT_READ | selectors.EVENT_WRITE
        self.selector.register(client, events, dialogue)

    def end(self, client, how, detail=""):
        dialogue = self.selector.unregister(client).data
        client.close()
        self.shared.end(dialogue.service, how, dialogue.began, detail)

    def speak(self, client, dialogue):
        """Sends more of its words; after the last one, or a closed connection, only reads."""
        try:
            if dialogue.out:
                dialogue.out = dialogue.out[client.send(dialogue.out[:65536]):]
            if dialogue.out:
                return
            client.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                self.end(client, tally.NOBODY)
                return
        self.selector.modify(client, selectors.EVENT_READ, dialogue)

    def listen(self, client, dialogue):
        try:
            piece = client.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            nobody = error.errno == errno.ECONNREFUSED
            self.end(client, tally.NOBODY if nobody else tally.RESET, repr(error))
            return
        if not piece:
            how = dialogue.verdict()
            detail = f"{len(dialogue.got)} bytes" if how == tally.TORN else ""
            self.end(client, how, detail)
            return
        if not dialogue.got:
            self.shared.sign()
        dialogue.got += piece

    def handle(self, key, events):
        if events & selectors.EVENT_READ:
            self.listen(key.fileobj, key.data)
        if events & selectors.EVENT_WRITE and key.fileobj.fileno() >= 0:
            self.speak(key.fileobj, key.data)

    def give_up(self):
        late = time.monotonic() - PATIENCE_S
        for key in list(self.selector.get_map().values()):
            if key.data.began < late:
                self.end(key.fileobj, tally.HANG, f"{len(key.data.got)} bytes")

    def run(self):
        due = time.monotonic()
        while not self.shared.stop.is_set() or self.selector.get_map():
            self.shared.step()
            now = time.monotonic()
            if not self.shared.working():
                due = now + self.rng.expovariate(self.rate)
            while due <= now:
                due += self.rng.expovariate(self.rate)
                if len(self.selector.get_map()) < AT_ONCE:
                    self.begin()
                else:
                    self.shared.load.skipped += 1
            for key, events in self.selector.select(0.005):
                self.handle(key, events)
            self.give_up()


class Shared:
    """What the threads of the load have in common; all of it is called by any of them."""

    def __init__(self, places, pause, stop):
        self.places, self.pause, self.stop = places, pause, stop
        self.load = tally.Load()
        self.lock = threading.Lock()
        self.open = 0

    def working(self):
        return not self.pause.is_set() and not self.stop.is_set()

    def begin(self, service):
        with self.lock:
            self.load.tried[service] += 1
            self.open += 1

    def end(self, service, how, began, detail=""):
        with self.lock:
            self.open -= 1
            if how in SIGNS:
                self.load.sign()
            self.load.end(service, how, began, detail)

    def sign(self):
        with self.lock:
            self.load.sign()

    def step(self):
        with self.lock:
            self.load.step()

    def rest(self):
        with self.lock:
            self.load.rest()


def talk(shared, service, dialogue):
    """One blocking dialogue: dialogue(client) says how it ended, or raises what the socket does."""
    began = time.monotonic()
    shared.begin(service)
    how, detail = tally.HANG, ""
    try:
        family, address = shared.places[service]
        with socket.socket(family) as client:
            client.settimeout(PATIENCE_S)
            client.connect(address)
            how = dialogue(client)
    except TimeoutError:
        pass
    except ConnectionRefusedError:
        how = tally.NOBODY
    except OSError as error:
        how, detail = tally.RESET, repr(error)
    shared.end(service, how, began, detail)
    return how


def say(client, words):
    """Sends; that the other side has closed meanwhile is seen when reading."""
    try:
        client.sendall(words)
        client.shutdown(socket.SHUT_WR)
    except TimeoutError:
        raise
    except OSError:
        pass


def read_all(client):
    pieces = []
    while piece := client.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


class Correspondent:
    """Sends mail to a box of its own and fetches it: what was stored comes whole."""

    def __init__(self, shared, rng, number):
        self.shared, self.rng = shared, rng
        self.box, self.name = b"box_%02d" % number, b"soak%02d" % number
        self.stored = {}  # body: certain
        self.count = 0

    def send(self, client):
        self.count += 1
        body = b"%d " % self.count + self.rng.randbytes(self.rng.choice([10, 1000, 50000]))
        self.stored[body] = False
        say(client, b"%s\n%s\n%s" % (self.name, self.box, body))
        answer = read_all(client)
        if answer.startswith(b"250 "):
            self.stored[body] = True
            return tally.ANSWERED
        return tally.TORN if answer else tally.ORDERLY

    def fetch(self, client):
        try:
            client.sendall(self.box + b"\n")
        except OSError:
            pass
        answer = read_all(client)
        if not answer:
            return tally.ORDERLY
        try:
            bodies = {letter.body for letter in mail.parse(answer)}
        except AssertionError:
            return tally.TORN
        missing = [body for body, certain in self.stored.items() if certain and body not in bodies]
        unknown = [body for body in bodies if body not in self.stored and body not in self.gone]
        self.gone |= bodies
        self.stored = {}
        return tally.TORN if missing or unknown else tally.ANSWERED

    gone = frozenset()

    def run(self):
        while self.shared.working():
            self.gone = frozenset(list(self.gone)[-100:])
            for _ in range(self.rng.randrange(1, 4)):
                if self.shared.working():
                    talk(self.shared, "send", self.send)
            talk(self.shared, "fetch", self.fetch)
            self.shared.stop.wait(0.2)


class Guest:
    """Comes to the chat, says something, hears that it was taken, and goes."""

    def __init__(self, shared, rng):
        self.shared, self.rng = shared, rng

    def visit(self, client):
        words = b"good day %d\n" % self.rng.randrange(1000)
        for words, wanted in ((b"", b"Your address: "), (words, b"(OK)\n"), (b"/who\n", b" here, ")):
            got = b""
            client.sendall(words)
            while wanted not in got:
                piece = client.recv(4096)
                if not piece:
                    return tally.ORDERLY
                got += piece
        return tally.ANSWERED

    def run(self):
        while self.shared.working():
            talk(self.shared, "chat", self.visit)
            self.shared.stop.wait(self.rng.choice([0.02, 0.2, 1.3]))  # the last one: it has ended


class Sender:
    """Datagrams to an echo, asked again each second: datagrams may get lost, answers may not."""

    def __init__(self, shared, rng):
        self.shared, self.rng = shared, rng

    def ask(self, client, words):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            client.send(words)
            try:
                while client.recv(70000) != words:
                    pass
                return tally.ANSWERED
            except TimeoutError:
                continue
            except ConnectionRefusedError:
                return tally.NOBODY
        return tally.HANG

    def run(self):
        while self.shared.working():
            began = time.monotonic()
            self.shared.begin("udp")
            with socket.socket(*self.shared.places["udp"][0]) as client:
                client.settimeout(1)
                client.connect(self.shared.places["udp"][1])
                how = self.ask(client, self.rng.randbytes(self.rng.choice([1, 512, 9000])))
            self.shared.end("udp", how, began)
            self.shared.stop.wait(self.rng.choice([0.05, 0.3]))


def work(worker, shared):
    """A thread's life: its worker's, again after each pause."""
    while not shared.stop.is_set():
        worker.run()
        shared.stop.wait(0.02)


def main(places, seed, rate, pause, quiet, stop, pipe):
    """The process of the load."""
    shared = Shared(places, pause, stop)
    workers = [Correspondent(shared, random.Random(f"{seed} mail {i}"), i) for i in range(2)]
    workers += [Guest(shared, random.Random(f"{seed} chat {i}")) for i in range(2)]
    workers.append(Sender(shared, random.Random(f"{seed} udp")))
    threads = [threading.Thread(target=work, args=(worker, shared)) for worker in workers]
    crowd = Crowd(shared, random.Random(f"{seed} crowd"), rate)
    threads.append(threading.Thread(target=crowd.run))
    for thread in threads:
        thread.start()
    still = 0
    while not stop.wait(0.005):
        still = still + 1 if pause.is_set() and shared.open == 0 else 0
        if still == 0:
            quiet.clear()
        elif still > 20:  # whoever had just looked has begun by now
            shared.rest()
            quiet.set()
    for thread in threads:
        thread.join()
    pipe.send(shared.load)


class Process:
    """The load, seen from outside."""

    def __init__(self, places, seed, rate):
        context = multiprocessing.get_context("fork")
        self.pause, self.quiet, self.stop = (context.Event() for _ in range(3))
        self.pipe, other = context.Pipe(duplex=False)
        arguments = (places, seed, rate, self.pause, self.quiet, self.stop, other)
        self.process = context.Process(target=main, args=arguments, daemon=True)

    def start(self):
        self.process.start()

    def rest(self):
        """Until nobody is connected any more."""
        self.pause.set()
        assert self.quiet.wait(3 * PATIENCE_S), "the load does not come to rest"

    def go_on(self):
        self.pause.clear()

    def end(self):
        """What it has counted."""
        self.stop.set()
        self.pause.clear()
        assert self.pipe.poll(3 * PATIENCE_S), "the load does not end"
        load = self.pipe.recv()
        self.process.join()
        return load
