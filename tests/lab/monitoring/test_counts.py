"""N sent = N counted: by the balancers' agents, the web servers', the hub and Prometheus, whatever happens meanwhile.

The load generator's own count (`ab -n`) is the truth. Two kinds of requests are told apart from what the monitor
itself asks (GET /): the route /static/, and the method HEAD.
"""

from __future__ import annotations

import ast
import itertools
import re
import time
from dataclasses import dataclass

import pytest

from tests.lab.monitoring.watched import (
    BALANCERS,
    HOSTS,
    MONITOR,
    WEB,
    Watched,
    everybody_is_heard,
    selector,
    total,
    wait_for,
)

pytestmark = pytest.mark.lab

BURSTS, STATIC_IN_BURST, APP_IN_BURST = 10, 20_000, 250
STATIC, APP = BURSTS * STATIC_IN_BURST, BURSTS * APP_IN_BURST
_LOAD = f"""
for burst in $(seq {BURSTS}); do
  ab -k -r -q -n {STATIC_IN_BURST} -c 16 https://shop.test/static/1k.txt
  ab -k -r -q -i -n {APP_IN_BURST} -c 4 https://shop.test/
  sleep 1
done
"""
_ABSENCE_S = 22


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Requests that were ever counted."""

    edge_static: int
    edge_app: int
    web_static: int
    web_app: int
    hub_edge: int
    hub_web: int
    stored_edge: int
    stored_web: int
    stored_app: int

    def since(self, before: Counts) -> dict[str, int]:
        """What was counted in between."""
        return {name: getattr(self, name) - getattr(before, name) for name in vars(self)}


def count(watched: Watched) -> Counts:
    hub = watched.state()["counted"]
    static, app = {"route": "/static/"}, {"route": "app", "method": "HEAD"}
    return Counts(
        edge_static=watched.requests(BALANCERS, **static),
        edge_app=watched.requests(BALANCERS, **app),
        web_static=watched.requests(WEB, **static),
        web_app=watched.requests(WEB, **app),
        hub_edge=hub["edge"]["/static/"],
        hub_web=hub["web"]["/static/"],
        stored_edge=int(watched.number(selector("haproxy_http_requests_total", **static))),
        stored_web=int(watched.number(selector("nginx_http_requests_total", service="web", **static))),
        stored_app=int(watched.number(selector("haproxy_http_requests_total", **app))),
    )


def retries(watched: Watched) -> int:
    return int(sum(s.value for host in BALANCERS for s in watched.agent(host) if s.name == "haproxy_retries_total"))


def holder(watched: Watched) -> str:
    """The balancer that has the address by its own word, the same twice: a restart of HAProxy sends it on its way."""

    def having() -> list[str]:
        shown = {name: watched.commands.ask(name, "ip -4 -o addr") for name in BALANCERS}
        return [name for name, addresses in shown.items() if f" {watched.facts['address']}/" in addresses]

    first, _ = wait_for(
        lambda: (having(), having()), lambda two: two[0] == two[1] and len(two[0]) == 1, within_s=120
    )
    return first[0]


_READ = """
import json
for log in json.load(open("/etc/bastide/agent/settings.json"))["logs"]:
    kinds = {b"R": len(log["columns"]), b"E": len(log.get("failed_columns", ()))}
    for line in open(log["path"], "rb"):
        parts = line.rstrip(b"\\n").split(b"\\t")
        wanted = kinds.get(parts[0]) if log["format"] == "haproxy" else len(log["columns"])
        if len(parts) != wanted or not line.endswith(b"\\n"):
            print(line[:200])
"""


def no_requests(watched: Watched, host: str) -> list[str]:
    """Lines of a host's request logs that are none of a request, told by somebody else than the agent."""
    said = watched.commands.ask(host, f"python3 - <<'END'\n{_READ}\nEND", timeout_s=120)
    return [ast.literal_eval(line).decode("latin-1") for line in said.splitlines()]


def sent(said: str) -> tuple[int, int]:
    """Complete and failed requests of all bursts, as the generator counts them."""
    complete = [int(n) for n in re.findall(r"Complete requests: +(\d+)", said)]
    assert len(complete) == 2 * BURSTS, said
    return sum(complete), sum(int(n) for n in re.findall(r"Failed requests: +(\d+)", said))


