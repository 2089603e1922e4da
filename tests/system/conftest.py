"""Fixtures of the system tests: a factory of daemons, over both loops and both spawn kinds."""

import os
import pathlib
import subprocess

import pytest

import faults
import stand


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows configuration, log and process list."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for number, daemon in enumerate(getattr(item, "daemons", [])):
            report.sections.append((f"superd {number}", daemon.describe()))


@pytest.fixture(scope="session")
def probe(build):
    """The program that tells how it was started: build/tests/system/probe."""
    return build / "tests/system/probe"


@pytest.fixture
def superd(build, tmp_path, request):
    """
    Starts daemons: superd(config, options...); each is stopped and checked at the end. at=FOLDER
    is another build tree.
    """
    daemons = []
    request.node.daemons = daemons

    def start(config, *options, ready=True, at=build, **more):
        folder = tmp_path / f"superd{len(daemons)}"
        folder.mkdir()
        os.chmod(folder, 0o755)
        daemon = stand.Superd(at, folder, config, options, **more)
        daemons.append(daemon)
        daemon.start(ready)
        return daemon

    yield start
    try:
        for daemon in daemons:
            if daemon.check:
                daemon.stop()
    finally:
        for daemon in daemons:
            daemon.kill()
            daemon.remove()


@pytest.fixture(params=["select+vm", "select+fork", "epoll+vm", "epoll+fork"])
def kinds(request):
    """The options of every pair of loop and spawn implementation, one after the other."""
    loop, spawn = request.param.split("+")
    return [f"--loop={loop}", f"--spawn={spawn}"]


@pytest.fixture
def services(build):
    """The folder of the bundled services."""
    return build / "services"


@pytest.fixture(autouse=True)
def open_folder(tmp_path):
    """Programs run as nobody where superd is root: the test's folder is open to them."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)


@pytest.fixture
def out(tmp_path):
    """A folder where any program may write."""
    folder = tmp_path / "out"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture(scope="session")
def sanitized(build):
    """Whether this is a build with sanitizers: its programs take far more time and memory."""
    return b"__asan_init" in (build / "superd/superd").read_bytes()


@pytest.fixture(scope="session")
def counted(build):
    """Whether this build counts lines (make coverage): its programs take their time to end."""
    return b"__gcov_" in (build / "superd/superd").read_bytes()


@pytest.fixture
def program(tmp_path):
    """Writes an executable script: program("name", "#!/bin/sh\\n...") and returns its path."""

    def write(name, text):
        path = pathlib.Path(tmp_path) / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def board(build, tmp_path, sanitized):
    """Rules by which calls of a superd that was started with board.env fail."""
    return faults.Board(build, tmp_path, sanitized)


@pytest.fixture
def patient(superd, services, sanitized):
    """patient(services' text, options...): a daemon with these services and a healthy one."""

    def start(text="", *options, top="", **more):
        port = stand.free_port()
        daemon = superd(
            f"{faults.LOG}service-directory = {services}\n{top}\n"
            # a pipe for standard error would stay for a second after the last program
            "defaults { stderr = null }\n"
            f"service well {{ listen = 127.0.0.1:{port} exec = echo }}\n{text}\n",
            *options,
            **more,
        )
        return faults.Patient(daemon, port, sanitized)

    return start
