"""Running Bastide's own command line from this checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_START = "from bastide.cli.main import main; main()"


class ToolFailed(Exception):
    """Bastide, or what it was asked to run, ended with an error; the message holds what it said."""


def environment() -> dict[str, str]:
    """This process's, with this checkout's source first, and as installed: Python may keep what it compiled."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "NO_COLOR": "1"}


def argv(*words: str) -> list[str]:
    """The command line of `bastide WORDS`."""
    return [sys.executable, "-c", _START, *words]


def bastide(*words: str, input_text: str | None = None) -> str:
    """Its standard output. Raises ToolFailed."""
    done = subprocess.run(
        argv(*words), env=environment(), capture_output=True, text=True, check=False, input=input_text
    )
    if done.returncode:
        raise ToolFailed(
            f"bastide {' '.join(words)}: {done.returncode}\n{done.stderr[-3000:]}\n{done.stdout[-2000:]}"
        )
    return done.stdout


def bastide_json(*words: str) -> dict[str, Any]:
    """Its JSON. Raises ToolFailed."""
    value = json.loads(bastide(*words, "--json", "--progress", "quiet"))
    assert isinstance(value, dict)
    return value
