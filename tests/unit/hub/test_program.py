"""The whole program over its sockets: fake agents send, browsers and root ask."""

from __future__ import annotations

import gzip
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.unit.hub.kit import TOKEN, RunningHub, event, log, packed
from tests.waiting import wait_for


def tell_all(hub: RunningHub, t: float, done: float) -> None:
    """What all five hosts say of one moment."""
    edge = {
        "requests|edge|app|2xx": done, "requests|edge|app|5xx": 0.0, "latency|edge|app|10": done * 0.9,
        "latency|edge|app|20": done, "latency|edge|app|+Inf": done,
    }  # fmt: skip
    assert hub.frame("lb1", t, edge, vip=1, cpu=0.1).status == 200
    assert hub.frame("web1", t, {"requests|web|app|2xx": done}).status == 200
    assert hub.frame("app1", t, {}).status == 200
    assert hub.frame("db1", t, {"queries|database": done * 3}, database_role=1).status == 200
    assert hub.frame("db2", t, {}, database_role=0, database_lag_s=0.2).status == 200


@contextmanager
def everybody_speaks(hub: RunningHub) -> Iterator[None]:
    """100 requests a second, told of the last six seconds and then twice a second for as long as it takes."""
    start = time.time() - 6
    for second in range(6):
        tell_all(hub, start + second, 100.0 * second)
    over = threading.Event()

    def speak() -> None:
        while True:
            now = time.time()
            tell_all(hub, now, 100.0 * (now - start))
            if over.wait(0.5):
                return

    speaker = threading.Thread(target=speak)
    speaker.start()
    try:
        yield
    finally:
        over.set()
        speaker.join()


def test_frames_become_figures_and_a_verdict(hub: RunningHub) -> None:
    def look() -> dict[str, Any]:
        state: dict[str, Any] = hub.ask("GET", "/api/state", admin=True).json
        return state

    def is_all_seen(state: dict[str, Any]) -> bool:
        return bool(
            state["verdict"]["level"] == "ok" and state["services"].get("database", {}).get("rate") == 300.0
        )

    with everybody_speaks(hub):
        state = wait_for(look, is_all_seen)
        series = hub.ask("GET", "/api/series?name=edge.rate,cpu&host=lb1&minutes=1", admin=True).json["series"]
    assert state["verdict"] == {
        "level": "ok", "text": "All 5 hosts healthy; 100 requests/s, 0 errors, p99 19 ms", "problems": [],
    }  # fmt: skip
    assert state["services"]["edge"]["rate"] == 100.0
    assert state["services"]["edge"]["p95_ms"] == 15.0
    assert state["services"]["database"]["rate"] == 300.0
    assert state["virtual_ip"] == {"address": "198.18.0.5", "holders": ["lb1"]}
    assert state["database"]["primaries"] == ["db1"]
    assert state["data_age_s"] < 3, "of what was told; the verdict would else be another"
    assert 100.0 in series["edge.rate"]["lb1"]
    assert 0.1 in series["cpu"]["lb1"]

    # Then nobody says anything more.
    def look_as_root() -> dict[str, Any]:
        done = hub.run("state")
        assert done.returncode == 0, done.stderr
        verdict: dict[str, Any] = json.loads(done.stdout)["verdict"]
        return verdict

    wait_for(look_as_root, lambda v: v["level"] == "bad" and "lb1 has been silent for " in v["text"], every_s=0.5)


