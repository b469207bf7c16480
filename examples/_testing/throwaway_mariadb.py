"""A MariaDB server of a test's own: in a temporary directory, on a random loopback port, gone afterwards.

Needs Debian's `mariadb-server` package (not its running service). Holds: no daemon outlives `destroy`, and
nothing outside the directory is touched.
"""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PROGRAMS = ("mariadbd", "mariadb-install-db", "mariadb")
SEARCH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin"])


def missing_programs() -> list[str]:
    return [name for name in PROGRAMS if shutil.which(name, path=SEARCH) is None]


def free_port() -> int:
    """Below those that the kernel gives to any connection: nobody takes it while the server is away."""
    while True:
        port = random.randrange(10_000, 20_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


class ThrowawayMariaDB:
    """Made with one database and one ordinary user, who may do everything in it and nothing else."""

    def __init__(self, directory: Path, *, name: str) -> None:
        self.name = name
        self.port = free_port()
        self._data = directory / "data"
        self._socket = directory / "s"
        self._log = directory / "log"
        self._server: subprocess.Popen[bytes] | None = None
        self._run(
            "mariadb-install-db", "--no-defaults", f"--datadir={self._data}", "--skip-test-db",
            "--auth-root-authentication-method=normal", *self._as_user(),
        )  # fmt: skip
        self.start()
        self.sql(
            f"CREATE DATABASE `{name}`; CREATE USER tester@'127.0.0.1' IDENTIFIED BY 'p@ss word';"
            f" GRANT ALL ON `{name}`.* TO tester@'127.0.0.1'",
        )

    @property
    def url(self) -> str:
        return f"mysql://tester:p%40ss%20word@127.0.0.1:{self.port}/{self.name}"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [
                    _path("mariadbd"), "--no-defaults", f"--datadir={self._data}", f"--socket={self._socket}",
                    f"--port={self.port}", "--bind-address=127.0.0.1", "--skip-name-resolve",
                    "--skip-log-bin",
                    "--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=16M", *self._as_user(),
                ],
                stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + 90
        while True:
            try:
                self.sql("SELECT 1")
            except subprocess.CalledProcessError:
                if self._server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"mariadbd did not start:\n{self._log.read_text()[-2000:]}") from None
                time.sleep(0.1)
            else:
                return

    def freeze(self) -> None:
        """It still accepts connections (the kernel does), and answers nobody."""
        if self._server:
            self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self._server:
            self._server.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """As a power cut would."""
        if self._server:
            self._server.kill()
            self._server.wait(timeout=30)
            self._server = None

    destroy = kill

    def sql(self, statements: str) -> str:
        """Run as root; the result as text, a row a line, tabs between."""
        return self._run(
            "mariadb", "--no-defaults", f"--socket={self._socket}", "--user=root", "--batch",
            "--skip-column-names", f"--execute={statements}",
        )  # fmt: skip

    def number(self, query: str) -> int:
        return int(self.sql(query))

    @staticmethod
    def _as_user() -> list[str]:
        return ["--user=root"] if os.geteuid() == 0 else []

    @staticmethod
    def _run(program: str, *arguments: str) -> str:
        done = subprocess.run([_path(program), *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()


def _path(program: str) -> str:
    found = shutil.which(program, path=SEARCH)
    if found is None:
        raise FileNotFoundError(program)
    return found
