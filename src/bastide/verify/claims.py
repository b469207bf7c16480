"""What a check says: a claim, whether it was proved, and by what.

In: nothing; these are values. Holds: `proven` needs a proof that could have failed; what was not or could not be
tested says so, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Result = Literal["proven", "failed", "not_tested"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One claim, tested."""

    id: str
    """Stable, dotted, its family first: `walls.in.db1`."""
    claim: str
    result: Result
    proof: Mapping[str, Any]
    """What was sent, from where, what came back; for `not_tested` the `reason`."""

    def to_json(self) -> dict[str, Any]:
        """As `bastide verify --json` shows it."""
        return {"id": self.id, "claim": self.claim, "result": self.result, "proof": dict(self.proof)}


def judged(identifier: str, claim: str, holds: bool, **proof: Any) -> Check:
    """Proven or failed."""
    return Check(id=identifier, claim=claim, result="proven" if holds else "failed", proof=proof)


def untested(identifier: str, claim: str, reason: str, **proof: Any) -> Check:
    """Not tested, and why."""
    return Check(id=identifier, claim=claim, result="not_tested", proof={"reason": reason, **proof})
