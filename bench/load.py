"""Load on one lab, and what it cost each host.

In: a lab, a path. Out: `Run`: requests, latencies, new connections of each hop, processor time of each host.
Holds: connections are counted by the hosts' own firewalls, whose rule for a flow sees a connection's first packet only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bench.labs import HOPS, URL, run_in

_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
_PRINT_CPU = "grep usage_usec /sys/fs/cgroup/cpu.stat"


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run of a load."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int
    opened: Mapping[str, int]
    """Connections opened on each hop."""
    cpu_us: Mapping[str, float]
    """Processor time of each host, a request."""

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    def opened_per_thousand(self, flow: str) -> float:
        """Connections that a hop opened for a thousand requests."""
        return self.opened[flow] / self.requests * 1000


def wrk_line(path: str, *, connections: int, seconds: float) -> str:
    """The command line in the lab's client."""
    return f"wrk -t1 -c{connections} -d{seconds:g}s --timeout 10s --latency {URL}{path}"


def load(variant: str, path: str, *, connections: int, seconds: float) -> Run:
    """Ask as the internet would, over kept connections."""
    hosts = ("lb1", "web1", "app1")
    opened = {flow: _opened(variant, host, flow) for flow, host in HOPS.items()}
    cpu = {host: _cpu_us(variant, host) for host in hosts}
    said = run_in(variant, "client", wrk_line(path, connections=connections, seconds=seconds))
    cpu = {host: _cpu_us(variant, host) - before for host, before in cpu.items()}
    opened = {flow: _opened(variant, HOPS[flow], flow) - before for flow, before in opened.items()}
    found = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m)", said)
    assert found, said
    requests = int(found[1])
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    return Run(
        requests=requests,
        seconds=float(found[2]) * _UNITS[found[3]] / 1000,
        p50_ms=_latency(said, "50%"),
        p99_ms=_latency(said, "99%"),
        errors=(int(errors[1]) if errors else 0) + (sum(map(int, broken.groups())) if broken else 0),
        opened=opened,
        cpu_us={host: spent / requests for host, spent in cpu.items()},
    )


def _latency(said: str, percentile: str) -> float:
    found = re.search(rf"^\s+{percentile}\s+([\d.]+)(us|ms|s|m)", said, re.MULTILINE)
    assert found, said
    return float(found[1]) * _UNITS[found[2]]


def _opened(variant: str, host: str, flow: str) -> int:
    rules = run_in(variant, host, "nft list chain inet bastide input")
    counts = [int(n) for n in re.findall(rf'counter packets (\d+) .*comment "{flow}"$', rules, re.MULTILINE)]
    assert counts, f"no rule for {flow} on {host}: {rules}"
    return sum(counts)


def _cpu_us(variant: str, host: str) -> float:
    return float(run_in(variant, host, _PRINT_CPU).split()[1])
