"""The whole program on a folder of its own: listeners, bounds, drift."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from bastide.agent.drift import look_for_drift
from bastide.agent.exposition import BIRTH_S, Births, format_log, frame_counters
from bastide.agent.gauges import Gauges
from bastide.agent.http import Connection
from bastide.agent.ledger import Ledger
from bastide.agent.neighbours import Neighbours, read_firewall, read_keeper
from bastide.agent.settings import Settings
from bastide.agent.watch import Watch
from tests.unit.agent.lines import edge_log, nginx_line, web_log
from tests.unit.agent.process import Process
from tests.waiting import wait_for


def post(address: str, path: str, body: bytes, headers: str = "") -> tuple[int, dict[str, Any]]:
    host, _, port = address.rpartition(":")
    connection = Connection(socket.create_connection((host, int(port)), 10), "localhost")
    try:
        status, answer = connection.request("POST", path, body, headers)
    finally:
        connection.close()
    return status, json.loads(answer)


def test_listeners(tmp_path: Path) -> None:
    path = tmp_path / "nginx-web.tsv"
    path.write_bytes(nginx_line(1) + nginx_line(2, status=500, uri="/broken?secret=1"))
    with Process(tmp_path, [web_log(path)], max_pushed_series=3) as agent:
        agent.metrics()
        body = json.dumps({"metrics": [{"name": "queue", "value": 3}]}).encode()
        assert post(agent.listen, "/push", body) == (200, {})
        assert post(agent.otlp, "/v1/logs", b"{}")[0] == 200
        for wrong in (b"", b"{", b"[]", b"[" * 100_000, b'{"metrics": [{"name": "nginx_x", "value": 1}]}'):
            status, answer = post(agent.listen, "/push", wrong)
            assert status == 400 and answer["error"]
        assert post(agent.listen, "/push", b"x" * (2 << 20))[0] == 413
        assert post(agent.listen, "/nowhere", b"{}")[0] == 404
        assert post(agent.listen, "/metrics", b"{}")[0] == 405
        many = json.dumps({"metrics": [{"name": f"m{i}", "value": 1} for i in range(9)]}).encode()
        assert post(agent.listen, "/push", many)[0] == 429
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            host, _, port = agent.statsd.rpartition(":")
            sender.sendto(b"queue:5|g", (host, int(port)))
            sender.sendto(b"nonsense", (host, int(port)))
        # Datagrams and lines are read by the loop and by threads, each in its own time.
        failed = 'nginx_http_requests_total{service="web",server="web1",route="app",method="GET",status="500"}'
        wanted = {"queue": 5, "bastide_agent_statsd_refused_total": 1, failed: 1}
        found = wait_for(agent.metrics, lambda found: wanted.items() <= found.items())
        assert found["bastide_agent_pushed_series_refused_total"] >= 1
        assert agent.end() == 0


def test_a_new_series_is_seen_at_zero_first() -> None:
    now = 0.0
    births = Births(lambda: now)
    assert births.visible("web", {"a": 5}) == {"a": 5}
    assert births.visible("web", {"a": 6, "b": 521}) == {"a": 6, "b": 0}
    now = BIRTH_S + 1
    assert births.visible("web", {"a": 6, "b": 600}) == {"a": 6, "b": 600}


def test_names_of_the_contract() -> None:
    edge = edge_log(Path("/x"))
    counters = {
        "requests\thttps\tweb1\tapp\tGET\t200\t--": 3, "requests\thttps\t-\t-\tGET\t503\tSC": 2, "retries": 4,
        "duration\tapp\t5": 2, "duration\tapp\tinf": 1, "duration_ms\tapp": 11,
    }  # fmt: skip
    frame = frame_counters(edge, counters)
    assert frame["requests|edge|app|2xx"] == 3 and frame["edge_own|5xx"] == 2 and frame["edge_retries"] == 4
    assert (frame["latency|edge|app|2"], frame["latency|edge|app|5"], frame["latency|edge|app|inf"]) == (0, 2, 3)
    text = "".join(format_log(edge, "lb1", counters))
    assert 'haproxy_own_responses_total{frontend="https",status="503"} 2\n' in text
    assert 'haproxy_http_request_duration_seconds_bucket{frontend="https",route="app",le="0.005"} 2\n' in text
    assert 'haproxy_http_request_duration_seconds_sum{frontend="https",route="app"} 0.011\n' in text


def test_gauges_of_this_machine() -> None:
    gauges = Gauges(("/",), "127.0.0.1")
    gauges.read()
    time.sleep(0.05)
    found = gauges.read()
    assert 0 <= found["memory"] <= 1 and 0 <= found["disk"] <= 1 and found["vip"] == 1.0
    assert Gauges((), "203.0.113.77").read()["vip"] == 0.0
    assert Gauges((), None, proc=Path("/nonexistent")).read() == {}


def test_neighbours_answers() -> None:
    counters = [{"counter": {"name": n, "packets": p}} for n, p in (("dropped_in", 3), ("dropped_spoofed", 1))]
    assert read_firewall(json.dumps({"nftables": [{"metainfo": {}}, *counters]}).encode()) == {
        "dropped_packets|in": 4
    }
    keeper = {"role": "replica", "lag_s": 0.5, "queries": 1500}
    gauges = {"database_role": 0.0, "database_lag_s": 0.5}
    assert read_keeper(json.dumps(keeper).encode()) == (gauges, {"queries|database": 1500})
    assert read_keeper(b'{"role": null, "queries": null}') == ({}, {}), "its server is away"


def test_a_half_written_file_of_counters_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "firewall.json"

    def whole(packets: int) -> bytes:
        return json.dumps({"nftables": [{"counter": {"name": "dropped_in", "packets": packets}}]}).encode()

    settings = Settings(
        host="web1", state=str(tmp_path), monitors=(), tls=None, logs=(), listen="", statsd="", otlp="",
        spool_bytes=0, firewall_counters=str(path),
    )  # fmt: skip
    neighbours = Neighbours(settings)
    seen = []
    for step, content in enumerate((whole(3), b"", whole(5)[:-9], whole(5)), start=1):
        path.write_bytes(content)
        os.utime(path, ns=(step, step))
        neighbours.look()
        seen.append(neighbours.latest()[1])
    assert [counters["dropped_packets|in"] for counters in seen] == [3, 3, 3, 5]


def test_counters_of_a_frame_follow_the_log(tmp_path: Path) -> None:
    path = tmp_path / "nginx-web.tsv"
    path.write_bytes(b"")
    ledger = Ledger(web_log(path), tmp_path)
    for _ in ledger.blocks():
        pass
    before = ledger.framed()
    with path.open("ab") as stream:
        stream.write(nginx_line(1) + nginx_line(2))
    assert ledger.framed() is before, "what is not committed is not shown"
    for _ in ledger.blocks():
        pass
    after = ledger.framed()
    assert after == frame_counters(ledger.log, ledger.committed) != before
    assert sum(count for name, count in after.items() if name.startswith("requests|")) == 2
    ledger.close()


def test_drift_and_deploys_are_told_once(tmp_path: Path) -> None:
    root, generation = tmp_path / "root", tmp_path / "generations/abc"
    (root / "etc").mkdir(parents=True)
    generation.mkdir(parents=True)
    wanted = root / "etc/wanted"
    wanted.write_text("ours")
    wanted.chmod(0o644)
    entry = {"path": "/etc/wanted", "sha256": hashlib.sha256(b"ours").hexdigest(), "mode": 0o644}
    (generation / "manifest.json").write_text(json.dumps({"files": [entry]}))
    current, record = tmp_path / "current", tmp_path / "drift.json"
    current.symlink_to(generation)
    watch = Watch(current=current, drift=record, request=tmp_path / "look", state=tmp_path)
    assert look_for_drift(current, record, root)["files"] == [] and watch.look(1.0) == []
    wanted.write_text("mine")
    look_for_drift(current, record, root)
    assert [e["type"] for e in watch.look(2.0)] == ["drift"] and watch.look(3.0) == []
    wanted.write_text("ours")
    wanted.chmod(0o666)
    assert look_for_drift(current, record, root)["files"] == ["/etc/wanted"]
    wanted.chmod(0o644)
    look_for_drift(current, record, root)
    assert [e["fields"]["files"] for e in watch.look(4.0)] == [[]]
    other = generation.with_name("def")
    generation.rename(other)
    current.unlink()
    current.symlink_to(other)
    assert [e["type"] for e in watch.look(5.0)] == ["deploy"]
    assert (tmp_path / "look").read_text() == "def", "the new generation is looked through at once"
    (tmp_path / "look").unlink()
    assert watch.look(6.0) == [] and (tmp_path / "look").read_text() == "def", "again: nobody has looked yet"
    (tmp_path / "look").unlink()
    look_for_drift(current, record, root)
    assert watch.look(7.0) == [] and not (tmp_path / "look").exists()


def pem(*contents: bytes) -> str:
    return "".join(
        f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(c).decode()}\n-----END CERTIFICATE-----\n"
        for c in contents
    )


def test_every_renewed_certificate_is_told_also_one_beside_its_key(tmp_path: Path) -> None:
    root, generation = tmp_path / "root", tmp_path / "generations/abc"
    (root / "etc").mkdir(parents=True)
    generation.mkdir(parents=True)
    texts = {
        "/etc/edge.pem": pem(b"edge 1", b"issuer") + "-----BEGIN PRIVATE KEY-----\n",
        "/etc/agent.pem": pem(b"a 1"),
    }
    record = tmp_path / "drift.json"
    watch = Watch(current=tmp_path / "none", drift=record, request=tmp_path / "look", state=tmp_path)

    def apply(**changed: str) -> list[str]:
        texts.update({f"/etc/{name}.pem": text for name, text in changed.items()})
        entries = []
        for path, text in texts.items():
            file = root / path.lstrip("/")
            file.write_text(text)
            file.chmod(0o600)
            entries.append({"path": path, "sha256": hashlib.sha256(text.encode()).hexdigest(), "mode": 0o600})
        (generation / "manifest.json").write_text(json.dumps({"files": entries}))
        found = look_for_drift(generation, record, root)
        assert not found["files"] and "PRIVATE" not in record.read_text()
        return [e["fields"]["path"] for e in watch.look(1.0) if e["type"] == "certificate"]

    assert apply() == [], "the first look tells nothing"
    assert apply(edge=pem(b"edge 2", b"issuer")) == ["/etc/edge.pem"]
    assert apply(edge=pem(b"edge 2", b"issuer 2")) == [], "the leaf is what is renewed"
    assert apply(agent=pem(b"a 2"), edge=pem(b"edge 3")) == ["/etc/edge.pem", "/etc/agent.pem"]
    assert apply(agent="no certificate -----END CERTIFICATE----- here") == []
    assert apply(agent=pem(b"a 3")) == ["/etc/agent.pem"], "what was away for a moment is not forgotten"
