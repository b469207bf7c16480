"""Records wait on disk for every monitor, over kills, and within their bounds."""

from __future__ import annotations

import json
import random
import threading
import zlib
from pathlib import Path
from typing import Any

from bastide.agent.spool import Spool
from tests.waiting import LONG_S


def open_spool(
    folder: Path, *, limit: int = 10 << 20, now_s: float = 1000.0, monitors: tuple[str, ...] = ("a", "b")
) -> Spool:
    return Spool(folder, limit_bytes=limit, monitors=monitors, now_s=now_s)


def unpack(spool: Spool, monitor: str, *, ack: bool = True) -> list[dict[str, Any]]:
    """Everything that this monitor has not."""
    found: list[dict[str, Any]] = []
    while (batch := spool.read(monitor)) is not None:
        found += [json.loads(line) for line in zlib.decompress(batch[1], 31).splitlines()]
        if not ack:
            break
        spool.ack(monitor, batch[0])
    return found


def fill(spool: Spool, first: int, count: int, size: int = 10) -> None:
    for number in range(first, first + count):
        spool.append({"number": number, "message": random.Random(number).randbytes(size * 8).hex()})
        spool.flush(2000.0, f"cursor-{number}")


def numbers(records: list[dict[str, Any]]) -> list[int]:
    return [r["number"] for r in records if "number" in r]


def test_each_monitor_gets_everything_once_and_in_order(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    fill(spool, 0, 20)
    assert numbers(unpack(spool, "a")) == list(range(20))
    fill(spool, 20, 5)
    assert numbers(unpack(spool, "a")) == list(range(20, 25))
    records = unpack(spool, "b")
    assert numbers(records) == list(range(25))
    assert [r["seq"] for r in records] == sorted({r["seq"] for r in records})


def test_a_kill_loses_what_was_not_flushed_and_the_cursor_says_where(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    fill(spool, 0, 3)
    spool.append({"number": 3})  # the kill comes now
    again = open_spool(tmp_path)
    assert again.cursor == "cursor-2"
    again.append({"number": 3})
    again.flush(2000.0, "cursor-3")
    assert numbers(unpack(again, "a")) == [0, 1, 2, 3]


def test_a_torn_batch_is_cut_off(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    fill(spool, 0, 3)
    segment = next(tmp_path.glob("*.spool"))
    whole = segment.read_bytes()
    for cut in (1, 30, 60):
        segment.write_bytes(whole[:-cut])
        again = open_spool(tmp_path)
        assert numbers(unpack(again, "a", ack=False)) == [0, 1]
        segment.write_bytes(whole)
    (tmp_path / "0000000000000001.spool").write_bytes(b"\x00\xffgarbage\n")
    assert numbers(unpack(open_spool(tmp_path), "a", ack=False)) == [0, 1, 2]


def test_acknowledgements_survive(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    fill(spool, 0, 3)
    unpack(spool, "a")
    fill(spool, 3, 1)
    again = open_spool(tmp_path)
    assert numbers(unpack(again, "a")) == [3]
    assert numbers(unpack(again, "b")) == [0, 1, 2, 3]


def test_a_number_is_never_given_twice_even_without_state(tmp_path: Path) -> None:
    spool = open_spool(tmp_path / "one", now_s=1000.0)
    fill(spool, 0, 3)
    last = unpack(spool, "a")[-1]["seq"]
    fresh = open_spool(tmp_path / "two", now_s=1001.0)
    fill(fresh, 0, 1)
    assert unpack(fresh, "a")[0]["seq"] > last


def test_the_oldest_goes_first_and_is_said(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, limit=60_000)
    fill(spool, 0, 400, size=100)
    assert spool.bytes() <= 60_000 + 10_000
    records = unpack(spool, "a")
    kept = numbers(records)
    lost = [r["fields"]["dropped"] for r in records if r.get("type") == "spool"]
    assert kept == list(range(kept[0], 400)) and kept[0] > 0
    assert spool.dropped >= kept[0], "events about drops may be dropped themselves"
    assert lost and sum(lost) <= spool.dropped
    assert [r["fields"]["dropped_since_start"] for r in records if r.get("type") == "spool"][-1] == spool.dropped


def test_what_is_under_way_is_not_counted_as_lost(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, limit=60_000, monitors=("a",))
    fill(spool, 0, 20, size=100)
    batch = spool.read("a")
    assert batch is not None
    fill(spool, 20, 400, size=100)
    assert spool.bytes() <= 60_000 + 10_000, "bounded all the same"
    spool.ack("a", batch[0])  # it arrived after all
    dropped, rest = spool.dropped, unpack(spool, "a")
    assert spool.dropped == dropped > 0
    assert [r["seq"] for r in rest] == list(range(rest[0]["seq"], rest[0]["seq"] + len(rest)))
    assert dropped == rest[0]["seq"] - batch[0] - 1, "what lies between, events about drops with it"


def test_what_did_not_arrive_goes_first(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, limit=60_000, monitors=("a",))
    fill(spool, 0, 20, size=100)
    assert spool.read("a") is not None
    spool.release("a")
    fill(spool, 20, 400, size=100)
    kept = numbers(unpack(spool, "a"))
    assert kept == list(range(kept[0], 420)) and kept[0] > 20, "nothing of it is kept beyond its turn"


def test_what_comes_faster_than_it_can_be_written_is_said_too(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    for number in range(6000):
        spool.append({"t": 1.0, "kind": "log", "unit": "x", "priority": 6, "message": str(number), "fields": {}})
    spool.flush(1.0)
    records = unpack(spool, "a")
    assert spool.dropped == 1000
    assert [r["fields"]["dropped"] for r in records if r.get("type") == "spool"] == [1000]
    assert len(records) == 5001


def test_what_everybody_has_leaves_the_disk(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, limit=80_000)
    fill(spool, 0, 60, size=100)
    assert len(list(tmp_path.glob("*.spool"))) > 1
    unpack(spool, "a")
    unpack(spool, "b")
    assert len(list(tmp_path.glob("*.spool"))) == 1
    assert spool.read("a") is None


def test_a_sender_is_woken_by_what_comes_and_not_by_what_it_cannot_read(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    assert spool.wait("a", 0.01), "nothing came"
    waiter = threading.Thread(target=spool.wait, args=("a", LONG_S))
    waiter.start()
    fill(spool, 0, 1)
    waiter.join(LONG_S / 2)
    assert not waiter.is_alive()
    assert not spool.wait("a", LONG_S), "what was there before wakes nobody: who asks in a loop must pause"
    unpack(spool, "a")
    assert spool.wait("a", 0.01)
