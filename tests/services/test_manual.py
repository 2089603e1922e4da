"""The manual pages say what the programs do, and their examples run."""

import os
import re
import shutil
import subprocess

import pytest

import drive

SERVICES = ["echo", "discard", "daytime", "time", "chargen", "hello", "sum", "number", "metrics"]


def examples(page):
    """The literal blocks of a page, as a reader sees them."""
    text = page.read_text(encoding="ascii")
    blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", text, re.MULTILINE | re.DOTALL)
    return [block.replace("\\e", "\\") for block in blocks]


@pytest.fixture
def c_example(source, tmp_path):
    """The page's C program, compiled as it stands there."""
    program, = [text for text in examples(source / "man" / "superd-service.7")
                if text.startswith("#include")]
    assert program.count("\n") == 5
    (tmp_path / "greeter.c").write_text(program, encoding="ascii")
    compiler = os.environ.get("CC", "cc").split()
    assert shutil.which(compiler[0]), "a C compiler is what the tree is built with"
    subprocess.run(compiler + ["-Wall", "-Wextra", "-Werror", "-o", str(tmp_path / "greeter"),
                               str(tmp_path / "greeter.c")], check=True)
    return tmp_path / "greeter"


@pytest.fixture
def shell_example(source, tmp_path):
    """The page's shell program."""
    program, = [text for text in examples(source / "man" / "superd-service.7")
                if text.startswith("#!")]
    assert program.count("\n") == 2
    path = tmp_path / "teller"
    path.write_text(program, encoding="ascii")
    path.chmod(0o755)
    return path


def test_the_c_example_runs(stand, transport, c_example):
    answer, program = stand.exchange(transport, c_example, b"Maria\n")
    assert answer == b"Hello, Maria\n"
    assert program.status() == 0


def test_the_c_example_reports_a_client_that_says_nothing(stand, c_example):
    answer, program = stand.exchange("tcp", c_example, b"")
    assert answer == b""
    assert program.status() == 1


def test_the_c_example_does_what_its_page_shows(source, stand, c_example):
    shown, = [text for text in examples(source / "man" / "superd-service.7")
              if text.startswith("$ echo Maria | ./greeter\n")]
    answer, program = stand.pipes(c_example, data=b"Maria\n")
    assert answer.decode("ascii") == shown.split("\n", 1)[1]
    assert program.status() == 0


def test_the_shell_example_runs(stand, transport, shell_example):
    answer, program = stand.exchange(transport, shell_example, b"", env={
        "REMOTE_ADDR": "192.0.2.7", "TZ": "UTC0", "PATH": os.environ["PATH"]})
    assert re.fullmatch(r"You are 192\.0\.2\.7 and it is \S.*\d\d:\d\d:\d\d.*\n",
                        answer.decode("ascii"))
    assert program.status() == 0


@pytest.mark.parametrize("name", SERVICES)
def test_pages_and_help_know_the_same_options(source, stand, name):
    page = (source / "man" / f"superd-{name}.8").read_text(encoding="ascii")
    help_, program = stand.pipes(name, "-h")
    assert program.status() == 0
    told = re.findall(r"^  -(\w), --([\w-]+)", help_.decode("ascii"), re.MULTILINE)
    items = re.findall(r"^\.It Fl (\w)\b.* , Fl -([\w-]+)", page, re.MULTILINE)
    assert set(told) == set(items)
    assert len(told) >= 3


def test_pages_show_what_discard_logs(source, stand):
    shown = [text for text in examples(source / "man" / "superd-discard.8")
             if text.startswith("discard: ")]
    client, program = stand.unix("discard", "-r", "-n", "32769")
    with client:
        client.sendall(b"x" * 16384)
        drive.until(lambda: "receive 1" in program.log(), "the first receive")
        client.sendall(b"x" * 16385)
    assert program.status() == 0
    assert shown == [program.log()]


def test_pages_show_what_chargen_sends(source, stand):
    shown, = [text for text in examples(source / "man" / "superd-chargen.8")
              if text.startswith("$ tcpcli")]
    client, program = stand.tcp("chargen")
    with client:
        sent = b""
        while len(sent) < 3 * 74:
            sent += client.recv(3 * 74 - len(sent))
    assert program.status() == 0
    assert shown.split("\n", 1)[1] == sent.decode("ascii").replace("\r", "")


@pytest.mark.parametrize("name", SERVICES + ["service"])
def test_pages_are_clean(source, name):
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    page = source / "man" / ("superd-service.7" if name == "service" else f"superd-{name}.8")
    told = subprocess.run(["mandoc", "-Tlint", str(page)], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False, text=True).stdout
    # Pages of this tree are not installed yet.
    assert [line for line in told.splitlines() if "referenced manual not found" not in line] == []
