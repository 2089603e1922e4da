"""messenger: both dialogues alone, every answer, and what may stand in the spool."""

import contextlib
import os
import pathlib
import re
import resource
import select
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest

import drive
import mail

MAX_MESSAGE = 1048576
DAY = 86400
ROOT = os.getuid() == 0

# crypt("secret", "$6$rounds=100000$saltsalt$"): enough rounds to be seen in the CPU time
HASH = "$6$rounds=100000$saltsalt$" \
    "W6Pjgp5jRhOycjhz1JdUTjE.eBO2c/gf64ukBCYIUsagE3B8HkkRYGvkhQw7S1S6nh6jR9hV6IhhRIHR8xSWY0"



@pytest.fixture
def office(stand, tmp_path):
    return mail.Office(stand, tmp_path / "spool")


@contextlib.contextmanager
def small_disk(folder, size="256k"):
    """A tmpfs of that size, or a skip where this user cannot mount one."""
    folder.mkdir(mode=0o700)
    if not ROOT:
        pytest.skip("only root can mount a small tmpfs")
    options = f"size={size},mode=0700"
    command = ["mount", "-t", "tmpfs", "-o", options, "superd-test", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def empty(office, login="maria1"):
    """Nothing of an unfinished message is left."""
    assert office.files("new", login) == []
    assert office.files("tmp", login) == []


# --- send ------------------------------------------------------------------------------------

@pytest.mark.parametrize("options", [[], ["-l"]], ids=["plain", "length"])
@pytest.mark.parametrize("body", [
    b"hello", b"", b"\n", b"x" * MAX_MESSAGE, bytes(range(256)) * 777, b"BYTES 3\nabc",
    b"FROM sender DATE 2026-11-20T15:16:00Z BYTES 1\nx",
], ids=["text", "empty", "newline", "largest", "binary", "like a length", "like a header"])
def test_what_is_sent_is_fetched(office, options, body):
    office.send(body, *options)
    letters = office.fetch()
    assert [(letter.sender, letter.body) for letter in letters] == [("sender", body)]
    stamp = time.strptime(letters[0].date, "%Y-%m-%dT%H:%M:%SZ")
    assert abs(time.mktime(stamp) - time.timezone - time.time()) < 3600
    assert office.fetch() == []


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_both_dialogues_on_every_socket(office, transport):
    office.send(b"hello", transport=transport)
    assert office.bodies(transport=transport) == [b"hello"]
    assert office.bodies(transport=transport) == []


def test_both_dialogues_on_pipes(office, stand):
    answer, program = stand.pipes("messenger", "send", "--spool", office.spool,
                                  data=b"sender\nmaria1\nhello")
    assert (answer, program.status()) == (b"250 stored 5 bytes for maria1\n", 0)
    program = stand.start("messenger", "fetch", "--spool", office.spool,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    program.process.stdin.write(b"maria1\n")
    program.process.stdin.flush()
    assert program.process.stdout.readline() == b"250 1 messages\n"
    assert mail.HEADER.fullmatch(program.process.stdout.readline())
    assert program.process.stdout.read(5) == b"hello"
    assert len(office.files()) == 1
    program.process.stdin.close()
    assert program.status() == 0
    empty(office)


def test_in_wait_mode(stand, office):
    """A listening socket on descriptor 0: one program serves one client after the other."""
    with drive.tcp_listener() as listener:
        program = stand.start("messenger", "send", "--spool", office.spool, "-t", "1",
                              stdin=listener)
        for _ in range(3):
            with socket.create_connection(listener.getsockname(), drive.DEADLINE) as client:
                drive.send_and_end(client, b"sender\nmaria1\nhello")
                assert drive.read_all(client) == b"250 stored 5 bytes for maria1\n"
        assert program.status() == 0
    assert office.bodies() == [b"hello"] * 3


def test_byte_by_byte(office):
    client, program = office.send_start("-l")
    with client:
        for byte in b"sender\nmaria1\nBYTES 5\nhello":
            client.sendall(bytes([byte]))
        client.shutdown(socket.SHUT_WR)
        assert drive.read_all(client) == b"250 stored 5 bytes for maria1\n"
    assert program.status() == 0
    assert office.bodies() == [b"hello"]


MALFORMED = [
    b"", b"\n", b"sende\n", b"sender1\n", b"sender", b"sen", b"sender\r\n", b"sen er\n",
    b"sen\ter\n", b"sen.er\n", b"../../\n", b"sender/\n", b"/etc/x\n", b"......\n", b"sen\0er\n",
    b"sen\xc3\xa9r\n", b" sender\n", b"sender \n", b"sender\0\n",
]


@pytest.mark.parametrize("login", MALFORMED, ids=repr)
def test_every_malformed_login_is_refused(office, login):
    rest = b"" if not login.endswith(b"\n") else b"maria1\nhello"
    answer, program = office.send_raw(login + rest)
    assert answer == b"501 invalid sender login\n"
    assert program.status() == 1
    rest = b"" if not login.endswith(b"\n") else b"hello"
    answer, program = office.send_raw(b"sender\n" + login + rest)
    assert answer == b"501 invalid recipient login\n"
    assert program.status() == 1
    client, program = office.fetch_start("", "-t", "5")
    with client:
        # fetch_start() has sent a newline of its own.
        answer = drive.read_all(client)
    assert (answer, program.status()) == (b"501 invalid login\n", 1)
    assert not office.spool.exists()


@pytest.mark.parametrize("login", [login for login in MALFORMED if len(login) > 1], ids=repr)
def test_fetch_refuses_every_malformed_login(office, stand, login):
    client, program = stand.tcp("messenger", "fetch", "--spool", office.spool)
    with client:
        drive.send_and_end(client, login)
        assert drive.read_all(client) == b"501 invalid login\n"
    assert program.status() == 1


def test_a_malformed_login_is_refused_at_once(office):
    """The client need not half-close, and gets to see the answer while it is still sending."""
    client, program = office.send_start()
    with client:
        client.sendall(b"sender!")
        assert client.recv(100) == b"501 invalid sender login\n"
        client.sendall(b"x" * 4_000_000)
        client.shutdown(socket.SHUT_WR)
        assert drive.read_all(client) == b""
    assert program.status() == 1


@pytest.mark.parametrize("line", [
    b"\n", b"BYTES\n", b"BYTES \n", b"BYTES x\n", b"BYTES -1\n", b"BYTES +5\n", b"BYTES 5 \n",
    b"BYTES  5\n", b"bytes 5\n", b"BYTES 5\r\n", b"BYTES 5", b"", b"hello\n", b"BYTES 5x\n",
    b"BYTES 99999999999999999999\n", b"BYTES " + b"0" * 5000 + b"5\n", b"BYTES 5\0\n",
], ids=lambda line: repr(line[:30]))
def test_every_malformed_length_is_refused(office, line):
    rest = b"hello" if line.endswith(b"\n") else b""
    answer, program = office.send_raw(b"sender\nmaria1\n" + line + rest, "-l")
    assert answer == b"501 invalid length\n"
    assert program.status() == 1
    empty(office)


@pytest.mark.parametrize("length,body,answer", [
    (6, b"hello", b"501 message cut short"),
    (MAX_MESSAGE, b"", b"501 message cut short"),
    (4, b"hello", b"501 message longer than announced"),
    (0, b"h", b"501 message longer than announced"),
    (MAX_MESSAGE + 1, b"", b"552 message larger than 1048576 bytes"),
    (MAX_MESSAGE + 1, b"x" * (MAX_MESSAGE + 1), b"552 message larger than 1048576 bytes"),
    (5, b"hello", b"250 stored 5 bytes for maria1"),
    (0, b"", b"250 stored 0 bytes for maria1"),
])
def test_the_announced_length_holds(office, length, body, answer):
    data = b"sender\nmaria1\nBYTES %d\n" % length + body
    got, program = office.send_raw(data, "-l")
    assert got == answer + b"\n"
    assert program.status() == (0 if answer.startswith(b"250") else 1)
    assert office.files("tmp") == []
    assert len(office.files()) == (1 if answer.startswith(b"250") else 0)


@pytest.mark.parametrize("size", [1001, 5000, 3_000_000])
def test_an_oversized_message_is_refused(office, size):
    """Also a client that sends everything before it looks sees the answer."""
    office.send(b"earlier")
    answer, program = office.send_raw(b"sender\nmaria1\n" + b"x" * size, "--max-message", "1000")
    assert answer == b"552 message larger than 1000 bytes\n"
    assert program.status() == 1
    assert office.files("tmp") == []
    office.send(b"x" * 1000, "--max-message", "1000")
    assert office.bodies() == [b"earlier", b"x" * 1000]


def test_the_default_limit_of_a_message(office):
    office.send(b"x" * (MAX_MESSAGE + 1), answer="552 message larger than 1048576 bytes")
    empty(office)


def test_silent_clients_time_out(office):
    """Whatever they have said so far, and also where the announced length has come."""
    clients = [(data, office.send_start("-t", "1")) for data in (
        b"", b"sen", b"sender\n", b"sender\nmar", b"sender\nmaria1\n", b"sender\nmaria1\nhello")]
    clients += [(b"sender\nmaria1\n" + data, office.send_start("-l", "-t", "1")) for data in (
        b"", b"BYTES 5", b"BYTES 5\nhell", b"BYTES 5\nhello")]
    for data, (client, _) in clients:
        client.sendall(data)
    for data, (client, program) in clients:
        with client:
            assert drive.read_all(client) == b"421 timed out\n", data
        assert program.status() == 1
    empty(office)


def test_a_trickling_client_times_out_in_the_end(office):
    """It is never idle, but the whole dialogue has its time too."""
    client, program = office.send_start("-t", "20", "-T", "1")
    with client:
        client.sendall(b"sender\nmaria1\n")
        end = time.monotonic() + drive.DEADLINE
        while not select.select([client], [], [], 0.05)[0]:
            assert time.monotonic() < end, "still served"
            client.send(b"x")
        assert drive.read_all(client) == b"421 timed out\n"
    assert program.status() == 1
    empty(office)


@pytest.mark.parametrize("data", [b"", b"sender\n", b"sender\nmaria1\n",
                                  b"sender\nmaria1\n" + b"x" * 100000], ids=lambda d: repr(d[:20]))
def test_a_reset_discards(office, data):
    client, program = office.send_start()
    client.sendall(data)
    drive.reset(client)
    assert program.status() == 1
    empty(office)
    assert "reset by peer" in program.log()


def test_a_client_that_vanishes_before_the_answer_is_no_harm(office):
    client, program = office.send_start()
    client.sendall(b"sender\nmaria1\nhello")
    client.close()
    assert program.status() in (0, 1)
    assert office.bodies() == [b"hello"]


def test_a_killed_sender_leaves_nothing_to_see(office):
    client, program = office.send_start()
    with client:
        client.sendall(b"sender\nmaria1\n" + b"x" * 100000)
        drive.until(lambda: office.files("tmp"), "a file in tmp/")
        os.kill(program.pid, signal.SIGKILL)
        assert program.status() == -signal.SIGKILL
    assert office.files("new") == []
    assert office.bodies() == []
    office.send(b"hello")
    assert len(office.files("tmp")) == 1, "it is young"
    assert office.bodies() == [b"hello"]


@pytest.mark.parametrize("verb", ["send", "fetch"])
def test_stale_files_in_tmp_are_removed(office, verb):
    office.send(b"earlier")
    tmp = office.spool / "maria1/tmp"
    for name, age in (("old", DAY + 60), ("young", DAY - 60), ("link", 0)):
        path = tmp / name
        if name == "link":
            path.symlink_to("/etc/passwd")
        else:
            path.write_bytes(b"x")
        then = time.time() - age
        os.utime(path, (then, then), follow_symlinks=False)
    os.utime(tmp / "link", (0, 0), follow_symlinks=False)
    if verb == "send":
        office.send(b"later")
    else:
        assert office.bodies() == [b"earlier"]
    assert office.files("tmp") == ["young"]
    assert pathlib.Path("/etc/passwd").exists()


# --- limits of a mailbox ---------------------------------------------------------------------

def test_a_mailbox_has_room_for_so_many_messages(office):
    for index in range(3):
        office.send(b"%d" % index, "--max-messages", "3")
    office.send(b"no", "--max-messages", "3", answer="552 mailbox of maria1 is full")
    office.send(b"yes", "--max-messages", "3", to="robert")
    assert office.bodies() == [b"0", b"1", b"2"]
    office.send(b"3", "--max-messages", "3")
    assert office.bodies() == [b"3"]


def test_a_mailbox_has_room_for_so_many_bytes(office):
    full = "552 mailbox of maria1 is full"
    office.send(b"x" * 600, "--max-bytes", "1000")
    office.send(b"y" * 401, "--max-bytes", "1000", answer=full)
    office.send(b"y" * 401, "-l", "--max-bytes", "1000", answer=full)
    office.send(b"z" * 400, "--max-bytes", "1000")
    office.send(b"", "--max-bytes", "1000")
    office.send(b"1", "--max-bytes", "1000", answer=full)
    assert office.files("tmp") == []
    assert office.bodies() == [b"x" * 600, b"z" * 400, b""]
    office.send(b"x" * 1001, "--max-bytes", "1000", answer=full)


def test_the_limits_hold_for_senders_at_once(office):
    """All have sent everything but the end of file when the first ends."""
    clients = [office.send_start("--max-messages", "7", "--no-fsync") for _ in range(20)]
    for client, _ in clients:
        client.sendall(b"sender\nmaria1\nhello")
    drive.until(lambda: len(office.files("tmp")) == 20, "20 files in tmp/")
    for client, _ in clients:
        client.shutdown(socket.SHUT_WR)
    answers = []
    for client, program in clients:
        with client:
            answers.append(drive.read_all(client))
        program.status()
    assert sorted(answers) == [b"250 stored 5 bytes for maria1\n"] * 7 + \
        [b"552 mailbox of maria1 is full\n"] * 13
    assert office.files("tmp") == []
    assert office.bodies() == [b"hello"] * 7


# --- the spool -------------------------------------------------------------------------------

@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_modes_do_not_depend_on_the_umask(office, umask):
    office.send(b"hello", setup=lambda: os.umask(umask))
    client, program = office.send_start(setup=lambda: os.umask(umask))
    client.sendall(b"sender\nmaria1\nhello")
    drive.until(lambda: office.files("tmp"), "a file in tmp/")
    modes = {}
    for folder, folders, files in os.walk(office.spool):
        for name in folders + files:
            path = os.path.join(folder, name)
            kind = "folder" if os.path.isdir(path) else "file"
            modes.setdefault(kind, set()).add(stat.S_IMODE(os.lstat(path).st_mode))
    assert modes == {"folder": {0o700}, "file": {0o600}}
    assert stat.S_IMODE(office.spool.stat().st_mode) == 0o700
    client.close()
    program.status()


def test_a_message_is_its_file(office):
    office.send(b"hello", sender="robert")
    name, = office.files()
    assert re.fullmatch(r"\d{10}\.\d{9}\.P\d+N0R[0-9a-f]{16}\.[\w-]+,F=robert,S=5,D=\d{10}", name)
    assert (office.spool / "maria1/new" / name).read_bytes() == b"hello"


def test_messages_come_oldest_first(office):
    for index in range(20):
        office.send(b"%d" % index, "--no-fsync", sender=f"send{index:02}")
    letters = office.fetch()
    assert [letter.body for letter in letters] == [b"%d" % index for index in range(20)]
    assert [letter.sender for letter in letters] == [f"send{index:02}" for index in range(20)]


def test_order_and_date_survive_a_clock_that_went_back(office):
    office.send(b"first")
    name, = office.files()
    new = office.spool / "maria1/new"
    (new / name).rename(new / re.sub(r"^\d+\.\d+", "4000000000.999999999", name))
    office.send(b"second")
    office.send(b"third")
    assert [name[:20] for name in office.files()] == \
        ["4000000000.999999999", "4000000001.000000000", "4000000001.000000001"]
    letters = office.fetch()
    assert [letter.body for letter in letters] == [b"first", b"second", b"third"]
    this_year = int(time.strftime("%Y", time.gmtime()))
    assert all(abs(int(letter.date[:4]) - this_year) <= 1 for letter in letters)


def test_a_file_that_is_no_message_is_left_alone(office):
    office.send(b"hello")
    odd = office.spool / "maria1/new/README"
    odd.write_bytes(b"not a message")
    answer, program = office.fetch_raw()
    assert [letter.body for letter in mail.parse(answer)] == [b"hello"]
    assert program.status() == 0
    assert "maria1/new/README: no message; it is left alone" in program.log()
    assert odd.exists()


@pytest.mark.parametrize("part", ["", "new", "tmp", "lock"], ids=lambda part: part or "mailbox")
def test_a_planted_symlink_is_not_followed(office, tmp_path, part):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    for name in ("new", "tmp"):
        (elsewhere / name).mkdir(mode=0o700)
    (elsewhere / "lock").touch(mode=0o600)
    office.send(b"hello", to="robert")
    if part:
        office.send(b"hello")
        path = office.spool / "maria1" / part
        path.rename(tmp_path / "moved")
        path.symlink_to(elsewhere / part)
    else:
        (office.spool / "maria1").symlink_to(elsewhere)
    answer, program = office.send_raw(b"sender\nmaria1\nhello")
    assert (answer, program.status()) == (b"451 local error\n", 75)
    assert "maria1" in program.log()
    answer, program = office.fetch_raw()
    program.status()
    if part == "lock":
        assert [letter.body for letter in mail.parse(answer)] == [b"hello"]
    else:
        assert answer == b"451 local error\n"
    assert os.listdir(elsewhere / "new") == os.listdir(elsewhere / "tmp") == []
    assert office.bodies("robert") == [b"hello"]


def test_a_planted_message_is_not_delivered(office, tmp_path):
    office.send(b"hello")
    name, = office.files()
    new = office.spool / "maria1/new"
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    planted = [name.replace(".P", f".P{number}", 1) for number in range(3)]
    (new / planted[0]).symlink_to(secret)
    (new / planted[1]).mkdir()
    os.mkfifo(new / planted[2])
    answer, program = office.fetch_raw()
    assert [letter.body for letter in mail.parse(answer)] == [b"hello"]
    assert program.status() == 0
    assert program.log().count("left alone") == 3
    assert office.files() == sorted(planted)
    assert secret.read_bytes() == b"secret"


@pytest.mark.parametrize("verb", ["send", "fetch"])
def test_a_spool_of_somebody_else_is_refused(office, verb):
    office.send(b"hello")
    if ROOT:
        os.chown(office.spool, 12345, 12345)
        spool = office.spool
    else:
        spool = pathlib.Path("/")
    if verb == "send":
        answer, program = office.send_raw(b"sender\nmaria1\nhello", spool=spool)
    else:
        answer, program = office.fetch_raw(spool=spool)
    assert (answer, program.status()) == (b"451 local error\n", 75)
    assert f"{spool} belongs to user" in program.log()


@pytest.mark.skipif(not ROOT, reason="only root can give a file away")
@pytest.mark.parametrize("part", ["", "new", "tmp", "lock"], ids=lambda part: part or "mailbox")
def test_a_mailbox_of_somebody_else_is_refused(office, part):
    office.send(b"hello")
    os.chown(office.spool / "maria1" / part, 12345, 12345)
    office.send(b"hello", answer="451 local error")
    office.send(b"hello", to="robert")
    if part != "lock":
        assert office.fetch_raw()[0] == b"451 local error\n"
        office.stand.programs[-1].status()


def test_a_spool_that_others_may_write_is_refused(office):
    office.send(b"hello")
    office.spool.chmod(0o770)
    office.send(b"hello", answer="451 local error")
    office.spool.chmod(0o700)
    assert office.bodies() == [b"hello"]


def test_a_fetch_makes_no_mailbox(office):
    assert office.fetch() == []
    assert stat.S_IMODE(office.spool.stat().st_mode) == 0o700
    assert os.listdir(office.spool) == []
    office.send(b"hello")
    assert office.fetch("robert") == []
    assert os.listdir(office.spool) == ["maria1"]


@pytest.mark.parametrize("verb", ["send", "fetch"])
def test_a_spool_that_cannot_be_made_is_a_local_error(office, verb):
    spool = office.spool / "missing"
    if verb == "send":
        answer, program = office.send_raw(b"sender\nmaria1\nhello", spool=spool)
    else:
        answer, program = office.fetch_raw(spool=spool)
    assert (answer, program.status()) == (b"451 local error\n", 75)
    assert f"cannot make {spool}: No such file or directory" in program.log()
    assert not office.spool.exists()


def test_a_mailbox_that_is_only_half_made_is_completed(office):
    """Its maker was killed between two of its steps."""
    office.spool.mkdir(mode=0o700)
    (office.spool / "maria1").mkdir(mode=0o700)
    assert office.bodies() == []
    office.send(b"hello")
    (office.spool / "maria1/lock").unlink()
    assert office.bodies() == [b"hello"]
    office.send(b"again")
    assert office.bodies() == [b"again"]


def test_a_mailbox_locked_for_ever_is_a_local_error(office, stand):
    """A stopped process must not stop the others."""
    office.send(b"hello")
    with open(office.spool / "maria1/lock", "r+b") as file:
        import fcntl
        fcntl.lockf(file, fcntl.LOCK_EX)
        answer, program = office.send_raw(b"sender\nmaria1\nhello")
        assert (answer, program.status()) == (b"451 local error\n", 75)
        assert "maria1 has been locked for 10 s" in program.log()
    assert office.files("tmp") == []
    assert office.bodies() == [b"hello"]


# --- the disk --------------------------------------------------------------------------------

def test_a_full_disk_is_answered_and_earlier_mail_is_intact(office, tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        office.spool = disk / "spool"
        office.send(b"x" * 100_000)
        answer, program = office.send_raw(b"sender\nmaria1\n" + b"y" * 900_000)
        assert answer == b"452 cannot store: No space left on device\n"
        assert program.status() == 75
        assert "No space left on device" in program.log()
        assert office.files("tmp") == []
        office.send(b"z" * 50_000)
        assert office.bodies() == [b"x" * 100_000, b"z" * 50_000]
        office.send(b"y" * 200_000)
        assert office.bodies() == [b"y" * 200_000]


def test_a_disk_without_inodes_is_answered(office, tmp_path):
    with small_disk(tmp_path / "disk", "256k,nr_inodes=6") as disk:
        office.spool = disk / "spool"
        for _ in range(4):
            answer, program = office.send_raw(b"sender\nmaria1\nhello")
            program.status()
        assert answer == b"452 cannot store: No space left on device\n"


def test_a_read_only_spool_is_answered(office, tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        office.spool = disk / "spool"
        office.send(b"hello")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        office.send(b"hello", answer="452 cannot store: Read-only file system")
        answer, program = office.fetch_raw()
        assert (answer, program.status()) == (b"451 local error\n", 75)
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        assert office.bodies() == [b"hello"]


@pytest.mark.skipif(ROOT, reason="root may write everywhere")
def test_a_spool_that_may_not_be_written_is_a_local_error(office):
    office.send(b"hello")
    (office.spool / "maria1/tmp").chmod(0o500)
    office.send(b"hello", answer="451 local error")
    (office.spool / "maria1/tmp").chmod(0o700)
    assert office.bodies() == [b"hello"]


def test_a_file_size_limit_is_answered(office):
    """Where files may not grow as large as messages: an error, not the death of the program."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    office.send(b"x" * 10_000, setup=limit)
    office.send(b"y" * 10_001, setup=limit, answer="452 cannot store: File too large")
    office.send(b"y" * 500_000, setup=limit, answer="452 cannot store: File too large")
    assert office.files("tmp") == []
    assert office.bodies() == [b"x" * 10_000]


# --- fetch: what confirms, what does not -----------------------------------------------------

@pytest.fixture(params=["tcp", "unix"])
def kind(request):
    return request.param


LETTERS = [b"one", b"", b"x" * 300_000, b"250 7 messages\n"]


@pytest.fixture
def filled(office):
    """A mailbox with letters; at the end of a test they must be whole if they are still there."""
    for letter in LETTERS:
        office.send(letter)
    return office


def stays(office):
    """Nothing was deleted: everything is fetched whole, and then deleted."""
    assert office.bodies() == LETTERS
    assert office.bodies() == []


def test_a_clean_close_deletes(filled, kind):
    client, program = filled.fetch_start(transport=kind)
    with client:
        letters = mail.parse(drive.read_all(client))
        assert len(filled.files()) == len(LETTERS), "not before the client has closed"
    assert program.status() == 0
    assert [letter.body for letter in letters] == LETTERS
    empty(filled)


def test_a_half_close_after_everything_deletes(filled, kind):
    client, program = filled.fetch_start(transport=kind)
    with client:
        drive.read_all(client)
        client.shutdown(socket.SHUT_WR)
        assert program.status() == 0
    empty(filled)


def test_a_client_that_counts_and_does_not_wait_for_the_end_deletes(filled, kind):
    client, program = filled.fetch_start(transport=kind)
    with client, client.makefile("rb") as file:
        assert file.readline() == b"250 4 messages\n"
        for letter in LETTERS:
            assert mail.HEADER.fullmatch(file.readline())
            assert file.read(len(letter)) == letter
    assert program.status() == 0
    empty(filled)


def test_a_half_close_before_everything_confirms_nothing(filled, stand, kind):
    """The end of file is there before the server looks."""
    client, server = drive.tcp_pair() if kind == "tcp" else drive.unix_pair()
    with client, server:
        client.sendall(b"maria1\n")
        client.shutdown(socket.SHUT_WR)
        if kind == "tcp":
            addresses = server.getsockname(), server.getpeername()
            drive.until(lambda: mail.tcp_state(*addresses) == "08", "the end of file (CLOSE_WAIT)")
        program = stand.start("messenger", "fetch", "--spool", filled.spool, stdin=server)
        server.close()
        answer = drive.read_all(client)
    assert [letter.body for letter in mail.parse(answer)] == LETTERS
    assert program.status() == 1
    assert "4 messages of maria1 were not confirmed and stay" in program.log()
    stays(filled)


def test_a_half_close_while_the_server_still_sends_confirms_nothing(office, kind):
    """More than fits into the buffers: the end of file comes in the middle."""
    letters = [b"%d" % index * 1_000_000 for index in range(9)]
    for letter in letters:
        office.send(letter, "--no-fsync")
    client, program = office.fetch_start(transport=kind)
    with client:
        head = client.recv(1000)
        client.shutdown(socket.SHUT_WR)
        answer = head + drive.read_all(client)
    assert [letter.body for letter in mail.parse(answer)] == letters
    assert program.status() == 1
    assert office.bodies() == letters


def test_a_half_close_with_bytes_unacknowledged_confirms_nothing(office):
    """The server has sent all and its end of file, but the client's window was closed."""
    letters = [b"x" * 400_000]
    office.send(letters[0])
    with drive.tcp_listener() as listener, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            program = office.stand.start("messenger", "fetch", "--spool", office.spool,
                                         stdin=server)
        client.sendall(b"maria1\n")
        addresses = client.getpeername(), client.getsockname()
        drive.until(lambda: mail.tcp_state(*addresses) == "04", "the server's half-close")
        client.shutdown(socket.SHUT_WR)
        assert program.status() == 1
        client.settimeout(drive.DEADLINE)
        assert [letter.body for letter in mail.parse(drive.read_all(client))] == letters
    assert office.bodies() == letters


@pytest.mark.parametrize("read", [0, 20, 200_000, None], ids=str)
def test_a_reset_confirms_nothing(filled, read):
    client, program = filled.fetch_start()
    if read is None:
        drive.read_all(client)
    elif read:
        client.recv(read, socket.MSG_WAITALL)
    else:
        drive.until(lambda: not drive.silent(client), "an answer")
    drive.reset(client)
    assert program.status() == 1
    stays(filled)


@pytest.mark.parametrize("read", [1, 200_000], ids=str)
def test_closing_before_everything_was_read_confirms_nothing(filled, kind, read):
    client, program = filled.fetch_start(transport=kind)
    client.recv(read, socket.MSG_WAITALL)
    client.close()
    assert program.status() == 1
    stays(filled)


def test_a_client_that_never_closes_confirms_nothing(filled, kind):
    client, program = filled.fetch_start("maria1", "-t", "1", transport=kind)
    with client:
        drive.read_all(client)
        assert program.status() == 1
    stays(filled)


def test_a_client_that_never_reads_times_out(office, kind):
    letters = [b"%d" % index * 1_000_000 for index in range(9)]
    for letter in letters:
        office.send(letter, "--no-fsync")
    client, program = office.fetch_start("maria1", "-t", "1", transport=kind)
    with client:
        assert program.status() == 1
    assert office.bodies() == letters


def test_a_client_that_reads_slowly_forever_times_out_in_the_end(office):
    letters = [b"%d" % index * 1_000_000 for index in range(9)]
    for letter in letters:
        office.send(letter, "--no-fsync")
    client, program = office.fetch_start("maria1", "-t", "20", "-T", "1")
    with client:
        end = time.monotonic() + drive.DEADLINE
        while program.running():
            assert time.monotonic() < end, "still served"
            with contextlib.suppress(ConnectionResetError):
                client.recv(100)
            time.sleep(0.01)
    assert program.status() == 1
    assert office.bodies() == letters


def test_a_client_that_talks_after_its_login_may(filled):
    client, program = filled.fetch_start()
    with client:
        client.sendall(b"thank you\n" * 100)
        drive.read_all(client)
    assert program.status() == 0
    empty(filled)


def test_a_client_that_does_not_stop_talking_confirms_nothing(filled):
    client, program = filled.fetch_start()
    with client, contextlib.suppress(OSError):
        drive.read_all(client)
        end = time.monotonic() + drive.DEADLINE
        while program.running():
            assert time.monotonic() < end, "still served"
            client.sendall(b"x" * 65536)
    assert program.status() == 1
    stays(filled)


def test_pipes_whose_reader_lags_confirm_nothing(filled, stand):
    answer, program = stand.pipes("messenger", "fetch", "--spool", filled.spool, data=b"maria1\n")
    assert [letter.body for letter in mail.parse(answer)] == LETTERS
    assert program.status() == 1
    stays(filled)


def test_a_truncated_file_breaks_the_connection(office, kind):
    """What somebody did to the spool must not look like a whole message."""
    for index in range(9):
        office.send(b"%d" % index * 1_000_000, "--no-fsync")
    client, program = office.fetch_start(transport=kind)
    with client:
        claimed(client)
        # Blocked: all does not fit into the buffers.
        os.truncate(office.spool / "maria1/new" / office.files()[-1], 1000)
        received = bytearray()
        try:
            while part := client.recv(1 << 18):
                received += part
        except ConnectionResetError:
            assert kind == "tcp"
        else:
            assert kind == "unix"
    assert program.status() == 1
    assert len(received) < 9_000_000
    assert len(office.files()) == 9


# --- claims ----------------------------------------------------------------------------------

def claimed(client):
    """Until the server has answered, which it does when it has claimed."""
    drive.until(lambda: not drive.silent(client), "an answer")


def test_two_fetches_split_the_messages(office):
    office.send(b"one")
    office.send(b"two")
    first, first_program = office.fetch_start()
    claimed(first)
    office.send(b"three")
    second, second_program = office.fetch_start()
    claimed(second)
    assert office.bodies() == []
    with second:
        assert [letter.body for letter in mail.parse(drive.read_all(second))] == [b"three"]
    assert second_program.status() == 0
    with first:
        assert [letter.body for letter in mail.parse(drive.read_all(first))] == [b"one", b"two"]
    assert first_program.status() == 0
    empty(office)


def test_a_claim_ends_with_its_process(filled):
    client, program = filled.fetch_start()
    with client:
        claimed(client)
        assert filled.bodies() == []
        os.kill(program.pid, signal.SIGKILL)
        assert program.status() == -signal.SIGKILL
        stays(filled)


def test_many_fetches_at_once_deliver_each_message_once(office):
    bodies = [b"%d" % index for index in range(100)]
    for body in bodies:
        office.send(body, "--no-fsync")
    clients = [office.fetch_start("maria1", "--no-fsync") for _ in range(8)]
    got = []
    for client, program in clients:
        with client:
            got += [letter.body for letter in mail.parse(drive.read_all(client))]
        assert program.status() == 0
    assert sorted(got) == sorted(bodies)
    empty(office)


def test_more_messages_than_descriptors(office):
    """The rest is left for the next fetch."""
    for index in range(60):
        office.send(b"%d" % index, "--no-fsync")

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    got = []
    for _ in range(10):
        letters = office.fetch("maria1", setup=limit)
        if not letters:
            break
        assert len(letters) < 32
        got += [letter.body for letter in letters]
    assert got == [b"%d" % index for index in range(60)]


def test_the_soft_descriptor_limit_is_raised(office):
    for index in range(60):
        office.send(b"%d" % index, "--no-fsync")

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, 256))
    assert len(office.fetch("maria1", setup=limit)) == 60


# --- passwords -------------------------------------------------------------------------------

@pytest.fixture
def passwd(tmp_path):
    """maria1 and robert with the password "secret"."""
    path = tmp_path / "passwd"
    path.write_text(f"# users\nmaria1:{HASH}\nrobert:{HASH}\nlocked:!{HASH}\n")
    path.chmod(0o600)
    return path


def test_the_right_password_opens(office, passwd):
    office.send(b"hello")
    assert office.bodies(password="wrong") == [b"hello"]
    office.send(b"hello")
    letters = office.fetch("maria1", "--passwd", passwd, password="secret")
    assert [letter.body for letter in letters] == [b"hello"]


def test_everything_else_is_refused(office, passwd):
    cases = [
        ("maria1", "wrong"), ("maria1", ""), ("maria1", "secret "), ("maria1", "secret\r"),
        ("maria1", "x" * 511), ("maria1", "x" * 512), ("maria1", "x" * 100_000),
        ("maria1", "sec\0ret"), ("nobody", "secret"), ("locked", "secret"),
    ]
    for login in ("maria1", "nobody", "locked"):
        office.send(b"hello", to=login)
    started = [office.fetch_start(login, "--passwd", passwd, password=password)
               for login, password in cases]
    for (login, password), (client, program) in zip(cases, started):
        with client:
            assert drive.read_all(client) == b"535 authentication failed\n", (login, password)
        assert program.status() == 1
        assert f"authentication failed for {login}" in program.log()
        assert "secret" not in program.log()
        assert len(office.files("new", login)) == 1


def test_a_password_without_a_newline_is_refused(office, passwd):
    client, program = office.fetch_start("maria1", "--passwd", passwd)
    with client:
        client.sendall(b"secret")
        client.shutdown(socket.SHUT_WR)
        assert drive.read_all(client) == b"535 authentication failed\n"
    assert program.status() == 1


def test_nothing_is_told_before_the_password(office, passwd):
    client, program = office.fetch_start("maria1", "--passwd", passwd, "-t", "1")
    with client:
        assert drive.read_all(client) == b"421 timed out\n"
    assert program.status() == 1
    # The spool cannot be opened, which only who knows the password is told.
    office.spool.touch()
    answer, program = office.fetch_raw("maria1", "--passwd", passwd, password="wrong")
    assert (answer, program.status()) == (b"535 authentication failed\n", 1)
    answer, program = office.fetch_raw("maria1", "--passwd", passwd, password="secret")
    assert (answer, program.status()) == (b"451 local error\n", 75)


def test_a_password_file_that_cannot_be_read_is_a_local_error(office, tmp_path):
    office.send(b"hello")
    answer, program = office.fetch_raw("maria1", "--passwd", tmp_path / "none", password="secret")
    assert (answer, program.status()) == (b"451 local error\n", 75)
    assert "cannot read" in program.log()


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_password_file_that_others_may_write_is_a_local_error(office, passwd, mode):
    office.send(b"hello")
    passwd.chmod(mode)
    answer, program = office.fetch_raw("maria1", "--passwd", passwd, password="secret")
    assert (answer, program.status()) == (b"451 local error\n", 75)
    assert "others may write to" in program.log()


@pytest.mark.skipif(not ROOT, reason="only root can give a file away")
def test_a_password_file_of_somebody_else_is_a_local_error(office, passwd):
    office.send(b"hello")
    os.chown(passwd, 12345, 12345)
    answer, program = office.fetch_raw("maria1", "--passwd", passwd, password="secret")
    assert (answer, program.status()) == (b"451 local error\n", 75)


def test_a_stranger_costs_what_a_wrong_password_costs(office, passwd):
    """Both on the clock and in the CPU, so that neither a timer nor the load tells them apart."""
    office.send(b"hello")

    started = []
    for login in ("maria1", "nobody") * 3:
        begin = time.monotonic()
        started.append((login, begin, *office.fetch_start(login, "--passwd", passwd,
                                                          password="wrong")))
    costs = {"maria1": [], "nobody": []}
    for login, begin, client, program in started:
        with client:
            assert drive.read_all(client) == b"535 authentication failed\n"
        waited = time.monotonic() - begin
        _, status, usage = os.wait4(program.pid, 0)
        program.process.returncode = os.waitstatus_to_exitcode(status)
        assert program.status() == 1
        costs[login].append((waited, usage.ru_utime))
    for kind in (0, 1):
        stranger, user = (sorted(pair[kind] for pair in costs[login])[1]
                          for login in ("nobody", "maria1"))
        assert 0.4 < stranger / user < 2.5, costs


# --- the command line ------------------------------------------------------------------------

@pytest.mark.parametrize("words", [
    [], ["post"], ["--spool", "x"], ["send", "fetch"], ["send", "--passwd", "x"], ["fetch", "-l"],
    ["send", "--max-message", "x"], ["send", "--max-message", "-1"], ["send", "-T", "x"],
    ["send", "--spool"],
], ids=" ".join)
def test_a_wrong_command_line_is_refused(stand, words):
    answer, program = stand.pipes("messenger", *words)
    assert (answer, program.status()) == (b"", 2)
    assert program.log().startswith("messenger")


@pytest.mark.parametrize("words", [["-h"], ["send", "-h"], ["fetch", "--help"]], ids=" ".join)
def test_help(stand, words):
    answer, program = stand.pipes("messenger", *words)
    assert answer.startswith(b"usage: messenger")
    assert program.status() == 0


def test_version(stand):
    answer, program = stand.pipes("messenger", "-V")
    assert re.fullmatch(rb"messenger \(superd\) [\d.]+\n", answer)
    assert program.status() == 0


def test_the_page_and_the_help_know_the_same_options(stand, source):
    page = (source / "man/superd-messenger.8").read_text(encoding="ascii")
    described = set()
    for line in re.findall(r"^\.It (Fl .*)$", page, re.MULTILINE):
        described |= set(re.findall(r"Fl (-?[\w-]+)", line))
    helped = set()
    for verb in ("send", "fetch"):
        text, program = stand.pipes("messenger", verb, "-h")
        assert program.status() == 0
        left = "\n".join(line[:28] for line in text.decode().split("\n"))
        helped |= {word[1:] for word in re.findall(r"(?<=[ ,])--?[\w-]+(?=[ ,])", left)}
    assert described == helped


def test_a_vanished_log_does_not_matter(office):
    reader, writer = os.pipe()
    os.close(reader)
    answer, program = office.send_raw(b"sender\nmaria1\nhello", "-t", "1", stderr=writer)
    assert (answer, program.status()) == (b"250 stored 5 bytes for maria1\n", 0)
    client, program = office.fetch_start(stderr=writer)
    with client:
        client.shutdown(socket.SHUT_WR)
        assert drive.read_all(client).endswith(b"hello")
    assert program.status() in (0, 1)
    os.close(writer)
