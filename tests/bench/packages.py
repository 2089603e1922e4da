"""Peers' programs: installed ones, or unpacked from their Debian packages into the build tree."""

import os
import re
import shutil
import subprocess

from server import Unavailable

FOLDERS = ":/usr/sbin:/sbin:/usr/lib/systemd"


class Packages:
    """Fetches each package once."""

    def __init__(self, folder):
        self.folder = folder
        self.failed = {}  # package: why it cannot be had

    def unpack(self, package):
        target = self.folder / package
        if (target / "usr").exists():
            return target
        if package in self.failed:
            raise Unavailable(self.failed[package])
        target.mkdir(parents=True, exist_ok=True)
        try:
            self.fetch(package, target)
        except (OSError, subprocess.SubprocessError, Unavailable) as reason:
            self.failed[package] = str(reason)
            raise Unavailable(str(reason)) from reason
        return target

    @staticmethod
    def fetch(package, target):
        if not shutil.which("apt-get") or not shutil.which("dpkg"):
            raise Unavailable("not installed, and no apt-get here to fetch its package")
        done = subprocess.run(
            ["apt-get", "download", "-qq", package],
            cwd=target,
            capture_output=True,
            text=True,
            check=False,
        )
        files = list(target.glob("*.deb"))
        if done.returncode != 0 or not files:
            said = [line for line in done.stderr.splitlines() if line.startswith("E:")]
            raise Unavailable(f"cannot fetch package {package}: {' '.join(said)}")
        subprocess.run(["dpkg", "-x", files[0], target], check=True)

    def libraries(self, path, packages):
        """The environment in which the program finds the libraries that are not installed."""
        said = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
        if "not found" not in said:
            return {}
        folders = set()
        for package in packages:
            folders |= {str(file.parent) for file in self.unpack(package).rglob("*.so.*")}
        env = {"LD_LIBRARY_PATH": ":".join(sorted(folders))}
        said = subprocess.run(
            ["ldd", path], capture_output=True, text=True, check=False, env=dict(os.environ, **env)
        ).stdout
        missing = re.findall(r"(\S+) => not found", said)
        if missing:
            raise Unavailable(f"needs {', '.join(missing)}")
        return env

    def program(self, name, package=None, libraries=()):
        """(path, environment) of a program; package None: only where it is installed."""
        path = shutil.which(name, path=os.environ.get("PATH", "") + FOLDERS)
        if path:
            return path, {}
        if package is None:
            raise Unavailable("not installed, and in no package of Debian 12")
        folder = self.unpack(package)
        found = [p for p in folder.rglob(f"*bin/{name}") if p.is_file() and os.access(p, os.X_OK)]
        if not found:
            raise Unavailable(f"no {name} in package {package}")
        return found[0], self.libraries(found[0], libraries)
