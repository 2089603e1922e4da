"""Each lint script is seen to fail: a tree with one fault of its kind, and the same without."""

import os
import shutil
import subprocess

import pytest

LINTS = (
    "layers sizes purpose globals format cppcheck man man-schema shell config-shipped matrix".split()
)

HEADER = """/*
 * {0}: a module made to be looked at.
 */
#ifndef X_{0}_H
#define X_{0}_H

#endif
"""

SOURCE = """/*
 * {0}: a module made to be looked at.
 */
#include "config.h"

#include "superd/{0}.h"
"""

PAGE = """.Dd November 20, 2026
.Dt {0} 8
.Os
.Sh NAME
.Nm {0}
.Nd a page made to be looked at
.Sh DESCRIPTION
Nothing.
"""


README = """superd

Reliability
-----------

Words.

    Spawn
      no process
          system/test_one.py::test_one

More words.
"""


class Tree:
    """A small source tree without faults, to which a test adds one."""

    def __init__(self, folder, source, build):
        self.folder = folder
        self.source = source
        self.build = build
        for name in ("error", "addr", "listener", "conf_scan"):
            self.write(f"superd/{name}.h", HEADER.format(name))
            self.write(f"superd/{name}.c", SOURCE.format(name))
        self.write("superd/local.mk", "")
        self.write("services/local.mk", "SERVICES = services/echo\n")
        self.write("services/clients/local.mk", "")
        self.write("services/echo.c", '/*\n * echo: made to be looked at.\n */\n#include "config.h"\n')
        names = ("superd", "superd.conf", "superd-service", "echo")
        for name in names:
            self.write(f"man/{name}.8", PAGE.format(name))
        self.write("man/local.mk", " ".join(f"{name}.8" for name in names))
        self.write("etc/superd.conf", "service seven { listen = 7  exec = /bin/true }\n")
        self.write("tests/system/test_one.py", "def test_one():\n    pass\n")
        self.write("tests/system/matrix", "Spawn | no process | system/test_one.py::test_one\n")
        self.write("README", README)
        self.write("bootstrap", "#!/bin/sh\n# Made to be looked at.\nexit 0\n").chmod(0o755)
        shutil.copytree(source / "tests/lint", folder / "tests/lint")
        shutil.copy(source / ".clang-format", folder)
        layers = folder / "tests/lint/layers.list"
        layers.write_text(
            "".join(
                line
                for line in layers.read_text().splitlines(keepends=True)
                if not line.startswith("except")
            )
        )

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def add(self, name, text):
        path = self.folder / name
        path.write_text(path.read_text() + text)

    def lint(self, name):
        """Runs a lint script over this tree; (exit status, output)."""
        done = subprocess.run(
            [self.folder / "tests/lint" / name],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env=dict(os.environ, SUPERD_SOURCE=str(self.folder), SUPERD_BUILD=str(self.build)),
        )
        if done.returncode == 77:
            pytest.skip(done.stdout.strip())
        return done.returncode, done.stdout


@pytest.fixture
def tree(tmp_path, source, build):
    return Tree(tmp_path, source, build)


def compile_object(tree, name):
    """An object file as the build tree has it, in a build tree of the test's own."""
    tree.build = tree.folder / "built"
    target = tree.build / f"superd/libsuperd_a-{name}.o"
    target.parent.mkdir(parents=True, exist_ok=True)
    command = ["gcc", "-c", "-fPIE", "-I", tree.folder, "-I", tree.folder / "superd"]
    (tree.folder / "superd/config.h").write_text("")
    subprocess.run([*command, "-o", target, tree.folder / f"superd/{name}.c"], check=True)
    (tree.folder / "superd/config.h").unlink()


def test_every_lint_is_tested(source):
    found = {
        path.name
        for path in (source / "tests/lint").iterdir()
        if path.is_file() and os.access(path, os.X_OK)
    }
    assert found == set(LINTS)


