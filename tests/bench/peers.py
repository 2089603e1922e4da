"""How each server is started so that all of them do the same for a connection.

A starter takes what is wanted and returns a running Server.  Limits on instances and rates are out
of the way everywhere, look-ups of names are off, and the measured service is the last one listed.
"""

import dataclasses
import os
import pathlib
import pwd
import subprocess

from goals import LIMITS
from packages import Packages
from server import Ports, Server, Tools, Unavailable, ask_stream

FIRST_FILLER_PORT = 12000  # below the range of clients' own ports
INSTANCES = 1000
BACKLOG = 1024
EVENTS = {True: "accept, refuse, exit, error", False: "error"}


@dataclasses.dataclass(frozen=True)
class Want:
    """What a server is to be: the program behind it, and what stands beside it."""

    program: tuple = ("hello",)  # a name of the build's tests/bench, or an absolute path; arguments
    log: bool = False  # an access log: who came, which process, how it ended, how long it took
    services: int = 1  # so many in all; the others are never asked
    ports: int = 0  # and so many ports of one more service
    wait: bool = False  # a datagram socket, which the program gets itself
    internal: str = ""  # a service that the server has built in
    hold: bool = False  # and one beside it that holds its connections
    block: str = ""  # more of the measured service's block; FOLDER is where the files are
    files: tuple = ()  # (name, text) of files that the block names
    options: tuple = ()  # of the command line
    ask: object = ask_stream


class Starter:
    """Starts any server by its name."""

    def __init__(self, tools: Tools):
        self.tools = tools
        self.packages = Packages(tools.build / "bench")
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.ports = Ports()
        self.filler_hosts = 0

    def start(self, peer, want):
        if (want.services > 1 or want.hold or want.wait) and peer not in MANY_SERVICES:
            raise Unavailable("has one service only")
        if want.log and peer not in ("superd", "xinetd"):
            raise Unavailable("its log is not measured")
        self.filler_hosts += 1
        return STARTERS[peer](self, want)

    def program(self, want):
        """The command line behind the service."""
        path = want.program[0]
        if not path.startswith("/"):
            path = str(self.tools.programs / path)
        if not os.access(path, os.X_OK):
            raise Unavailable(f"there is no {path}")
        return [path, *want.program[1:]]

    def fillers(self, want):
        """(number, address, port) of each service that nobody asks."""
        for number in range(want.services - 1):
            yield number, self.filler_address(), FIRST_FILLER_PORT + number

    def filler_address(self):
        """Of the server that is being started: no other has it."""
        return f"127.9.{self.filler_hosts}.1"

    def serve(self, command, want, folder, port, **more):
        """A server of several services."""
        for name, text in want.files:
            (folder / name).write_text(text)
        count = want.services + want.ports
        server = Server(command, port, folder, services=count, ask=want.ask, **more)
        server.filler_address = self.filler_address()
        return server

    def control_socket(self, folder):
        """The line that keeps several superds apart, where this one has a control socket."""
        line = f"control-socket = {folder}/control"
        trial = folder / "trial.conf"
        trial.write_text(f"{line}\nservice x {{ listen = 1  exec = /bin/true }}\n")
        command = [self.tools.build / "superd/superd", "-t", "-c", trial]
        unknown = subprocess.run(command, capture_output=True, check=False).returncode
        return [] if unknown else [line]

    def hold_program(self):
        return [str(self.tools.programs / "hold")]


def start_limit(kind):
    def start(starter, want):
        port = starter.ports.take()
        command = [starter.tools.programs / "limit", kind, "127.0.0.1", port]
        return Server([*command, *starter.program(want)], port, starter.tools.scratch())

    return start


def superd_service(name, endpoint, program, block=""):
    words = ", ".join(f'"{word}"' for word in program)
    return f"service {name} {{ listen = {endpoint}  exec = {{ {words} }} {block} }}"


def superd_config(starter, want, folder, port, hold_port):
    program = starter.program(want)
    udp = "udp:" if want.wait else ""
    lines = [
        f'log {{ to = file  file = "{folder}/log"  events = {{ {EVENTS[want.log]} }} }}',
        *starter.control_socket(folder),
        "max-instances = 20000",
        f"defaults {{ user = {starter.user}  limits {{ instances = {INSTANCES} }} }}",
    ]
    if want.hold:
        block = "limits { instances = 15000 per-source = 0 }"
        endpoint = f"127.0.0.1:{hold_port}"
        lines.append(superd_service("hold", endpoint, starter.hold_program(), block))
    for number, address, filler_port in starter.fillers(want):
        lines.append(superd_service(f"filler{number}", f"{address}:{filler_port}", program))
    if want.ports:
        first = FIRST_FILLER_PORT + want.services
        endpoint = f"{starter.filler_address()}:{first}-{first + want.ports - 1}"
        lines.append(superd_service("ports", endpoint, program))
    block = want.block.replace("FOLDER", str(folder))
    lines.append(superd_service("bench", f"{udp}127.0.0.1:{port}", program, block))
    return "\n".join(lines) + "\n"


