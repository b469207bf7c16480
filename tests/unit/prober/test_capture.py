"""Words in packets: found in one, found across two, and not invented."""

from __future__ import annotations

from bastide.prober.capture import _Ways
from bastide.prober.wall import _normal


def test_a_word_is_found_in_one_packet_and_across_two_of_one_stream() -> None:
    ways = _Ways({"url": b"bv_url_1234", "sql": b"bv_sql_1234"})
    ways.take("10.0.0.1", "10.0.0.2", (40000, 8080), b"GET /bv_url_1234 HTTP/1.1")
    ways.take("10.0.0.1", "10.0.0.2", (40001, 3307), b"select 'bv_sql")
    ways.take("10.0.0.1", "10.0.0.2", (40001, 3307), b"_1234'")
    told = {way["port"]: way["readable"] for way in ways.told()}
    assert told == {8080: ["url"], 3307: ["sql"]}


def test_halves_in_different_streams_are_no_word() -> None:
    ways = _Ways({"sql": b"bv_sql_1234"})
    ways.take("10.0.0.1", "10.0.0.2", (40001, 3307), b"bv_sql")
    ways.take("10.0.0.1", "10.0.0.2", (40002, 3307), b"_1234")
    (way,) = ways.told()
    assert way["readable"] == [] and way["packets"] == 2


def test_counters_and_handles_make_no_difference_between_rulesets_and_rules_do() -> None:
    live = '{"nftables": [{"metainfo": {}}, {"rule": {"handle": 7, "expr": [{"counter": {"packets": 9, "bytes": 1}}]}}]}'
    wanted = '{"nftables": [{"rule": {"handle": 3, "expr": [{"counter": {"packets": 0, "bytes": 0}}]}}]}'
    other = '{"nftables": [{"rule": {"handle": 3, "expr": [{"counter": {"packets": 0}}, {"accept": null}]}}]}'
    assert _normal(live) == _normal(wanted) != _normal(other)