@pytest.mark.parametrize("name", [lint for lint in LINTS if lint not in ("globals", "man-schema")])
def test_good_tree_passes(tree, name):
    status, output = tree.lint(name)
    assert (status, output) == (0, "")


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("superd/addr.c", '#include "superd/listener.h"\n', "addr may not include listener"),
        ("superd/addr.h", '#include "superd/log.h"\n', "addr may not include log"),
        ("superd/listener.h", '#include "superd/spawn.h"\n', "listener may not include spawn"),
        ("superd/addr.c", "#include <confuse.h>\n", "confuse.h belongs to conf_* alone"),
        ("superd/addr.c", '#include "services/lib/io.h"\n', "may not include services/lib/io.h"),
        ("superd/addr.c", '#include "superd/none.h"\n', "superd/none.h is in no layer"),
        ("services/echo.c", '#include "superd/error.h"\n', "may not include superd/error.h"),
        ("services/echo.c", '#include "services/clients/a.h"\n', "may not include services/cl"),
        ("superd/error.h", '#include "superd/error_more.h"\n', "headers in a circle"),
    ],
)
def test_layers(tree, name, text, message):
    tree.write("superd/error_more.h", HEADER.format("error_more") + '#include "superd/error.h"\n')
    assert tree.lint("layers") == (0, "")
    tree.add(name, text)
    status, output = tree.lint("layers")
    assert status == 1 and message in output


def test_layers_unknown_module(tree):
    tree.write("superd/stranger.c", '/* A module. */\n#include "config.h"\n')
    status, output = tree.lint("layers")
    assert status == 1 and "superd/stranger.c: module in no layer" in output


@pytest.mark.parametrize(
    "text, message",
    [
        ('#include "superd/error.h"\n#include "config.h"\n', "first include is not config.h"),
        ('#include "config.h"\n#include <errno.h>\n', "second include is not superd/addr.h"),
    ],
)
def test_layers_order(tree, text, message):
    tree.write("superd/addr.c", text)
    status, output = tree.lint("layers")
    assert status == 1 and message in output


def test_layers_needless_exception(tree):
    tree.add("tests/lint/layers.list", "except addr log: nobody needs it\n")
    status, output = tree.lint("layers")
    assert status == 1 and "nobody needs 'except addr log'" in output


@pytest.mark.parametrize(
    "text, message",
    [
        ("int f(void)\n{\n" + "\tf();\n" * 59 + "}\n", "function of 61 lines"),
        ("/* line */\n" * 500, "lines, at most 500"),
        ("/*" + " word" * 20 + " */\n", "longer than 100 columns"),
    ],
)
def test_sizes(tree, text, message):
    tree.add("superd/addr.c", text)
    status, output = tree.lint("sizes")
    assert status == 1 and message in output


def test_sizes_at_the_limit(tree):
    tree.add("superd/addr.c", 'static const char text[] =\n\t"' + "long " * 20 + '";\n')
    tree.add("superd/addr.c", "int f(void)\n{\n" + "\tf();\n" * 58 + "}\n")
    assert tree.lint("sizes") == (0, "")


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("superd/addr.c", "#include <errno.h>\n/* late */\n", "does not open with a comment"),
        ("superd/addr.c", "/* */\n", "does not open with a comment"),
        ("superd/addr.c", "/* addr */\n", "says nothing"),
        ("superd/addr.h", "/* addr: a module to look at */\n", "no include guard"),
    ],
)
def test_purpose(tree, name, text, message):
    tree.write(name, text)
    status, output = tree.lint("purpose")
    assert status == 1 and message in output


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("addr", "int shared = 1;\n", "variable 'shared' is visible outside"),
        ("addr", "int zero;\n", "variable 'zero' is visible outside"),
        ("addr", "static int own;\nint f(void)\n{\n\treturn ++own;\n}\n", "state 'own'"),
        ("addr", "int f(void)\n{\n\tstatic int count;\n\treturn ++count;\n}\n", "state 'count"),
        ("addr", "const int fixed = 1;\n", None),
        ("addr", 'static const char *const names[] = {"a", "b"};\n'
            "const char *f(int i)\n{\n\treturn names[i];\n}\n", None),
        ("log", "static int own;\nint f(void)\n{\n\treturn ++own;\n}\n", None),
    ],
)
def test_globals(tree, name, text, message):
    tree.write("superd/log.h", HEADER.format("log"))
    tree.write("superd/log.c", SOURCE.format("log"))
    tree.add(f"superd/{name}.c", text)
    compile_object(tree, name)
    status, output = tree.lint("globals")
    if message:
        assert status == 1 and message in output
    else:
        assert (status, output) == (0, "")


