"""Why a drill does not begin, or stops.

DrillRefused        it must not begin: `hint` says what to do first
FaultRefused        this fault cannot be made here
FaultWithoutEffect  it was made, and nothing broke: there is nothing to judge
WorkFailed          a verb of ours did not do it
NotRestored         what was broken is not whole again
"""

from __future__ import annotations


class DrillRefused(Exception):
    """It must not begin."""

    def __init__(self, message: str, hint: str, lines: tuple[str, ...] = ()) -> None:
        self.hint = hint
        self.lines = lines
        super().__init__(message)


class FaultRefused(DrillRefused):
    """This fault cannot be made here."""


class FaultWithoutEffect(Exception):
    """It was made, and nothing broke."""

    hint = "bastide drill --restore puts everything back"


class WorkFailed(Exception):
    """A verb of ours did not do it. `lines` are its last ones."""

    hint = "bastide apply says why"

    def __init__(self, message: str, lines: tuple[str, ...] = ()) -> None:
        self.lines = lines
        super().__init__(message)


class NotRestored(Exception):
    """What was broken is not whole again. `lines` say what ails."""

    hint = "bastide drill --restore tries again; bastide status shows what ails"

    def __init__(self, message: str, lines: tuple[str, ...] = ()) -> None:
        self.lines = lines
        super().__init__(message)
