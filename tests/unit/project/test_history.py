"""Several journals become one history."""

from __future__ import annotations

from typing import Any

from bastide.project.history import merge

NOON = 1_800_000_000.0


def line(number: int, at: float = 0.0, **fields: Any) -> dict[str, Any]:
    """One of a host's journal."""
    return {
        "at": NOON + at, "began": NOON + at, "who": "anna", "number": number, "commit": "c", "operation": "apply",
        "generation": "g", "previous": "p", "result": "confirmed", "why": "", **fields,
    }  # fmt: skip


def test_hosts_of_one_apply_are_one_line() -> None:
    told = merge([], {"web1": [line(1), line(2, 60)], "web2": [line(1, 5)]})
    assert [(run.number, sorted(run.hosts)) for run in told] == [(1, ["web1", "web2"]), (2, ["web1"])]


def test_one_host_that_failed_makes_the_run_fail_and_gives_its_reason() -> None:
    (run,) = merge([], {"web1": [line(1)], "web2": [line(1, 2, result="rolled-back", why="site did not hold")]})
    assert (run.result, run.why, run.hosts["web2"]) == ("failed", "site did not hold", "rolled-back")


def test_same_number_from_two_controllers_stays_two_lines() -> None:
    told = merge([], {"web1": [line(1)], "web2": [line(1, 3, who="ben")]})
    assert [run.who for run in told] == ["anna", "ben"]


def test_what_no_host_tells_of_comes_from_the_controller() -> None:
    record = {
        "at": "2027-01-15T08:00:00Z", "who": "anna", "number": 0, "commit": "c", "operation": "apply",
        "result": "failed", "changes": 0,
        "hosts": {"web1": {"result": "failed", "generation": "", "changes": 0, "message": "no route"},
                  "web2": {"result": "unchanged", "generation": "", "changes": 0, "message": ""}},
    }  # fmt: skip
    (run,) = merge([record], {})
    assert (run.result, run.hosts, run.why) == ("failed", {"web1": "failed"}, "no route")
    nothing = {**record, "result": "done", "hosts": {"web2": record["hosts"]["web2"]}}  # type: ignore[index]
    assert merge([nothing], {}) == [], "an apply that found nothing to do is no history"
