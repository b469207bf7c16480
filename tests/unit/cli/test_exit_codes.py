"""An apply ends with a code that a script can tell apart."""

from __future__ import annotations

import pytest

from bastide.apply.result import ApplyResult, HostResult
from bastide.cli import exit_codes


@pytest.mark.parametrize(
    ("outcome", "interrupted", "code"),
    [("changed", False, 0), ("unchanged", False, 0), ("failed", False, 1), ("changed", True, 130)],
)
def test_done_failed_and_interrupted(outcome: str, interrupted: bool, code: int) -> None:
    host = HostResult(host="web1", outcome=outcome, digest="")  # type: ignore[arg-type]
    assert exit_codes.applied(ApplyResult(hosts={"web1": host}, interrupted=interrupted)) == code
