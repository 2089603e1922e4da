"""
Every reason that a connection is refused for, as a superd that refuses all of them: shared by
the quick test (test_refuse.py) and the long measurement (tests/bench/refuse).
"""

import json
import re
import subprocess
import time
from typing import NamedTuple

import stand

SOURCES = 50000  # 127.1.0.1 and up; with a rate or a limit for each source all of 127.0.0.0/8 is one
FIRST_SOURCE = "127.1.0.1"
HOLDER = "127.0.0.9"


class Reason(NamedTuple):
    """What makes superd refuse, and how many sessions have to be open (or over) for it."""

    limits: str = ""
    acl: str = ""
    top: str = ""
    held: int = 0
    spent: int = 0


def closed_hours():
    """A day that is neither yesterday, today nor tomorrow."""
    near = {time.strftime("%a", time.localtime(time.time() + d * 86400)) for d in (-1, 0, 1)}
    return next(d for d in "Mon Tue Wed Thu Fri Sat Sun".split() if d not in near)


REASONS = {
    "acl": Reason(acl="allow = 192.0.2.0/24"),
    "hours": Reason(acl=f'hours = "{closed_hours()}"'),
    "load": Reason(limits="load = 0.001"),
    "full": Reason(limits="instances = 1 on-full = refuse", held=1),
    "global-full": Reason(top="max-instances = 1", limits="on-full = refuse", held=1),
    "per-source": Reason(limits="per-source = 1 source-prefix4 = 8", held=1),
    "per-source-rate": Reason(
        limits="per-source-rate = 1/1d burst = 1 source-prefix4 = 8", spent=1
    ),
    "rate": Reason(limits="rate = 1/1d burst = 1", spent=1),
}


def config(reason, port, program):
    """The configuration of a superd that refuses for that reason."""
    return (
        f"log {{ {stand.TELL_ALL} }}\n{reason.top}\n"
        f"service s {{ listen = 127.0.0.1:{port} exec = {{ {program} }}\n"
        + (f"  limits {{ {reason.limits} }}\n" if reason.limits else "")
        + (f"  acl {{ {reason.acl} }}\n" if reason.acl else "")
        + "}\n"
    )


def occupy(reason, port):
    """Opens (or uses up) what it takes; returns the sessions that are to be kept."""
    held = [stand.connect(port, source=HOLDER) for _ in range(reason.held)]
    for client in held:
        client.sendall(b"?")
        assert client.recv(1) == b"?"
    for _ in range(reason.spent):
        assert stand.ask(port, b"?", source=HOLDER) == b"?"
    return held


def connect(build, port, count, window=256):
    """So many connections at full speed; the generator's figures."""
    command = [build / "tests/bench/crowd", "-s", FIRST_SOURCE, "-n", SOURCES, "-w", window]
    command += ["-c", count, "127.0.0.1", port]
    done = subprocess.run(
        [str(word) for word in command], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def refused(daemon, reason):
    """How many refusals for that reason the log tells of."""
    return sum(int(event["count"]) for event in daemon.events("refuse", reason=reason))


def memory_kib(pid):
    """What the process itself has filled: neither files nor shared memory."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"^RssAnon:\s+(\d+) kB", file.read(), re.M).group(1))


def cpu_seconds(pid):
    """Processor time of superd, and of the programs that it has reaped."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return sum(map(int, fields[11:15])) / 100
