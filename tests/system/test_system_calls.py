"""
What a connection costs in system calls, counted by strace, in superd and in the new process up to
its exec.  A call that is added fails this test; the counts are printed (pytest -s shows them).

The list is the design's: in superd one accept4, one clone and one close for each connection, one
wait4 for each program, and for each turn of the loop at most one select, one read of the signal
descriptor, one wait4 that finds nothing more, one accept4 that finds nobody more, one write of the
log; and once a second its own peak of memory, and a pipe for the programs' standard error after a
second without any.  In the new process two close_range, three dup3, setsid, rt_sigaction, rt_sigprocmask, execve,
and what the configuration asks for (here: no core file).
"""

import collections
import os
import pwd
import re
import shutil
import subprocess
import time

import pytest

import stand

AT_ONCE = 16
ROUNDS = -(-int(os.environ.get("SUPERD_TRACE_CONNECTIONS", "192")) // AT_ONCE)
CONNECTIONS = ROUNDS * AT_ONCE
WARM_UP = 2 * AT_ONCE  # what is allocated once is there after these
CALL = re.compile(r"^(\w+)\((.*)\)\s+= (-?\w+)(.*)$")
SIGINFO = 128  # bytes of a signalfd_siginfo
STOP_SIGNAL = r'"\17\0\0\0'  # SIGTERM, as the signal descriptor tells it

EACH_CONNECTION = {"accept4": 1, "clone": 1, "close": 1, "wait4": 1}
EACH_TURN = {"pselect6": 1, "read": 1, "wait4": 1, "accept4": 1, "write": 1}
EACH_SECOND = {"getrusage": 1, "pipe2": 1, "fcntl": 3}
CLOSED_WITH_PIPE = 3  # both ends, and the reading one before it was moved up
CHILD = {
    "close_range": 2,
    "dup3": 3,
    "setsid": 1,
    "prlimit64": 1,
    "rt_sigaction": 1,
    "rt_sigprocmask": 1,
    "execve": 1,
}
if os.geteuid() == 0 and os.getpriority(os.PRIO_PROCESS, 0) != 0:
    CHILD["setpriority"] = 1  # superd runs niced here, its programs do not
# vm: close_range a first time, for a table of its own; fork: the C library's own, and when the exec
# began, which superd cannot see of a process that shares nothing with it.
CHILD_OF = {"vm": {}, "fork": {"set_robust_list": 1, "clock_gettime": 1}}


class Call:
    """One line of a trace."""

    def __init__(self, name, arguments, result):
        self.name = name
        self.arguments = arguments
        self.failed = result.startswith("-")
        self.result = int(result) if result.lstrip("-").isdigit() else None

    @property
    def for_connection(self):
        """Whether it does something for one connection, not for the turn."""
        if self.name in ("accept4", "wait4"):
            return not self.failed and self.result != 0
        return self.name in ("clone", "close")


def read_trace(path):
    calls = []
    for line in path.read_text(errors="replace").splitlines():
        found = CALL.match(line)
        if found:
            calls.append(Call(found[1], found[2], found[3]))
        else:
            assert line.startswith(("+++", "---")) or "exit_group" in line, line
    return calls


@pytest.fixture
def strace(tmp_path, sanitized, counted):
    """The words before a command that leave a file for each process, trace.PID."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    if sanitized:
        pytest.skip("a build with sanitizers makes system calls of its own")
    if counted:
        pytest.skip("a build that counts lines writes its counters when a program ends")
    trial = subprocess.run(
        ["strace", "-o", str(tmp_path / "trial"), "true"], capture_output=True, text=True, check=False
    )
    if trial.returncode:
        pytest.skip(f"strace may not trace here: {trial.stderr.strip()}")
    return ["strace", "-D", "-ff", "-o", str(tmp_path / "trace")]


def serve(port, count):
    """So many connections, AT_ONCE of them at a time."""
    for _ in range(count // AT_ONCE):
        clients = [stand.connect(port) for _ in range(AT_ONCE)]
        for client in clients:
            with client:
                assert stand.read_all(client)


def connection_calls(calls):
    """superd's calls from the first accepted connection after the warm-up to the end of all."""
    accepted, begin = 0, None
    for index, call in enumerate(calls):
        if call.name == "accept4" and call.for_connection:
            accepted += 1
            if accepted == WARM_UP + 1:
                begin = index
        if call.name == "read" and STOP_SIGNAL in call.arguments:
            return calls[begin:index]
    raise AssertionError("the trace has no end")


def print_counts(title, counts, connections):
    print(f"\n{title}, calls a connection ({connections} connections):")
    for name, count in counts.most_common():
        print(f"  {name:<16} {count / connections:6.2f}")
    print(f"  {'all':<16} {sum(counts.values()) / connections:6.2f}")


def turns_of(calls):
    """Each turn of the loop ends with the select before the next one."""
    turns = [[]]
    for call in calls:
        turns[-1].append(call)
        if call.name == "pselect6":
            turns.append([])
    return turns


def check_turn(before, turn):
    """before: the select that the turn came from."""
    names = [c.name for c in turn if not c.for_connection and c.name not in EACH_SECOND]
    counts = collections.Counter(names)
    most = collections.Counter(EACH_TURN)
    told = sum(call.result for call in turn if call.name == "read" and not call.failed)
    most["wait4"] = max(1, told // SIGINFO)  # two may end while the one read tells of the first
    extra = counts - most
    assert not extra, f"in one turn: {dict(counts)}"
    if [call.name for call in turn] == ["pselect6"]:
        assert before is None or before.result == 0, "superd woke up for nothing"


def check_superd(calls, seconds):
    """Nothing but the list, and of it no more."""
    before = None
    for turn in turns_of(calls):
        check_turn(before, turn)
        before = turn[-1] if turn else None
    counts = collections.Counter(call.name for call in calls if call.name in EACH_SECOND)
    for name, count in counts.items():
        assert count <= EACH_SECOND[name] * (seconds + 1), f"{count} x {name} in {seconds:.1f} s"
    pipes = counts["pipe2"]
    counts = collections.Counter(call.name for call in calls if call.for_connection)
    counts["close"] -= min(counts["close"], CLOSED_WITH_PIPE * (pipes + 1))
    for name, count in counts.items():
        # The last ones of the warm-up end within what is counted.
        most = CONNECTIONS * EACH_CONNECTION[name] + AT_ONCE
        assert count <= most, f"{count} x {name} for {CONNECTIONS} connections"
    assert counts["accept4"] == counts["clone"] == CONNECTIONS


def check_children(folder, calls, spawn):
    total = collections.Counter()
    pids = [call.result for call in calls if call.name == "clone"]
    for pid in pids:
        names = []
        for call in read_trace(folder / f"trace.{pid}"):
            names.append(call.name)
            if call.name == "execve" and not call.failed:
                break
        assert names[-1] == "execve", names
        counts = collections.Counter(names)
        extra = counts - collections.Counter(CHILD) - collections.Counter(CHILD_OF[spawn])
        assert not extra, f"added to a new process: {dict(extra)} in {names}"
        total += counts
    return total, len(pids)


@pytest.mark.parametrize("spawn", ["vm", "fork"])
def test_system_calls(superd, services, strace, tmp_path, spawn, capsys):
    port = stand.free_port()
    user = pwd.getpwuid(os.getuid()).pw_name
    daemon = superd(
        f'log {{ to = file file = "{tmp_path}/log" events = {{ accept, refuse, exit, error }} }}\n'
        f"service s {{ listen = 127.0.0.1:{port} exec = {services}/daytime user = {user}"
        " no-new-privileges = no }",
        "--loop=select",
        f"--spawn={spawn}",
        wrapper=strace,
    )
    began = time.monotonic()
    serve(port, WARM_UP + CONNECTIONS)
    daemon.wait_idle()
    seconds = time.monotonic() - began
    trace = tmp_path / f"trace.{daemon.pid}"
    daemon.stop()
    stand.poll("the end of the trace", lambda: "+++ exited" in trace.read_text(errors="replace"))
    calls = connection_calls(read_trace(trace))
    children, count = check_children(tmp_path, calls, spawn)
    with capsys.disabled():
        counts = collections.Counter(call.name for call in calls)
        print_counts(f"superd ({spawn})", counts, CONNECTIONS)
        print_counts(f"the new process ({spawn})", children, count)
    check_superd(calls, seconds)