def start_superd(starter, want):
    if want.internal:
        raise Unavailable("has no services inside itself")
    folder = starter.tools.scratch()
    port, hold_port = starter.ports.take(), starter.ports.take()
    config = folder / "superd.conf"
    config.write_text(superd_config(starter, want, folder, port, hold_port))
    command = [starter.tools.build / "superd/superd", "-c", config, "--ready-fd=READY_FD"]
    server = starter.serve([*command, *want.options], want, folder, port, ready_fd=True)
    server.config, server.log = config, folder / "log"
    server.ports["hold"] = hold_port
    return server


def xinetd_service(starter, want, name, address, port, program):
    udp = want.wait
    kind = "INTERNAL UNLISTED" if want.internal else "UNLISTED"
    lines = [
        f"service {want.internal or name}",
        "{",
        f"\ttype = {kind}",
        f"\tid = {name}",
        f"\tsocket_type = {'dgram' if udp else 'stream'}",
        f"\tprotocol = {'udp' if udp else 'tcp'}",
        f"\twait = {'yes' if udp else 'no'}",
        f"\tuser = {starter.user}",
        f"\tbind = {address}",
        f"\tport = {port}",
    ]
    if not want.internal:
        lines.append(f"\tserver = {program[0]}")
    if not want.internal and program[1:]:
        lines.append(f"\tserver_args = {' '.join(program[1:])}")
    return "\n".join(lines) + "\n"


def start_xinetd(starter, want):
    """xinetd without its limits; without a log of connections, or with the one superd writes."""
    path, env = starter.packages.program("xinetd", "xinetd", ["libwrap0", "libtirpc3", "libnsl2"])
    folder = starter.tools.scratch()
    port, hold_port = starter.ports.take(), starter.ports.take()
    program = starter.program(want)
    log = f"\tlog_type = FILE {folder}/log\n\tlog_on_success = PID HOST EXIT DURATION\n"
    parts = [
        "defaults\n{\n\tinstances = UNLIMITED\n\tper_source = UNLIMITED\n\tcps = 1000000 1\n"
        + (log if want.log else "")
        + "}\n"
    ]
    if want.hold:
        holder = starter.hold_program()
        parts.append(xinetd_service(starter, want, "hold", "127.0.0.1", hold_port, holder) + "}\n")
    for number, address, filler_port in starter.fillers(want):
        name = f"filler{number}"
        parts.append(xinetd_service(starter, want, name, address, filler_port, program) + "}\n")
    bench = xinetd_service(starter, want, "bench", "127.0.0.1", port, program)
    parts.append(bench + want.block + "}\n")
    config = folder / "xinetd.conf"
    config.write_text("".join(parts))
    command = [path, "-dontfork", "-f", config, "-filelog", folder / "xinetd.log"]
    command += ["-pidfile", folder / "xinetd.pid"]
    server = starter.serve(command, want, folder, port, env=env)
    server.config = config
    server.ports["hold"] = hold_port
    return server


def inetd_line(starter, want, endpoint, program):
    """A line of inetd.conf."""
    kind = "dgram udp wait" if want.wait else "stream tcp nowait"
    if want.internal:  # see own_services(): there the user is called root
        return f"{endpoint} {kind} root internal\n"
    return f"{endpoint} {kind} {starter.user} {' '.join([program[0], *program])}\n"


def inetd_config(starter, want, folder, port, hold_port):
    program = starter.program(want)
    lines = []
    if want.hold:
        lines.append(
            inetd_line(starter, want, f"127.0.0.1:{hold_port}", starter.hold_program())
        )
    for _, address, filler_port in starter.fillers(want):
        lines.append(inetd_line(starter, want, f"{address}:{filler_port}", program))
    name = want.internal or port
    lines.append(inetd_line(starter, want, f"127.0.0.1:{name}", program))
    config = folder / "inetd.conf"
    config.write_text("".join(lines))
    return config


def own_services(folder, want, port):
    """
    The words before a command that has a name of /etc/services stand for another port: its built-in
    services have no other way to get one that an ordinary user may bind.
    """
    if not want.internal:
        return []
    table = folder / "services"
    table.write_text(f"{want.internal} {port}/tcp\n{want.internal} {port}/udp\n")
    flags = "--mount" if os.getuid() == 0 else "--user --map-root-user --mount"
    script = 'mount --bind "$0" /etc/services && exec "$@"'
    return ["unshare", *flags.split(), "sh", "-c", script, table]


