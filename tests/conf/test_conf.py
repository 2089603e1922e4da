"""The configuration loader by its files.

good/NAME.conf loads, and what it prints loads again to the same.  Comments in it say more:
    #= SERVICE OPTION = VALUE     the effective value ("top" is the top level)
    #! SERVICE OPTION             the option is not printed
    #w MESSAGE                    a warning; there are no others
bad/NAME.conf gives exactly the messages of bad/NAME.err.
A name that begins with root- is for a loader run by root, user- for one run by another user,
names- for a system that has /etc/services.
"""

import os
import pathlib
import random
import re
import resource
import shutil
import socket
import stat
import subprocess
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
GOOD = sorted(path.stem for path in HERE.glob("good/*.conf"))
BAD = sorted(path.stem for path in HERE.glob("bad/*.conf"))
NOBODY = 65534
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/nonexistent",
    "SUPERD_TEST_PORT": "7123",
    "SUPERD_TEST_VALUE": 'a "value',
    "SUPERD_TEST_EMPTY": "",
    "SUPERD_TEST_QUOTE": '"${HOME}',
}
# Nothing here takes a second; a minute is a loader that hangs.
DEADLINE = 60


@pytest.fixture
def place(build):
    """A folder that every user may read, with confcheck and a service directory in it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="superd-conf-"))
    folder.chmod(0o755)
    shutil.copy(build / "tests/conf/confcheck", folder / "confcheck")
    services = folder / "services"
    services.mkdir(mode=0o755)
    shutil.copy("/bin/cat", services / "echo")
    (services / "echo").chmod(0o755)
    (services / "script").write_text("#! /bin/sh -e\ncat\n")
    (services / "script").chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def environment(place):
    kept = {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}
    return {**ENVIRONMENT, **kept, "SUPERD_TEST_PLACE": str(place)}


def copy(place, kind, name):
    """The file and the folder it includes from, owned by who runs the test, not writable."""
    for path in (HERE / kind).glob(name + ".*"):
        if path.is_dir():
            shutil.copytree(path, place / path.name)
        elif path.suffix == ".conf":
            shutil.copyfile(path, place / path.name)
    for path in [place, *place.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    return name + ".conf"


def confcheck(place, *arguments, user=None, **more):
    return subprocess.run(
        [place / "confcheck", *map(str, arguments)],
        cwd=place,
        env=environment(place),
        user=user,
        group=user,
        extra_groups=[] if user is not None else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=DEADLINE,
        text=True,
        errors="surrogateescape",
        **more,
    )


def user_for(name):
    """Who runs the loader for a test file, None for the present user; skips what cannot be."""
    root = os.geteuid() == 0
    if name.startswith("root-") and not root:
        pytest.skip("needs root")
    if name.startswith("names-"):
        try:
            socket.getservbyname("telnet", "tcp")
        except OSError:
            pytest.skip("needs /etc/services")
    if name.startswith("user-"):
        if not root:
            pytest.skip("needs root to become nobody")
        return NOBODY
    return None


def parse_dump(text):
    """{service: {option: value}}; options of inner blocks as block.option."""
    result = {"top": {}}
    path = []
    for line in text.splitlines():
        line = line.split("  # ")[0].strip()
        if line == "}":
            path.pop()
        elif line.endswith("{") and " = " not in line:
            path.append(line[:-1].strip())
            if path[0].startswith("service "):
                result.setdefault(path[0][len("service ") :], {})
        elif line:
            name, value = line.split(" = ", 1)
            services = [part[len("service ") :] for part in path if part.startswith("service ")]
            if path and path[0].startswith("template "):
                continue
            inner = [part for part in path if not part.startswith("service ")]
            result[services[0] if services else "top"][".".join([*inner, name])] = value
    return result


def without_comments(text):
    return re.sub(r"^\s*# .*\n|  # .*", "", text, flags=re.M)


@pytest.mark.parametrize("name", GOOD)
def test_good(place, name):
    user = user_for(name)
    file = copy(place, "good", name)
    services = place / "services"
    source = (place / file).read_text(encoding="utf-8")

    checked = confcheck(place, "check", file, services, user=user)
    warnings = re.findall(r"^#w (.*?)\r?$", source, re.M)
    assert checked.stderr.splitlines() == ["warning: " + warning for warning in warnings]
    assert checked.returncode == 0

    printed = confcheck(place, "print", file, services, user=user)
    assert printed.returncode == 0
    values = parse_dump(printed.stdout)
    for service, option, value in re.findall(r"^#= (\S+) (\S+) = (.*?)\r?$", source, re.M):
        assert values[service].get(option) == value, (service, option)
    for service, option in re.findall(r"^#! (\S+) (\S+)\r?$", source, re.M):
        assert option not in values[service], (service, option)

    (place / "again.conf").write_text(printed.stdout, errors="surrogateescape")
    again = confcheck(place, "print", "again.conf", user=user)
    assert again.returncode == 0, again.stderr
    assert without_comments(again.stdout) == without_comments(printed.stdout)

    loaded = confcheck(place, "load", file, services, user=user)
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.split()[0] == str(len(values) - 1)


@pytest.mark.parametrize("name", BAD)
def test_bad(place, name):
    user = user_for(name)
    file = copy(place, "bad", name)
    result = confcheck(place, "check", file, place / "services", user=user)
    told = result.stderr.replace(str(place), "PLACE")
    if os.environ.get("SUPERD_TEST_WRITE"):
        (HERE / "bad" / (name + ".err")).write_text(told)
    assert told == (HERE / "bad" / (name + ".err")).read_text()
    assert result.returncode == 1
    assert result.stdout == ""


def test_enough_files():
    assert len(GOOD) >= 30
    assert len(BAD) >= 100


def test_computed_values_are_told(place):
    """What the default of per-source comes to stands in the print, but does not set it."""
    (place / "a.conf").write_text(
        "service a { listen = 7000  exec = /bin/cat  limits { instances = 41 } }\n"
        "service b { listen = udp:7000  exec = /bin/cat }\n"
    )
    printed = confcheck(place, "print", "a.conf").stdout
    assert re.findall(r"^\s*# (per-source .*)$", printed, re.M) == ["per-source = 10 (default)"]
    assert re.findall(r"^\s*per-source ", printed, re.M) == []
    assert re.findall(r"^\s*# (burst .*)$", printed, re.M) == ["burst = 10 (default)"]


def test_own_user_is_told(place):
    """A superd of an ordinary user runs programs as that; another's would do so as another."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become nobody")
    (place / "a.conf").write_text("service a { listen = 7000  exec = /bin/cat }\n")
    printed = confcheck(place, "print", "a.conf", user=NOBODY).stdout
    assert re.findall(r"^\t(.*(?:user|group) = .*)$", printed, re.M) == [
        f"# user = {NOBODY} (default)",
        f"# group = {NOBODY} (default)",
    ]


