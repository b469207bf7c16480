"""Hostile input is refused, said and counted, and nothing else suffers: logs, the agent's loopback, the hub's push.

Every test ends with the same question: does the next ordinary request still count as one?
"""

from __future__ import annotations

import json
import time
import uuid

import pytest

from tests.lab.monitoring.remote_write import write_series
from tests.lab.monitoring.watched import BALANCERS, MONITOR, MONITOR_NAME, WEB, Watched, total, wait_for

pytestmark = pytest.mark.lab

# Told by the configuration itself: where the tier's log stands.
_FIND_LOG = "import json; print(json.load(open('/etc/bastide/agent/settings.json'))['logs'][0]['path'])"
ROUTE = {"route": "/static/"}


def malformed(watched: Watched, host: str) -> int:
    return int(total(watched.agent(host), "bastide_agent_malformed_total"))


def ask_once(watched: Watched, number: int) -> None:
    """Ordinary requests that both tiers count."""
    said = watched.commands.ask("client", f"ab -q -n {number} -c 2 -k https://shop.test/static/1k.txt")
    assert f"Complete requests:      {number}\n" in said and "Failed requests:        0" in said, said


def test_lines_that_are_no_lines_are_malformed_and_the_others_are_counted(watched: Watched) -> None:
    # The edge's log is HAProxy's alone: what root appends there HAProxy writes over, since it knows its place.
    ask, host = watched.commands.ask, "web1"
    log = ask(host, f'python3 -c "{_FIND_LOG}"')
    tier = WEB
    counted, bad = watched.requests(tier, **ROUTE), malformed(watched, host)
    hostile = (
        "import os\n"
        f"log = open({log!r}, 'ab', buffering=0)\n"
        "log.write(b'A' * 1_000_000 + b'\\n')\n"
        "log.write(os.urandom(5000).replace(b'\\n', b'x') + b'\\n')\n"
        "log.write(b'\\x00\\x1b[2J\\t\\t\\t\\n')\n"
        "log.write(b'\\n')\n"
        "log.write(b'unfinished')\n"
    )
    ask(host, f"python3 - <<'END'\n{hostile}\nEND")
    # The end of the unfinished line: whoever writes next would finish it otherwise.
    ask(host, f"printf ' now it is finished\\n' >>{log}")
    wait_for(lambda: malformed(watched, host) - bad, lambda n: n == 5, within_s=60)
    ask_once(watched, 50)
    wait_for(lambda: watched.requests(tier, **ROUTE) - counted, lambda n: n >= 50, within_s=60)
    assert watched.requests(tier, **ROUTE) - counted == 50
    assert malformed(watched, host) - bad == 5
    assert int(total(watched.agent(host), "bastide_agent_truncations_total")) == 0


def test_hostile_requests_at_the_edge_are_counted_as_what_they_are(watched: Watched) -> None:
    counted = watched.requests(BALANCERS, **ROUTE)
    hostile = (
        "import os, socket\n"
        "for said in (os.urandom(2000), b'GET /' + b'a' * 1_000_000, b'GET /\\x1b[2J\\tq\\xff HTTP/1.1\\r\\n\\r\\n',"
        " b'GET /%09%0a%1b HTTP/1.1\\r\\nHost: shop.test\\r\\n\\r\\n', b'R\\t1\\t200\\t' * 50):\n"
        f"    with socket.create_connection(({watched.facts['address']!r}, 80), timeout=5) as wire:\n"
        "        try:\n            wire.sendall(said); wire.recv(100)\n        except OSError: pass\n"
    )
    watched.commands.ask("client", f"python3 - <<'END'\n{hostile}\nEND")
    ask_once(watched, 50)
    wait_for(lambda: watched.requests(BALANCERS, **ROUTE) - counted, lambda n: n >= 50, within_s=60)
    assert watched.requests(BALANCERS, **ROUTE) - counted == 50
    assert sum(total(watched.agent(h), "bastide_agent_truncations_total") for h in BALANCERS) == 0


