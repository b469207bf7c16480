"""Planned work under load: a switchover, and certificates issued anew and brought to their hosts by a rolling apply.

In: FaultSpec without targets, Ground. Holds: there is nothing to put back; `end` brings an interrupted apply to its end.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from bastide.drill.ground import Ground
from bastide.drill.refusals import FaultWithoutEffect
from bastide.drill.scenario import FaultSpec

_LONG_S = 600.0


@dataclass(frozen=True)
class _Work:
    spec: FaultSpec
    ground: Ground

    def bastide(self, *words: str) -> str:
        """A verb of ours on the same project; it must succeed."""
        loaded = self.ground.target.loaded
        assert loaded is not None
        overlay = ["--env", loaded.files[1].stem.rpartition(".")[2]] if len(loaded.files) > 1 else []
        argv = [sys.executable, "-m", "bastide", *words, "-f", str(loaded.files[0]), *overlay]
        argv += ["--target", self.ground.target.kind, "--progress", "quiet"]
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_LONG_S, check=False,
            env={**os.environ, "NO_COLOR": "1"}, start_new_session=True,
        )  # fmt: skip
        if done.returncode:
            raise FaultWithoutEffect(f"bastide {' '.join(words)}: {(done.stderr or done.stdout).strip()[-300:]}")
        return done.stdout

    def end(self) -> None:
        """Nothing was broken."""


class SwitchOver(_Work):
    """Another database becomes primary."""

    def begin(self) -> None:
        """The verb waits until it is done."""
        self.bastide("db", "switchover")

    def proof(self) -> dict[str, Any]:
        """Who is primary now."""
        return {"primary": self.ground.look().facts.primary}


class RotateCertificates(_Work):
    """Every leaf of the project's authority, and the edge's own if it is the authority's."""

    def begin(self) -> None:
        """Forget them: an apply issues what is missing, and replaces it on every host, batch after batch."""
        pki = self.ground.target.state / "pki"
        for folder in (pki / "leaves", pki / "edge"):
            if folder.exists():
                shutil.rmtree(folder)
        self.bastide("apply", "--yes")

    def proof(self) -> dict[str, Any]:
        """Issued within these minutes."""
        leaves = sorted(path.name for path in (self.ground.target.state / "pki" / "leaves").iterdir())
        if not leaves:
            raise FaultWithoutEffect("no certificate was issued")
        return {"issued anew": leaves}

    def end(self) -> None:
        """An apply that was interrupted is brought to its end."""
        self.bastide("apply", "--yes")
