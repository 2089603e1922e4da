"""tcpcli against little servers in threads on the loopback interface.

Every option, every mode, every message, and the exit status each time.
"""

import contextlib
import os
import pathlib
import re
import select
import socket
import struct
import subprocess
import threading
import time

import pytest

import ports

# Against hanging only; nothing is expected to come near.
DEADLINE = 30

PREMATURE = "server terminated prematurely"


class Server:
    """Listens on a free port of the loopback interface; handler(connection) runs in a thread."""

    def __init__(self, handler, address="127.0.0.1", port=0):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.create_server((address, port or ports.free_port()), family=family)
        self.listener.settimeout(DEADLINE)
        self.port = str(self.listener.getsockname()[1])
        self.peer = None
        self.error = None
        self.handler = handler
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def serve(self):
        try:
            connection, self.peer = self.listener.accept()
            connection.settimeout(DEADLINE)
            with connection:
                self.handler(connection)
        except Exception as error:  # handed to the test by __exit__
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.thread.join(DEADLINE)
        self.listener.close()
        if kind is None:
            assert not self.thread.is_alive(), "the server hangs"
            if self.error:
                raise self.error


def receive_all(connection):
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def receive_exactly(connection, length):
    data = b""
    while len(data) < length:
        piece = connection.recv(length - len(data))
        assert piece, f"end after {len(data)} of {length} bytes"
        data += piece
    return data


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def echo(connection):
    while piece := connection.recv(65536):
        connection.sendall(piece)


