"""Which commit the spec is at.

In: the folder of the spec. Out: such as `3f1c2ab90d11`, with `+` when files below it are not committed; empty without git.
"""

from __future__ import annotations

import subprocess
from pathlib import Path


def spec_commit(base: Path) -> str:
    """Ask git."""
    head = _git(base, "rev-parse", "--short=12", "HEAD")
    if not head:
        return ""
    return head + ("+" if _git(base, "status", "--porcelain", "--untracked-files=no", "--", ".") else "")


def _git(base: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(base), *words],
            capture_output=True, text=True, check=False, timeout=5, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
