"""The log store: once each, whatever is interrupted; found again; bounded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bastide.hub.records import Record
from bastide.hub.refused import Refused
from bastide.hub.store import archive as archive_module
from bastide.hub.store.archive import Archive
from bastide.hub.store.lines import format_line, parse_line
from bastide.hub.store.retention import retain
from bastide.hub.store.search import Query, search

DAY = 86400.0
START = 1_700_006_400.0  # midnight


def record(seq: int, message: str = "hello", **changed: object) -> Record:
    values: dict[str, object] = {
        "host": "web1", "seq": seq, "t": START + seq, "kind": "log", "unit": "nginx.service", "priority": 6,
        "message": message, "fields": {},
    }  # fmt: skip
    return Record(**values | changed)  # type: ignore[arg-type]


def found(folder: Path, text: str = "", **wanted: object) -> list[int]:
    return [r.seq for r in search(folder, Query(text=text, limit=5000, **wanted)).records]  # type: ignore[arg-type]


@given(st.text(), st.text(max_size=50), st.dictionaries(st.text(max_size=9), st.text(max_size=20), max_size=3))
def test_any_text_comes_back_as_it_was(message: str, unit: str, fields: dict[str, str]) -> None:
    line = format_line(record(1, message, unit=unit, fields=fields))
    assert line.count(b"\n") == 1
    read = parse_line(line[:-1], "web1")
    assert read is not None
    assert (read.message, read.unit, read.fields) == (message, unit, fields)


def test_all_that_match_are_counted_however_few_are_shown(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    for begin in (0, 100, 200):  # two chunks and a journal
        archive.append("web1", [record(n, "GET / 200" if n % 2 else "other") for n in range(begin, begin + 100)])
        if begin < 200:
            archive.seal("web1")
    counted = search(tmp_path, Query(text="GET /", limit=3, counting=True))
    assert ([r.seq for r in counted.records], counted.matched) == ([299, 297, 295], 150)
    since = search(tmp_path, Query(text="GET /", since=START + 100, limit=1, counting=True))
    assert since.matched == 100
    assert search(tmp_path, Query(text="GET /", limit=3)).matched is None, "nobody asked"
    archive.close()


def test_each_number_is_stored_once(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    assert len(archive.append("web1", [record(1), record(2)])) == 2
    assert archive.append("web1", [record(2), record(1)]) == ()
    assert [r.seq for r in archive.append("web1", [record(2), record(3), record(3)])] == [3]
    archive.seal("web1")
    assert archive.append("web1", [record(3)]) == ()
    archive.close()
    reopened = Archive(tmp_path)
    assert reopened.last_seq("web1") == 3
    assert reopened.append("web1", [record(2)]) == ()
    assert found(tmp_path) == [3, 2, 1]
    reopened.close()


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.append("web1", [record(1), record(2)])
    archive.close()
    journal = tmp_path / "journals/web1.journal"
    journal.write_bytes(journal.read_bytes()[:-5])
    archive = Archive(tmp_path)
    assert archive.last_seq("web1") == 1
    assert [r.seq for r in archive.append("web1", [record(2), record(3)])] == [2, 3]
    assert found(tmp_path) == [3, 2, 1]
    archive.close()


class Power(BaseException):
    """It went off."""


@pytest.mark.parametrize("step", ["write_whole", "_sync_folder", "Index.add_chunks", "Journal.clear"])
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_step_of_packing_loses_and_doubles_nothing(tmp_path: Path, step: str, after: bool) -> None:
    archive = Archive(tmp_path)
    # Two days, so that one chunk can be there and the other not.
    archive.append("web1", [*map(record, range(1, 50)), record(50, t=START + DAY), record(51, priority=2)])
    holder, _, name = step.rpartition(".")
    owner = getattr(archive_module, holder) if holder else archive_module
    real: Callable[..., object] = getattr(owner, name)

    def broken(*words: object) -> None:
        if after:
            real(*words)
        raise Power

    with mock.patch.object(owner, name, broken), pytest.raises(Power):
        archive.seal("web1")
    archive.close()
    for _ in range(2):
        archive = Archive(tmp_path)
        assert archive.last_seq("web1") == 51
        assert sorted(found(tmp_path)) == list(range(1, 52))
        assert [r.seq for r in archive.index.notable(kind="log")] == [51]
        archive.seal("web1")
        assert sum(c.lines for c in archive.index.chunks()) == 51
        archive.close()


def test_a_disk_that_is_full_leaves_no_half_lines(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.append("web1", [record(1)])
    with (
        mock.patch("os.fdatasync", side_effect=OSError(28, "No space left")),
        pytest.raises(OSError, match="space"),
    ):
        archive.append("web1", [record(2)])
    assert archive.last_seq("web1") == 1
    assert [r.seq for r in archive.append("web1", [record(2)])] == [2]
    assert found(tmp_path) == [2, 1]
    archive.close()


def filled(folder: Path) -> Archive:
    archive = Archive(folder)
    for host in ("web1", "web2"):
        for chunk in range(3):
            first = chunk * 100
            archive.append(
                host,
                [
                    record(
                        seq, f"GET /cart/{seq} Größe\t\"x\"", host=host, priority=3 if seq % 50 == 0 else 6,
                        unit="app.service" if seq % 2 else "nginx.service", t=START + seq + (host == "web2") / 2,
                    )
                    for seq in range(first + 1, first + 101)
                ],
            )  # fmt: skip
            if chunk < 2:
                archive.seal(host)
    return archive


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({"text": "cart/25"}, 22),
        ({"text": "CART/25"}, 0),
        ({"text": "größe"}, 600),
        ({"text": 'x"', "host": "web1"}, 300),
        ({"text": "\t"}, 600),
        ({"text": r"/1\d\d ", "regex": True}, 200),
        ({"text": r"^GET .*\"$", "regex": True, "host": "web2"}, 300),
        ({"unit": "app.service"}, 300),
        ({"priority": 3}, 12),
        ({"kind": "event"}, 0),
        ({"since": START + 150, "until": START + 160}, 21),
        # A number of a record or a time is no text of it.
        ({"text": "170000"}, 0),
    ],
)
def test_searches(tmp_path: Path, wanted: dict[str, object], count: int) -> None:
    archive = filled(tmp_path)
    assert len(found(tmp_path, **wanted)) == count  # type: ignore[arg-type]
    archive.close()


def test_the_newest_come_first_over_all_hosts_and_old_chunks_stay_closed(tmp_path: Path) -> None:
    archive = filled(tmp_path)
    result = search(tmp_path, Query(text="cart", limit=5))
    assert [(r.host, r.seq) for r in result.records] == [
        ("web2", 300), ("web1", 300), ("web2", 299), ("web1", 299), ("web2", 298),
    ]  # fmt: skip
    assert result.scanned_lines == 200
    archive.close()


def test_a_damaged_chunk_does_not_hide_the_others(tmp_path: Path) -> None:
    filled(tmp_path).close()
    path = next((tmp_path / "chunks").glob("*/web1-1.zst"))
    path.write_bytes(path.read_bytes()[:-30])
    assert len(found(tmp_path)) == 500


def test_no_expression(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="not a regular expression"):
        search(tmp_path, Query(text="(", regex=True))


def test_what_is_old_or_too_much_goes_the_oldest_first(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    for day in range(5):
        noise = [record(day * 100 + n, f"{n * 7919 % 997} {day}", t=START + day * DAY + n) for n in range(100)]
        archive.append("web1", [*noise[:-1], record(day * 100 + 99, "bad", t=noise[-1].t, priority=1)])
        archive.seal("web1")
    retain(archive, oldest=START + DAY * 1.5, most=1 << 30)
    assert min(found(tmp_path)) == 200
    assert len(archive.index.notable(kind="log")) == 3
    keep = archive.index.chunks()[0].packed
    retain(archive, oldest=0, most=keep)
    assert min(found(tmp_path)) == 400
    assert [p.name for p in sorted((tmp_path / "chunks").rglob("*.zst"))] == ["web1-400.zst"]
    # Chunks went, their numbers did not: what is sent again is not stored again.
    archive.close()
    archive = Archive(tmp_path)
    assert archive.append("web1", [record(499)]) == ()
    archive.close()


def test_chunks_are_what_any_zstd_reads(tmp_path: Path) -> None:
    filled(tmp_path).close()
    path = next((tmp_path / "chunks").glob("*/web1-1.zst"))
    assert zstandard.ZstdDecompressor().decompress(path.read_bytes()).count(b"\n") == 100