def pattern(length):
    alphabet = b"abcdefghijklmnopqrstuvwxyz"
    return (alphabet * (length // 26 + 1))[:length]


@pytest.fixture(scope="session")
def program(build):
    path = build / "services" / "clients" / "tcpcli"
    assert path.exists(), f"{path} is not built"
    return str(path)


@pytest.fixture
def run(program):
    """Runs tcpcli to its end: run(arguments..., input=b"") gives (status, output, errors)."""

    def run_tcpcli(*arguments, **options):
        if "stdin" not in options:
            options.setdefault("input", b"")
        done = subprocess.run([program, *arguments], capture_output=True, timeout=DEADLINE,
                              check=False, **options)
        return done.returncode, done.stdout, done.stderr.decode()

    return run_tcpcli


@pytest.fixture
def start(program):
    """Starts tcpcli with pipes; what is left at the test's end is killed."""
    started = []

    def start_tcpcli(*arguments, **options):
        options.setdefault("stdin", subprocess.PIPE)
        options.setdefault("stdout", subprocess.PIPE)
        process = subprocess.Popen([program, *arguments], stderr=subprocess.PIPE, bufsize=0,
                                   **options)
        started.append(process)
        return process

    yield start_tcpcli
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()


def finish(process):
    """Waits for the end with standard input left open: (status, errors)."""
    status = process.wait(DEADLINE)
    return status, process.stderr.read().decode()


def wait_until(condition):
    """Polls a condition of the outside world until it holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.01)


# --- lines ------------------------------------------------------------------------------------


def test_echo(run):
    with Server(echo) as server:
        assert run("127.0.0.1", server.port, input=b"one\ntwo\nlast") == (
            0, b"one\ntwo\nlast", "")


def test_echo_line_by_line(start):
    """An answer is printed at once, while the input goes on."""
    with Server(echo) as server:
        process = start("127.0.0.1", server.port)
        for line in (b"one\n", b"two\n"):
            process.stdin.write(line)
            assert process.stdout.read(len(line)) == line
        process.stdin.close()
        assert finish(process) == (0, "")


def test_options_behind_operands(run):
    with Server(echo) as server:
        status, output, errors = run("127.0.0.1", server.port, "-v", "-4", input=b"x\n")
    assert (status, output) == (0, b"x\n")
    assert errors.startswith("connected using local")


def test_reads_to_the_end_after_half_close(start):
    """A server that takes its time after the end of input is waited for."""
    half_closed = threading.Event()
    go_on = threading.Event()

    def handler(connection):
        assert receive_all(connection) == b"question\n"
        half_closed.set()
        assert go_on.wait(DEADLINE)
        connection.sendall(b"late ")
        connection.sendall(b"answer\n")

    with Server(handler) as server:
        process = start("127.0.0.1", server.port)
        process.stdin.write(b"question\n")
        process.stdin.close()
        assert half_closed.wait(DEADLINE)
        assert process.poll() is None
        go_on.set()
        assert process.stdout.read() == b"late answer\n"
        assert finish(process) == (0, "")


def test_server_that_closes_first_after_end_of_input(run):
    def handler(connection):
        assert receive_all(connection) == b""
        connection.sendall(b"Thu Nov 20 15:16:00 2026\r\n")

    with Server(handler) as server:
        assert run("127.0.0.1", server.port, stdin=subprocess.DEVNULL) == (
            0, b"Thu Nov 20 15:16:00 2026\r\n", "")


def test_server_that_closes_at_once_and_dev_null(run):
    """No race: an end of input that is there from the start counts, however fast the server."""

    def handler(connection):
        connection.sendall(b"now\r\n")

    for _ in range(20):
        with Server(handler) as server:
            assert run("127.0.0.1", server.port, stdin=subprocess.DEVNULL) == (0, b"now\r\n", "")


def test_closed_standard_input(run):
    """Descriptor 0 missing: no socket takes its place, and it reads as an empty input."""
    with Server(echo) as server:
        assert run("127.0.0.1", server.port, stdin=None,
                   preexec_fn=lambda: os.close(0)) == (0, b"", "")


def test_server_terminates_while_the_user_types(start):
    """The input stays open and silent: only the server's end ends the client."""

    def handler(connection):
        assert connection.recv(100) == b"hello\n"
        connection.sendall(b"last words\n")

    with Server(handler) as server:
        process = start("127.0.0.1", server.port)
        process.stdin.write(b"hello\n")
        assert finish(process) == (1, PREMATURE + "\n")
        assert process.stdout.read() == b"last words\n"


def test_reset_while_the_user_types(start):
    def handler(connection):
        assert connection.recv(1) == b"x"
        reset(connection)

    with Server(handler) as server:
        process = start("127.0.0.1", server.port)
        process.stdin.write(b"x")
        assert finish(process) == (1, PREMATURE + ": Connection reset by peer\n")


def test_reset_as_soon_as_connected(start):
    """Whether tcpcli has learnt by then that it is connected is chance: it says the same."""
    for _ in range(30):
        with Server(reset) as server:
            process = start("127.0.0.1", server.port)
            assert finish(process) == (1, PREMATURE + ": Connection reset by peer\n")


def test_server_that_closes_without_reading(run):
    """What breaks is chance: the input in front of the reset, the half-close, or nothing."""

    def handler(connection):
        connection.sendall(b"greeting\n")

    told = {PREMATURE + reason + "\n"
            for reason in ("", ": Broken pipe", ": Connection reset by peer")}
    told.add("receive from server: Connection reset by peer\n")
    for _ in range(50):
        with Server(handler) as server:
            status, output, errors = run("127.0.0.1", server.port, input=b"not read\n")
        assert output == b"greeting\n"
        assert (status == 1 and errors in told) or (status, errors) == (0, "")


def test_reset_after_end_of_input(run):
    def handler(connection):
        receive_all(connection)
        reset(connection)

    with Server(handler) as server:
        assert run("127.0.0.1", server.port, input=b"x\n") == (
            1, b"", "receive from server: Connection reset by peer\n")


def test_reset_while_sending(start):
    """ECONNRESET or EPIPE in the middle of much input is a message and never a signal."""

    def handler(connection):
        receive_exactly(connection, 100000)
        reset(connection)

    with Server(handler) as server:
        with open("/dev/zero", "rb") as zero:
            process = start("127.0.0.1", server.port, stdin=zero)
            status, errors = finish(process)
    assert status == 1
    assert errors in (PREMATURE + ": Connection reset by peer\n", PREMATURE + ": Broken pipe\n")


def test_last_words_before_a_reset(start):
    """What arrived before the connection broke is printed before the message."""
    said = threading.Event()

    def handler(connection):
        connection.sendall(b"421 go away\n")
        assert said.wait(DEADLINE)
        reset(connection)

    with Server(handler) as server:
        process = start("127.0.0.1", server.port)
        assert process.stdout.read(12) == b"421 go away\n"
        said.set()
        assert finish(process) == (1, PREMATURE + ": Connection reset by peer\n")


def test_standard_output_gone(start):
    def handler(connection):
        with contextlib.suppress(ConnectionError):
            while True:
                connection.sendall(b"x" * 65536)

    reading, writing = os.pipe()
    with Server(handler) as server:
        process = start("127.0.0.1", server.port, stdout=writing)
        os.close(writing)
        assert os.read(reading, 10)
        os.close(reading)
        assert finish(process) == (1, "standard output: Broken pipe\n")


def test_standard_input_unreadable(run):
    directory = os.open("/", os.O_RDONLY)

    def handler(connection):
        receive_all(connection)

    try:
        with Server(handler) as server:
            assert run("127.0.0.1", server.port, stdin=directory) == (
                1, b"", "standard input: Is a directory\n")
    finally:
        os.close(directory)


# --- much in both directions ------------------------------------------------------------------

BIG = 10_000_000


@pytest.fixture
def big_file(tmp_path):
    path = tmp_path / "big"
    path.write_bytes(os.urandom(BIG))
    return path


def test_big_echo_from_file(run, big_file):
    with Server(echo) as server, open(big_file, "rb") as data:
        status, output, errors = run("127.0.0.1", server.port, stdin=data)
    assert (status, errors) == (0, "")
    assert output == big_file.read_bytes()


def test_big_echo_through_pipes(run, big_file):
    data = big_file.read_bytes()
    with Server(echo) as server:
        status, output, errors = run("127.0.0.1", server.port, input=data)
    assert (status, errors) == (0, "")
    assert output == data


def test_server_writes_everything_before_it_reads(run, big_file):
    """A client that blocked in its write would never let this server come to its read."""
    data = big_file.read_bytes()
    got = []

    def handler(connection):
        connection.sendall(data[::-1])
        got.append(receive_all(connection))

    with Server(handler) as server:
        status, output, errors = run("127.0.0.1", server.port, input=data)
    assert (status, errors) == (0, "")
    assert output == data[::-1]
    assert got == [data]


def test_server_reads_everything_before_it_writes(run, big_file):
    data = big_file.read_bytes()

    def handler(connection):
        connection.sendall(receive_all(connection)[::-1])

    with Server(handler) as server:
        status, output, errors = run("127.0.0.1", server.port, input=data)
    assert (status, errors) == (0, "")
    assert output == data[::-1]


def test_input_flows_while_output_is_not_read(start, big_file):
    """Standard output that nobody reads for now keeps nothing from being sent."""
    data = big_file.read_bytes()
    sent = threading.Event()
    got = []

    def handler(connection):
        connection.sendall(b"y" * 200000)
        got.append(receive_all(connection))
        sent.set()

    with Server(handler) as server, open(big_file, "rb") as file:
        process = start("127.0.0.1", server.port, stdin=file)
        assert sent.wait(DEADLINE)
        assert process.stdout.read() == b"y" * 200000
        assert finish(process) == (0, "")
    assert got == [data]


def test_idle_client_does_not_spin(start):
    """With nothing to do, and with a half-closed connection, the client sleeps in poll."""
    half_closed = threading.Event()
    go_on = threading.Event()

    def handler(connection):
        receive_all(connection)
        half_closed.set()
        assert go_on.wait(DEADLINE)

    def asleep():
        states = {pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
                  for _ in range(200)}
        return states == {"S"}

    with Server(handler) as server:
        process = start("127.0.0.1", server.port)
        process.stdin.close()
        assert half_closed.wait(DEADLINE)
        wait_until(asleep)
        go_on.set()
        assert finish(process)[0] == 0


# --- connecting -------------------------------------------------------------------------------


def test_verbose_ipv4(run):
    with Server(echo) as server:
        status, _, errors = run("-v", "127.0.0.1", server.port)
    port = server.peer[1]
    assert (status, errors) == (
        0, f"connected using local 127.0.0.1:{port} to 127.0.0.1:{server.port}\n")


def ipv6_works():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not ipv6_works(), reason="no IPv6 on the loopback interface")


@needs_ipv6
def test_verbose_ipv6(run):
    with Server(echo, "::1") as server:
        status, output, errors = run("-v", "::1", server.port, input=b"six\n")
    assert (status, output, errors) == (
        0, b"six\n", f"connected using local [::1]:{server.peer[1]} to [::1]:{server.port}\n")


@pytest.fixture
def run_with_host(program, tmp_path):
    """Runs tcpcli where the name two.test has the given addresses: a mount namespace of its own
    with another /etc/hosts.  run_with_host(addresses, arguments..., input=b"")."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 two.test\n")
    flags = "-m" if os.geteuid() == 0 else "-rm"
    prefix = ["unshare", flags, "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"',
              str(hosts)]
    try:
        probe = subprocess.run([*prefix, "getent", "hosts", "two.test"], capture_output=True,
                               timeout=DEADLINE, check=False)
        works, reason = probe.returncode == 0, probe.stderr.decode().strip()
    except OSError as error:
        works, reason = False, str(error)
    if not works:
        pytest.skip(f"no mount namespace for another /etc/hosts: {reason}")

    def run_tcpcli(addresses, *arguments, input=b""):
        hosts.write_text("".join(f"{address} two.test\n" for address in addresses))
        done = subprocess.run([*prefix, program, *arguments], capture_output=True, input=input,
                              timeout=DEADLINE, check=False)
        return done.returncode, done.stdout, done.stderr.decode()

    return run_tcpcli


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2"])
def test_each_address_is_tried(run_with_host, address):
    with Server(echo, address) as server:
        assert run_with_host(["127.0.0.1", "127.0.0.2"], "two.test", server.port,
                             input=b"here\n") == (0, b"here\n", "")


@pytest.mark.parametrize("silent,good", [("127.0.0.1", "127.0.0.2"), ("127.0.0.2", "127.0.0.1")])
def test_silent_address_leaves_time_for_the_next(run_with_host, silent, good):
    with full_backlog(silent) as port:
        with Server(echo, good, int(port)):
            assert run_with_host(["127.0.0.1", "127.0.0.2"], "-w", "2", "two.test", port,
                                 input=b"here\n") == (0, b"here\n", "")


@needs_ipv6
@pytest.mark.parametrize("option,good,bad", [("-4", "127.0.0.1", "-6"), ("-6", "::1", "-4")])
def test_family(run_with_host, option, good, bad):
    both = ["127.0.0.1", "::1"]
    with Server(echo, good) as server:
        assert run_with_host(both, bad, "two.test", server.port) == (
            1, b"", f"connect to two.test {server.port}: Connection refused\n")
        assert run_with_host(both, "two.test", server.port, option, input=b"x\n") == (
            0, b"x\n", "")


def test_family_of_a_numeric_address(run):
    status, output, errors = run("-6", "127.0.0.1", "7")
    assert (status, output) == (1, b"")
    assert errors.startswith("resolve 127.0.0.1 7: ")


def test_unknown_service(run):
    status, output, errors = run("127.0.0.1", "no-such-service")
    assert (status, output) == (1, b"")
    assert errors.startswith("resolve 127.0.0.1 no-such-service: ")


def test_refused(run):
    port = str(ports.free_port())
    assert run("127.0.0.1", port) == (
        1, b"", f"connect to 127.0.0.1 {port}: Connection refused\n")


@contextlib.contextmanager
def full_backlog(address="127.0.0.1"):
    """A listening port whose queue is full: Linux drops further SYNs without an answer."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((address, ports.free_port()))
        listener.listen(0)
        for _ in range(16):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            if not select.select([], [filler], [], 0.3)[1]:
                break
        else:
            pytest.fail("the backlog does not fill up")
        yield str(listener.getsockname()[1])


def test_connect_time_out(run):
    with full_backlog() as port:
        assert run("-w", "1", "127.0.0.1", port) == (
            1, b"", f"connect to 127.0.0.1 {port}: timed out\n")


def test_keepalive(start):
    """/proc/net/tcp shows timer 2, keepalive, on an idle connection only if it is on."""

    def timer():
        pair = [f"0100007F:{port:04X}" for port in (server.peer[1], int(server.port))]
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[1:3] == pair:
                return fields[5][:2]
        return None

    with Server(echo) as server:
        process = start("127.0.0.1", server.port)
        process.stdin.write(b"x")
        assert process.stdout.read(1) == b"x"
        # 1 is the retransmission timer, until the last byte is acknowledged.
        wait_until(lambda: timer() != "01")
        assert timer() == "02"
        process.stdin.close()
        assert finish(process)[0] == 0


def test_local_port(run):
    port = str(ports.free_port())
    with Server(echo) as server:
        assert run("-b", port, "127.0.0.1", server.port, input=b"x\n")[:2] == (0, b"x\n")
    assert server.peer[1] == int(port)


def test_local_port_twice(run):
    """A port whose last connection, to another server, is in TIME_WAIT can be had again."""
    port = str(ports.free_port())
    for _ in range(2):
        with Server(echo) as server:
            assert run("-b", port, "127.0.0.1", server.port, input=b"x\n") == (0, b"x\n", "")
        assert server.peer[1] == int(port)


def test_local_port_in_use(run):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        status, output, errors = run("-b", str(port), "127.0.0.1", "1")
    assert (status, output) == (1, b"")
    assert errors == (
        f"bind to local port {port}: Address already in use: another program is using this port,"
        " or an earlier connection from it is still in TIME_WAIT; choose another port or wait a"
        " minute\n")


def test_local_port_of_the_same_connection(run):
    """The local port can be bound, but the same pair of addresses exists already."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as first:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        first.bind(("127.0.0.1", ports.free_port()))
        first.connect(listener.getsockname())
        local = first.getsockname()[1]
        remote = listener.getsockname()[1]
        status, output, errors = run("-b", str(local), "127.0.0.1", str(remote))
    assert (status, output) == (1, b"")
    assert errors == (
        f"connect to 127.0.0.1 {remote}: Cannot assign requested address: a connection from local"
        f" port {local} to this server exists or is in TIME_WAIT; choose another port or wait a"
        " minute\n")


def test_local_port_not_permitted(run):
    first = int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if first <= 1:
        pytest.skip("every user may bind every port here (ip_unprivileged_port_start)")
    options = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    assert run("-b", "1", "127.0.0.1", "1", **options) == (
        1, b"", "bind to local port 1: Permission denied: ports below 1024 are for root; choose a"
        " port from 1024 up\n")


def test_connections(start):
    """Five are opened, the first is used, and all end together."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)
        process = start("-v", "-n", "5", "127.0.0.1", str(listener.getsockname()[1]))
        connections = [listener.accept()[0] for _ in range(5)]
        for connection in connections:
            connection.settimeout(DEADLINE)
        process.stdin.write(b"to the first\n")
        assert receive_exactly(connections[0], 13) == b"to the first\n"
        assert select.select(connections, [], [], 0)[0] == []
        process.stdin.close()
        assert connections[0].recv(1) == b""
        # Half-closed is not ended: the others are still there.
        assert select.select(connections[1:], [], [], 0)[0] == []
        connections[0].close()
        assert [connection.recv(1) for connection in connections[1:]] == [b""] * 4
        status, errors = finish(process)
        assert status == 0
        assert len(re.findall(r"^connected using local 127\.0\.0\.1:\d+ to ", errors, re.M)) == 5
        for connection in connections:
            connection.close()


def test_local_port_is_for_the_first_connection(start):
    port = str(ports.free_port())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)
        process = start("-n", "3", "-b", port, "127.0.0.1", str(listener.getsockname()[1]))
        accepted = [listener.accept() for _ in range(3)]
        assert accepted[0][1][1] == int(port)
        assert int(port) not in [peer[1] for _, peer in accepted[1:]]
        process.stdin.close()
        for connection, _ in accepted:
            connection.close()
        assert finish(process)[0] in (0, 1)


