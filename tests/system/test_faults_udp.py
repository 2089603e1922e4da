"""Datagrams through superd: nothing that echoes for ever, nothing that is started for ever."""

import socket
import struct
import time

import pytest

import faults
import stand


def service(port, program, more="", name="sick"):
    return f"service {name} {{ listen = udp:127.0.0.1:{port} exec = {program} {more} }}\n"


def udp(port=None):
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(stand.DEADLINE)
    if port is not None:
        client.connect(("127.0.0.1", port))
    return client


@faults.needs_net
@pytest.mark.parametrize("names", ["echo echo", "echo chargen", "chargen echo"])
def test_forged_source(superd, services, names):
    """A datagram that seems to come from another such service: two packets at most, then silence."""
    one, two = names.split()
    ports = {"echo": 7, "chargen": 19}
    here, there = "127.0.0.1", "127.0.0.1" if one != two else "127.0.0.2"
    daemon = superd(
        f"{faults.LOG}service-directory = {services}\n"
        f"service one {{ listen = udp:{here}:{ports[one]} exec = {{ {one}, -t, 1 }} stderr = null }}\n"
        f"service two {{ listen = udp:{there}:{ports[two]} exec = {{ {two}, -t, 1 }} stderr = null }}\n",
        wrapper=["unshare", "-n", "/bin/sh", "-ec", 'ip link set lo up\nexec "$@"', "sh"],
    )

    def play():
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
            forge((there, ports[two]), (here, ports[one]))
            stand.poll("it is there", lambda: daemon.events("accept", service="one"))
            faults.pause(0.5)
            return count_packets(raw)

    assert 1 <= faults.inside(daemon.pid, ["net"], play) <= 2
    daemon.wait_idle()


def forge(source, target, data=b"ping"):
    """A datagram to target that seems to be sent by source."""
    header = struct.pack("!HHHH", source[1], target[1], 8 + len(data), 0)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
        raw.bind((source[0], 0))
        raw.sendto(header + data, (target[0], 0))


def count_packets(raw):
    """The UDP packets that a raw socket has seen."""
    raw.setblocking(False)
    count = 0
    while True:
        try:
            raw.recv(65536)
            count += 1
        except BlockingIOError:
            return count


@pytest.mark.parametrize("size", [0, 1, 65507])
def test_sizes(patient, size):
    port = stand.free_port()
    sick = patient(service(port, "{ echo, -t, 1 }"))
    with udp(port) as client:
        client.send(b"x" * size)
        assert client.recv(70000) == b"x" * size
    stand.poll("it has ended", lambda: not sick.daemon.children())
    sick.health()


def test_no_amplification(patient):
    """No answer of a datagram service is larger than what asked for it, but for the clocks."""
    names = ("echo", "chargen", "sum", "discard")
    ports = {name: stand.free_port() for name in names}
    sick = patient(
        "".join(service(ports[n], f"{{ {n}, -t, 1 }}", "", n) for n in names)
    )
    for name in names:
        for asked in (b"", b"7", b"1 2\n", b"x" * 100):
            with udp(ports[name]) as client:
                client.settimeout(0.2)
                client.send(asked)
                try:
                    answer = client.recv(70000)
                except TimeoutError:
                    continue
                assert name == "sum" or len(answer) <= len(asked), (name, asked, answer)
                assert len(answer) <= max(len(asked), len(b"input error\n"))
    stand.poll("they have ended", lambda: not sick.daemon.children())
    sick.health()


@faults.needs_net
def test_broadcast_and_multicast(superd, services):
    """Nobody answers what was sent to all."""
    port, well = stand.free_port(), stand.free_port()
    daemon = superd(
        f"{faults.LOG}service-directory = {services}\n"
        f"service sick {{ listen = udp:{port} exec = {{ echo, -t, 1 }} }}\n"
        f"service well {{ listen = {well} exec = echo }}\n",
        wrapper=["unshare", "-n", "/bin/sh", "-ec"]
        + [
            "ip link set lo up\nip addr add 10.9.8.7/24 brd 10.9.8.255 dev lo\n"
            'ip route add 224.0.0.0/4 dev lo\nexec "$@"',
            "sh",
        ],
    )

    def shout():
        answers = []
        for address in ("10.9.8.255", "127.255.255.255", "224.0.0.1", "255.255.255.255"):
            with udp() as client:
                client.settimeout(0.2)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                try:
                    client.sendto(b"hello", (address, port))
                    client.recv(100)
                    answers.append(address)
                except OSError:
                    pass
        return answers

    assert faults.inside(daemon.pid, ["net"], shout) == []

    def talk():
        with udp(port) as client:
            client.send(b"x")
            return client.recv(10) == b"x" and stand.ask(well, b"y") == b"y"

    assert faults.inside(daemon.pid, ["net"], talk)
    assert daemon.events("accept", service="sick"), "it was started, and kept silent"


def test_a_program_that_leaves_its_datagram(patient):
    """It is started a few times and then less and less often; the others do not notice."""
    port = stand.free_port()
    sick = patient(service(port, "/bin/true"))
    with udp(port) as client:
        client.send(b"x")
        sick.daemon.wait_event("state", service="sick", state="throttled")
        before = len(sick.daemon.events("accept", service="sick"))
        began = time.monotonic()
        sick.look()
        starts = len(sick.daemon.events("accept", service="sick")) - before
        assert starts <= 1 + time.monotonic() - began
    sick.health()
