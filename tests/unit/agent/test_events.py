"""Journal entries to records; pushed metrics; both against hostile input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bastide.agent import otlp, push
from bastide.agent.events import MAX_MESSAGE, UNIT_FAILED, clean, read_drop, read_event, read_log
from bastide.agent.journal import Journal
from bastide.agent.pushed import Pushed, Refused, TooManySeries
from bastide.agent.requests import RequestRecords
from bastide.agent.spool import Spool
from bastide.agent.statsd import read_datagram
from tests.unit.agent.lines import edge_line, edge_log
from tests.unit.agent.test_spool import unpack
from tests.waiting import wait_until


def entry(message: Any, **fields: Any) -> dict[str, Any]:
    return {
        "__CURSOR": "s=1;i=2", "__REALTIME_TIMESTAMP": "1763640000000000", "MESSAGE": message, "PRIORITY": "6",
        **fields,
    }  # fmt: skip


def event(message: str, **fields: Any) -> dict[str, Any] | None:
    found = entry(message, **fields)
    return read_event(found, read_log(found))


class TestMessages:
    def test_no_escape_reaches_a_terminal(self) -> None:
        assert clean("a\x1b[31mred\x1b]0;title\x07 \x9b31m\x00b\n\tc") == "ared \ufffd31m\ufffdb\n\tc"

    def test_are_bounded_in_bytes(self) -> None:
        assert len(clean("é" * 50_000).encode()) <= MAX_MESSAGE

    def test_binary_and_repeated_ones_are_read(self) -> None:
        assert read_log(entry([104, 105, 255]))["message"] == "hi\ufffd"
        assert read_log(entry(["one", "two"]))["message"] == "one two"
        assert read_log(entry(None))["message"] == ""

    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.dictionaries(st.sampled_from(["MESSAGE", "PRIORITY", "_PID", "UNIT", "_SYSTEMD_UNIT"]),
                           st.one_of(st.none(), st.text(max_size=30), st.lists(st.integers(), max_size=5))))  # fmt: skip
    def test_whatever_an_entry_holds_becomes_json(self, fields: dict[str, Any]) -> None:
        found = {**entry("x"), **fields}
        log = read_log(found)
        read_event(found, log)
        json.dumps(log).encode()
        assert 0 <= log["priority"] <= 7


class TestEvents:
    def test_a_failed_unit_is_believed_only_from_systemd(self) -> None:
        told = {"MESSAGE_ID": UNIT_FAILED[0], "UNIT": "nginx.service"}
        found = event("nginx.service: Failed with result 'exit-code'.", _PID="1", **told)
        assert found and (found["type"], found["fields"]) == ("unit-failed", {"unit": "nginx.service"})
        assert event("nginx.service: Failed with result 'exit-code'.", _PID="4242", **told) is None

    def test_keepalived(self) -> None:
        # As it writes to stdout: with a time of its own, under the name of its program.
        said = "Fri Nov 20 15:46:20 2026: (edge) Entering MASTER STATE"
        found = event(said, SYSLOG_IDENTIFIER="keepalived", _SYSTEMD_UNIT="keepalived.service")
        assert found and (found["type"], found["fields"]["state"]) == ("vip", "master")
        assert found["message"] == "(edge) Entering MASTER STATE"
        for name in ("keepalived", "Keepalived_vrrp"):
            assert event(said, SYSLOG_IDENTIFIER=name, _SYSTEMD_UNIT="app.service") is None, (
                "any program may say so"
            )

    @pytest.mark.parametrize(
        ("message", "result", "user"),
        [
            ("Accepted publickey for root from 10.213.0.1 port 5000 ssh2: ED25519 SHA256:x", "accepted", "root"),
            ("Failed password for invalid user adm from 10.0.0.9 port 5000 ssh2", "refused", "adm"),
            ("Invalid user x from 1.1.1.1 port 1 from 10.0.0.9 port 5", "refused", "x from 1.1.1.1 port 1"),
        ],
    )
    def test_logins(self, message: str, result: str, user: str) -> None:
        found = event(message, SYSLOG_IDENTIFIER="sshd")
        assert found and (found["fields"]["result"], found["fields"]["user"]) == (result, user)
        assert not found["fields"]["source"].startswith("1.1")

    def test_equal_drops_are_one_event(self, tmp_path: Any) -> None:
        spool = Spool(tmp_path, limit_bytes=1 << 20, monitors=("m",), now_s=1.0)
        journal = Journal(spool, max_logs=100, max_events=2)
        line = "bastide dropped in:  IN=priv0 OUT= MAC= SRC=10.0.0.9 DST=10.0.0.1 LEN=60 PROTO=TCP SPT=1 DPT={} SYN"
        for port in (22, 22, 22, 23, 23, 24, 25):
            journal.add(json.dumps(entry(line.format(port), SYSLOG_IDENTIFIER="ulogd")).encode())
        journal.add(b"not json\n")
        journal.take(2.0)
        records = unpack(spool, "m")
        assert [r["fields"]["count"] for r in records] == [3, 2, 2]
        assert records[0]["fields"] == {
            "direction": "in", "source": "10.0.0.9", "target": "10.0.0.1", "protocol": "tcp", "port": "22",
            "count": 3,
        }  # fmt: skip
        assert (journal.unreadable, spool.cursor) == (1, "s=1;i=2")
        assert read_drop(entry("bastide dropped in: x"), "bastide dropped in: x") is None, "anybody may say so"

    @pytest.mark.parametrize(
        ("seconds", "each", "kept"),
        [
            pytest.param(4, 100, 400, id="a-backlog-read-at-once"),
            pytest.param(1, 400, 100, id="a-flood"),
            pytest.param(60, 100, 4000, id="a-backlog-larger-than-the-buffer"),
        ],
    )
    def test_a_flood_is_one_by_the_clock_of_its_entries(
        self, tmp_path: Any, seconds: int, each: int, kept: int
    ) -> None:
        spool = Spool(tmp_path, limit_bytes=8 << 20, monitors=("m",), now_s=1.0)
        journal = Journal(spool, max_logs=100, max_events=10)
        for n in range(seconds * each):
            moment = str(1_700_000_000_000_000 + n * 1_000_000 // each)
            journal.add(json.dumps(entry(f"line {n}", __REALTIME_TIMESTAMP=moment)).encode())
        journal.add(json.dumps(entry("the disk is gone", PRIORITY="2")).encode())
        journal.take(1.0)
        records = unpack(spool, "m")
        logs = [r["message"] for r in records if r["kind"] == "log"]
        assert logs == [*(f"line {n}" for n in range(kept)), "the disk is gone"], "what matters gets through"
        said = [r["fields"]["suppressed"] for r in records if r["kind"] == "event"]
        assert said == ([seconds * each - kept] if kept < seconds * each else [])
        assert spool.dropped == 0

    def test_a_backlog_waits_in_the_journal_until_there_is_room(self, tmp_path: Any) -> None:
        lines, written, each = tmp_path / "lines", 9000, 100
        with lines.open("w") as file:
            for n in range(written):
                moment = str(1_700_000_000_000_000 + n * 1_000_000 // each)
                print(json.dumps(entry(f"line {n}", __REALTIME_TIMESTAMP=moment)), file=file)
        spool = Spool(tmp_path / "spool", limit_bytes=8 << 20, monitors=("m",), now_s=1.0)
        journal = Journal(spool, max_logs=100, max_events=10, argv=("sh", "-c", f"cat {lines}; exec sleep 600"))
        journal.start()
        try:
            wait_until(lambda: spool.crowded)
            assert journal.entries < written
            while journal.entries < written:
                wait_until(lambda: spool.crowded or journal.entries == written)
                journal.take(1.0)
        finally:
            journal.stop()
        journal.take(1.0)
        assert [r["message"] for r in unpack(spool, "m")] == [f"line {n}" for n in range(written)]


def pushed_lines(pushed: Pushed) -> list[str]:
    return [line.rstrip() for line in pushed.format()]


class TestPushed:
    def test_statsd(self) -> None:
        pushed = Pushed(10)
        read_datagram(
            b"mails.sent:2|c|@0.5|#queue:out\nmails.sent:1|c|#queue:out\nsize:7|g\nsize:-2|g\nt:12|ms", pushed
        )
        assert pushed_lines(pushed) == ['mails_sent{queue="out"} 5', "size 5", "t_count 1", "t_sum 12"]

    @pytest.mark.parametrize("datagram", [b"x", b"x:1", b"x:1|q", b"x:y|c", b"x:1|c|@0", b":1|c", b"x:nan|g",
                                          b"nginx_http_requests_total:1|c", b"x:-1|c", b"\xff\xfe"])  # fmt: skip
    def test_what_is_wrong_is_refused(self, datagram: bytes) -> None:
        pushed = Pushed(10)
        with pytest.raises(Refused):
            read_datagram(datagram, pushed)
        assert pushed_lines(pushed) == []

    def test_an_explosion_of_labels_is_refused_and_counted(self) -> None:
        pushed = Pushed(3)
        for user in range(3):
            pushed.add("seen", {"user": user}, 1)
        with pytest.raises(TooManySeries):
            pushed.add("seen", {"user": "one more"}, 1)
        pushed.add("seen", {"user": 0}, 1)
        assert (pushed.refused_series, len(pushed)) == (1, 3)
        assert 'seen{user="0"} 2' in pushed_lines(pushed)

    def test_labels_cannot_write_lines_of_their_own(self) -> None:
        pushed = Pushed(3)
        pushed.set("x y", {"a b": 'q"\n\\evil 1', "host": "h"}, 1, "gauge")
        assert pushed_lines(pushed) == ['x_y{a_b="q\\"\ufffd\\\\evil 1",exported_host="h"} 1']

    def test_json(self) -> None:
        pushed = Pushed(3)
        body = {
            "metrics": [{"name": "n", "value": 2, "type": "counter"}],
            "events": [{"type": "deploy", "message": "7"}],
        }
        push.read_metrics(body, pushed)
        assert [r["type"] for r in push.read_events(body, 1.0)] == ["deploy"]
        assert pushed_lines(pushed) == ["n 2"]
        refused: list[Any] = [[], {"metrics": {}}, {"metrics": [3]}, {"metrics": [{"name": "a", "value": "1"}]}]
        for wrong in refused:
            with pytest.raises(Refused):
                push.read_metrics(wrong, pushed)
        for kind in ("vip", "Deploy", "", 3):
            with pytest.raises(Refused):
                list(push.read_events({"events": [{"type": kind}]}, 1.0))

    def test_otlp(self) -> None:
        pushed = Pushed(30)
        attributes = [{"key": "route", "value": {"stringValue": "/"}}]
        total = {"isMonotonic": True, "aggregationTemporality": 2,
                 "dataPoints": [{"asInt": "5", "attributes": attributes}]}  # fmt: skip
        spread = {"aggregationTemporality": 2,
                  "dataPoints": [{"count": "3", "sum": 1.5, "bucketCounts": ["1", "2"],
                                  "explicitBounds": [0.5]}]}  # fmt: skip
        metrics = [
            {"name": "http.count", "sum": total},
            {"name": "h", "histogram": spread},
            {"name": "s", "summary": {}},
        ]
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
        wrong = otlp.read_metrics(
            {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}]}, pushed
        )
        assert len(wrong) == 1
        assert pushed_lines(pushed) == [
            'h_bucket{le="+Inf",service="shop"} 3', 'h_bucket{le="0.5",service="shop"} 1',
            'h_count{service="shop"} 3', 'h_sum{service="shop"} 1.5', 'http_count{route="/",service="shop"} 5',
        ]  # fmt: skip
        logs = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [
            {"timeUnixNano": "2000000000", "severityNumber": 17, "body": {"stringValue": "no\x1b[2J"}}]}]}]}  # fmt: skip
        assert list(otlp.read_logs(logs, 9.0)) == [
            {"t": 2.0, "kind": "log", "unit": "shop", "priority": 3, "message": "no", "fields": {}}
        ]
        malformed: list[Any] = [
            {"resourceLogs": 3},
            {"resourceLogs": [3]},
            [],
            {"resourceLogs": [{"scopeLogs": [[]]}]},
        ]
        for hostile in malformed:
            with pytest.raises(Refused):
                list(otlp.read_logs(hostile, 9.0))


class TestVerification:
    """`bastide verify` announces itself; only then is what walls dropped of its probes attributed to it."""

    DROP = "bastide dropped in: IN=priv0 SRC=10.0.0.1 DST=10.0.0.2 PROTO=TCP SPT=61100 DPT=22 SYN"

    def drops(self, tmp_path: Any, *said: dict[str, Any]) -> list[dict[str, Any]]:
        spool = Spool(tmp_path, limit_bytes=1 << 20, monitors=("monitor1",), now_s=1.0)
        journal = Journal(spool, max_logs=100, max_events=10)
        for one in said:
            journal.add(json.dumps(one).encode())
        journal.add(json.dumps(entry(self.DROP, SYSLOG_IDENTIFIER="ulogd")).encode())
        journal.take(1.0)
        return [record for record in unpack(spool, "monitor1") if record.get("type") == "firewall-drop"]

    def test_root_s_announcement_is_an_event_and_nobody_else_s_is(self) -> None:
        found = event("verification began: walls", SYSLOG_IDENTIFIER="bastide-verify", _UID="0")
        assert found is not None and found["type"] == "verify" and found["fields"]["state"] == "began"
        assert event("verification began: walls", SYSLOG_IDENTIFIER="bastide-verify", _UID="33") is None

    def test_a_drill_says_what_it_breaks_and_only_root_may(self) -> None:
        began = event("drill began: kill db1", SYSLOG_IDENTIFIER="bastide-drill", _UID="0")
        ended = event("drill ended: kill db1", SYSLOG_IDENTIFIER="bastide-drill", _UID="0")
        assert began is not None and (began["type"], began["fields"]["state"]) == ("drill", "began")
        assert ended is not None and ended["fields"]["state"] == "ended"
        assert event("drill began: kill db1", SYSLOG_IDENTIFIER="bastide-drill", _UID="33") is None

    def test_probes_are_attributed_while_it_goes_on(self, tmp_path: Any) -> None:
        began = entry("verification began: walls", SYSLOG_IDENTIFIER="bastide-verify", _UID="0")
        (drop,) = self.drops(tmp_path, began)
        assert drop["fields"]["verify"] is True and "bastide verify" in drop["message"]

    def test_the_same_packet_without_an_announcement_is_an_attack(self, tmp_path: Any) -> None:
        (drop,) = self.drops(tmp_path, entry("verification began", SYSLOG_IDENTIFIER="bastide-verify", _UID="33"))
        assert "verify" not in drop["fields"]


def test_of_the_request_logs_failures_become_records_or_every_request_however_many_there_are() -> None:
    block = b"".join(edge_line(n, status=503 if n % 10 == 0 else 200) for n in range(3000))
    failures = RequestRecords(edge_log(Path("/x")), every=False, max_per_second=100)
    assert [r["priority"] for r in failures.read(block, 5.0)] == [4] * 100
    assert failures.suppressed == 200
    all_of_them = RequestRecords(edge_log(Path("/x")), every=True, max_per_second=100)
    found = list(all_of_them.read(block, 5.0))
    assert (len(found), all_of_them.suppressed) == (3000, 0)
    assert found[1]["message"] == "GET /products/1 200" and found[1]["fields"]["service"] == "edge"