# --- datagrams --------------------------------------------------------------------------------


class DatagramServer:
    """answer(datagram) gives the datagrams to send back."""

    def __init__(self, answer, address="127.0.0.1"):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((address, ports.free_port()))
        self.socket.settimeout(0.05)
        self.port = str(self.socket.getsockname()[1])
        self.answer = answer
        self.got = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def serve(self):
        while not self.stop.is_set():
            with contextlib.suppress(TimeoutError):
                datagram, peer = self.socket.recvfrom(65536)
                self.got.append(datagram)
                for piece in self.answer(datagram):
                    self.socket.sendto(piece, peer)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(DEADLINE)
        self.socket.close()
        assert not self.thread.is_alive()


def udp_echo(datagram):
    return [datagram]


def test_udp_lines(run):
    with DatagramServer(udp_echo) as server:
        assert run("-u", "127.0.0.1", server.port, input=b"one\n\nthree") == (
            0, b"one\n\nthree", "")
    assert server.got == [b"one\n", b"\n", b"three"]


@needs_ipv6
def test_udp_ipv6_verbose(run):
    with DatagramServer(udp_echo, "::1") as server:
        status, output, errors = run("-uv6", "::1", server.port, input=b"x\n")
    assert (status, output) == (0, b"x\n")
    assert re.fullmatch(
        rf"connected using local \[::1\]:\d+ to \[::1\]:{server.port}\n", errors)


