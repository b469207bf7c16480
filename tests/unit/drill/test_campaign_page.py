"""The page of the campaigns says what their rows say."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from bench.campaigns import COLUMNS, page, read_csv, table, take_rows, write_csv

PAGE = Path(__file__).parents[3] / "docs/campaign/README.md"


def row(name: str, **more: Any) -> dict[str, Any]:
    """A fault that did what was expected."""
    numbers = dict.fromkeys(COLUMNS, 0)
    return {**numbers, "began": 0.0, "name": name, "fault": name, "verdict": "met", "outage_write_s": 0.05, **more}


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, Any]]:
    """By way of the files, as the page's are."""
    found = [
        *(row("switchover", acknowledged=10, requests=7) for _ in range(98)),
        row("switchover", outage_write_s=0.31),
        row("switchover", verdict="failed", outage_write_s=0.62, lost=1, failed=2, requests=7),
        row("kill:web1", outage_write_s=None, outage_read_s=0.2),
    ]
    campaign = tmp_path / "campaign-1.jsonl"
    campaign.write_text("".join(json.dumps(one) + "\n" for one in ({"pool": ["switchover"]}, *found)))
    text = io.StringIO()
    write_csv(take_rows(campaign), text)
    (tmp_path / "seed-1.csv").write_text(text.getvalue())
    return read_csv(tmp_path / "seed-1.csv")


def test_what_is_kept_of_a_campaign_is_what_counts(rows: list[dict[str, Any]]) -> None:
    assert len(rows) == 101 and rows[0]["began"] == "1970-01-01 00:00:00"
    assert (rows[99]["lost"], rows[99]["outage_write_s"], rows[100]["outage_write_s"]) == (1, 0.62, None)


def test_a_table_hides_nothing(rows: list[dict[str, Any]]) -> None:
    said = table(rows)
    assert "| `switchover` | 100 | 99 | 0.05, 0.31, 0.62 s |" in said
    assert "0.1, 0.5 s |" in said, "both aims are met"
    assert "| 980, **1!** |" in said and "| 693, 2 |" in said
    assert "- not met: `switchover` at 1970-01-01 00:00:00 (failed)" in said
    slow = [{**one, "outage_write_s": 0.2} if one["name"] == "switchover" else one for one in rows]
    assert "0.1, 0.5 s: **missed**" in table(slow)


def test_the_page_is_what_its_rows_give() -> None:
    assert page(PAGE) == PAGE.read_text(), "make docs"
