"""A changed certificate is on the wire when every connection shows it, however long the looks take."""

from __future__ import annotations

from bastide.prober.renewal import look_until_settled

OLD, NEW = "old", "new"


def looking(*shown: str) -> list[str]:
    """What is seen of a listener that shows these, and the last for ever, by someone without patience."""
    left = list(shown)
    return look_until_settled(lambda: left.pop(0) if len(left) > 1 else left[0], NEW, patience_s=0)


def test_looks_that_all_show_the_new_one_go_on_without_patience() -> None:
    assert looking(NEW) == [NEW] * 10


def test_an_old_one_when_patience_is_over_is_the_end() -> None:
    assert looking(OLD) == [OLD]
    assert looking(NEW, NEW, OLD, NEW) == [NEW, NEW, OLD]


def test_while_there_is_patience_old_workers_may_end() -> None:
    left = [OLD, NEW, OLD]
    seen = look_until_settled(lambda: left.pop() if left else NEW, NEW, patience_s=60)
    assert seen == [OLD, NEW, OLD, *[NEW] * 10]
