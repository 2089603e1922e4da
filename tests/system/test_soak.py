# tests/run: alone
"""The mixed soak in haste: every kind of fault once, beside load, so that it cannot rot.

make soak runs it for half an hour; tests/soak/soak says what it does.
"""

import os
import signal
import subprocess
import sys

import pytest

DEADLINE = 300  # against hanging


@pytest.mark.parametrize("kinds", ["select+vm", "epoll+fork"])
def test_every_fault_once_beside_load(build, source, sanitized, kinds):
    command = [sys.executable, source / "tests/soak/soak", f"--build={build}", "--seconds=0"]
    command += [f"--kinds={kinds}", f"--rate={20 if sanitized else 100}", "--verbose"]
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
