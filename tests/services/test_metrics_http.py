"""metrics alone: HTTP on one side, a control socket made by the test on the other."""

import json
import pathlib
import shutil
import socket
import tempfile
import threading

import pytest

import drive

TEXT = '# TYPE x counter\n# HELP x "quoted" \\n \\\\ tab\t\nx_total{a="\\"b\\\\"} 1\n# EOF\n'


@pytest.fixture
def control():
    """
    Plays superd: control(answer...) gives each of its clients in turn one of the answers, bytes or
    a function of the connection, and returns the socket's path.
    """
    folder = pathlib.Path(tempfile.mkdtemp(prefix="superd-metrics-", dir="/tmp"))
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(folder / "socket"))
    server.listen(16)
    server.settimeout(drive.DEADLINE)
    threads = []
    asked = []

    def play(answers):
        for answer in answers:
            client, _ = server.accept()
            with client:
                client.settimeout(drive.DEADLINE)
                asked.append(client.recv(100))
                if callable(answer):
                    answer(client)
                else:
                    client.sendall(answer)

    def begin(*answers):
        threads.append(threading.Thread(target=play, args=(answers,)))
        threads[-1].start()
        return folder / "socket"

    yield begin
    for thread in threads:
        thread.join()
    server.close()
    shutil.rmtree(folder)
    assert all(line == b"metrics\n" for line in asked)


def answer_of(text):
    return json.dumps({"ok": True, "metrics": text}).encode() + b"\n"


def split(reply):
    """(status line, {field: value}, body) of an answer of HTTP/1.1, its chunks put together."""
    head, _, body = reply.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:])
    if fields.get("Transfer-Encoding") == "chunked":
        pieces = []
        while True:
            size, _, body = body.partition(b"\r\n")
            length = int(size, 16)
            pieces.append(body[:length])
            assert body[length : length + 2] == b"\r\n"
            body = body[length + 2 :]
            if length == 0:
                break
        assert body == b""
        body = b"".join(pieces)
    elif "Content-Length" in fields and len(body) > 0:
        assert len(body) == int(fields["Content-Length"])
    return lines[0], fields, body


GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


def test_get(stand, transport, control):
    path = control(answer_of(TEXT))
    reply, program = stand.exchange(transport, "metrics", GET, "-s", path)
    status, fields, body = split(reply)
    assert status == "HTTP/1.1 200 OK" and body.decode() == TEXT
    assert fields["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert fields["Connection"] == "close" and fields["Cache-Control"] == "no-store"
    assert program.status() == 0 and program.log() == ""


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /metrics HTTP/1.1",
        b"GET /metrics?name[]=x HTTP/1.1",
        b"GET /metrics HTTP/1.9",
    ],
)
def test_forms_of_the_request(stand, control, request_line):
    path = control(answer_of(TEXT))
    data = request_line + b"\r\nhost:x\r\nAccept: */*\r\nX-Odd:\r\n\r\n"
    reply, program = stand.exchange("tcp", "metrics", data, "-s", path)
    assert split(reply)[2].decode() == TEXT
    assert program.status() == 0


def test_http_1_0_is_not_sent_chunks(stand, control):
    path = control(answer_of(TEXT))
    reply, program = stand.exchange("tcp", "metrics", b"GET /metrics HTTP/1.0\r\n\r\n", "-s", path)
    status, fields, body = split(reply)
    assert status == "HTTP/1.1 200 OK" and "Transfer-Encoding" not in fields
    assert body.decode() == TEXT
    assert program.status() == 0


def test_head_has_no_body(stand, control):
    path = control(answer_of(TEXT))
    data = b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    reply, program = stand.exchange("tcp", "metrics", data, "-s", path)
    assert reply.startswith(b"HTTP/1.1 200 OK\r\n") and reply.endswith(b"\r\n\r\n")
    assert program.status() == 0


H = b"Host: x\r\n\r\n"


