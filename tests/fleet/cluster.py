"""A PostgreSQL of its own for tests: initdb in a temporary folder, a socket there, no port, gone afterwards.

Debian's packages are enough (`make peers` installs them); elsewhere initdb must be on the PATH. As root the server runs
as the user postgres, or nobody.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    path = str(found[-1]) if found else shutil.which("initdb")
    return Path(path).resolve().parent if path else None


PROGRAMS = _programs()
WHY_NONE = "" if PROGRAMS else "no PostgreSQL server: `make peers` installs Debian's, or put initdb on the PATH"
_FAST = "-c shared_buffers=128MB -c max_wal_size=1GB -c listen_addresses=''"


def _user() -> str:
    """Who runs the server; empty: we are nobody special."""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), "") if os.geteuid() == 0 else ""


class Cluster:
    """One server. `dsn(name)` makes a database. `kill` and `start` are what a test may do to it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0
        self._user = _user()
        self._group = pwd.getpwnam(self._user).pw_gid if self._user else 0
        if self._user:
            shutil.chown(folder, self._user)
        self._run("initdb", "-D", str(folder / "data"), "-A", "trust", "-U", "tw", "--no-sync")

    def _run(self, program: str, *words: str) -> None:
        assert PROGRAMS is not None
        away = ["setpriv", f"--reuid={self._user}", f"--regid={self._group}", "--clear-groups"] if self._user else []
        done = subprocess.run(
            [*away, str(PROGRAMS / program), *words],
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        options = f"-k {self._folder} {_FAST}"
        self._run(
            "pg_ctl", "-D", str(self._folder / "data"), "-o", options, "-l", str(self._folder / "log"), "-w", "start"
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "-w", "stop")

    def pid(self) -> int:
        return int((self._folder / "data" / "postmaster.pid").read_text().split()[0])

    def hold(self) -> None:
        """The postmaster sleeps: connections hang, as with a server that swaps."""
        os.kill(self.pid(), signal.SIGSTOP)

    def dsn(self) -> str:
        """A new, empty database."""
        self._count += 1
        self._run("createdb", "-h", str(self._folder), "-U", "tw", f"t{self._count}")
        return f"host={self._folder} user=tw dbname=t{self._count}"


@contextlib.contextmanager
def running() -> Iterator[Cluster]:
    """A server for the length of a test; a short path, because a socket's name may have 107 bytes only."""
    folder = Path(tempfile.mkdtemp(prefix="tw-pg-"))
    try:
        cluster = Cluster(folder)
        cluster.start()
        try:
            yield cluster
        finally:
            with contextlib.suppress(AssertionError):
                cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
