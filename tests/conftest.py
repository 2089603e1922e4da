"""What every Python test shares: where the build under test lies.

The build tree is named by the environment (SUPERD_BUILD, set by tests/run); by hand it is
build/ beside the sources.
"""

import os
import pathlib
import resource
import signal

import pytest

SOURCE = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("SUPERD_BUILD", SOURCE / "build")).resolve()

# Below a shell's background job it is ignored, and so it would be in every program under test.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A login's soft limit is often 1,024: less than some tests have clients.
HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (HARD, HARD))


@pytest.fixture(scope="session")
def build():
    """The build tree: build/superd/superd, build/services/NAME, build/services/clients/NAME."""
    return BUILD


@pytest.fixture(scope="session")
def source():
    """The source tree."""
    return SOURCE
