"""What a program is and has, on every way to it and for every option: equal to the configuration.

Each row of OPTIONS is served over each way of WAYS by both kinds of spawn; the program (probe)
writes down what it got, and all of it is compared.
"""

import os
import pwd
import resource
import socket

import pytest

import faults
import stand

USER = 54321

RESOURCES = {
    "cpu": resource.RLIMIT_CPU,
    "memory": resource.RLIMIT_AS,
    "processes": resource.RLIMIT_NPROC,
    "open-files": resource.RLIMIT_NOFILE,
    "file-size": resource.RLIMIT_FSIZE,
    "core-size": resource.RLIMIT_CORE,
    "stack": resource.RLIMIT_STACK,
}


def most_processes():
    """A limit that counts all programs of the user, those of tests beside this one, too."""
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    return 20000 if hard == resource.RLIM_INFINITY else min(hard, 20000)


PROCESSES = most_processes()


class Way:
    """One way from a client to a program."""

    def __init__(self, name, endpoint, kind, family=socket.AF_INET, wait=False):
        self.name = name
        self.endpoint = endpoint
        self.kind = kind
        self.family = family
        self.is_wait = wait

    def place(self, folder):
        """(endpoint for the configuration, address for a client)."""
        if self.family == socket.AF_UNIX:
            path = f"{folder}/{self.name}"
            return self.endpoint.format(path), path
        port = stand.free_port()
        host = "::1" if self.family == socket.AF_INET6 else "127.0.0.1"
        return self.endpoint.format(port), (host, port)

    def come(self, address):
        """A client that wants nothing but to have been here; the caller's to close."""
        client = socket.socket(self.family, self.kind)
        client.settimeout(stand.DEADLINE)
        client.connect(address)
        if self.kind == socket.SOCK_DGRAM:
            client.send(b"x")
        return client


WAYS = [
    Way("tcp", "127.0.0.1:{}", socket.SOCK_STREAM),
    Way("tcp6", '"[::1]:{}"', socket.SOCK_STREAM, socket.AF_INET6),
    Way("unix", "unix:{}", socket.SOCK_STREAM, socket.AF_UNIX),
    Way("packet", "unix-seqpacket:{}", socket.SOCK_SEQPACKET, socket.AF_UNIX),
    Way("tcp-wait", "{}", socket.SOCK_STREAM, wait=True),
    Way("unix-wait", "unix:{}", socket.SOCK_STREAM, socket.AF_UNIX, wait=True),
    Way("udp", "udp:127.0.0.1:{}", socket.SOCK_DGRAM, wait=True),
    Way("udp6", '"udp:[::1]:{}"', socket.SOCK_DGRAM, socket.AF_INET6, True),
    Way("unix-dgram", "unix-dgram:{}", socket.SOCK_DGRAM, socket.AF_UNIX, True),
]

NOBODY = pwd.getpwnam("nobody")
OWN = (os.getuid(), os.getgid()) if not faults.IS_ROOT else (NOBODY.pw_uid, NOBODY.pw_gid)


class Row:
    """Options of a service, and what they make of a program."""

    def __init__(self, text="", uid=OWN[0], gid=OWN[1], groups=None, **want):
        self.text = text
        self.uid, self.gid = uid, gid
        self.groups = groups
        self.want = {"no_new_privileges": 1, "umask": 0o022, "nice": 0, "cwd": "/", "limits": {}}
        self.want.update(want)

    def options(self, way):
        """As the service has them: where there is no client, it can only inherit its stderr."""
        return "use = row" if way.is_wait and "stderr = client" in self.text else self.text


OPTIONS = {
    "defaults": Row(),
    "limits": Row(
        f"limits {{ cpu = 7s memory = 200M processes = {PROCESSES} open-files = 33 file-size = 1M"
        " core-size = 2M stack = 4M }",
        limits={
            "cpu": 7,
            "memory": 200 << 20,
            "processes": PROCESSES,
            "open-files": 33,
            "file-size": 1 << 20,
            "core-size": 2 << 20,
            "stack": 4 << 20,
        },
    ),
    "open-files": Row("limits { open-files = 999 }", limits={"open-files": 999}),
    "umask nice directory": Row(
        "umask = 027 nice = 5 directory = /tmp", umask=0o027, nice=5, cwd="/tmp"
    ),
    "umask 0": Row("umask = 0", umask=0),
    "new privileges": Row("no-new-privileges = no", no_new_privileges=0),
    "stderr null": Row("stderr = null"),
    "stderr client": Row("stderr = client"),
}
IDENTITIES = {
    "user": Row(f"user = {USER}", uid=USER, gid=USER),
    "user group": Row(f"user = {USER} group = 54322", uid=USER, gid=54322),
    "user group groups": Row(
        f"user = {USER} group = 54322 groups = {{ 54323, 54324 }}",
        uid=USER,
        gid=54322,
        groups=[54323, 54324],
    ),
    "user by name": Row("user = daemon", uid=1, gid=pwd.getpwuid(1).pw_gid),
    "root": Row("user = root", uid=0, gid=0, no_new_privileges=0),
    "root no new privileges": Row("user = root no-new-privileges = yes", uid=0, gid=0),
    "root group": Row("user = root group = 54322 groups = { 54323 }", uid=0, gid=54322,
                      groups=[54323], no_new_privileges=0),
    "everything": Row(
        f"user = {USER} group = 54322 groups = {{ 54323 }} umask = 077 nice = 3 directory = /tmp"
        f" limits {{ memory = 200M open-files = 40 processes = {PROCESSES} }}",
        uid=USER,
        gid=54322,
        groups=[54323],
        umask=0o077,
        nice=3,
        cwd="/tmp",
        limits={"memory": 200 << 20, "open-files": 40, "processes": PROCESSES},
    ),
}  # fmt: skip
if faults.IS_ROOT:
    OPTIONS.update(IDENTITIES)


