"""Fixtures for the tests of single services."""

import socket

import pytest

import drive


def ip6_works():
    try:
        drive.udp_socket("::1").close()
    except OSError:
        return False
    return True


@pytest.fixture
def stand(build):
    """Starts services; at the end none may be left and every exit status must have been checked."""
    the_stand = drive.Stand(build)
    yield the_stand
    the_stand.close()


@pytest.fixture(params=["tcp", "tcp6", "unix", "pipe"])
def transport(request):
    """What a stream service may be started on."""
    if request.param == "tcp6" and not ip6_works():
        pytest.skip("this machine has no ::1")
    return request.param


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6], ids=["ip4", "ip6"])
def loopback(request):
    """The loopback address of each family."""
    if request.param == socket.AF_INET6 and not ip6_works():
        pytest.skip("this machine has no ::1")
    return "127.0.0.1" if request.param == socket.AF_INET else "::1"


@pytest.fixture(scope="session")
def sanitized(build):
    """Whether the build under test has sanitizers."""
    return "#define SUPERD_SANITIZERS 1" in (build / "config.h").read_text(encoding="utf-8")
