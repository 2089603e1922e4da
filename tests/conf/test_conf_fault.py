"""A parser that crashes, loops, hangs or eats memory costs the load, never the process."""

import os
import pathlib
import re
import resource
import shutil
import subprocess
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
SERVICE = "service a { listen = 7000  exec = /bin/cat }\n"
# Longer than any of the loader's own limits.
DEADLINE = 120


@pytest.fixture(scope="module")
def place(build):
    """A folder with fault.so and one file for each fault; a loader that hangs is under way."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="superd-fault-"))
    subprocess.run(
        [
            *os.environ.get("CC", "cc").split(),
            *("-D_GNU_SOURCE", "-shared", "-fPIC", "-O1"),
            *("-o", folder / "fault.so", HERE / "fault.c", "-ldl"),
        ],
        check=True,
    )
    shutil.copy(build / "tests/conf/confcheck", folder / "confcheck")
    for name in "crash loop hang memory exit killed silent lies good".split():
        (folder / f"{name}.conf").write_text(SERVICE)
    yield folder
    shutil.rmtree(folder)


def start(place, arguments, **more):
    options = os.environ.get("ASAN_OPTIONS", "")
    return subprocess.Popen(
        [place / "confcheck", *arguments],
        cwd=place,
        env={
            **os.environ,
            "LD_PRELOAD": str(place / "fault.so"),
            "ASAN_OPTIONS": options + ":verify_asan_link_order=0",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


@pytest.fixture(scope="module")
def hanging(place):
    """The one fault that takes as long as the loader may take, begun before the others."""
    process = start(place, ["load", "hang.conf"])
    yield process
    process.kill()
    process.wait()


# In a build with sanitizers their run-time reports some deaths itself and exits.
EXIT = r"the configuration loader failed with exit status \d+"


@pytest.mark.parametrize(
    "fault, said",
    [
        ("crash", r"the configuration loader was killed by SIGSEGV"),
        ("killed", r"the configuration loader was killed by SIGKILL"),
        ("memory", rf"the configuration loader was killed by SIG(ABRT|SEGV|KILL)|{EXIT}"),
        ("exit", EXIT),
        ("silent", r"silent\.conf:1: syntax error: the file was not read as it is written"),
        ("lies", r"lies\.conf:1: syntax error: the file was not read as it is written"),
    ],
)
def test_fault(place, hanging, fault, said):
    """The fault, and after it the same process loads a good file."""
    process = start(place, ["many", "/bin"])
    out, error = process.communicate(f"good.conf\n{fault}.conf\ngood.conf\n", timeout=DEADLINE)
    assert out.split() == ["0", "1", "0"]
    assert re.search(f"^({said})$", error, re.M), error
    assert process.returncode == 0


def test_loop(place, hanging):
    """The loader has ten seconds of processor time, less where superd itself has less."""

    def lower():
        resource.setrlimit(resource.RLIMIT_CPU, (1, resource.RLIM_INFINITY))

    process = start(place, ["load", "loop.conf"], preexec_fn=lower)
    out, error = process.communicate(timeout=DEADLINE)
    assert error == "the configuration loader ran out of CPU time\n"
    assert out == ""
    assert process.returncode == 1


def test_hang(hanging):
    out, error = hanging.communicate(timeout=DEADLINE)
    assert error == "the configuration loader took longer than 20 s\n"
    assert out == ""
    assert hanging.returncode == 1