def test_open_files_beyond_the_kernel(place):
    """No program could be started with it, root's neither."""
    if os.geteuid() != 0:
        pytest.skip("needs root: for others their own hard limit is the lower one")
    most = int(pathlib.Path("/proc/sys/fs/nr_open").read_text())
    for count, code in ((most, 0), (most + 1, 1)):
        (place / "a.conf").write_text(
            f"service a {{ listen = 7000  exec = /bin/cat  limits {{ open-files = {count} }} }}\n"
        )
        result = confcheck(place, "check", "a.conf")
        assert result.returncode == code
    assert result.stderr == (
        f'a.conf:1: service "a": limits: open-files: is above the kernel\'s limit of {most}'
        " (fs.nr_open)\n"
    )


# --- the manual page ----------------------------------------------------------------------


def test_manual_page_matches_the_table(build, source):
    result = subprocess.run(
        [
            source / "tests/lint/man-schema",
            build / "tests/conf/confcheck",
            source / "man/superd.conf.5",
        ],
        stdout=subprocess.PIPE,
        text=True,
        timeout=DEADLINE,
    )
    assert result.stdout == ""
    assert result.returncode == 0


def test_manual_page_examples(place, source):
    """Nothing is wrong with them but that their programs and users are not here."""
    page = (source / "man/superd.conf.5").read_text()
    examples = page[page.index(".Sh EXAMPLES") : page.index(".Sh DIAGNOSTICS")]
    blocks = re.findall(r"^\.Bd.*?\n(.*?)^\.Ed", examples, re.M | re.S)
    assert len(blocks) >= 4
    (place / "a.conf").write_text("\n".join(blocks).replace(r"\e", "\\"))
    result = confcheck(place, "check", "a.conf", place / "services")
    problems = [line for line in result.stderr.splitlines() if not line.startswith("warning: ")]
    for line in problems:
        assert re.search(r": exec: no program '|: no such (user|group) '|not started as root", line)
    assert confcheck(place, "check", "a.conf").returncode == 1