def report_of(path):
    """What the probe wrote down."""
    stand.poll(f"{path.name}", path.exists)
    fields = {}
    for line in path.read_text().splitlines():
        key, _, value = line.partition("=")
        fields[key] = value
    assert fields["end"] == "1"
    return fields


def check_identity(row, got):
    assert got["Uid"] == " ".join([str(row.uid)] * 4)
    assert got["Gid"] == " ".join([str(row.gid)] * 4)
    if faults.IS_ROOT:
        assert sorted(map(int, got["Groups"].split())) == (row.groups or [])
    assert got["NoNewPrivs"] == str(row.want["no_new_privileges"])
    assert int(got["CapAmb"], 16) == 0
    if row.uid != 0:
        assert int(got["CapEff"], 16) == int(got["CapPrm"], 16) == 0


def check_limits(row, got, started_with):
    for name, number in RESOURCES.items():
        soft, hard = started_with[number]
        if name == "core-size":
            soft = hard = 0
        if name in row.want["limits"]:
            soft = hard = row.want["limits"][name]
        assert got[f"limit.{name}"] == f"{soft},{hard}", name


def check_surroundings(row, got, daemon):
    assert got["umask"] == f"{row.want['umask']:03o}"
    as_it_is = 0 if os.geteuid() == 0 else os.getpriority(os.PRIO_PROCESS, 0)  # may not be raised
    assert got["nice"] == str(row.want["nice"] or as_it_is)
    assert got["cwd"] == row.want["cwd"]
    for mask in ("SigBlk", "SigIgn", "SigPnd"):
        assert int(got[mask], 16) == 0, mask
    assert got["pid"] == got["sid"] == got["pgid"] and int(got["ppid"]) == daemon.pid


def check_descriptors(row, way, got):
    numbers = {key[3:] for key in got if key.startswith("fd.")}
    sockets = {"0", "1"}
    if way.is_wait:
        count = int(got["env.LISTEN_FDS"])
        sockets |= {str(3 + number) for number in range(count)}
        assert count == (2 if way.name == "tcp-wait" else 1)
        assert got["fd.0"] == got["fd.3"]
    assert numbers == sockets | {"2"}
    assert all(got[f"fd.{number}"].startswith("socket:") for number in sockets)
    assert got["fd.0"] == got["fd.1"]
    if "stderr = null" in row.text:
        assert got["fd.2"] == "/dev/null"
    elif "stderr = client" in row.text and not way.is_wait:
        assert got["fd.2"] == got["fd.0"]
    else:
        assert got["fd.2"].startswith("pipe:")


def check_environment(way, got, address, client, name):
    env = {key[4:]: value for key, value in got.items() if key.startswith("env.")}
    for variable in ("PATH", "LANG", "TZ"):
        assert env.pop(variable, None) == os.environ.get(variable)
    assert env.pop("PROBE_OUT")
    assert int(env.pop("SUPERD_CONN_ID"), 16) > 0
    want = {"PROTO": "UDP" if way.kind == socket.SOCK_DGRAM else "TCP", "SUPERD_SERVICE": name}
    if way.family == socket.AF_UNIX:
        want["PROTO"] = "UNIX"
    if way.is_wait:
        count = 2 if way.name == "tcp-wait" else 1
        want["LISTEN_FDS"] = str(count)
        want["LISTEN_PID"] = got["pid"]
        want["LISTEN_FDNAMES"] = ":".join([name] * count)
    elif way.family == socket.AF_UNIX:
        want["UNIXREMOTEPID"] = str(os.getpid())
        want["UNIXREMOTEEUID"] = str(os.geteuid())
        want["UNIXREMOTEEGID"] = str(os.getegid())
    else:
        host, port = client
        want.update(TCPREMOTEIP=host, REMOTE_ADDR=host, TCPCONNNUM="0")
        want.update(TCPREMOTEPORT=str(port), REMOTE_PORT=str(port))
        want.update(TCPLOCALIP=address[0], TCPLOCALPORT=str(address[1]))
    assert env == want


