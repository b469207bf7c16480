"""The command line as a user meets it: a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def bastide(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a verb without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "bastide", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(Path(__file__).parents[3] / "src")},
    )
