"""daytime, time, chargen, hello and number: short answers, exact to the byte."""

import calendar
import datetime
import pathlib
import re
import socket
import struct
import subprocess
import time
import zoneinfo

import pytest

import drive

CHARACTERS = bytes(range(32, 127))
ZONES = pathlib.Path("/usr/share/zoneinfo")


def pattern(length):
    """The beginning of RFC 864's pattern, made otherwise than the program makes it."""
    ring = CHARACTERS * 2
    lines = [ring[first:first + 72] + b"\r\n" for first in range(95)]
    cycle = b"".join(lines)
    return (cycle * (length // len(cycle) + 1))[:length]


def daytime_parse(line, utc):
    assert re.fullmatch(rb"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ 1-3]\d "
                        rb"\d\d:\d\d:\d\d \d{4}\r\n", line)
    when = time.strptime(line.decode().strip())
    return calendar.timegm(when) if utc else time.mktime(when)


@pytest.mark.parametrize("option", ["-u", "--utc"])
def test_daytime_tells_universal_time(stand, transport, option):
    before = int(time.time())
    answer, program = stand.exchange(transport, "daytime", b"", option, env={"TZ": "JST-9"})
    assert before <= daytime_parse(answer, True) <= time.time()
    assert program.status() == 0
    assert program.log() == ""


@pytest.mark.parametrize("zone, ahead", [("UTC0", 0), ("JST-9", 9 * 3600), ("EST5", -5 * 3600)])
def test_daytime_tells_local_time(stand, zone, ahead):
    before = int(time.time())
    answer, program = stand.pipes("daytime", env={"TZ": zone})
    assert before <= daytime_parse(answer, True) - ahead <= time.time()
    assert program.status() == 0


# Names that read like a rule without dates, which is summer time all year to some C libraries.
RULELESS = ["EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT"]


@pytest.mark.parametrize("zone", RULELESS)
def test_daytime_knows_when_summer_time_is(stand, zone):
    """A wrong hour shows in winter only; test_daytime_looks_a_zone_up also in summer."""
    if not (ZONES / zone).exists():
        pytest.skip("the time zones (tzdata) are not installed")
    before = int(time.time())
    answer, program = stand.pipes("daytime", env={"TZ": zone})
    ahead = datetime.datetime.now(zoneinfo.ZoneInfo(zone)).utcoffset().total_seconds()
    assert before <= daytime_parse(answer, True) - ahead <= time.time()
    assert program.status() == 0


@pytest.mark.parametrize("zone, looked_up", [
    *[(zone, True) for zone in RULELESS], (":EST5EDT", True), ("EST5", False),
    ("EST5EDT,M3.2.0,M11.1.0", False), ("CET-1CEST", False), ("UTC0", False), ("", False),
])
def test_daytime_looks_a_zone_up(build, zone, looked_up, tmp_path):
    """It reads the file of a name that has one, and takes others as the rules that they are."""
    if not drive.may_trace():
        pytest.skip("strace does not work here")
    if looked_up and not (ZONES / zone.lstrip(":")).exists():
        pytest.skip("the time zones (tzdata) are not installed")
    trace = tmp_path / "trace"
    subprocess.run(["strace", "-o", trace, "-e", "trace=file", build / "services/daytime"],
                   env={"TZ": zone, "ASAN_OPTIONS": "detect_leaks=0"}, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, timeout=drive.DEADLINE, check=True)
    opened = re.findall(r'open.*"(/.*/zoneinfo/.*)".*= \d', trace.read_text())
    assert (opened == [str(ZONES / zone.lstrip(":"))]) == looked_up


def test_time_counts_from_1900(stand, transport):
    before = int(time.time())
    answer, program = stand.exchange(transport, "time", b"")
    seconds, = struct.unpack("!I", answer)
    assert before <= seconds - 2208988800 <= time.time()
    assert program.status() == 0
    assert program.log() == ""


@pytest.mark.parametrize("name", ["daytime", "time", "hello"])
def test_an_answer_survives_what_the_client_says(stand, name):
    """Unread bytes would turn the close into a reset."""
    client, server = drive.tcp_pair()
    with client:
        client.sendall(b"x" * 60000)
        with server:
            program = stand.start(name, stdin=server)
        assert drive.read_all(client) != b""
    assert program.status() == 0


@pytest.mark.parametrize("name", ["daytime", "time", "hello"])
def test_a_vanished_client_is_reported(stand, name):
    client, server = drive.tcp_pair()
    drive.reset(client)
    with server:
        program = stand.start(name, stdin=server)
    assert program.status() == 1
    assert "write: " in program.log()


def test_hello_greets_and_tells_who_came(stand, loopback):
    family = socket.AF_INET6 if ":" in loopback else socket.AF_INET
    client, program = stand.tcp("hello", family=family)
    with client:
        port = client.getsockname()[1]
        assert drive.read_all(client) == b"Hello, world!\n"
    assert program.status() == 0
    host = f"[{loopback}]" if ":" in loopback else loopback
    assert program.log() == f"hello: client {host}:{port}\n"


def test_hello_believes_the_environment_on_a_pipe(stand):
    answer, program = stand.pipes("hello", env={"REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": "4000"})
    assert answer == b"Hello, world!\n"
    assert program.status() == 0
    assert program.log() == "hello: client 192.0.2.7:4000\n"


def test_hello_believes_the_socket_more_than_the_environment(stand):
    client, program = stand.tcp("hello", env={"REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": "4000"})
    with client:
        port = client.getsockname()[1]
        assert drive.read_all(client) == b"Hello, world!\n"
    assert program.status() == 0
    assert program.log() == f"hello: client 127.0.0.1:{port}\n"


@pytest.mark.parametrize("length", [1, 74, 75, 7030, 7031, 1_000_000])
def test_chargen_sends_the_pattern(stand, length):
    client, program = stand.tcp("chargen")
    with client:
        answer = bytearray()
        while len(answer) < length:
            answer += client.recv(length - len(answer))
        assert answer == pattern(length)
    # A client that leaves is how it ends.
    assert program.status() == 0
    assert program.log() == ""


def test_chargen_ends_when_its_pipe_does(stand):
    program = stand.start("chargen", stdin=drive.subprocess.DEVNULL,
                          stdout=drive.subprocess.PIPE)
    assert program.process.stdout.read(1000) == pattern(1000)
    program.process.stdout.close()
    assert program.status() == 0


def test_chargen_goes_on_after_a_half_close_and_past_what_the_client_says(stand):
    client, program = stand.tcp("chargen")
    with client:
        client.sendall(b"x" * 100_000)
        client.shutdown(socket.SHUT_WR)
        answer = bytearray()
        while len(answer) < 8_000_000:
            answer += client.recv(1 << 18)
        assert answer == pattern(len(answer))
    assert program.status() == 0


def test_chargen_reads_while_the_client_does_not(stand):
    client, program = stand.tcp("chargen")
    with client:
        # Much more than the kernel would hold for a server that never reads.
        client.sendall(b"x" * 30_000_000)
    assert program.status() == 0


def test_chargen_leaves_a_client_that_does_not_read(stand):
    client, program = stand.tcp("chargen", "-t", "1")
    with client:
        assert program.status() == 1
    assert "time-out" in program.log()


@pytest.mark.parametrize("data, answer", [
    (b"\x00\x00\x30\x39", b"big-endian 12345, little-endian 959447040\n"),
    (b"\x39\x30\x00\x00", b"big-endian 959447040, little-endian 12345\n"),
    (b"\x00\x00\x00\x00", b"big-endian 0, little-endian 0\n"),
    (b"\xff\xff\xff\xff", b"big-endian -1, little-endian -1\n"),
    (b"\x80\x00\x00\x00", b"big-endian -2147483648, little-endian 128\n"),
    (b"\x7f\xff\xff\xff", b"big-endian 2147483647, little-endian -129\n"),
    (b"\x00\x00\x00\x01and more", b"big-endian 1, little-endian 16777216\n"),
])
def test_number_shows_both_orders(stand, transport, data, answer):
    got, program = stand.exchange(transport, "number", data)
    assert got == answer
    assert program.status() == 0
    assert program.log() == ""


def test_number_takes_single_bytes(stand):
    client, program = stand.tcp("number")
    with client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"\x00\x00\x30\x39":
            assert drive.silent(client)
            client.sendall(bytes([byte]))
        # It answers without waiting for the end of file.
        assert drive.read_all(client) == b"big-endian 12345, little-endian 959447040\n"
    assert program.status() == 0


@pytest.mark.parametrize("length", range(4))
def test_number_needs_four_bytes(stand, transport, length):
    answer, program = stand.exchange(transport, "number", b"\0" * length)
    assert answer == b""
    assert program.status() == 1
    assert re.fullmatch(rf"number: (\S+: )?closed after {length} of 4 bytes\n", program.log())


def test_number_does_not_wait_for_ever(stand):
    client, program = stand.tcp("number", "-t", "1")
    with client:
        client.sendall(b"\0\0\0")
        assert client.recv(1) == b""
    assert program.status() == 1
    assert "time-out" in program.log()
