"""Planned work under load: a switchover; a release of the application, and certificates issued anew, each brought to
their hosts by a rolling apply.

In: FaultSpec without targets, Ground. Holds: `end` brings an interrupted apply to its end, and back the release.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bastide.apply.releases import STAMP, STAMPED
from bastide.drill.ground import Ground
from bastide.drill.refusals import FaultRefused, FaultWithoutEffect, WorkFailed
from bastide.drill.scenario import FaultSpec, Kind

APPLYING: frozenset[Kind] = frozenset({"rotate", "deploy", "expire", "expire-edge"})
"""Kinds that end in an apply."""
CHANGES = 3
"""Exit code of `plan --exit-code`."""
_LONG_S = 600.0
_RELEASES = f"""
paths=$(grep -rhoE '/srv/bastide/app/[0-9a-f]{{64}}' /etc/systemd/system /etc/bastide /etc/nginx 2>/dev/null | sort -u)
for path in $paths; do cat "$path/{STAMPED}" || echo another; done
"""


def refuse_changes(ground: Ground) -> None:
    """Raises FaultRefused where an apply would do more than a drill asks of it."""
    try:
        done = _run(ground, "plan", "--exit-code")
    except WorkFailed as failure:
        raise FaultRefused(str(failure), "bastide plan says why") from failure
    if done.returncode == CHANGES:
        raise FaultRefused(
            "the hosts are not what the spec says, and what a drill rolls out would bring that along",
            "bastide plan shows it; bastide apply first",
        )
    if done.returncode:
        raise FaultRefused("the hosts cannot be compared with the spec", "bastide plan says why")


def _run(ground: Ground, *words: str) -> subprocess.CompletedProcess[str]:
    loaded = ground.target.loaded
    assert loaded is not None
    overlay = ["--env", loaded.files[1].stem.rpartition(".")[2]] if len(loaded.files) > 1 else []
    argv = [sys.executable, "-m", "bastide", *words, "-f", str(loaded.files[0]), *overlay]
    argv += ["--target", ground.target.kind, "--progress", "quiet"]
    try:
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_LONG_S, check=False,
            env={**os.environ, "NO_COLOR": "1"}, start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise WorkFailed(f"bastide {words[0]} did not end within {_LONG_S:g} s") from late


def apply_again(ground: Ground) -> None:
    """The hosts are what the spec says afterwards. Raises WorkFailed."""
    done = _run(ground, "apply", "--yes")
    if done.returncode:
        raise WorkFailed("bastide apply failed", tuple((done.stderr or done.stdout).strip().splitlines()[-5:]))


@dataclass(frozen=True)
class _Work:
    spec: FaultSpec
    ground: Ground

    def bastide(self, *words: str) -> None:
        """A verb of ours on the same project; it must succeed."""
        try:
            done = _run(self.ground, *words)
        except WorkFailed as failure:
            raise FaultWithoutEffect(str(failure)) from failure
        if done.returncode:
            raise FaultWithoutEffect(f"bastide {' '.join(words)}: {(done.stderr or done.stdout).strip()[-300:]}")

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
        apply_again(self.ground)


class DeployRelease(_Work):
    """The application's code as another release: shipped everywhere, and started host after host."""

    def begin(self) -> None:
        """The same files and one more, which tells it apart."""
        self._stamp.write_text(f"a drill: {uuid.uuid4().hex}\n")
        self.bastide("apply", "--yes")

    def proof(self) -> dict[str, Any]:
        """What units and servers are told to run, wherever they are told so, is one release and bears the stamp."""
        wanted = self._stamp.read_text().strip()
        found = {host: self.ground.shell(host, _RELEASES) for host in self._hosts()}
        if late := [host for host, stamps in found.items() if stamps != wanted]:
            raise FaultWithoutEffect(f"the release did not reach {', '.join(late)}")
        return {"released on": list(found)}

    def end(self) -> None:
        """The release that was there before."""
        self._stamp.unlink(missing_ok=True)
        apply_again(self.ground)

    @property
    def _stamp(self) -> Path:
        return self.ground.target.state / STAMP

    def _hosts(self) -> list[str]:
        services = self.ground.topology.services
        return [s.host for s in services if s.product == "app"] or [
            h.name for h in self.ground.topology.tier("web")
        ]
