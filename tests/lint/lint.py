"""What the lint scripts share: where the trees are, and how problems are told."""

import os
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(
    os.environ.get("SUPERD_SOURCE", pathlib.Path(__file__).resolve().parent.parent.parent)
)
BUILD = pathlib.Path(os.environ.get("SUPERD_BUILD", SOURCE / "build"))


def c_files(*folders):
    """All C sources and headers below these folders of the source tree, sorted."""
    for folder in folders:
        for path in sorted((SOURCE / folder).rglob("*.[ch]")):
            yield path


def name(path):
    """A path as people write it: from the top of the source tree."""
    return str(path.relative_to(SOURCE))


def finish(problems, checked):
    """Prints the problems and ends; having looked at nothing is a problem too."""
    if not checked:
        problems = [*problems, f"nothing to check below {SOURCE}"]
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


def skip(reason):
    """Ends as skipped."""
    print(reason)
    sys.exit(77)


def output(*command):
    """What a tool writes; a tool that fails ends the lint."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        print(done.stdout + done.stderr)
        sys.exit(1)
    return done.stdout
