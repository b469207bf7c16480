"""What the agent is told at start.

In: settings.json, written by the compiler. Out: `Settings`.
Holds: no path, port, name or column is known to the agent from elsewhere.

Named tuples and not dataclasses, here and in the whole agent: importing those (they import `inspect`, and that the
parser) takes 2.6 MB of each host's memory. Construction is by keyword all the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple


class Log(NamedTuple):
    """A request log."""

    service: Literal["edge", "web", "app"]
    path: str
    format: Literal["nginx", "haproxy"]
    columns: tuple[str, ...]
    """Names in order; the compiler takes them from where it writes the log's format."""
    failed_columns: tuple[str, ...] = ()
    """Of lines about connections that never became a request."""
    routes: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    """Servers of the backend."""
    frontends: tuple[str, ...] = ()
    """The last one is where most requests arrive."""


class Monitor(NamedTuple):
    """Where frames and records are sent."""

    name: str
    url: str
    """`https://10.0.0.9:8490`."""
    server_name: str
    """What its certificate must say."""


class Tls(NamedTuple):
    """Files of this host's own certificate."""

    root: str
    certificate: str
    key: str


class Settings(NamedTuple):
    """Everything."""

    host: str
    state: str
    """Directory of ours: positions, counters, spool."""
    monitors: tuple[Monitor, ...]
    tls: Tls | None
    logs: tuple[Log, ...]
    listen: str
    """Metrics and pushes, `127.0.0.1:9191`."""
    statsd: str
    otlp: str
    spool_bytes: int
    virtual_ip: str | None = None
    haproxy_socket: str | None = None
    keeper_socket: str | None = None
    exporters: tuple[tuple[str, int], ...] = ()
    """What else gives figures on this host: name, and port on loopback."""
    firewall_counters: str | None = None
    """File that a privileged unit writes the firewall's counters to."""
    current: str = "/var/lib/bastide/current"
    """The live generation, whose files are watched for changes."""
    drift_record: str = "/run/bastide-agent/drift.json"
    """What the unit that compares files found."""
    drift_request: str = "/run/bastide-agent/look"
    """Written to have that unit look now."""
    disks: tuple[str, ...] = ("/",)
    journal: bool = True
    log_requests: Literal["errors", "edge"] = "errors"
    """Which lines of the request logs are shipped as records; `edge`: also each of the balancers' own."""
    max_events_per_second: int = 20
    max_logs_per_second: int = 500
    max_pushed_series: int = 2000


def load_settings(path: Path) -> Settings:
    """Settings from a file. Raises OSError, ValueError, KeyError, TypeError: the compiler made a mistake."""
    return read_settings(json.loads(path.read_text()))


def read_settings(plain: dict[str, Any]) -> Settings:
    """Settings from plain JSON values."""
    plain = dict(plain)
    if plain.pop("format") != 1:
        raise ValueError("unknown format of the settings")
    tls = plain.pop("tls")
    logs = tuple(Log(**_tuples(log)) for log in plain.pop("logs"))
    monitors = tuple(Monitor(**monitor) for monitor in plain.pop("monitors"))
    return Settings(tls=Tls(**tls) if tls else None, logs=logs, monitors=monitors, **_tuples(plain))


def _tuples(plain: dict[str, Any]) -> dict[str, Any]:
    return {name: _tuple(value) for name, value in plain.items()}


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value
