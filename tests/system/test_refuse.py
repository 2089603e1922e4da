"""
Refusals by the thousand, for every reason: each is counted, none costs memory. How much of the
processor they take beside serving is measured by tests/bench/refuse.
"""

import os

import pytest

import refusals
import stand

WARM_UP = 500
COUNT = 5000
MEMORY_KIB = 64


@pytest.mark.parametrize("name", refusals.REASONS)
def test_thousands_refused(superd, build, sanitized, name):
    reason = refusals.REASONS[name]
    if name == "load" and os.getloadavg()[0] < 0.01:
        pytest.skip("this machine has nothing to do: no load to refuse above")
    port = stand.free_port()
    daemon = superd(refusals.config(reason, port, "/bin/cat"))
    held = refusals.occupy(reason, port)
    refusals.connect(build, port, WARM_UP)
    memory = refusals.memory_kib(daemon.pid)
    figures = refusals.connect(build, port, COUNT)
    assert figures["closed"] + figures["reset"] == COUNT, figures
    stand.poll(
        "every refusal in the log", lambda: refusals.refused(daemon, name) == COUNT + WARM_UP
    )
    assert {event["reason"] for event in daemon.events("refuse")} == {name}
    assert len(daemon.events("refuse")) < 100  # summarised
    if not sanitized:  # a sanitizer keeps what was freed
        assert refusals.memory_kib(daemon.pid) - memory < MEMORY_KIB
    assert len(daemon.children()) == reason.held
    for client in held:
        client.close()
    daemon.wait_idle()