@pytest.mark.parametrize(
    "data, code, status",
    [
        (b"GET / HTTP/1.1\r\n" + H, "404 Not Found", 0),
        (b"GET /metricsx HTTP/1.1\r\n" + H, "404 Not Found", 0),
        (b"GET /metrics/ HTTP/1.1\r\n" + H, "404 Not Found", 0),
        (b"GET http://x/metrics HTTP/1.1\r\n" + H, "404 Not Found", 0),
        (b"POST /metrics HTTP/1.1\r\n" + H, "405 Method Not Allowed", 0),
        (b"get /metrics HTTP/1.1\r\n" + H, "405 Method Not Allowed", 0),
        (b"OPTIONS * HTTP/1.1\r\n" + H, "405 Method Not Allowed", 0),
        (b"GET /metrics HTTP/2.0\r\n" + H, "505 HTTP Version Not Supported", 1),
        (b"GET /metrics\r\n" + H, "400 Bad Request", 1),
        (b"GET  /metrics HTTP/1.1\r\n" + H, "400 Bad Request", 1),
        (b"GET /metrics HTTP/1.1 \r\n" + H, "400 Bad Request", 1),
        (b"GET /metrics HTTP/1.\r\n" + H, "400 Bad Request", 1),
        (b"GET /met\0rics HTTP/1.1\r\n" + H, "400 Bad Request", 1),
        (b"GET /\xffmetrics HTTP/1.1\r\n" + H, "400 Bad Request", 1),
        (b" GET /metrics HTTP/1.1\r\n" + H, "400 Bad Request", 1),
        (b"\r\n\r\n", "400 Bad Request", 1),
        (b"GET /metrics HTTP/1.1\r\n\r\n", "400 Bad Request", 1),
        (b"GET /metrics HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "400 Bad Request", 1),
        (b"GET /metrics HTTP/1.1\r\nHost : x\r\n\r\n", "400 Bad Request", 1),
        (b"GET /metrics HTTP/1.1\r\n folded\r\n\r\n", "400 Bad Request", 1),
        (b"GET /metrics HTTP/1.1\r\nHost: a\0b\r\n\r\n", "400 Bad Request", 1),
        (b"GET /metrics HTTP/1.1\r\nHost: x\r\n", "400 Bad Request", 1),
        (b"GET /metrics HTTP/1.1\r\nHo", "400 Bad Request", 1),
        (b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\n" + H, "414 URI Too Long", 1),
        (b"GET /metrics HTTP/1.1\r\nA: " + b"x" * 5000 + b"\r\n" + H,
         "431 Request Header Fields Too Large", 1),
        (b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 101 + H,
         "431 Request Header Fields Too Large", 1),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400 Bad Request", 1),
    ],
)
def test_what_is_refused(stand, data, code, status):
    """superd is not asked."""
    reply, program = stand.exchange("tcp", "metrics", data, "-s", "/nonexistent/socket")
    line, fields, body = split(reply)
    assert line == "HTTP/1.1 " + code
    assert body.endswith(b"\n") and fields["Connection"] == "close"
    assert ("Allow" in fields) == (code.startswith("405"))
    assert program.status() == status
    assert bool(program.log()) == (status == 1)


def test_a_client_that_says_nothing(stand):
    reply, program = stand.exchange("tcp", "metrics", b"")
    assert reply == b"" and program.status() == 0


def test_a_slow_request_is_given_up(stand):
    """Sent byte by byte it takes no longer than silence."""
    client, server = drive.tcp_pair()
    program = stand.start("metrics", "-t", "1", "-s", "/nonexistent/socket", stdin=server)
    server.close()
    client.sendall(b"GET /metrics")
    reply = drive.read_all(client)
    client.close()
    assert reply.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert program.status() == 1


@pytest.mark.parametrize(
    "answer, why",
    [
        (b"", "superd gave no answer"),
        (b'{"ok": false, "error": "permission denied"}\n', "permission denied"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1"),
        (b'{"ok": true, "metrics": 3}\n', '"metrics": 3'),
    ],
)
def test_a_superd_that_refuses(stand, control, answer, why):
    path = control(answer)
    reply, program = stand.exchange("tcp", "metrics", GET, "-s", path)
    line, _, body = split(reply)
    assert line == "HTTP/1.1 503 Service Unavailable" and b"superd cannot be asked" in body
    assert why.encode() not in body, "what superd says is for the log"
    assert program.status() == 75
    assert why in program.log()


@pytest.mark.parametrize(
    "path, why", [("/nonexistent/socket", "No such file"), ("/" + "x" * 200, "too long")]
)
def test_no_superd(stand, path, why):
    reply, program = stand.exchange("tcp", "metrics", GET, "-s", path)
    assert split(reply)[0] == "HTTP/1.1 503 Service Unavailable"
    assert program.status() == 75 and why in program.log()


@pytest.mark.parametrize(
    "answer",
    [
        b'{"ok": true, "metrics": "x 1\\n',
        b'{"ok": true, "metrics": "x 1\\n"',
        b'{"ok": true, "metrics": "x 1\\n"}',
        b'{"ok": true, "metrics": "x 1\\n", "more": 1}\n',
        b'{"ok": true, "metrics": "x 1\\q"}\n',
        b'{"ok": true, "metrics": "x 1\\u12',
        b'{"ok": true, "metrics": "x 1\\u20ac"}\n',
        b'{"ok": true, "metrics": "x 1\\uzzzz"}\n',
        b'{"ok": true, "metrics": "',
        b'{"ok": true, "metrics": "\\',
    ],
)
def test_an_answer_that_is_cut_is_not_ended(stand, control, answer):
    """Without its last chunk a scraper knows that it is not whole."""
    path = control(answer)
    reply, program = stand.exchange("tcp", "metrics", GET, "-s", path)
    assert reply.startswith(b"HTTP/1.1 200 OK") and not reply.endswith(b"0\r\n\r\n")
    assert program.status() == 75 and "control socket" in program.log()


def test_a_large_answer_in_any_pieces(stand, control):
    """Escapes lie across every boundary of the buffers."""
    text = "".join(f'a{{b="\\"{i}\\\\"}} {i}\n\t\x01' for i in range(60000)) + "# EOF\n"

    def dribble(client):
        data = answer_of(text)
        size = 1
        while data:
            client.sendall(data[:size])
            data = data[size:]
            size = size % 9001 + 1

    path = control(dribble)
    reply, program = stand.exchange("tcp", "metrics", GET, "-s", path)
    assert split(reply)[2].decode() == text
    assert program.status() == 0


def test_a_reader_that_leaves(stand, control):
    def send(client):
        try:
            client.sendall(answer_of("x" * (1 << 22)))
        except OSError:
            pass

    path = control(send)
    client, server = drive.tcp_pair()
    program = stand.start("metrics", "-s", path, stdin=server)
    server.close()
    client.sendall(GET)
    assert client.recv(10) == b"HTTP/1.1 2"
    drive.reset(client)
    assert program.status() == 1
    assert "write" in program.log()


@pytest.mark.parametrize("words", [["-s", "relative"], ["-x"], ["operand"]])
def test_usage(stand, words):
    _, program = stand.pipes("metrics", *words)
    assert program.status() == 2