def local(watched: Watched, body: str, *, path: str = "/push", head: str = "", port: int = 9191) -> tuple[int, str]:
    """A push to the agent of app1, as a program there would."""
    curl = f"curl -s -m 60 -w '\\n%{{http_code}}' {head} --data-binary @- http://127.0.0.1:{port}{path}"
    said, _, code = watched.commands.ask("app1", f"{curl} <<'END'\n{body}\nEND").rpartition("\n")
    return int(code), said


def test_a_program_on_a_host_can_push_and_what_is_wrong_is_refused(watched: Watched) -> None:
    good = {"metrics": [{"name": "mails_sent_total", "value": 1, "type": "counter"}]}
    assert local(watched, json.dumps(good))[0] == 200
    for wrong, status in (
        ("no json at all", 400),
        ("[" * 100_000, 400),
        ('{"metrics": 7}', 400),
        ('{"metrics": [{"name": "x", "value": "much"}]}', 400),
        ('{"metrics": [{"name": "x", "value": NaN}]}', 400),
        ('{"metrics": [{"name": "haproxy_http_requests_total", "value": 1000000, "type": "counter"}]}', 400),
        ('{"events": [{"type": "login", "message": "root, honestly"}]}', 400),
        ("x" * 2_000_000, 413),
    ):
        code, said = local(watched, wrong)
        assert code == status, (wrong[:60], code, said)
        assert json.loads(said)["error"], "it says why"
    assert local(watched, "", path="/metrics")[0] == 405
    many = {"metrics": [{"name": "explosion", "value": 1, "labels": {"id": str(n)}} for n in range(5000)]}
    code, said = local(watched, json.dumps(many))
    assert code == 429 and "series" in said
    shown = watched.agent("app1")
    assert total(shown, "bastide_agent_pushed_series") <= 2000
    assert total(shown, "bastide_agent_pushed_series_refused_total") >= 1
    assert total(shown, "mails_sent_total") == 1
    # Full, and still what exists goes on, and so does what is the agent's own.
    assert local(watched, json.dumps(good))[0] == 200
    assert total(watched.agent("app1"), "mails_sent_total") == 2
    watched.commands.ask("app1", "systemctl restart bastide-agent")


def test_statsd_takes_what_it_can_read_and_counts_the_rest(watched: Watched) -> None:
    send = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
    send += "for d in (b'orders:3|c', b'\\xff\\x00|||', b'orders:much|c', b'A' * 60000): s.sendto(d, ('127.0.0.1', 8125))"
    before = total(watched.agent("app1"), "bastide_agent_statsd_refused_total")
    watched.commands.ask("app1", f'python3 -c "{send}"')
    wait_for(lambda: total(watched.agent("app1"), "orders"), lambda n: n == 3, within_s=60)
    refused = "bastide_agent_statsd_refused_total"
    wait_for(lambda: total(watched.agent("app1"), refused), lambda n: n >= before + 1, within_s=60)


