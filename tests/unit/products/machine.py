"""A stand-in for a host: a mount namespace in which a fragment's files stand where they belong.

Real programs run in it on loopback addresses, without systemd: tests start them by hand.
"""

from __future__ import annotations

import grp
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bastide.products.fragment import File, Fragment
from tests.waiting import wait_until

_ETC = (
    "passwd",
    "group",
    "nsswitch.conf",
    "hosts",
    "mime.types",
    "nginx",
    "php",
    "alternatives",
    "ssl",
    "localtime",
)
_MOUNTS = ("etc", "srv", "run", "var/log", "var/cache", "var/lib")


class Machine:
    """Mounts of its own below `folder` (short: unix sockets have paths of 107 characters)."""

    def __init__(self, folder: Path, fragments: Sequence[Fragment]) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []
        for mount in _MOUNTS:
            (folder / mount).mkdir(parents=True)
        for name in _ETC:
            source = Path("/etc", name)
            if source.is_dir():
                shutil.copytree(source, folder / "etc" / name, symlinks=True)
            elif source.exists():
                shutil.copy(source, folder / "etc" / name)
        groups = (folder / "etc/group").read_text()
        if "\napp:" not in groups:
            (folder / "etc/group").write_text(f"{groups}app:x:61234:\n")
            users = (folder / "etc/passwd").read_text()
            (folder / "etc/passwd").write_text(f"{users}app:x:61234:61234::/nonexistent:/usr/sbin/nologin\n")
        for file in (f for fragment in fragments for f in fragment.files):
            self.write(file)
        binds = " && ".join(f"mount --bind {folder / m} /{m}" for m in _MOUNTS)
        self._holder = subprocess.Popen(["unshare", "-m", "sh", "-c", f"{binds} && exec sleep infinity"])
        wait_until(lambda: _command(self._holder.pid) == "sleep")
        for path, owner in (
            ("run/nginx", "www-data"),
            ("var/cache/nginx", "www-data"),
            ("var/log/bastide", "www-data"),
        ):
            (folder / path).mkdir()
            shutil.chown(folder / path, owner, owner)
        (folder / "run/app").mkdir()

    def write(self, file: File) -> None:
        target = self.folder / file.path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        target.chmod(file.mode)
        gid = 61234 if file.group == "app" else grp.getgrnam(file.group).gr_gid
        os.chown(target, 0, gid)

    def argv(self, *command: str, user: str | None = None) -> list[str]:
        enter = ["nsenter", "-m", "-t", str(self._holder.pid), "--"]
        drop = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--no-new-privs"] if user else []
        return [*enter, *drop, *command]

    def run(self, *command: str, user: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*command, user=user), capture_output=True, text=True, timeout=120, check=False
        )

    def start(
        self, *command: str, user: str | None = None, env: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        log = (self.folder / "output").open("ab")
        process = subprocess.Popen(self.argv(*command, user=user), stdout=log, stderr=log, env=env)
        log.close()
        self.started.append(process)
        return process

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text()

    def start_nginx(self) -> subprocess.Popen[bytes]:
        process = self.start(
            *("/usr/sbin/nginx", "-e", "stderr", "-c", "/etc/bastide/nginx/nginx.conf", "-g", "daemon off;"),
            user="www-data",
        )
        pid_file = self.folder / "run/nginx/nginx.pid"
        wait_until(lambda: (pid_file.exists() and pid_file.read_text() != "") or process.poll() is not None)
        assert process.poll() is None, self.output
        return process

    def stop(self) -> None:
        for process in (*self.started, self._holder):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(30)


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()
