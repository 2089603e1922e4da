"""What every Python test shares: where the build under test lies.

The build tree is named by the environment (SUPERD_BUILD, set by tests/run); by hand it is
build/ beside the sources.
"""

import os
import pathlib

import pytest

SOURCE = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("SUPERD_BUILD", SOURCE / "build")).resolve()


@pytest.fixture(scope="session")
def build():
    """The build tree: build/superd/superd, build/services/NAME, build/services/clients/NAME."""
    return BUILD


@pytest.fixture(scope="session")
def source():
    """The source tree."""
    return SOURCE
