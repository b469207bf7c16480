"""What a monitored shop says of itself, by each of the ways in which somebody may ask.

In: `Commands` of a lab that is up. Out: the agents' counters, the hub's state and store, Prometheus' answers,
Alertmanager's alerts. Holds: nothing is asked from outside a machine but what an administrator can ask.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bastide.products.vmagent.alerts import EVERY_S, SETTLING_S
from tests.lab.commands import Commands

MONITOR, MONITOR_NAME = "monitor1", "monitor.monitor1.shop.internal"
"""The name is what its certificate says: the project's root vouches for no addresses."""
# A program that was started a moment ago is asked again, and so is one that is still reading what it has (503).
PATIENT = "curl -sf -m 30 --retry 60 --retry-delay 1 --retry-connrefused"
BALANCERS, WEB, DATABASES = ("lb1", "lb2"), ("web1", "web2"), ("db1", "db2")
HOSTS = (*BALANCERS, *WEB, "app1", "app2", *DATABASES, MONITOR)
_SERIES = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of the text format."""

    name: str
    labels: dict[str, str]
    value: float


@dataclass(frozen=True, kw_only=True)
class Watched:
    """The shop and its monitor."""

    commands: Commands
    facts: dict[str, Any]

    def agent(self, host: str) -> list[Series]:
        """All that the agent of a host shows on loopback."""
        return list(read_series(self.commands.ask(host, f"{PATIENT} http://127.0.0.1:9191/metrics")))

    def requests(self, hosts: Sequence[str], **labels: str) -> int:
        """Requests that these hosts' agents counted, under whichever name; of the web tier on hosts that have both."""
        names = ("haproxy_http_requests_total", "nginx_http_requests_total")
        return int(sum(total(self.agent(host), name, **labels) for host in hosts for name in names))

    def state(self) -> dict[str, Any]:
        """What `bastide top` draws."""
        found: dict[str, Any] = json.loads(self.commands.do("top", "--once", "--json"))
        return found

    def host(self, name: str) -> dict[str, Any]:
        """One host of it."""
        return next(host for host in self.state()["hosts"] if host["name"] == name)

    def query(self, promql: str) -> list[dict[str, Any]]:
        """Prometheus' answer to an instant query."""
        get = f"{PATIENT} -G http://127.0.0.1:9090/api/v1/query --data-urlencode {shlex.quote(f'query={promql}')}"
        found: list[dict[str, Any]] = json.loads(self.commands.ask(MONITOR, get))["data"]["result"]
        return found

    def number(self, promql: str) -> float:
        """Of a query that has one number for an answer; 0 where there is none yet."""
        found = self.query(promql)
        return float(found[0]["value"][1]) if found else 0.0

    def alerts(self) -> list[dict[str, str]]:
        """Labels of what Alertmanager holds as firing."""
        plain = self.commands.ask(MONITOR, f"{PATIENT} 'http://127.0.0.1:9093/api/v2/alerts?active=true'")
        return [alert["labels"] for alert in json.loads(plain)]

    def records(self, text: str, *words: str) -> list[dict[str, Any]]:
        """What `bastide logs --search` finds in the store."""
        said = self.commands.do("logs", *words, "--search", text, "--lines", "5000", "--json")
        found: list[dict[str, Any]] = json.loads(said)["records"]
        return found

    def secret(self, name: str) -> str:
        """A generated secret."""
        return self.commands.secrets()[name]

    def curl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Curl on this computer, trusting the project's CA alone."""
        argv = ["curl", "--silent", "--show-error", "--connect-timeout", "10", "--max-time", "60", "--cacert"]
        argv.append(self.facts["ca"])
        address = self.host(MONITOR)["address"]
        argv += [word for port in (8444, 8490) for word in ("--resolve", f"{MONITOR_NAME}:{port}:{address}")]
        argv += words
        return subprocess.run(argv, capture_output=True, text=True, check=False)


JUDGING = (
    f"(count_over_time(monitor:silent_hosts:ratio[{SETTLING_S}s]) > {SETTLING_S // EVERY_S * 3 // 4})"
    f" and (max_over_time(monitor:silent_hosts:ratio[{SETTLING_S}s]) <= 0.5)"
)
"""Has an answer once a monitor accuses hosts: for a while after it was deaf itself it accuses nobody."""


def everybody_is_heard(watched: Watched) -> None:
    """Wait until the hub answers, as after a start of its machine, and hears every host."""

    def heard() -> set[str]:
        said = watched.commands.run("top", "--once", "--json")
        hosts = json.loads(said.stdout)["hosts"] if said.returncode == 0 else []
        return {host["name"] for host in hosts if host["state"] == "fresh"}

    wait_for(heard, lambda names: names == set(HOSTS), within_s=180)


def settled(watched: Watched) -> None:
    """Wait until the monitor accuses hosts again."""
    wait_for(lambda: watched.query(JUDGING), bool, within_s=2 * SETTLING_S + 60, every_s=2)


def read_series(text: str) -> Iterator[Series]:
    """Lines of the text format."""
    for line in text.splitlines():
        if line and not line.startswith("#"):
            found = _SERIES.fullmatch(line)
            assert found, f"no series: {line[:200]}"
            yield Series(name=found[1], labels=dict(_LABEL.findall(found[2] or "")), value=float(found[3]))


def total(series: Sequence[Series], name: str, **labels: str) -> float:
    """Sum of a metric's series that have these labels."""
    return sum(s.value for s in series if s.name == name and labels.items() <= s.labels.items())


def selector(name: str, **labels: str) -> str:
    """The same for Prometheus."""
    return f"sum({name}{{{','.join(f'{key}={json.dumps(text)}' for key, text in labels.items())}}})"


def wait_for(look: Callable[[], T], good: Callable[[T], bool], *, within_s: float, every_s: float = 0.5) -> T:
    """Look until it is good; what was seen then."""
    end = time.monotonic() + within_s
    while True:
        seen = look()
        if good(seen):
            return seen
        assert time.monotonic() < end, f"not within {within_s} s; last seen: {seen}"
        time.sleep(every_s)