def test_manual_page_examples_of_limits(place, source):
    """Each is a configuration by itself and its program is at hand: nothing is wrong with it."""
    page = (source / "man/superd.conf.5").read_text()
    options = page[page.index(".Ss Top level") : page.index(".Ss log")]
    blocks = re.findall(r"^\.Bd.*?\n(.*?)^\.Ed", options, re.M | re.S)
    blocked = place / "blocked"
    blocked.write_text("192.0.2.1\n")
    blocked.chmod(0o644)
    assert len(blocks) >= 25
    for block in blocks:
        if "core-size" in block and os.getuid() != 0:
            if 0 <= resource.getrlimit(resource.RLIMIT_CORE)[1] < 64 << 20:
                continue  # an ordinary user cannot go beyond the hard limit
        text = block.replace(r"\e", "\\").replace("/etc/superd.d/blocked", str(blocked))
        (place / "a.conf").write_text(text)
        result = confcheck(place, "check", "a.conf", place / "services")
        assert (result.stderr, result.returncode) == ("", 0), block


# --- files that are none ------------------------------------------------------------------

SERVICE = "service a { listen = 7000  exec = /bin/cat }\n"


def problem(place, file, user=None):
    """The messages of a load that must fail."""
    result = confcheck(place, "check", file, user=user)
    assert result.returncode == 1
    assert "took longer" not in result.stderr
    return result.stderr.replace(str(place), "PLACE")


def test_missing(place):
    assert problem(place, "none.conf") == "none.conf: cannot read: No such file or directory\n"


def test_folder(place):
    assert problem(place, "services") == "services:1: not a regular file\n"


def test_fifo(place):
    os.mkfifo(place / "fifo.conf", 0o644)
    assert problem(place, "fifo.conf") == "fifo.conf:1: not a regular file\n"
    (place / "main.conf").write_text(SERVICE + 'include("fifo.conf")\n')
    assert problem(place, "main.conf") == "main.conf:2: include: fifo.conf: not a regular file\n"


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/full", "/dev/tty"])
def test_device(place, device):
    said = problem(place, device)
    assert said in (
        f"{device}:1: not a regular file\n",
        f"{device}: cannot read: No such device or address\n",
    )


def test_socket(place):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place / "socket.conf"))
        said = problem(place, "socket.conf")
    assert said == "socket.conf: cannot read: No such device or address\n"


def test_sparse_gigabyte(place):
    with open(place / "big.conf", "wb") as file:
        file.truncate(1 << 30)
    assert problem(place, "big.conf") == "big.conf:1: larger than 1 MiB\n"