def test_udp_answers_as_they_come(start):
    with DatagramServer(udp_echo) as server:
        process = start("-u", "127.0.0.1", server.port)
        for line in (b"one\n", b"two\n"):
            process.stdin.write(line)
            assert process.stdout.read(len(line)) == line
        process.stdin.close()
        assert finish(process) == (0, "")


def test_udp_late_answer_is_waited_for(start):
    """The answer comes only after the end of input has been read."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(DEADLINE)
        process = start("-u", "-w", str(DEADLINE), "127.0.0.1", str(server.getsockname()[1]))
        process.stdin.write(b"x\n")
        process.stdin.close()
        datagram, peer = server.recvfrom(100)
        assert process.poll() is None
        server.sendto(datagram, peer)
        assert process.stdout.read() == b"x\n"
        assert finish(process) == (0, "")


def test_udp_no_answer(run):
    with DatagramServer(lambda datagram: []) as server:
        assert run("-u", "-w", "1", "127.0.0.1", server.port, input=b"x\n") == (0, b"", "")
        status, _, errors = run("-uv", "127.0.0.1", server.port, input=b"x\ny\n")
    assert status == 0
    assert errors.endswith("\n0 of 2 datagrams answered\n")
    assert server.got == [b"x\n", b"x\n", b"y\n"]


def test_udp_nothing_to_send(run):
    with DatagramServer(udp_echo) as server:
        assert run("-u", "127.0.0.1", server.port) == (0, b"", "")
    assert server.got == []


def test_udp_refused(run):
    port = str(ports.free_port())
    assert run("-u", "127.0.0.1", port, input=b"x\n") == (
        1, b"", "receive from server: Connection refused\n")


def test_udp_refused_while_the_user_types(start):
    port = str(ports.free_port())
    process = start("-u", "127.0.0.1", port)
    process.stdin.write(b"x\n")
    assert finish(process) == (1, "receive from server: Connection refused\n")


def test_udp_longest_line(run):
    lines = [b"a" * 65506 + b"\n", b"b" * 65507 + b"\n", b"c" * 200000 + b"\n", b"d\n",
             b"e" * 65508]
    with DatagramServer(lambda datagram: [b"%d\n" % len(datagram)]) as server:
        status, output, errors = run("-u", "127.0.0.1", server.port, input=b"".join(lines))
    assert (status, output) == (1, b"65507\n2\n")
    assert errors == ("line 2: too long for a datagram\nline 3: too long for a datagram\n"
                      "line 5: too long for a datagram\n3 of 5 lines not sent\n")
    assert server.got == [lines[0], lines[3]]


def test_udp_local_port(run):
    port = str(ports.free_port())
    peers = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(DEADLINE)

        def answer():
            datagram, peer = server.recvfrom(100)
            peers.append(peer)
            server.sendto(datagram, peer)

        thread = threading.Thread(target=answer)
        thread.start()
        assert run("-u", "-b", port, "127.0.0.1", str(server.getsockname()[1]),
                   input=b"x\n") == (0, b"x\n", "")
        thread.join()
    assert peers == [("127.0.0.1", int(port))]


def test_udp_local_port_is_not_shared(run):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        status, _, errors = run("-u", "-b", str(port), "127.0.0.1", "7", input=b"x\n")
    assert status == 1
    assert errors.startswith(f"bind to local port {port}: Address already in use: ")


# --- --bytes ----------------------------------------------------------------------------------


def test_bytes(run):
    got = []
    with Server(lambda connection: got.append(receive_all(connection))) as server:
        assert run("--bytes", "32769", "127.0.0.1", server.port) == (
            0, b"sent 32769 bytes from 32769.\n", "")
    assert got == [pattern(32769)]


def test_bytes_does_not_read_input(start):
    with Server(receive_all) as server:
        process = start("--bytes", "3", "127.0.0.1", server.port)
        assert process.stdout.read() == b"sent 3 bytes from 3.\n"
        assert finish(process) == (0, "")


def test_bytes_answer_follows_the_line(run):
    with Server(echo) as server:
        assert run("127.0.0.1", server.port, "--bytes", "30") == (
            0, b"sent 30 bytes from 30.\n" + pattern(30), "")


def test_bytes_big_echo(run):
    """One send that is larger than all kernel buffers, to a server that writes meanwhile."""
    line = b"sent 20000000 bytes from 20000000.\n"
    with Server(echo) as server:
        status, output, errors = run("--bytes", "20000000", "127.0.0.1", server.port)
    assert (status, errors) == (0, "")
    assert output.count(line) == 1
    assert output.replace(line, b"") == pattern(20000000)


def test_bytes_cut_short(run):
    """The count is the one that send returned, not the one that was wished for."""

    def handler(connection):
        receive_exactly(connection, 1000000)
        reset(connection)

    with Server(handler) as server:
        status, output, errors = run("--bytes", "100000000", "127.0.0.1", server.port)
    assert status == 1
    sent = int(re.fullmatch(rb"sent (\d+) bytes from 100000000\.\n", output)[1])
    assert 1000000 <= sent < 100000000
    assert errors in (PREMATURE + ": Connection reset by peer\n", PREMATURE + "\n")


def test_bytes_server_closes_without_reading(run):
    """The server ends its half; the blocked send must not keep the client alive."""
    done = threading.Event()

    def handler(connection):
        connection.sendall(b"no\n")
        connection.shutdown(socket.SHUT_WR)
        assert done.wait(DEADLINE)

    with Server(handler) as server:
        status, output, errors = run("--bytes", "100000000", "127.0.0.1", server.port)
        done.set()
    assert (status, errors) == (1, PREMATURE + "\n")
    sent = int(re.fullmatch(rb"no\nsent (\d+) bytes from 100000000\.\n", output)[1])
    assert 0 <= sent < 100000000


# --- --sum ------------------------------------------------------------------------------------


def sum_server(order, piece=None):
    """Speaks sum's binary protocol; overflow ends the connection.  piece: bytes per send."""

    def handler(connection):
        data = b""
        while received := connection.recv(65536):
            data += received
            while len(data) >= 16:
                a, b = struct.unpack(order + "qq", data[:16])
                data = data[16:]
                if not -2**63 <= a + b < 2**63:
                    return
                answer = struct.pack(order + "q", a + b)
                for i in range(0, 8, piece or 8):
                    connection.sendall(answer[i:i + (piece or 8)])
        assert data == b""

    return handler