def test_the_stream_tells_states_and_events_once(hub: RunningHub) -> None:
    browser = hub.log_in()
    stream = hub.stream(browser)
    _, first = next(stream)
    assert {h["name"] for h in first["hosts"]} == {"lb1", "web1", "app1", "db1", "db2"}
    now = time.time()
    assert hub.records("db1", [event(1, "unit-failed", "mariadb.service failed", t=now, unit="mariadb.service")]).json == {
        "ack": 1, "refused": 0,
    }  # fmt: skip
    mark, state = next((m, s) for m, s in stream if any(e["host"] == "db1" for e in s.get("events", [])))
    assert state["events"][-1]["type"] == "unit-failed"
    _, after = next(stream)
    assert "events" not in after
    # The text names three at most: hosts that say nothing for ten seconds would come first.
    assert "mariadb.service failed on db1" in after["verdict"]["problems"]
    stream.close()
    hub.records("db1", [event(2, "unit-started", "mariadb.service runs", t=now + 1, unit="mariadb.service")])
    # Who was away gets what it missed, and nothing twice.
    again = hub.stream({**browser, "Last-Event-ID": mark})
    _, missed = next(again)
    assert [e["type"] for e in missed["events"]] == ["unit-started"]
    again.close()
    assert hub.stop() == 0


def test_records_are_stored_once_and_found(hub: RunningHub) -> None:
    now = time.time() - 1000
    sent = [log(seq, f"GET /cart/{seq} took a while", t=now) for seq in range(1, 501)]
    assert hub.records("web1", sent).json == {"ack": 500, "refused": 0}
    assert hub.records("web1", sent[250:]).json == {"ack": 500, "refused": 0}
    found = hub.ask("GET", "/api/logs?text=cart/25&since=1h", admin=True).json
    assert [r["seq"] for r in found["records"]] == [*range(259, 249, -1), 25]
    assert found["scanned"]["lines"] == 500
    by_regex = hub.ask("GET", "/api/logs?regex=1&since=1h&text=%5EGET.*/cart/49%5Cd", admin=True).json
    assert len(by_regex["records"]) == 10


def test_an_expression_that_takes_for_ever_is_cut_off_and_holds_nothing_up(hub: RunningHub) -> None:
    hub.records("web1", [log(1, "a" * 60 + "!", t=time.time() - 10)])
    answer = hub.ask("GET", "/api/logs?regex=1&since=1h&text=%28a%2B%29%2B%24", admin=True)
    assert answer.status == 422
    assert "simpler" in answer.json["message"]
    assert hub.process.poll() is None


def test_hostile_input_is_refused_with_words_and_counted(hub: RunningHub) -> None:
    peer = {"X-Bastide-Peer": "web1"}

    def refusal(path: str, body: object, headers: dict[str, str]) -> tuple[int, str]:
        answer = hub.ask("POST", path, body, headers)
        return answer.status, answer.json["error"]

    frame = {"host": "web1", "t": time.time(), "seq": 1, "gauges": {}, "counters": {}}
    assert refusal("/hub/v1/frames", frame, {}) == (403, "peer")
    assert refusal("/hub/v1/frames", frame, {"X-Bastide-Peer": "evil"}) == (403, "peer")
    assert refusal("/hub/v1/frames", frame, {"X-Bastide-Peer": "db1"}) == (403, "other-host")
    assert refusal("/hub/v1/frames", b"[" * 100_000, peer) == (400, "not-json")
    assert refusal("/hub/v1/frames", frame | {"gauges": {"cpu": "x"}}, peer) == (400, "gauges")
    assert refusal("/hub/v1/frames", frame | {"t": 1.0}, peer) == (400, "time")
    assert refusal("/hub/v1/frames", b'{"host": "web1", "t": NaN, "seq": 1}', peer) == (400, "time")
    assert refusal("/hub/v1/frames", frame | {"gauges": {str(n): 1 for n in range(65)}}, peer) == (400, "gauges")
    assert refusal("/hub/v1/frames", b" " * (600 << 10), peer) == (413, "too-large")
    assert refusal("/hub/v1/records", b"not gzip", peer) == (400, "not-gzip")
    assert refusal("/hub/v1/records", gzip.compress(b"0" * (64 << 20)), peer) == (413, "too-large")
    assert refusal("/hub/v1/records", packed([log(1, "x", host="db1")]), peer) == (403, "other-host")
    assert hub.ask("GET", "/hub/v1/records", headers=peer).status == 405
    # One bad line does not hold up the good ones, and is acknowledged: it would be sent for ever.
    mixed = [log(1, "fine"), log(2, "bad", priority=99), log(3, "bad") | {"t": "soon"}, {"seq": 4}]
    assert hub.records("web1", mixed).json == {"ack": 4, "refused": 3}
    page = urllib.request.urlopen(f"http://127.0.0.1:{hub.settings.metrics_port}/metrics").read().decode()
    assert 'bastide_hub_refused_total{code="other-host"} 2' in page
    assert 'bastide_hub_refused_total{code="record"} 3' in page