def test_globals_without_a_build(tree):
    tree.build = tree.folder / "nowhere"
    status, output = tree.lint("globals")
    assert status == 1 and "nothing to check" in output


def test_format(tree):
    tree.add("superd/addr.c", "int  f( void ) { return 0; }\n")
    status, output = tree.lint("format")
    assert status != 0 and "superd/addr.c" in output


def test_cppcheck(tree):
    tree.add("superd/addr.c", "int f(void)\n{\n\tint a[2] = {0, 1};\n\n\treturn a[2];\n}\n")
    status, output = tree.lint("cppcheck")
    assert status == 1 and "arrayIndexOutOfBounds" in output


def test_man_warning(tree):
    tree.add("man/echo.8", ".Bl\n.It x\n")
    status, output = tree.lint("man")
    assert status == 1 and "man/echo.8" in output


def test_man_missing(tree):
    (tree.folder / "man/echo.8").unlink()
    status, output = tree.lint("man")
    assert status == 1 and "no manual page of echo" in output


def test_man_not_installed(tree):
    tree.write("man/local.mk", "superd.8 superd.conf.8 superd-service.8")
    status, output = tree.lint("man")
    assert status == 1 and "man/echo.8: not in man/local.mk" in output


@pytest.mark.parametrize(
    "text, message",
    [
        ("#!/bin/sh\n# A comment.\nif true; then\n", "bootstrap"),
        ("#!/bin/sh\nexit 0\n", "bootstrap: no comment"),
        ("#!/usr/bin/python3\n'''text'''\ndef f(:\n", "bootstrap"),
        ("#!/usr/bin/python3\nx = 1\n", "bootstrap: no docstring"),
        ("#!/bin/bash\n# A comment.\n", "neither"),
    ],
)
def test_shell(tree, text, message):
    tree.write("bootstrap", text)
    status, output = tree.lint("shell")
    assert status == 1 and message in output


def test_shell_mode(tree):
    (tree.folder / "bootstrap").chmod(0o644)
    status, output = tree.lint("shell")
    assert status == 1 and "bootstrap: not executable" in output


def test_config_shipped(tree):
    tree.write("etc/superd.conf", "service seven { listen = 7  exec = /bin/true  no = 1 }\n")
    status, output = tree.lint("config-shipped")
    assert status == 1 and "unknown option 'no'" in output


def test_man_schema(tree, source):
    page = (source / "man/superd.conf.5").read_text()
    tree.write("man/superd.conf.5", page)
    assert tree.lint("man-schema") == (0, "")
    tree.write("man/superd.conf.5", page.replace(".It Cm max-instances", ".It Cm min-instances"))
    status, output = tree.lint("man-schema")
    assert status == 1
    assert "max-instances is not in the manual page" in output
    assert "min-instances is no option" in output


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("tests/system/matrix", "Spawn | more | system/test_one.py::test_two\n", "no test system"),
        ("tests/system/matrix", "Spawn | more | system/test_two.py::test_one\n", "no test system"),
        ("tests/system/matrix", "Spawn | more\n", "not SECTION | WHAT | TESTS"),
        ("tests/system/matrix", "Spawn | no process | system/test_one.py::test_one\n", "twice"),
        ("tests/system/matrix", "Spawn | more | system/test_one.py::test_one\n", "README: the table"),
    ],
)
def test_matrix(tree, name, text, message):
    tree.add(name, text)
    status, output = tree.lint("matrix")
    assert status == 1 and message in output


def test_matrix_writes_the_readme(tree):
    tree.add("tests/system/matrix", "Death | kill | system/test_one.py::test_one\n")
    done = subprocess.run(
        [tree.folder / "tests/lint/matrix", "--write"],
        env=dict(os.environ, SUPERD_SOURCE=str(tree.folder)),
        check=False,
    )
    assert done.returncode == 0
    assert tree.lint("matrix") == (0, "")
    text = (tree.folder / "README").read_text()
    assert text.endswith("\nMore words.\n") and "    Death\n      kill\n" in text