def test_the_hub_takes_pushes_with_its_token_and_refuses_everything_else(watched: Watched) -> None:
    base = f"https://{MONITOR_NAME}:8444/push/v1"
    token = watched.secret("hub.push_token")

    def push(body: str, *, path: str = "metrics", word: str = token) -> tuple[int, str]:
        # A limit of its own stands before all of this.
        def sent() -> tuple[int, str]:
            done = watched.curl(
                "-w", "\n%{http_code}", "-H", "Content-Type: application/json", "-H", f"Authorization: Bearer {word}",
                "--data-binary", body, f"{base}/{path}",
            )  # fmt: skip
            said, _, code = done.stdout.rpartition("\n")
            return int(code), said

        return wait_for(sent, lambda answer: answer[0] != 429 or "series" in answer[1], within_s=60)

    good = json.dumps({"metrics": [{"name": "orders_total", "value": 7, "type": "counter"}]})
    assert push(good)[0] == 200
    assert push(good, word="guessed")[0] == 401
    for wrong, status in (
        ("no json", 400),
        ("[" * 60_000, 400),
        ('{"metrics": [{"name": "bastide_hub_frames_total", "value": 1}]}', 400),
        ('{"metrics": [{"name": "x", "value": 1, "labels": {"host": "lb1"}}]}', 400),
        ('{"metrics": [{"name": "x", "value": "1"}]}', 400),
        ('{"metrics": [{"name": "x", "value": 1e999}]}', 400),
    ):
        code, said = push(wrong)
        assert code == status, (wrong[:60], code, said)
        assert json.loads(said)["message"], "it says why"
    for start in (0, 600):
        many = [{"name": "explosion", "value": 1, "labels": {"id": str(n)}} for n in range(start, start + 600)]
        code, said = push(json.dumps({"metrics": many}))
    assert code == 429 and "series" in said
    assert (
        push(json.dumps({"events": [{"type": "deploy", "message": "version 7 of far away"}]}), path="events")[0]
        == 200
    )
    wait_for(lambda: watched.records("version 7 of far away"), bool, within_s=60)
    shown = watched.commands.ask("monitor1", "curl -sf http://127.0.0.1:9192/metrics")
    assert 'bastide_hub_refused_total{code="token"}' in shown
    assert 'orders_total{pushed_by="default"} 7' in shown
    wait_for(lambda: watched.host("lb1")["state"], lambda state: state == "fresh", within_s=60)


def test_nobody_ships_for_a_host_without_its_certificate(watched: Watched) -> None:
    address = watched.host("monitor1")["address"]
    frame = json.dumps({"host": "lb1", "t": 0, "seq": 1, "gauges": {}, "counters": {}})
    post = "curl -sk -o /dev/null -w '%{http_code}' -m 60 --connect-timeout 10"
    post += f" -H 'X-Bastide-Peer: agent.lb1' -d '{frame}'"
    said = watched.commands.ask("web1", f"{post} https://{address}:8490/hub/v1/frames || true")
    assert said in ("000", "400", "403"), "without a certificate"
    identity = "--cert /etc/bastide/agent/certificate.pem --key /etc/bastide/agent/key.pem"
    said = watched.commands.ask("web1", f"{post} {identity} https://{address}:8490/hub/v1/frames")
    assert said in ("400", "403"), "with another host's"
    wait_for(lambda: watched.host("lb1")["age_s"], lambda age: age is not None and age < 5, within_s=60)


def test_a_host_ships_series_of_its_own_and_of_nobody_else(watched: Watched) -> None:
    name, now = f"forged_{uuid.uuid4().hex[:8]}", int(time.time())
    own = {"__name__": name, "host": "web1", "instance": "web1"}
    assert write_series(watched, "web1", own, [now]) == ["204"]
    for forged in (
        own | {"host": "lb1", "instance": "lb1"},
        own | {"instance": "lb1"},
        own | {"host": ""},
        own | {"__name__": "monitor:silent_hosts:ratio"},
        own | {"__name__": "ALERTS_FOR_STATE", "alertname": "HostSilent"},
    ):
        assert write_series(watched, "web1", forged, [now + 1]) == ["400"], forged
    found = wait_for(lambda: watched.query(name), bool, within_s=60)
    assert [result["metric"] for result in found] == [own], "nothing of what was forged is stored"
    assert not watched.query('monitor:silent_hosts:ratio{host="web1"}')
    wait_for(
        lambda: watched.commands.ask(MONITOR, "journalctl -u bastide-hub -o cat --since -10min"),
        lambda said: "web1 may not ship series of another host" in said,
        within_s=60,
    )
    wait_for(watched.alerts, lambda all_: any(a["alertname"] == "HostSpeaksForAnother" for a in all_), within_s=240)