SUMS = b"2 3\n-5 +2\n 9223372036854775807\t-9223372036854775808 \r\n0007 1"


@pytest.mark.parametrize("name,order", [("xdr", ">"), ("native", "=")])
def test_sum(run, name, order):
    with Server(sum_server(order)) as server:
        assert run("--sum", name, "127.0.0.1", server.port, input=SUMS) == (
            0, b"5\n-3\n-1\n8\n", "")


def test_sum_in_pieces(run):
    def handler(connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sum_server(">", piece=1)(connection)

    with Server(handler) as server:
        assert run("--sum", "xdr", "127.0.0.1", server.port, input=SUMS) == (
            0, b"5\n-3\n-1\n8\n", "")


def test_sum_interactive(start):
    with Server(sum_server(">")) as server:
        process = start("--sum", "xdr", "127.0.0.1", server.port)
        process.stdin.write(b"20 2")
        process.stdin.write(b"2\n")
        assert process.stdout.read(3) == b"42\n"
        process.stdin.write(b"1 1\n")
        assert process.stdout.read(2) == b"2\n"
        process.stdin.close()
        assert finish(process) == (0, "")


def test_sum_bad_lines(run):
    lines = b"1 2\nhello\n3 4 5\n\n5 6\n" + b"1" * 200000 + b" 1\n7 8\n9223372036854775808 0\n"
    with Server(sum_server(">")) as server:
        status, output, errors = run("--sum", "xdr", "127.0.0.1", server.port, input=lines)
    assert (status, output) == (1, b"3\n11\n15\n")
    assert errors == "".join(
        [f"line {n}: not two decimal integers of 64 bits\n" for n in (2, 3, 4, 6, 8)]
        + ["5 of 8 lines not sent\n"])


def test_sum_overflow_while_the_user_types(start):
    with Server(sum_server(">")) as server:
        process = start("--sum", "xdr", "127.0.0.1", server.port)
        process.stdin.write(b"1 2\n9223372036854775807 1\n")
        assert process.stdout.read() == b"3\n"
        assert finish(process) == (1, PREMATURE + "\n")


def test_sum_unanswered(run):
    """An orderly close, but with requests left: still no success."""

    def handler(connection):
        data = receive_all(connection)
        assert len(data) == 48
        connection.sendall(struct.pack(">q", 3) + b"\0\0\0")

    with Server(handler) as server:
        assert run("--sum", "xdr", "127.0.0.1", server.port, input=b"1 2\n3 4\n5 6\n") == (
            1, b"3\n", PREMATURE + ": 1 of 3 requests answered\n")


def test_sum_many(run):
    count = 100000
    lines = b"".join(b"%d %d\n" % (i, i * i) for i in range(count))
    with Server(sum_server("=")) as server:
        status, output, errors = run("--sum", "native", "127.0.0.1", server.port, input=lines)
    assert (status, errors) == (0, "")
    assert output == b"".join(b"%d\n" % (i + i * i) for i in range(count))


# --- --int ------------------------------------------------------------------------------------


@pytest.mark.parametrize("options,value,order", [
    ([], 12345, ">i"),
    (["--order", "network"], -12345, ">i"),
    (["--order", "native"], 12345, "=i"),
    (["--order=native"], -2147483648, "=i"),
    ([], 2147483647, ">i"),
])
def test_int(start, options, value, order):
    def handler(connection):
        data = receive_all(connection)
        assert data == struct.pack(order, value)
        big, = struct.unpack(">i", data)
        little, = struct.unpack("<i", data)
        connection.sendall(b"big-endian %d, little-endian %d\n" % (big, little))

    data = struct.pack(order, value)
    expected = "big-endian %d, little-endian %d\n" % (
        struct.unpack(">i", data) + struct.unpack("<i", data))
    with Server(handler) as server:
        process = start("--int", str(value), *options, "127.0.0.1", server.port)
        assert process.stdout.read().decode() == expected
        assert finish(process) == (0, "")


def test_int_server_that_closes_behind_the_integer(run):
    """number answers after 4 bytes and closes without waiting for the half-close."""

    def handler(connection):
        connection.sendall(b"%d\n" % struct.unpack(">i", receive_exactly(connection, 4)))

    for _ in range(20):
        with Server(handler) as server:
            assert run("--int", "7", "127.0.0.1", server.port) == (0, b"7\n", "")


# --- usage ------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments,message", [
    ([], "HOST and PORT are wanted"),
    (["127.0.0.1"], "HOST and PORT are wanted"),
    (["127.0.0.1", "7", "8"], "HOST and PORT are wanted"),
    (["-b", "0", "h", "7"], "-b: '0' is not a number from 1 to 65535"),
    (["-b", "65536", "h", "7"], "-b: '65536' is not a number from 1 to 65535"),
    (["-b", "80x", "h", "7"], "-b: '80x' is not a number from 1 to 65535"),
    (["-n", "0", "h", "7"], "-n: '0' is not a number from 1 to 1000"),
    (["-n", "1001", "h", "7"], "-n: '1001' is not a number from 1 to 1000"),
    (["-w", "0", "h", "7"], "-w: '0' is not a number from 1 to 86400"),
    (["-w", "", "h", "7"], "-w: '' is not a number from 1 to 86400"),
    (["--bytes", "0", "h", "7"], "--bytes: '0' is not a number from 1 to 1073741824"),
    (["--bytes", "-1", "h", "7"], "--bytes: '-1' is not a number from 1 to 1073741824"),
    (["--int", "2147483648", "h", "7"],
     "--int: '2147483648' is not a number from -2147483648 to 2147483647"),
    (["--int", "99999999999999999999", "h", "7"],
     "--int: '99999999999999999999' is not a number from -2147483648 to 2147483647"),
    (["--sum", "network", "h", "7"], "--sum: 'network' is neither xdr nor native"),
    (["--int", "1", "--order", "xdr", "h", "7"],
     "--order: 'xdr' is neither network nor native"),
    (["--order", "native", "h", "7"], "--order goes with --int only"),
    (["--sum", "xdr", "--order", "native", "h", "7"], "--order goes with --int only"),
    (["--bytes", "1", "--sum", "xdr", "h", "7"], "--bytes and --sum exclude each other"),
    (["--int", "1", "-u", "h", "7"], "--int and -u exclude each other"),
    (["-u", "-n", "2", "h", "7"], "-n and -u exclude each other"),
])
def test_usage(run, arguments, message):
    assert run(*arguments) == (2, b"", f"tcpcli: {message} (-h: help)\n")


