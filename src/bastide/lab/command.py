"""Run a tool of this computer and hand back what it printed; a failure is a `CommandFailed` that says why."""

import subprocess
from collections.abc import Sequence

from bastide.lab.errors import CommandFailed


def run(argv: Sequence[str], *, stdin: str | None = None, timeout_s: float = 60) -> str:
    """Standard output of the command. Raises `CommandFailed` when it exits non-zero or takes too long."""
    try:
        done = subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            errors="replace",
        )
    except FileNotFoundError as missing:
        raise CommandFailed(argv, 127, f"{argv[0]} is not installed") from missing
    except subprocess.TimeoutExpired as late:
        raise CommandFailed(argv, 124, f"no answer after {timeout_s:.0f} s") from late
    if done.returncode != 0:
        raise CommandFailed(argv, done.returncode, done.stderr or done.stdout)
    return done.stdout