def start_openbsd_inetd(starter, want):
    # An installed "inetd" may be any: always the one of the package.
    package = starter.packages.unpack("openbsd-inetd")
    path = package / "usr/sbin/inetd"
    libraries = ["libevent-2.1-7", "libwrap0", "libtirpc3", "libbsd0", "libnsl2"]
    env = starter.packages.libraries(path, libraries)
    folder = starter.tools.scratch()
    port, hold_port = starter.ports.take(), starter.ports.take()
    config = inetd_config(starter, want, folder, port, hold_port)
    command = own_services(folder, want, port)
    command += [path, "-i", "-E", "-R", 1000000000, "-q", BACKLOG, config]
    server = starter.serve(command, want, folder, port, env=env)
    server.config = config
    server.ports["hold"] = hold_port
    return server


def start_inetutils_inetd(starter, want):
    path, env = starter.packages.program("inetutils-inetd", "inetutils-inetd")
    folder = starter.tools.scratch()
    port, hold_port = starter.ports.take(), starter.ports.take()
    config = inetd_config(starter, want, folder, port, hold_port)
    # In the foreground it would tell each step of each connection.
    pid_file = folder / "pid"
    command = [path, "-R", 1000000000, f"--pidfile={pid_file}", config]
    server = starter.serve(command, want, folder, port, env=env, pid_file=pid_file)
    server.ports["hold"] = hold_port
    return server


def start_rlinetd(starter, want):
    path, env = starter.packages.program("rlinetd", "rlinetd", ["libwrap0", "libcap2"])
    folder = starter.tools.scratch()
    port = starter.ports.take()
    program = " ".join(starter.program(want))
    config = folder / "rlinetd.conf"
    config.write_text(
        f'service "bench" {{\n\tprotocol tcp;\n\tinterface 127.0.0.1;\n\tport "{port}";\n'
        f'\tuser "{starter.user}";\n\texec "{program}";\n\tinstances {INSTANCES};\n'
        f"\tbacklog {BACKLOG};\n}}\n"
    )
    command = [path, "-d", "-f", config]
    parser = sorted(pathlib.Path(path).parent.parent.rglob("libparse.so"))
    if parser:
        command += ["-p", parser[0]]
    return Server(command, port, folder, env=env)


def start_simple(name, package, words, libraries=(), names=()):
    """A server of one service; words: its options, with ADDRESS, PORT and PROGRAM."""

    def start(starter, want):
        reason = None
        for program_name in (name, *names):
            try:
                path, env = starter.packages.program(program_name, package, libraries)
                break
            except Unavailable as unavailable:
                reason = reason or unavailable
        else:
            raise reason
        port = starter.ports.take()
        program = starter.program(want)
        command = [path]
        for word in words.split():
            if word == "PROGRAM":
                command += program
            else:
                word = word.replace("ADDRESS", "127.0.0.1").replace("PORT", str(port))
                command.append(word.replace("PATH", program[0]))
        return Server(command, port, starter.tools.scratch(), env=env, ask=want.ask)

    return start


STARTERS = {
    "superd": start_superd,
    **{kind: start_limit(kind) for kind in LIMITS},
    "s6-tcpserver": start_simple(
        "s6-tcpserver",
        None,
        f"-q -c {INSTANCES} -C {INSTANCES} -b {BACKLOG} ADDRESS PORT PROGRAM",
        names=["s6-tcpserver4"],
    ),
    "tcpserver": start_simple(
        "tcpserver",
        "ucspi-tcp",
        f"-q -R -H -l localhost -c {INSTANCES} -b {BACKLOG} ADDRESS PORT PROGRAM",
    ),
    "tcpsvd": start_simple(
        "tcpsvd", "ipsvd", f"-l localhost -c {INSTANCES} -b {BACKLOG} ADDRESS PORT PROGRAM"
    ),
    "mini-inetd": start_simple("mini-inetd", "tcputils", "ADDRESS:PORT PROGRAM"),
    "xinetd": start_xinetd,
    "openbsd-inetd": start_openbsd_inetd,
    "inetutils-inetd": start_inetutils_inetd,
    "rlinetd": start_rlinetd,
    "systemd-socket-activate": start_simple(
        "systemd-socket-activate", None, "-a --inetd -l ADDRESS:PORT PROGRAM"
    ),
    "socat": start_simple(
        "socat",
        "socat",
        f"TCP-LISTEN:PORT,bind=ADDRESS,fork,reuseaddr,backlog={BACKLOG} EXEC:PATH,nofork",
        ["libwrap0", "libnsl2", "libtirpc3"],
    ),
    "socat cat": start_simple(
        "socat",
        "socat",
        f"TCP-LISTEN:PORT,bind=ADDRESS,fork,reuseaddr,backlog={BACKLOG} EXEC:PATH",
        ["libwrap0", "libnsl2", "libtirpc3"],
    ),
    "ncat": start_simple(
        "ncat",
        "ncat",
        f"-l ADDRESS PORT --keep-open --max-conns {INSTANCES} --exec PATH",
        ["libpcap0.8", "liblua5.3-0"],
    ),
}
MANY_SERVICES = ("superd", "xinetd", "openbsd-inetd", "inetutils-inetd")
