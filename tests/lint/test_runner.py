"""The runner itself: every way in which a test can end is counted, and nothing hides a failure."""

import re
import shutil
import subprocess

import pytest

SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")


class Tree:
    """A source tree with nothing but the runner, and a build tree."""

    def __init__(self, folder, source):
        self.folder = folder
        self.build = folder / "build"
        (folder / "tests").mkdir()
        self.build.mkdir()
        (self.build / "config.status").write_text("")
        shutil.copy(source / "tests/run", folder / "tests/run")
        for suite in ("lint", "unit", "conf", "services", "system"):
            (folder / "tests" / suite).mkdir()

    def script(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)

    def unit(self, text, name="test_a"):
        """A program that stands for one of cmocka's."""
        (self.folder / f"tests/unit/{name}.c").write_text("")
        self.script(f"build/tests/unit/{name}", text)

    def pytest(self, text, name="system/test_a.py"):
        (self.folder / "tests" / name).write_text(text)

    def run(self, *options):
        """(exit status, (passed, failed, skipped), output)"""
        done = subprocess.run(
            [self.folder / "tests/run", "--build", self.build, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        lines = done.stdout.splitlines()
        found = [SUMMARY.match(line) for line in lines]
        assert found[-1] and not any(found[:-1]), done.stdout
        return done.returncode, tuple(int(count) for count in found[-1].groups()), done.stdout


def expected(counts):
    """The exit status: something passed and nothing failed."""
    return 0 if counts[0] and not counts[1] else 1


@pytest.fixture
def tree(tmp_path, source):
    return Tree(tmp_path, source)


def test_nothing_at_all_is_a_failure(tree):
    assert tree.run()[:2] == (1, (0, 0, 0))


@pytest.mark.parametrize(
    "text, counts, says",
    [
        ("echo 1..2; echo ok 1 - a; echo ok 2 - b", (2, 0, 0), ""),
        ("echo 1..2; echo ok 1 - a; echo not ok 2 - b; exit 1", (1, 1, 0), "test_a::b"),
        ("echo 1..2; echo ok 1 - a; echo not ok 2 '# SKIP b'", (1, 0, 1), "no reason given"),
        ("echo 1..1; echo skip: too dark; echo not ok 1 '# SKIP b'", (0, 0, 1), "too dark"),
        ("echo 1..2; echo ok 1 - a; kill -SEGV $$", (1, 1, 0), "killed by SIGSEGV"),
        ("echo 1..2; echo ok 1 - a", (1, 1, 0), "ended after 1 of 2 tests"),
        ("echo 1..1; echo ok 1 - a; exit 9", (1, 1, 0), "exit status 9"),
        ("exit 0", (0, 1, 0), "ended after 0 of 0 tests"),
        ("echo 1..1; echo ok 1 - a; echo 1..1; echo ok 1 - b", (2, 0, 0), ""),
    ],
)
def test_unit(tree, text, counts, says):
    tree.unit(text)
    status, got, output = tree.run("unit")
    assert got == counts and status == expected(counts) and says in output


def test_unit_that_was_not_built(tree):
    (tree.folder / "tests/unit/test_a.c").write_text("")
    status, counts, output = tree.run()
    assert (status, counts) == (1, (0, 1, 0)) and "not built" in output


def test_unit_without_a_source_is_not_run(tree):
    tree.unit("echo 1..1; echo ok 1 - a")
    tree.script("build/tests/unit/test_old", "exit 1")
    assert tree.run()[:2] == (0, (1, 0, 0))


def test_wrapper(tree):
    tree.unit("echo 1..1; echo ok 1 - a")
    tree.script("wrapper", 'echo wrapped; "$@"; exit 99\n')
    status, counts, output = tree.run("--wrapper", str(tree.folder / "wrapper"), "unit")
    assert (status, counts) == (1, (1, 1, 0)) and "exit status 99" in output and "wrapped" in output


@pytest.mark.parametrize(
    "text, counts, says",
    [
        ("exit 0", (1, 0, 0), ""),
        ("echo found; exit 1", (0, 1, 0), "found"),
        ("echo no such tool; exit 77", (0, 0, 1), "no such tool"),
        ("kill -KILL $$", (0, 1, 0), "killed by SIGKILL"),
    ],
)
def test_lint(tree, text, counts, says):
    tree.script("tests/lint/a", text)
    status, got, output = tree.run("lint")
    assert (status, got) == (expected(counts), counts) and says in output


@pytest.mark.parametrize(
    "text, counts, says",
    [
        ("def test_a():\n    pass\n\ndef test_b():\n    pass\n", (2, 0, 0), ""),
        ("def test_a():\n    assert 1 == 2\n", (0, 1, 0), "assert 1 == 2"),
        ("import pytest\ndef test_a():\n    pytest.skip('too dark')\n", (0, 0, 1), "too dark"),
        ("import nothing_of_this_name\n", (0, 1, 0), "nothing_of_this_name"),
        ("", (0, 1, 0), "no test in it"),
        ("import os\ndef test_a():\n    os._exit(0)\n", (0, 1, 0), "FAILED"),
        (
            "import pytest\n@pytest.fixture\ndef f():\n    yield\n    assert 0\n"
            "def test_a(f):\n    pass\n",
            (0, 1, 0),
            "test_a",
        ),
    ],
)
def test_pytest(tree, text, counts, says):
    tree.pytest(text)
    status, got, output = tree.run("system")
    assert (status, got) == (expected(counts), counts) and says in output


def test_hanging_is_a_failure(tree):
    tree.unit("echo 1..2; echo ok 1 - a; exec sleep 100")
    tree.pytest("import time\ndef test_a():\n    time.sleep(100)\n")
    status, counts, output = tree.run("--timeout", "2")
    assert (status, counts) == (1, (1, 2, 0)) and output.count("took too long") >= 2


def test_all_failures_and_skips_are_named(tree):
    tree.unit("echo 1..2; echo not ok 1 - a; echo not ok 2 - b; exit 2")
    tree.script("tests/lint/c", "exit 1")
    tree.pytest("def test_d():\n    assert 0\n", "conf/test_d.py")
    tree.pytest("import pytest\n@pytest.mark.skip(reason='dark')\ndef test_e():\n    pass\n")
    status, counts, output = tree.run()
    assert (status, counts) == (1, (0, 4, 1))
    for line in (
        "FAILED: unit: test_a::a",
        "FAILED: unit: test_a::b",
        "FAILED: lint: c (exit status 1)",
        "FAILED: conf: conf/test_d.py::test_d",
        "skipped: system: system/test_e.py::test_e: dark",
    ):
        assert line.replace("test_e.py", "test_a.py") in output


def test_alone_runs_after_the_others(tree):
    tree.pytest("# tests/run: alone\nimport os\ndef test_a():\n    assert os.path.exists('done')\n")
    tree.unit(f"sleep 1; touch {tree.folder}/tests/done; echo 1..1; echo ok 1 - a")
    assert tree.run()[:2] == (0, (2, 0, 0))


def test_unknown_suite(tree):
    done = subprocess.run([tree.folder / "tests/run", "units"], capture_output=True, check=False)
    assert done.returncode == 2
