"""A PostgreSQL of the tests' own: made from nothing, on a socket in a directory, gone afterwards."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

PASSWORD = "s3cret/p@ss:word"  # noqa: S105 - of a server that lives for a test run
QUOTED = "s3cret%2Fp%40ss%3Aword"


def programs():
    """The directory of the newest `initdb`, or None."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    found = sorted(debian, key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else on_path and Path(on_path).parent


class Cluster:
    """A server that is reached through a socket in its own directory, with a password."""

    def __init__(self, bin_directory):
        self.bin = bin_directory
        self.directory = Path(tempfile.mkdtemp(prefix="softwidth-pg-"))
        self.numbers = itertools.count()
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self.directory, *self.who().values())
        self.initialise()
        self.run("pg_ctl", "start", "-w", "-l", self.directory / "log", "-o", self.options())

    def who(self):
        names = {user.pw_name for user in pwd.getpwall()}
        name = "postgres" if "postgres" in names else "nobody"
        return {"user": pwd.getpwnam(name).pw_uid, "group": pwd.getpwnam(name).pw_gid}

    def options(self):
        # Nothing here outlives the machine: a commit need not wait for the disk.
        return f"-c listen_addresses= -c unix_socket_directories={self.directory} -c fsync=off"

    def initialise(self):
        secret = self.directory / "secret"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self.run(
            "initdb", "--username=tester", f"--pwfile={secret}", "--auth=scram-sha-256",
            "--encoding=UTF8", "--no-locale", "--no-sync",
        )  # fmt: skip

    def run(self, program, *arguments):
        rights = {**self.who(), "extra_groups": []} if os.getuid() == 0 else {}
        subprocess.run(
            [self.bin / program, *map(str, arguments), "-D", self.directory / "data"],
            check=True, timeout=120, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            **rights,
        )  # fmt: skip

    def restart(self, mode="fast"):
        """Stop in one of pg_ctl's modes, and start again."""
        self.stop(mode)
        self.run("pg_ctl", "start", "-w", "-l", self.directory / "log", "-o", self.options())

    def stop(self, mode="fast"):
        self.run("pg_ctl", "stop", "-w", "-m", mode)

    def url(self, database="postgres"):
        return f"postgresql://tester:{QUOTED}@/{database}?host={self.directory}"

    def new(self):
        """The URL of a new, empty database."""
        name = f"studies_{next(self.numbers)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"create database {name}")
        return self.url(name)

    def remove(self):
        self.stop("immediate")
        shutil.rmtree(self.directory)