def test_largest(place):
    comment = "#" * 99 + "\n"
    text = SERVICE + comment * ((1 << 20) // 100 + 1)
    (place / "most.conf").write_text(text[: 1 << 20])
    assert confcheck(place, "check", "most.conf").returncode == 0
    (place / "more.conf").write_text(text[: 1 << 20] + "\n")
    assert problem(place, "more.conf") == "more.conf:1: larger than 1 MiB\n"


def test_unreadable(place):
    (place / "secret.conf").write_text(SERVICE)
    (place / "secret.conf").chmod(0)
    user = NOBODY if os.geteuid() == 0 else None
    said = problem(place, "secret.conf", user=user)
    assert said == "secret.conf: cannot read: Permission denied\n"


def test_writable_by_all(place):
    (place / "open.conf").write_text(SERVICE)
    (place / "open.conf").chmod(0o666)
    said = problem(place, "open.conf")
    assert said == "open.conf:1: is writable by everybody, mode 0666 (chmod o-w it)\n"


def test_writable_by_group(place):
    if os.geteuid() != 0:
        pytest.skip("needs root to give a file to another group")
    (place / "group.conf").write_text(SERVICE)
    os.chown(place / "group.conf", 0, 4711)
    (place / "group.conf").chmod(0o664)
    said = problem(place, "group.conf")
    assert said == "group.conf:1: is writable by group 4711, mode 0664 (chmod g-w it)\n"


def test_owned_by_other(place):
    if os.geteuid() != 0:
        pytest.skip("needs root to give a file away")
    (place / "other.conf").write_text(SERVICE)
    os.chown(place / "other.conf", 4711, 0)
    said = problem(place, "other.conf")
    assert said == "other.conf:1: belongs to user 4711, who is not to be trusted (chown it)\n"
    # Root's files are good enough for everybody, and so are one's own.
    os.chown(place / "other.conf", NOBODY, 0)
    assert confcheck(place, "check", "other.conf", user=NOBODY).returncode == 0
    os.chown(place / "other.conf", 0, 0)
    assert confcheck(place, "check", "other.conf", user=NOBODY).returncode == 0


def test_folder_writable_by_all(place):
    folder = place / "open"
    folder.mkdir()
    (folder / "a.conf").write_text(SERVICE)
    folder.chmod(0o777)
    said = problem(place, "open/a.conf")
    assert said == (
        "open/a.conf:1: its folder PLACE/open is writable by everybody, mode 0777 (chmod o-w it)\n"
    )
    (place / "link.conf").symlink_to("open/a.conf")
    assert "its folder PLACE/open is writable by everybody" in problem(place, "link.conf")
    (place / "main.conf").write_text(SERVICE + 'include("open/*.conf")\n')
    assert problem(place, "main.conf").startswith("main.conf:2: include: open/a.conf: its folder")


def test_sticky_folder_is_no_danger(place):
    if os.geteuid() != 0:
        pytest.skip("needs root to own the folder")
    folder = place / "sticky"
    folder.mkdir()
    (folder / "a.conf").write_text(SERVICE)
    folder.chmod(0o1777)
    assert confcheck(place, "check", "sticky/a.conf").returncode == 0


def test_include_depth(place):
    (place / "deep0.conf").write_text(SERVICE + 'include("deep1.conf")\n')
    for i in range(1, 17):
        (place / f"deep{i}.conf").write_text(f'include("deep{i + 1}.conf")\n')
    (place / "deep17.conf").write_text("# the end\n")
    assert problem(place, "deep0.conf") == (
        "deep16.conf:1: include: deep17.conf: includes go deeper than 16\n"
    )
    (place / "deep16.conf").write_text("# the end\n")
    assert confcheck(place, "check", "deep0.conf").returncode == 0


def test_include_files(place):
    (place / "many").mkdir()
    for i in range(1000):
        (place / "many" / f"{i:04}.conf").write_text("")
    (place / "main.conf").write_text(SERVICE + 'include("many/*.conf")\n')
    assert problem(place, "main.conf") == (
        "main.conf:2: include: many/0999.conf: more than 1000 files\n"
    )
    (place / "many" / "0999.conf").unlink()
    assert confcheck(place, "check", "main.conf").returncode == 0


def test_include_from_strange_folder(place):
    folder = place / "a*[b]?\\"
    folder.mkdir()
    (folder / "main.conf").write_text('include("x.d/*.conf")\n')
    (folder / "x.d").mkdir()
    (folder / "x.d" / "a.conf").write_text(SERVICE)
    result = confcheck(place, "load", f"{folder.name}/main.conf")
    assert result.stdout.startswith("1 services")


def test_interpreter_missing(place):
    script = place / "services" / "broken"
    script.write_text("#!/superd-no-such-interpreter -x\n")
    script.chmod(0o755)
    (place / "a.conf").write_text("service a { listen = 7000  exec = broken }\n")
    result = confcheck(place, "check", "a.conf", place / "services")
    assert result.stderr.replace(str(place), "PLACE") == (
        'a.conf:1: service "a": exec: the interpreter of \'PLACE/services/broken\': '
        "no program '/superd-no-such-interpreter'\n"
    )


def test_not_reachable_for_user(place):
    if os.geteuid() != 0:
        pytest.skip("needs root to become nobody")
    hidden = place / "hidden"
    hidden.mkdir()
    shutil.copy("/bin/cat", hidden / "cat")
    hidden.chmod(0o700)
    (place / "a.conf").write_text(f"service a {{ listen = 7000  exec = {hidden}/cat }}\n")
    assert problem(place, "a.conf") == (
        "a.conf:1: service \"a\": exec: user 65534 may not reach 'PLACE/hidden/cat'\n"
    )
    hidden.chmod(0o755)
    (hidden / "cat").chmod(0o744)
    assert problem(place, "a.conf") == (
        "a.conf:1: service \"a\": exec: user 65534 may not execute 'PLACE/hidden/cat' "
        "(mode 0744)\n"
    )


def test_root_folder(place):
    if os.geteuid() != 0:
        pytest.skip("needs root for chroot")
    jail = place / "jail"
    (jail / "bin").mkdir(parents=True)
    shutil.copy("/bin/cat", jail / "bin" / "cat")
    (jail / "bin" / "link").symlink_to("/bin/cat")
    (jail / "bin" / "out").symlink_to("/usr/bin/env")
    (jail / "bin" / "script").write_text("#!/bin/sh\n")
    (jail / "bin" / "script").chmod(0o755)
    base = f"service a {{ listen = 7000  root = {jail}  exec = /bin/%s }}\n"
    for name in ("cat", "link"):
        (place / "a.conf").write_text(base % name)
        assert confcheck(place, "check", "a.conf").returncode == 0
    (place / "a.conf").write_text(base % "out")
    assert problem(place, "a.conf") == (
        "a.conf:1: service \"a\": exec: no program '/bin/out' in root 'PLACE/jail'\n"
    )
    (place / "a.conf").write_text(base % "script")
    assert problem(place, "a.conf") == (
        "a.conf:1: service \"a\": exec: the interpreter of '/bin/script': "
        "no program '/bin/sh' in root 'PLACE/jail'\n"
    )


def test_ordinary_user_cannot_become_another(place):
    if os.geteuid() != 0:
        pytest.skip("needs root to become nobody")
    (place / "a.conf").write_text(
        "service a { listen = unix:/run/a  exec = /bin/cat\n"
        "user = root\ngroup = daemon\ngroups = daemon\nsocket-user = root\n"
        "socket-group = root\nroot = /tmp\n}\n"
    )
    assert problem(place, "a.conf", user=NOBODY).splitlines() == [
        'a.conf:2: service "a": user: '
        "superd was not started as root and cannot become user 'root'",
        'a.conf:3: service "a": group: '
        "superd was not started as root and cannot take on group 'daemon'",
        'a.conf:4: service "a": groups: '
        "superd was not started as root and cannot take on group 'daemon'",
        'a.conf:5: service "a": socket-user: '
        "superd was not started as root and cannot become user 'root'",
        'a.conf:6: service "a": socket-group: '
        "superd was not started as root and cannot take on group 'root'",
        'a.conf:7: service "a": root: only a superd that was started as root can do this',
    ]


def test_hard_limit(place):
    if os.geteuid() != 0:
        pytest.skip("needs root to become nobody")
    import resource

    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))

    (place / "a.conf").write_text(
        "service a { listen = 7000  exec = /bin/cat  limits { open-files = 51 } }\n"
    )
    result = confcheck(place, "check", "a.conf", user=NOBODY, preexec_fn=lower)
    assert result.stderr == (
        'a.conf:1: service "a": limits: open-files: '
        "is above superd's own hard limit of 50, and only root may raise it\n"
    )
    assert confcheck(place, "check", "a.conf", preexec_fn=lower).returncode == 0


