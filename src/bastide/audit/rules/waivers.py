"""Rules of waivers: what was accepted is looked at again when its time is over.

In: a Subject. Out: hits. Holds: a waiver of these rules is no use: see `judge.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.audit.rule import Hit, Rule, Subject

_FAR_YEARS = 2


def _expired(subject: Subject) -> Iterator[Hit]:
    for index, waiver in enumerate(subject.spec.audit.waive):
        if waiver.until < subject.today:
            message = f"{waiver.rule} was accepted until {waiver.until} ({waiver.reason}): decide again"
            yield Hit(element=f"audit.waive.{index}", message=message, at=("audit", "waive", index))


def _without_end(subject: Subject) -> Iterator[Hit]:
    for index, waiver in enumerate(subject.spec.audit.waive):
        if int(waiver.until[:4]) > int(subject.today[:4]) + _FAR_YEARS:
            message = f"{waiver.rule} is accepted until {waiver.until}, which is as good as for ever"
            yield Hit(element=f"audit.waive.{index}", message=message, at=("audit", "waive", index, "until"))


WAIVER_RULES: tuple[Rule, ...] = (
    Rule(
        id="WAI001",
        title="A waiver has run out",
        severity="medium",
        why="The reason was good until that day. Nobody has said whether it still is.",
        fix="Remove the weakness, or set a new day with a new reason.",
        check=_expired,
    ),
    Rule(
        id="WAI002",
        title="A waiver without an end",
        severity="low",
        why="What is accepted for ever is forgotten, and stays when the reason is gone.",
        fix="Set a day within the next two years.",
        check=_without_end,
    ),
)


def _found_by_judge(subject: Subject) -> Iterator[Hit]:
    """Takes knowledge of every rule, or of every finding: `judge.py` has both."""
    return iter(())


UNKNOWN_RULE = Rule(
    id="WAI003",
    title="A waiver of a rule that does not exist",
    severity="low",
    why="It was misspelt, or meant for another version: what it should have covered is told as a finding.",
    fix="Write the id as `bastide audit` prints it.",
    check=_found_by_judge,
)
UNUSED = Rule(
    id="WAI004",
    title="A waiver that meets nothing",
    severity="low",
    why="The weakness is gone. The waiver would hide it on the day when it comes back.",
    fix="Remove it.",
    check=_found_by_judge,
)
