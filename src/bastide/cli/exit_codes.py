"""What a verb's exit code is, where several verbs end alike.

In: a result. Out: 0 to 3, or 130.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bastide.apply.result import ApplyResult


def applied(result: ApplyResult) -> int:
    """0 done, 1 failed, 130 ended by Ctrl-C as any verb."""
    return 130 if result.interrupted else 0 if result.ok else 1
