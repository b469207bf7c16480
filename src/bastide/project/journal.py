"""Logs of hosts and services, read from their journals over SSH and merged.

In: a Target and what the user asked for. Out: lines, each with its host, in order of arrival.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bastide.project.target import Target
from bastide.topology.resolve import resolve_topology
from bastide.transport.endpoint import root_argv


@dataclass(frozen=True, kw_only=True, slots=True)
class LogQuery:
    """What of the journals is wanted."""

    follow: bool
    since: str | None
    lines: int
    grep: str | None

    def argv(self, units: tuple[str, ...]) -> list[str]:
        """The journalctl call on a host."""
        argv = ["journalctl", "--no-pager", "--output=short-iso", "--no-hostname", f"--lines={self.lines}"]
        argv += [f"--unit={unit}" for unit in units]
        argv += ["--follow"] if self.follow else []
        argv += [f"--since={self.since}"] if self.since else []
        argv += [f"--grep={self.grep}"] if self.grep else []
        return argv


def select_sources(target: Target, what: str | None) -> Mapping[str, tuple[str, ...]]:
    """Units to read on each host; no unit means all of that host. Raises KeyError with a message."""
    topology = resolve_topology(target.spec)
    if what is None:
        return dict.fromkeys(topology.hosts, ())
    host, _, product = what.partition("/")
    if host in topology.hosts:
        services = {s.product: s.unit for s in topology.services_of(host)}
        if product and product not in services:
            raise KeyError(f"'{host}' runs no '{product}'; it runs: {', '.join(services)}")
        return {host: (services[product],) if product else ()}
    chosen = {s.host: (s.unit,) for s in topology.services if s.product == what}
    if not chosen:
        products = dict.fromkeys(s.product for s in topology.services)
        raise KeyError(
            f"'{what}' is neither a host ({', '.join(topology.hosts)}) nor a service ({', '.join(products)})"
        )
    return chosen


def follow_logs(
    target: Target, sources: Mapping[str, tuple[str, ...]], query: LogQuery, write: Callable[[str], None]
) -> int:
    """Print until the journals end (or, when following, until interrupted). 1 if a host could not be read."""
    width = max(map(len, sources))
    lock = threading.Lock()
    codes: dict[str, int] = {}
    children: list[subprocess.Popen[str]] = []

    def read(host: str, child: subprocess.Popen[str]) -> None:
        assert child.stdout is not None
        for line in child.stdout:
            with lock:
                write(f"{host:<{width}} {line.rstrip()}")
        codes[host] = child.wait()

    threads = []
    for host, units in sources.items():
        child = subprocess.Popen(
            root_argv(target.endpoint(host), query.argv(units)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        children.append(child)
        threads.append(threading.Thread(target=read, args=(host, child), daemon=True))
        threads[-1].start()
    try:
        for thread in threads:
            thread.join()
    finally:
        for child in children:
            if child.poll() is None:
                child.terminate()
    # journalctl --grep answers 1 when nothing matched; that is no failure.
    return 1 if any(code not in (0, 1) for code in codes.values()) else 0
