"""A real agent, as a process of its own, on a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bastide.agent.http import get_local
from bastide.agent.settings import Log
from tests.ports import free_port
from tests.waiting import LONG_S

ROOT = Path(__file__).parents[3]


class Process:
    """May be killed and started again."""

    def __init__(self, folder: Path, logs: list[Log], **changes: Any):
        self.folder = folder
        self.listen, self.otlp = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        self.statsd = f"127.0.0.1:{free_port()}"
        self._settings = folder / "settings.json"
        plain: Mapping[str, Any] = {
            "format": 1, "host": "web1", "state": str(folder / "state"), "monitors": [], "tls": None,
            "logs": [log._asdict() for log in logs], "listen": self.listen, "statsd": self.statsd, "otlp": self.otlp,
            "spool_bytes": 10 << 20, "current": str(folder / "current"), "journal": False, **changes,
        }  # fmt: skip
        self._settings.write_text(json.dumps(plain))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin; does not wait."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bastide.agent", "run", str(self._settings)],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Process:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def kill(self) -> None:
        """As the kernel would, out of memory."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def end(self) -> int:
        """As systemd would; its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(LONG_S)

    def metrics(self) -> dict[str, float]:
        """What it says. Waits until it listens."""
        until = time.monotonic() + LONG_S
        while True:
            try:
                text = get_local(self.listen, "/metrics").decode()
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines()}


def sum_of(metrics: Mapping[str, float], name: str) -> float:
    """Over all label sets."""
    return sum(value for key, value in metrics.items() if key.partition("{")[0] == name)
