"""The configuration's loader: a short-lived process whose end never is superd's."""

import os
import subprocess

import pytest

import stand


def run(build, *options, timeout=60, **more):
    return subprocess.run(
        [str(build / "superd/superd"), *map(str, options)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **more,
    )


def write(tmp_path, text):
    path = tmp_path / "superd.conf"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def fault(source, tmp_path_factory):
    """A library that makes libconfuse fail; how, the name of the file that is parsed says."""
    library = tmp_path_factory.mktemp("fault") / "fault.so"
    subprocess.run(
        [*os.environ.get("CC", "cc").split(), "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1"]
        + ["-Wno-null-dereference", "-o", library, source / "tests/conf/fault.c", "-ldl"],
        check=True,
    )
    return library


@pytest.mark.parametrize("kind", ["crash", "loop", "memory", "exit"])
def test_parser_that_fails(build, fault, services, tmp_path, kind):
    path = tmp_path / f"{kind}.conf"
    path.write_text(f"service-directory = {services}\nservice d {{ listen = 1 exec = daytime }}\n")
    env = dict(
        os.environ,
        LD_PRELOAD=str(fault),
        ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0",
    )
    done = run(build, "-c", path.name, env=env, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "the configuration loader " in done.stderr, done.stderr


def test_every_problem_in_one_run(build, tmp_path):
    path = write(
        tmp_path,
        "bogus = 1\nservice a {\n  listen = 70000\n  exec = /no/such\n  cpu = 5\n}\n",
    )
    done = run(build, "-t", "-c", path)
    assert done.returncode == 1 and done.stdout == ""
    for line, text in ((1, "unknown option 'bogus'"), (3, "70000"), (4, "/no/such"), (5, "limits")):
        assert any(
            row.startswith(f"{path}:{line}: ") and text in row for row in done.stderr.splitlines()
        ), done.stderr
    # the same at start, and nothing listens
    again = run(build, "-c", path)
    assert again.returncode == 1 and again.stderr == done.stderr


def test_check_and_print(build, services, tmp_path):
    path = write(
        tmp_path,
        f"service-directory = {services}\nservice echo {{ listen = 127.0.0.1:{stand.free_port()}"
        " exec = echo }\n",
    )
    done = run(build, "-t", "-c", path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    first = run(build, "-T", "-c", path)
    assert first.returncode == 0 and "service echo" in first.stdout.replace('"', "")
    assert f"# {path}:2" in first.stdout
    path.write_text(first.stdout)
    second = run(build, "-T", "-c", path)
    assert second.returncode == 0

    def values(text):
        return [line.split("  #")[0].split(" #")[0].rstrip() for line in text.splitlines()]

    assert values(second.stdout) == values(first.stdout)


def test_a_thousand_services_load(build, services, tmp_path):
    ports = [stand.free_port() for _ in range(1000)]
    path = write(
        tmp_path,
        f"service-directory = {services}\n"
        + "".join(f"service s{p} {{\n listen = 127.0.0.1:{p}\n exec = echo\n}}\n" for p in ports),
    )
    assert run(build, "-t", "-c", path).returncode == 0


def test_missing_file(build, tmp_path):
    done = run(build, "-c", tmp_path / "none.conf")
    assert done.returncode == 1 and "No such file or directory" in done.stderr