@pytest.mark.parametrize("spawn", ["vm", "fork"])
@pytest.mark.parametrize("options", OPTIONS)
def test_a_program_is_what_the_configuration_says(superd, probe, tmp_path, out, options, spawn):
    row = OPTIONS[options]
    places = {way: way.place(tmp_path) for way in WAYS}
    config = f"template row {{ {row.text} }}\n" + "".join(
        f"service {way.name} {{ listen = {places[way][0]} wait = {'yes' if way.is_wait else 'no'}"
        f" exec = {{ {probe}, {'take' if way.is_wait else 'report'} }} {row.options(way)}"
        f' env {{ PROBE_OUT = "{out}/{way.name}" }} }}\n'
        for way in WAYS
    )
    started_with = {number: resource.getrlimit(number) for number in RESOURCES.values()}
    daemon = superd(faults.LOG + config, f"--spawn={spawn}")
    for way in WAYS:
        address = places[way][1]
        with way.come(address) as client:
            name = client.getsockname()[:2] if way.family != socket.AF_UNIX else None
            got = report_of(out / way.name)
        try:
            check_identity(row, got)
            check_limits(row, got, started_with)
            check_surroundings(row, got, daemon)
            check_descriptors(row, way, got)
            check_environment(way, got, address, name, way.name)
        except AssertionError as error:
            raise AssertionError(f"over {way.name}: {error}") from error
    stand.poll("all have ended", lambda: not daemon.children())


@faults.needs_root
def test_an_ordinary_superd_never_takes_another_identity(superd, probe):
    """user = another where superd is not root: an error at the start, not a wrong identity."""
    for text in ("user = root", "user = nobody", "group = root", "groups = { root }"):
        config = f"service p {{ listen = {stand.free_port()} exec = {probe} {text} }}"
        daemon = superd(
            config,
            ready=False,
            check=False,
            wrapper=faults.as_user(USER),
        )
        assert daemon.process.wait(stand.DEADLINE) == 1, text
        assert "superd.conf:1" in daemon.log_text()


@faults.needs_root
@pytest.mark.parametrize("spawn", ["vm", "fork"])
def test_ambient_capabilities_are_superds_alone(superd, probe, out, spawn):
    """What superd holds to bind low ports no program inherits."""
    port = stand.free_port()
    daemon = superd(
        f'service p {{ listen = {port} exec = {probe} env {{ PROBE_OUT = "{out}/p" }} }}',
        f"--spawn={spawn}",
        wrapper=faults.as_user(
            USER, "--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"
        ),
    )
    with open(f"/proc/{daemon.pid}/status", encoding="ascii") as file:
        assert "CapAmb:\t0000000000000400\n" in file.read()
    assert stand.ask(port) == b""
    got = report_of(out / "p")
    assert got["Uid"] == " ".join([str(USER)] * 4)
    assert {int(got[key], 16) for key in ("CapAmb", "CapEff", "CapPrm")} == {0}


STEPS = {
    "setgroups": "groups",
    "setresgid": "group",
    "setresuid": "user",
    "prctl": "no-new-privileges",
    "prlimit64": "limit",
    "setpriority": "nice",
    "chroot": "chroot",
    "chdir": "directory",
    "rt_sigprocmask": "signals",
}


@faults.needs_root
@faults.needs_strace
@pytest.mark.parametrize("call", STEPS)
def test_a_step_that_fails_leaves_the_program_unstarted(superd, build, out, call):
    """Each step towards the configured identity is checked: no program with half of one."""
    probe = build / "tests/system/probe"
    port = stand.free_port()
    root = "root = /" if call == "chroot" else ""
    daemon = superd(
        f"{faults.LOG}service p {{ listen = {port} exec = {probe} {root} user = {USER}"
        f" groups = {{ 54323 }} nice = 2 stderr = null directory = /tmp limits {{ open-files = 40 }}"
        f' env {{ PROBE_OUT = "{out}/p" }} }}'
    )
    with faults.traced(daemon.pid, call, "error=EPERM"):
        assert stand.ask(port) == b""
        event = daemon.wait_event("error", service="p")
    assert event["step"] == STEPS[call] and event["error"] == faults.errno_text("EPERM")
    assert not (out / "p").exists(), "it ran"
    stand.ask(port)
    report_of(out / "p")
    daemon.wait_idle()
