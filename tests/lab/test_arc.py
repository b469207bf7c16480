"""From the whiteboard to a system that is proven, on one lab: found weak, seen weak, mended, applied, proved."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.commands import Commands, process_environment

pytestmark = [pytest.mark.lab, pytest.mark.alone]

FLAWS = ["TLS001", "AVA001", "UNI001"]
"""Plain text behind the balancer, one balancer, every role on every server."""
NOTHING_SHOWS = {
    "walls.boot",  # only when asked for by name
    "wires.database-seed",
    "wires.database-announce",
    "wires.admin-dashboard",
}


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Commands]:
    """What `init` wrote."""
    commands = Commands(spec=tmp_path / "board" / "bastide.yaml")
    # Whose lab it is shows in its name, and another's must not be in the way.
    name = f"board-{uuid.uuid4().hex[:6]}"
    argv = [sys.executable, "-m", "bastide", "init", "--preset", "whiteboard", "--name", name, str(commands.base)]
    subprocess.run(argv, check=True, env=process_environment(), capture_output=True, text=True)
    try:
        yield commands
    finally:
        done = commands.run("destroy", "--yes", timeout_s=180)
        assert done.returncode == 0, done.stderr


@pytest.mark.timeout(900)
def test_the_whiteboard_is_found_weak_mended_and_proven(board: Commands) -> None:
    code, findings = audit(board)
    assert code == 3 and [finding["rule"] for finding in findings[:3]] == FLAWS

    board.do("up", timeout_s=400)
    wires = verify(board, 0, "wires")
    hop = wires["wires.balancer-web"]
    assert hop["result"] == "proven" and "in clear" in hop["claim"]
    read = {word for words in hop["proof"]["readable"].values() for word in words}
    assert {"url", "header", "body"} <= read, "the packets show what visitors send"
    assert "balancer-web" in clear_wires(wires)

    board.do("audit", "--fix", "--yes")
    board.do("up", timeout_s=400)
    code, findings = audit(board)
    assert code == 0, findings
    assert not {finding["rule"] for finding in findings} & set(FLAWS)
    board.await_healthy()
    checks = verify(board, 0, timeout_s=500)
    untested = {name: c["proof"]["reason"] for name, c in checks.items() if c["result"] == "not_tested"}
    assert {n for n in untested if not n.startswith("tls.database-replication.")} <= NOTHING_SHOWS, untested
    # Whoever types no https is sent there, and what was typed is read; behind the balancer nothing is.
    assert clear_wires(checks) <= {"internet-http"}
    assert "no changes" in board.do("apply", "--yes")


def audit(commands: Commands) -> tuple[int, list[dict[str, Any]]]:
    """Exit code, and findings in the order in which they are told."""
    done = commands.run("audit", "--json")
    assert done.returncode in (0, 3), done.stderr
    return done.returncode, list(json.loads(done.stdout)["findings"])


def verify(commands: Commands, code: int, *words: str, timeout_s: float = 300) -> dict[str, dict[str, Any]]:
    """Checks by name."""
    done = commands.run("verify", "--json", "--quick", *words, timeout_s=timeout_s)
    checks = {check["id"]: check for check in json.loads(done.stdout)["checks"]}
    failed = {name: check["proof"] for name, check in checks.items() if check["result"] == "failed"}
    assert done.returncode == code, (failed, done.stderr)
    return checks


def clear_wires(checks: dict[str, dict[str, Any]]) -> set[str]:
    """Flows between hosts whose words were read in clear; the controls, which must be, are none."""
    return {
        name.removeprefix("wires.")
        for name, check in checks.items()
        if name.startswith("wires.") and not name.startswith("wires.control") and check["proof"].get("readable")
    }
