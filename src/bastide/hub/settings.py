"""What the hub of one monitor is told.

In: settings.json and secrets.json, written by the product `hub`. Out: `Settings`. Raises ValueError, KeyError or
TypeError for a file that is not what we wrote. Holds: `repr` never shows a token.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FORMAT = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class HostSettings:
    """A host that may send."""

    name: str
    roles: tuple[str, ...]
    address: str
    services: tuple[str, ...]
    """Units are looked up by product in the picture; names of products."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """All of it."""

    project: str
    host: str
    """The monitor itself."""
    domains: tuple[str, ...]
    url: str
    """Where administrators open the dashboard."""
    hosts: Mapping[str, HostSettings]
    """By name, in spec order."""
    flows: tuple[Mapping[str, Any], ...]
    """The picture's edges, passed on as they are."""
    virtual_ip: str | None
    max_replica_lag_s: float
    picture: str
    """File of the whiteboard, as SVG."""
    socket: str
    """For nginx."""
    admin_socket: str
    """For root of this host alone: it asks no login."""
    socket_group: str
    metrics_port: int
    prometheus: str
    alertmanager: str
    state: str
    log_retention_s: float
    log_retention_bytes: int
    push_tokens: Mapping[str, str] = field(repr=False)
    """Token by name of who pushes."""


def load_settings(path: Path) -> Settings:
    """Both files."""
    plain = json.loads(path.read_text())
    if plain["format"] != FORMAT:
        raise ValueError(f"format {plain['format']}, not {FORMAT}")
    secrets = json.loads(Path(plain["secrets"]).read_text())
    hosts = {
        h["name"]: HostSettings(
            name=h["name"], roles=tuple(h["roles"]), address=h["address"], services=tuple(h["services"])
        )
        for h in plain["hosts"]
    }
    return Settings(
        project=plain["project"],
        host=plain["host"],
        domains=tuple(plain["domains"]),
        url=plain["url"],
        hosts=hosts,
        flows=tuple(plain["flows"]),
        virtual_ip=plain["virtual_ip"],
        max_replica_lag_s=float(plain["max_replica_lag_s"]),
        picture=plain["picture"],
        socket=plain["socket"],
        admin_socket=plain["admin_socket"],
        socket_group=plain["socket_group"],
        metrics_port=int(plain["metrics_port"]),
        prometheus=plain["prometheus"],
        alertmanager=plain["alertmanager"],
        state=plain["state"],
        log_retention_s=float(plain["log_retention_s"]),
        log_retention_bytes=int(plain["log_retention_bytes"]),
        push_tokens={str(name): str(token) for name, token in secrets["push"].items()},
    )
