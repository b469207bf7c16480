"""The demo shop, raised once for all tests of this folder; each leaves it healthy."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.lab.argv_watch import ArgvWatch, watch_argv
from tests.lab.commands import Commands, scratch_project


@dataclass(frozen=True, kw_only=True)
class Raised:
    """The shop, and what its raising said and showed."""

    commands: Commands
    facts: dict[str, Any]
    """What `up --json` printed."""
    said: str
    """Everything that `up` wrote, to both outputs."""
    argv: ArgvWatch
    """Command lines that ran meanwhile, on this computer and (its kernel being theirs) on every machine."""

    @property
    def edge(self) -> str:
        """The address that the domain leads to."""
        return str(self.facts["address"])

    def curl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Curl on this computer, trusting the printed CA alone."""
        argv = ["curl", "--silent", "--show-error", "--max-time", "10", "--cacert", self.facts["ca"]]
        argv += ["--resolve", f"shop.test:443:{self.edge}", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    def addresses(self) -> dict[str, str]:
        """Private address of each host."""
        return {host["name"]: host["address"] for host in self.commands.status()["hosts"]}


@pytest.fixture(scope="package")
def raised() -> Iterator[Raised]:
    with scratch_project("shop") as commands:
        with watch_argv() as argv:
            done = commands.run("up", "--json", timeout_s=240)
        assert done.returncode == 0, done.stderr
        print(done.stderr)
        yield Raised(commands=commands, facts=json.loads(done.stdout), said=done.stdout + done.stderr, argv=argv)


@pytest.fixture(scope="package")
def shop(raised: Raised) -> Commands:
    return raised.commands
