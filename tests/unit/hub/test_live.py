"""Live hosts: bounded, late frames ignored, tiers compared at common moments."""

from __future__ import annotations

from bastide.hub.frames import Frame
from bastide.hub.live import COUNTERS_S, MAX_SERIES, LiveHost, Ring
from bastide.hub.reconcile import reconcile


def frame(host: str, t: float, counters: dict[str, float], **gauges: float) -> Frame:
    return Frame(host=host, t=t, seq=int(t), gauges=gauges, counters=counters)


def test_a_repeated_or_late_frame_changes_nothing() -> None:
    host = LiveHost(name="web1")
    assert host.take(frame("web1", 100.0, {}, cpu=0.5), 100.1)
    assert not host.take(frame("web1", 100.0, {}, cpu=0.9), 105.0)
    assert not host.take(frame("web1", 99.0, {}, cpu=0.9), 105.0)
    assert host.gauge("cpu") == 0.5
    assert host.heard == 100.1


def test_memory_is_bounded() -> None:
    host = LiveHost(name="web1")
    for second in range(2000):
        host.take(frame("web1", float(second), {}, **{f"g{second % 500}": 1.0}), second)
    assert len(host.frames) == COUNTERS_S
    assert len(host.series) == MAX_SERIES


def test_a_ring_tells_seconds_that_nobody_spoke_of() -> None:
    ring = Ring()
    ring.put(1000, 1.0)
    ring.put(1002, 3.0)
    assert ring.last(1002, 3) == [1.0, None, 3.0]
    assert ring.last(1002 + 900, 3) == [None, None, None]


def run_tiers(lost: int = 0) -> tuple[list[LiveHost], list[LiveHost]]:
    """100 requests a second at the edge, one in ten its own answer, one in twenty tried twice; two web servers that
    speak at other moments of the second."""
    edge, web = [LiveHost(name="lb1")], [LiveHost(name="web1"), LiveHost(name="web2")]
    for second in range(65):
        done = 100.0 * second
        counters = {"requests|edge|app|2xx": done * 0.9, "requests|edge|app|5xx": done * 0.1}
        counters |= {"edge_own|5xx": done * 0.1, "edge_retries": done * 0.05}
        edge[0].take(frame("lb1", float(second), counters), second)
        for number, host in enumerate(web):
            t = second + 0.3 + 0.4 * number
            counters = {"requests|web|app|2xx": (100.0 * t * 0.95) / 2 - (lost if second > 30 else 0)}
            host.take(frame(host.name, t, counters), t)
    return edge, web


def test_tiers_that_agree_show_no_drift() -> None:
    counts = reconcile(*run_tiers(), now=65.0)
    assert counts is not None
    assert counts["edge"] > 5000
    assert abs(counts["drift"]) < 0.5


def test_requests_that_one_tier_lost_are_seen() -> None:
    counts = reconcile(*run_tiers(lost=50), now=65.0)
    assert counts is not None
    assert abs(counts["drift"] - 100) < 0.5


def test_a_silent_host_makes_the_drift_unknown_not_zero() -> None:
    edge, web = run_tiers()
    assert reconcile(edge, [*web, LiveHost(name="web3")], now=65.0) is None
    assert reconcile(edge, web, now=95.0) is None
