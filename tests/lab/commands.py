"""The command line as a user drives it: a copy of an example, and `bastide` verbs on it.

In: an example's folder. Out: `Commands`, whose verbs are real processes. Holds: the copy's state and lab are its own,
and `scratch_project` destroys the lab whatever happens.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bastide.project.opening import open_project
from bastide.project.target import choose_target
from bastide.transport.endpoint import ssh_argv

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
STATE = ".bastide"
_CONNECT_S = 15.0
"""For a machine that is busy with something else: what the product allows is no promise of `ask`."""


@dataclass(frozen=True, kw_only=True)
class Commands:
    """One project; each method is one call of the command line."""

    spec: Path
    environment: str | None = None

    def argv(self, *words: str) -> list[str]:
        """`bastide VERB -f SPEC [--env NAME] …`; of `lab` and `db` the verb is two words."""
        verb = 2 if words[0] in ("lab", "db") else 1
        overlay = ["--env", self.environment] if self.environment else []
        return [sys.executable, "-m", "bastide", *words[:verb], "-f", str(self.spec), *overlay, *words[verb:]]

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Begin a verb and do not wait for it."""
        return subprocess.Popen(
            self.argv(*words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=process_environment(),
        )

    def run(
        self, *words: str, given: str | None = None, timeout_s: float = 240
    ) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end, however that is."""
        return subprocess.run(
            self.argv(*words),
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            env=process_environment(),
            timeout=timeout_s,
            check=False,
        )

    def do(self, *words: str, given: str | None = None, timeout_s: float = 240) -> str:
        """What a verb that must succeed printed."""
        done = self.run(*words, given=given, timeout_s=timeout_s)
        assert done.returncode == 0, f"{shlex.join(words)}: exit {done.returncode}\n{done.stderr}\n{done.stdout}"
        return done.stdout

    def ask(self, host: str, script: str, *, timeout_s: float = 120) -> str:
        """What a shell script on a machine printed; it must succeed.

        As `bastide exec HOST -- sh -e <script` (which has tests of its own), without a Python process for each call.
        """
        endpoint = choose_target(open_project(self.spec, self.environment), "lab").endpoint(host)
        done = subprocess.run(
            [*ssh_argv(endpoint, connect_s=_CONNECT_S), "sh -e"],
            input=script,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, f"{host}: exit {done.returncode}\n{done.stderr}\n{done.stdout}\n{script}"
        return done.stdout.strip()

    def status(self) -> dict[str, Any]:
        """`bastide status --json`; unhealthy is an answer too."""
        done = self.run("status", "--json")
        assert done.returncode in (0, 1), done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def await_healthy(self, *, within_s: float = 120) -> dict[str, Any]:
        """Look until everything is healthy; the last look."""
        end = time.monotonic() + within_s
        while True:
            began = time.monotonic()
            seen = self.status()
            if seen["healthy"]:
                return seen
            sick = [
                (h["name"], h["reason"], [s for s in h["services"] if not s["healthy"]])
                for h in seen["hosts"]
                if not h["healthy"]
            ]
            assert time.monotonic() < end, f"not healthy within {within_s} s: {sick}"
            # Hosts that share this computer with whoever asks get half of it to become healthy with.
            time.sleep(min(max(0.3, time.monotonic() - began), 5))

    @property
    def base(self) -> Path:
        """Folder of the spec."""
        return self.spec.parent

    @property
    def state(self) -> Path:
        """The lab's keys, secrets and journal on this computer."""
        return self.base / STATE / ("lab" if self.environment is None else f"lab-{self.environment}")

    def secrets(self) -> dict[str, str]:
        """Every generated secret by name."""
        files = [path for path in (self.state / "secrets").iterdir() if path.name != "lock"]
        return {path.name: path.read_text().strip() for path in files}


def process_environment() -> dict[str, str]:
    """Environment of every verb."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), "BASTIDE_PROGRESS": "plain", "NO_COLOR": "1"}


@contextlib.contextmanager
def scratch_project(
    example: str, *, environment: str | None = None, source: Path | None = None
) -> Iterator[Commands]:
    """A copy of an example (or of the folder `source`) in a folder of its own; its lab is destroyed at the end."""
    original = source or EXAMPLES / example
    folder = Path(tempfile.mkdtemp(prefix=f"bastide-{example}-")) / example
    shutil.copytree(original, folder, ignore=shutil.ignore_patterns(STATE, "__pycache__"))
    commands = Commands(spec=folder / "bastide.yaml", environment=environment)
    try:
        yield commands
    finally:
        # By the spec as it stands, which may have a name of its own. One that a test broke must not keep the lab alive.
        destroyed = commands.run("destroy", "--yes", timeout_s=120)
        if destroyed.returncode != 0:
            shutil.copytree(original, folder, ignore=shutil.ignore_patterns(STATE), dirs_exist_ok=True)
            destroyed = commands.run("destroy", "--yes", timeout_s=120)
        shutil.rmtree(folder.parent)
        assert destroyed.returncode == 0, destroyed.stderr