def test_pushed_metrics_are_shown_to_the_scraper(hub: RunningHub) -> None:
    token = {"Authorization": f"Bearer {TOKEN}"}
    metric = {"name": "orders_total", "value": 7, "type": "counter", "labels": {"shop": 'a"b\n'}}
    assert hub.ask("POST", "/push/v1/metrics", {"metrics": [metric]}, token).json == {"accepted": 1}
    assert hub.ask("POST", "/push/v1/metrics", {"metrics": [metric]}).status == 401
    assert hub.ask("POST", "/push/v1/metrics", {"metrics": [metric]}, {"Authorization": "Bearer no"}).status == 401
    for wrong in (
        {"name": "a b"},
        {"value": "7"},
        {"labels": {"host": "web1"}},
        {"type": "x"},
        {"name": "bastide_x"},
    ):
        assert hub.ask("POST", "/push/v1/metrics", {"metrics": [metric | wrong]}, token).status == 400
    flood = [{"name": "n", "value": 1, "labels": {"i": str(n)}} for n in range(1001)]
    assert hub.ask("POST", "/push/v1/metrics", {"metrics": flood}, token).json["error"] == "series"
    page = urllib.request.urlopen(f"http://127.0.0.1:{hub.settings.metrics_port}/metrics").read().decode()
    assert 'orders_total{pushed_by="default",shop="a\\"b\\n"} 7.0' in page
    assert "# TYPE orders_total counter" in page
    pushed = {"events": [{"type": "deploy", "message": "release 7"}]}
    assert hub.ask("POST", "/push/v1/events", pushed, token).json == {"accepted": 1}
    assert hub.ask("POST", "/push/v1/events", pushed, token).json == {"accepted": 1}
    events = hub.ask("GET", "/api/timeline", admin=True).json["events"]
    assert [(e["host"], e["message"]) for e in events] == [("_push-default", "release 7")] * 2
    # Sixty, and ten more for each second that it takes.
    statuses = hub.ask_at_once("POST", "/push/v1/metrics", {"metrics": []}, [token] * 300)
    assert set(statuses) == {200, 429}


def test_what_was_acknowledged_survives_a_kill(stopped_hub: RunningHub) -> None:
    hub = stopped_hub
    hub.start()
    now = time.time() - 5000
    cookie = hub.log_in()
    assert hub.records("web1", [log(seq, f"line {seq}", t=now) for seq in range(1, 101)]).json["ack"] == 100
    hub.kill()
    journal = next((hub.store / "journals").glob("web1.journal"))
    with journal.open("ab") as file:
        file.write(b"101\t17000")  # a crash in the middle of a write
    hub.start()
    assert hub.ask("GET", "/api/state", headers=cookie).status == 200, "a session outlives a restart"
    found = hub.ask("GET", "/api/logs?text=line&since=1d&limit=500", admin=True).json["records"]
    assert [r["seq"] for r in found] == list(range(100, 0, -1))
    assert hub.records("web1", [log(seq, f"line {seq}", t=now) for seq in (100, 101)]).json["ack"] == 101
    assert len(hub.ask("GET", "/api/logs?text=line&since=1d&limit=500", admin=True).json["records"]) == 101