@pytest.mark.parametrize("port", [
    "0", "00", "65536", "65543", "4294967303", "18446744073709551623", "", "-65529", "+7", " 7",
    "\t7", "\n7", "-", " ",
])
@pytest.mark.parametrize("options", [[], ["-u"]])
def test_what_is_no_port(run, options, port):
    """getaddrinfo(3) would take most of them for another port: 65543 for 7."""
    assert run(*options, "--", "127.0.0.1", port) == (
        2, b"", f"tcpcli: '{port}' is not a port from 1 to 65535 (-h: help)\n")


def test_what_is_a_port(run):
    with Server(echo) as server:
        assert run("127.0.0.1", f"000000{server.port}", input=b"x\n") == (0, b"x\n", "")
    for port in ("1", "65535"):
        assert run("-u", "127.0.0.1", port, input=b"") == (0, b"", "")
    for name in ("no-such-service", "7x", "65543x", "7 "):
        status, output, errors = run("127.0.0.1", name)
        assert (status, output) == (1, b"") and errors.startswith(f"resolve 127.0.0.1 {name}: ")


@pytest.mark.parametrize("arguments", [["-x"], ["--nonsense"], ["-b"], ["--sum"]])
def test_usage_told_by_getopt(run, arguments):
    status, output, errors = run("127.0.0.1", "7", *arguments)
    assert (status, output) == (2, b"")
    assert "option" in errors and errors.endswith("(-h: help)\n")


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help(run, option):
    status, output, errors = run(option)
    assert (status, errors) == (0, "")
    for word in (b"-46u", b"-b ", b"-n ", b"-v", b"-w ", b"--bytes", b"--sum", b"--int",
                 b"--order", b"HOST PORT"):
        assert word in output


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(run, option):
    status, output, errors = run(option)
    assert (status, errors) == (0, "")
    assert re.fullmatch(rb"tcpcli \(superd\) \d+\.\d+\.\d+\n", output)