def test_print_to_full_disk(place):
    (place / "a.conf").write_text(SERVICE)
    with open("/dev/full", "w", encoding="ascii") as full:
        result = subprocess.run(
            [place / "confcheck", "print", "a.conf"],
            cwd=place,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=DEADLINE,
            text=True,
        )
    assert result.returncode == 1
    assert result.stderr == "cannot print the configuration: No space left on device\n"


def test_print_to_reader_that_leaves(place):
    (place / "a.conf").write_text(
        "".join(
            f"service a{i} {{ listen = {7000 + i}  exec = /bin/cat }}\n" for i in range(1000)
        )
    )
    process = subprocess.Popen(
        [place / "confcheck", "print", "a.conf"],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline().startswith("# control-socket = ")
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(DEADLINE) == 0


def test_message_is_one_line(place):
    (place / "a\nb.conf").write_text('service a { listen = 7000  exec = "/x\\ny\\e[1m" }\n')
    said = problem(place, "a\nb.conf")
    assert said == "a\\x0ab.conf:1: service \"a\": exec: no program '/x\\x0ay\\x1b[1m'\n"


# --- damaged files ------------------------------------------------------------------------


def load_many(place, texts):
    """Exit status of a check of each text, all by one process."""
    names = []
    for i, text in enumerate(texts):
        name = f"damaged{i}.conf"
        (place / name).write_bytes(text)
        names.append(name)
    result = subprocess.run(
        [place / "confcheck", "many", place / "services"],
        cwd=place,
        env=environment(place),
        input="\n".join(names) + "\n",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=10 * DEADLINE,
        text=True,
        errors="surrogateescape",
    )
    assert result.returncode == 0
    assert "configuration loader" not in result.stderr
    assert "Sanitizer" not in result.stderr and "runtime error" not in result.stderr
    statuses = result.stdout.split()
    assert len(statuses) == len(texts)
    return statuses, result.stderr


SHOWPIECE = rb"""
# everything at once
pid-file = /run/superd.pid  grace = 1m30s
log { level = debug  events += { accept } }
defaults { nice = 1  limits { instances = 50 } env { A = "x${HOME}y" } }
template t { pass-env += { B, "C" } /* here */ banner = 'it\'s' }
service a {
    use = t; listen = { 7000, udp:7001, [::1]:7002, "unix:@x" }  // there
    exec = { /bin/cat, "a\tb\x41\101\\", 'c\d' }
    wait = yes
    banner = ""
}
service "b+" { listen = 7003  exec = /bin/cat }
"""


def test_truncated_at_every_byte(place):
    statuses, _ = load_many(place, [SHOWPIECE[:i] for i in range(len(SHOWPIECE) + 1)])
    assert statuses[-1] == "0"
    # Before the first service is complete there is nothing to run.
    first_end = SHOWPIECE.index(b'service "b+"')
    assert set(statuses[: first_end - 2]) == {"1"}


def test_bit_flips(place):
    seed = int(os.environ.get("SUPERD_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"SUPERD_TEST_SEED={seed}")
    generator = random.Random(seed)
    texts = []
    for _ in range(10000 if os.environ.get("SUPERD_LONG") else 2000):
        text = bytearray(SHOWPIECE)
        for _ in range(generator.choice((1, 1, 1, 2, 8))):
            bit = generator.randrange(8 * len(text))
            text[bit // 8] ^= 1 << bit % 8
        texts.append(bytes(text))
    statuses, said = load_many(place, texts)
    assert set(statuses) <= {"0", "1"}
    # Every failure says why.
    blamed = set(re.findall(r"^(damaged\d+\.conf)", said, re.M))
    for i, status in enumerate(statuses):
        assert status == "0" or f"damaged{i}.conf" in blamed


def test_noise(place):
    generator = random.Random(1)
    texts = [generator.randbytes(size) for size in (1, 10, 100, 65536)]
    texts += [b"{" * 100000, b"}" * 100000, b'"' * 100001, b"a = {" * 10000, b"service a " * 50000]
    texts += [b"/*" * 100000, b"'" * 3, b"\\", b"${", b"service a { exec = { " + b"x," * 100000]
    texts += [b"service a { env { " + b"".join(b"A%d=1 " % i for i in range(50000)) + b"} }"]
    statuses, _ = load_many(place, texts)
    assert set(statuses) == {"1"}


# --- lists of networks --------------------------------------------------------------------


def listed(place, content, mode=0o644):
    """A configuration with a list, and the list."""
    path = place / "list"
    path.write_bytes(content)
    path.chmod(mode)
    text = 'service a { listen = 7000  exec = /bin/cat  acl { deny = "file:%s" } }\n' % path
    (place / "a.conf").write_text(text)
    return path


def test_list_is_trusted_as_files_are(place):
    prefix = 'a.conf:1: service "a": acl: deny: PLACE/list: '
    path = listed(place, b"10.0.0.0/8\n", 0o666)
    assert problem(place, "a.conf") == (
        prefix + "is writable by everybody, mode 0666 (chmod o-w it)\n"
    )
    path.unlink()
    assert problem(place, "a.conf") == prefix + "cannot read: No such file or directory\n"
    os.mkfifo(path, 0o644)
    assert problem(place, "a.conf") == prefix + "not a regular file\n"
    path.unlink()
    with open(path, "wb") as file:
        file.truncate((256 << 20) + 1)
    assert problem(place, "a.conf") == prefix + "larger than 256 MiB\n"


def test_list_of_another(place):
    if os.geteuid() != 0:
        pytest.skip("needs root to give a file away")
    os.chown(listed(place, b"10.0.0.0/8\n"), 4711, 0)
    assert problem(place, "a.conf") == (
        'a.conf:1: service "a": acl: deny: PLACE/list: '
        "belongs to user 4711, who is not to be trusted (chown it)\n"
    )


def test_list_with_long_lines(place):
    comment = b"#" + b"x" * 65534
    listed(place, b"10.0.0.0/8 " + comment[:65524] + b"\n" + comment + b"\n::1")
    assert confcheck(place, "check", "a.conf").stderr == ""
    long = b"#" * 65536
    listed(place, b"x\n" + long + b"\ny\n" + 5 * long + b"\nz\n" + long)
    assert [line.split(" (")[0] for line in problem(place, "a.conf").splitlines()] == [
        "PLACE/list:1: 'x' is no network",
        "PLACE/list:2: the line is longer than 65535 bytes",
        "PLACE/list:3: 'y' is no network",
        "PLACE/list:4: the line is longer than 65535 bytes",
        "PLACE/list:5: 'z' is no network",
        "PLACE/list:6: the line is longer than 65535 bytes",
    ]


def test_list_of_zeros(place):
    """A sparse file, or one that a disk lost: lines of bytes that are none."""
    listed(place, bytes(1000) + b"\n" + bytes(10 << 20))
    assert problem(place, "a.conf").splitlines()[1:] == [
        "PLACE/list:2: the line is longer than 65535 bytes"
    ]


def test_list_with_many_problems(place):
    listed(place, b"nonsense\n" * 200000)
    said = problem(place, "a.conf").splitlines()
    assert len(said) == 101
    assert said[99].startswith("PLACE/list:100: ")
    assert said[100] == "199900 more problems are not shown"


@pytest.mark.parametrize("family", ["4", "6"])
def test_list_of_a_million(place, family):
    if family == "4":
        lines = (f"{i >> 16 & 255 | 64}.{i >> 8 & 255}.{i & 255}.0/24" for i in range(1000000))
    else:
        lines = (f"2001:db8:{i >> 16:x}:{i & 65535:x}::/64" for i in range(1000000))
    listed(place, "\n".join(lines).encode())
    assert confcheck(place, "load", "a.conf").stdout.startswith("1 services")
    # Inherited it is there once; a thousand tables would not fit.
    with open(place / "a.conf", "w", encoding="ascii") as file:
        file.write(f'defaults {{ acl {{ deny = "file:{place}/list" }} }}\n')
        for i in range(1000):
            file.write(f"service s{i} {{ listen = {8000 + i}  exec = /bin/cat }}\n")
    result = confcheck(place, "load", "a.conf")
    assert (result.stderr, result.stdout.split()[0]) == ("", "1000")


# --- many services ------------------------------------------------------------------------


def test_ten_thousand_services(place):
    lines = []
    for i in range(10000):
        lines.append(f"service s{i} {{")
        lines.append(f"  listen = 127.{i // 65536}.{i // 256 % 256}.{i % 256}:{2000 + i % 7}")
        lines.append("  exec = /bin/cat }")
    (place / "big.conf").write_text("\n".join(lines))
    result = confcheck(place, "load", "big.conf")
    assert result.stdout.startswith("10000 services")


def test_long_list_and_env(place):
    words = ", ".join(f"w{i}" for i in range(10000))
    (place / "a.conf").write_text(
        f"service a {{ listen = 1-65535  exec = {{ /bin/cat, {words} }}\nenv {{\n"
        + "\n".join(f"V{i} = {i}" for i in range(1000))
        + "\n} }\n"
    )
    assert confcheck(place, "load", "a.conf").stdout.startswith("1 services")
    assert f"exec = {{ /bin/cat, {words} }}" in confcheck(place, "print", "a.conf").stdout
    with open(place / "a.conf", "a", encoding="ascii") as file:
        file.write("service b { listen = udp:1  exec = /bin/cat  env { " + "x = 1 " * 2 + "} }\n")
    assert "x is set twice" in problem(place, "a.conf")


def test_many_unknown_templates(place):
    """Suggestions compare with every template; only so many are made."""
    lines = [f"template t{i} {{ }}" for i in range(5000)]
    lines += [
        f"service s{i} {{ listen = {i + 1}  use = x{i}  exec = /bin/cat }}" for i in range(5000)
    ]
    (place / "a.conf").write_text("\n".join(lines))
    assert "4900 more problems are not shown" in problem(place, "a.conf")


def test_too_large_for_the_arena(place):
    """Port ranges multiply; the loader ends with a word, not by the kernel's hand."""
    services = "".join(
        f"service s{i} {{ listen = 127.0.{i // 250}.{i % 250 + 1}:1-65535  exec = /bin/cat }}\n"
        for i in range(40)
    )
    # Services that are off claim nothing, which leaves the memory of the result alone.
    (place / "a.conf").write_text("defaults { enabled = no }\n" + services)
    assert problem(place, "a.conf") == "the configuration needs too much memory\n"
