"""The mixed soak in haste: every kind of fault once, beside load, so that it cannot rot.

make soak runs it for half an hour; tests/soak/soak says what it does.
"""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "soak"))

import tally  # pylint: disable=wrong-import-position

DEADLINE = 300  # against hanging


@pytest.mark.parametrize("kinds", ["select+vm", "epoll+fork"])
def test_every_fault_once_beside_load(build, source, sanitized, kinds):
    command = [sys.executable, source / "tests/soak/soak", f"--build={build}", "--seconds=0"]
    command += [f"--kinds={kinds}", f"--rate={20 if sanitized else 100}", "--verbose"]
    command += ["--gap=10"]  # against hanging: what else this machine does is not known
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
    assert process.returncode == 0 and output.endswith("good\n"), output


# --- what the soak's verdict is made of -----------------------------------------------------------

AT_REST = tally.Drift(0, 0, 0, 0, True)
WINDOW = tally.Window("no-process", 100.0, 101.0, {"": (tally.ORDERLY,)})
CHAT = tally.Window("wait-program-killed", 100.0, 101.0, {"chat": (tally.RESET,)})


def verdict(unanswered=(), windows=(WINDOW, CHAT), drift=AT_REST, gap=0.0):
    load = tally.Load()
    load.tried["echo"] = 1 + len(unanswered)
    load.answered["echo"] = 1
    load.unanswered = [tally.Ended(*one) for one in unanswered]
    load.longest = tally.Gap(gap, 99.5, 100.5)
    return tally.Verdict(load, tally.Sick(), list(windows), [AT_REST, drift], [])


def test_a_clean_run_is_good():
    assert not list(verdict().failures())


@pytest.mark.parametrize(
    "service, how, began, ended",
    [
        ("echo", tally.ORDERLY, 99.5, 100.1),
        ("echo", tally.ORDERLY, 100.9, 101.5),
        ("chat", tally.RESET, 90.0, 100.5),
    ],
)
def test_what_a_fault_may_cost_is_not_lost(service, how, began, ended):
    got = verdict([(service, how, began, ended)])
    assert not got.lost and sum(got.spared.values()) == 1 and not list(got.failures())


@pytest.mark.parametrize(
    "service, how, began, ended",
    [
        ("echo", tally.ORDERLY, 98.0, 99.9),  # before the fault
        ("echo", tally.ORDERLY, 101.1, 101.2),  # after it
        ("echo", tally.RESET, 100.1, 100.2),
        ("echo", tally.HANG, 95.0, 105.0),
        ("echo", tally.TORN, 100.1, 100.2),
        ("echo", tally.NOBODY, 100.1, 100.2),
        ("chat", tally.HANG, 95.0, 105.0),
    ],
)
def test_everything_else_is_lost(service, how, began, ended):
    got = verdict([(service, how, began, ended)])
    assert len(got.lost) == 1 and "lost" in "\n".join(got.failures())


@pytest.mark.parametrize(
    "what",
    [
        {"drift": AT_REST._replace(descriptors=1)},
        {"drift": AT_REST._replace(descriptors=-1)},
        {"drift": AT_REST._replace(memory_kib=1025)},
        {"drift": AT_REST._replace(zombies=1)},
        {"drift": AT_REST._replace(children=1)},
        {"drift": AT_REST._replace(same_pid=False)},
        {"gap": 1.01},
    ],
)
def test_drift_and_silence_are_failures(what):
    assert len(list(verdict(**what).failures())) == 1


class Clock:
    """Time passes when a test says so."""

    now = 100.0

    def __call__(self):
        return self.now


class Clients:
    """A load whose loop goes round every 10 ms."""

    def __init__(self):
        self.clock = Clock()
        self.load = tally.Load(self.clock)

    def run(self, seconds):
        for _ in range(round(seconds * 100)):
            self.clock.now += 0.01
            self.load.step()

    def stand(self, seconds):
        self.clock.now += seconds

    def longest(self):
        return round(self.load.longest.seconds, 3)


def test_the_longest_gap_is_between_two_signs():
    clients = Clients()
    clients.run(5)
    clients.load.sign()
    clients.run(2)
    clients.load.sign()
    clients.run(1)
    clients.load.sign()
    assert clients.longest() == 2
    gap = clients.load.longest
    assert (round(gap.began, 3), round(gap.ended, 3)) == (105, 107)
    assert clients.load.stood_most == 0


def test_a_rest_is_no_gap():
    clients = Clients()
    clients.load.sign()
    clients.load.rest()
    clients.run(2)
    clients.load.sign()
    assert clients.longest() == 0


@pytest.mark.parametrize("first", ["step", "sign"])
def test_where_the_clients_stood_nobody_came(first):
    """Whoever of the clients' threads wakes first."""
    clients = Clients()
    clients.load.sign()
    clients.run(0.3)
    clients.stand(4)
    for what in (first, "step", "sign"):
        getattr(clients.load, what)()
    clients.run(0.2)
    clients.load.sign()
    assert clients.longest() == 0.35
    assert (clients.load.stood_most, clients.load.stood_in_all) == (4, 4)


def test_lost_connections_of_a_fault_are_lost():
    got = verdict()
    got.sick.add("flood", "lost")
    assert "flood" in "\n".join(got.failures())