def test_what_was_sent_is_what_is_counted_through_rotations_reloads_kills_and_a_monitors_absence(
    watched: Watched,
) -> None:
    commands = watched.commands
    for host in BALANCERS:
        # The log goes on where it was.
        commands.ask(host, "systemctl restart haproxy")
        holder(watched)
    commands.await_healthy(within_s=240)
    everybody_is_heard(watched)
    before, retried = count(watched), retries(watched)
    began = time.time()
    with commands.start("exec", "client", "--", "sh", "-c", _LOAD) as load:
        commands.ask(
            "web1",
            f"systemd-run -q --collect --unit=marks sh -c 'for n in $(seq {_ABSENCE_S * 2}); do"
            " logger -t marks mark-$n-of-the-absence; sleep 1; done'",
        )
        time.sleep(3)
        edge = holder(watched)
        commands.do("lab", "kill", MONITOR)
        gone = time.time()
        for host in WEB:
            commands.ask(host, "logrotate -f /etc/logrotate.d/bastide-nginx")
        commands.ask(edge, "systemctl reload haproxy")
        for host in (edge, "web1"):
            commands.ask(host, "systemctl kill --signal=KILL bastide-agent")
        commands.ask("web2", "systemctl reload nginx; systemctl kill --signal=KILL bastide-agent")
        time.sleep(max(0.0, _ABSENCE_S - (time.time() - gone)))
        commands.do("lab", "start", MONITOR)
        back = time.time()
        commands.ask("web2", "logrotate -f /etc/logrotate.d/bastide-nginx")
        commands.ask(edge, "systemctl reload haproxy; systemctl kill --signal=KILL bastide-agent")
        said, errors = load.communicate(timeout=400)
    took = time.time() - began
    assert load.returncode == 0, errors
    complete, failed = sent(said)
    assert (complete, failed) == (STATIC + APP, 0), said

    def grown() -> dict[str, int]:
        return count(watched).since(before)

    wanted = {name: APP if name.endswith("_app") else STATIC for name in Counts.__dataclass_fields__}
    everybody_is_heard(watched)
    end = time.time() + 150
    found = wait_for(
        grown, lambda seen: all(seen[n] >= wanted[n] for n in wanted) or time.time() > end, within_s=240, every_s=1
    )
    # Now that all is counted. The edge's answer is exact; a request that the edge had to repeat may have reached two
    # web servers.
    repeated = retries(watched) - retried
    print(
        f"\nsent {complete} in {took:.0f} s, {failed} failed; monitor away {back - gone:.0f} s; {repeated} retries;"
        f" counted: {found}"
    )
    for host in (*BALANCERS, *WEB):
        shown = watched.agent(host)
        for accident in ("truncations", "skipped_bytes", "lost_files"):
            assert total(shown, f"bastide_agent_{accident}_total") == 0, (host, accident)
        strange = no_requests(watched, host)
        # At a reload or an end HAProxy says a line for each frontend that stops; there are no others.
        assert all(line.startswith("Proxy ") for line in strange), (host, strange)
        assert total(shown, "bastide_agent_malformed_total") == len(strange), (host, strange)
    for name, number in wanted.items():
        surplus = repeated if "web" in name else 0
        assert number <= found[name] <= number + surplus, (name, found)
    _no_gap(watched, gone, back)


def _no_gap(watched: Watched, gone: float, back: float) -> None:
    """Of metrics and records, of every host but the monitor itself."""
    begin, end = gone - 10, back + 10

    def gaps() -> dict[str, float]:
        """By host, the longest time without a heartbeat; each ships what it kept when it tries again."""
        moments: dict[str, set[float]] = {host: set() for host in HOSTS if host != MONITOR}
        for result in watched.query(f'timestamp(up{{job="heartbeat"}})[{time.time() - begin + 10:.0f}s:2s]'):
            if (host := result["metric"]["host"]) in moments:
                moments[host] |= {t for _, value in result["values"] if begin <= (t := float(value)) <= end}
        return {
            host: max(b - a for a, b in itertools.pairwise([begin, *sorted(inside), end]))
            for host, inside in moments.items()
        }

    wait_for(gaps, lambda seen: max(seen.values()) <= 10, within_s=150, every_s=2)

    def marks() -> dict[int, list[float]]:
        """When each was written; the shell that wrote them is in the journal too, with its whole command line."""
        moments: dict[int, list[float]] = {}
        for r in watched.records("of-the-absence", "web1"):
            if found := re.search(r"mark-(\d+)-of", r["message"]):
                moments.setdefault(int(found[1]), []).append(r["t"])
        return moments

    written = wait_for(marks, lambda seen: len(seen) >= _ABSENCE_S * 2, within_s=150)
    assert {number: len(moments) for number, moments in written.items()} == dict.fromkeys(
        range(1, _ABSENCE_S * 2 + 1), 1
    ), "each once"
    absent = sum(gone < t < back for moments in written.values() for t in moments)
    assert absent >= _ABSENCE_S - 5, "some of them are of the absence itself"
    every = watched.records("", "web1")
    sequence = sorted(r["seq"] for r in every if r["t"] > gone - 5)
    # A killed agent goes on at a later number, so gaps say nothing; that none is missing is what the marks above show.
    assert len(set(sequence)) == len(sequence), "none is double"


def test_health_checks_are_not_requests(watched: Watched) -> None:
    began = time.monotonic()
    before = {h: watched.requests([h], service="web") for h in WEB}
    time.sleep(3)
    # Two balancers ask each web server once a second; the monitor's questions are a few in 15 s.
    grown = {h: watched.requests([h], service="web") - before[h] for h in WEB}
    most = 3 + (time.monotonic() - began - 3) / 2
    assert all(n <= most for n in grown.values()), (grown, most)
    assert len(HOSTS) == 9
