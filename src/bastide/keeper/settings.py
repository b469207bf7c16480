"""What the keeper is told at start: who it is, who its peers are, where everything lies.

In: keeper.json and secrets.json, written by the compiler. Out: `Settings`, `Secrets`.
Holds: no path, port or name is known to the keeper from elsewhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class PeerSettings:
    """Another database host, and how it is reached."""

    host: str
    address: str
    name: str
    """Name in its certificate; also what the server connects to when connections are encrypted."""
    status_socket: str
    """Unix socket of the local proxy that leads to its keeper's status."""
    seed_socket: str
    """Unix socket of the local proxy that leads to its copy stream."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tls:
    """Files that the server uses as a client of the primary."""

    ca: str
    certificate: str
    key: str
    issuer: str
    """Who signed the certificates, as the server writes it: `/CN=shop intermediate`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A voter's etcd."""

    address: str
    name: str
    """In its certificate."""
    port: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisterSettings:
    """How the seat is reached."""

    members: tuple[Member, ...]
    """The nearest first."""
    ca: str
    certificate: str
    key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Failover:
    """Automatic failover."""

    register: RegisterSettings
    strict: bool
    """Without a standby commits wait."""
    hold_s: float
    server_config: str
    """The configuration that our server's command line names."""
    permit: Path
    """Written right before each start: as what the server starts. Without it systemd does not start it."""
    session: Path
    fence_socket: Path
    control_socket: Path
    failsafe: bool = False
    """Without the register the primary goes on by its standby's word."""
    proxies: tuple[str, ...] = ()
    """Sockets that lead to the proxies of application hosts, to tell them who is the primary."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Everything but secrets."""

    host: str
    mode: Literal["single", "replication"]
    tls: Tls | None
    """None: connections between hosts are plain text."""
    peers: tuple[PeerSettings, ...]
    replication_port: int
    database: str
    user: str
    exporter: str | None
    """System user of the exporter of metrics, which may look at the server's state; None: there is none."""
    max_replica_lag_s: float
    state: Path
    """Directory of ours, on one file system: `data`, `incoming`, `hosts`."""
    stock_data: Path
    """Data directory of Debian's package: never used, but a database in it is not to be pushed aside."""
    server_socket: str
    status_socket: str
    start_request: Path
    """Touched to have systemd start MariaDB."""
    grant: Path
    """Present where the operator allowed to create a new, empty database."""
    secrets: Path
    failover: Failover | None = None
    """None: roles change by hand."""

    @property
    def data(self) -> Path:
        """MariaDB's data directory."""
        return self.state / "data"

    @property
    def incoming(self) -> Path:
        """Where a data directory is made before it is renamed into place."""
        return self.state / "incoming"

    @property
    def hosts_file(self) -> Path:
        """Names of the peers; the server sees it as /etc/hosts."""
        return self.state / "hosts"

    @property
    def set_aside(self) -> Path:
        """What was the data directory until a new copy was needed; removed once that copy is whole."""
        return self.state / "set-aside"

    def peer(self, host: str) -> PeerSettings:
        """The peer of that name. Raises KeyError."""
        return {p.host: p for p in self.peers}[host]

    def primary_host(self, peer: PeerSettings) -> str:
        """What a replica connects to: the certificate's name, so that it can be verified, or the address."""
        return peer.name if self.tls else peer.address


@dataclass(frozen=True, kw_only=True, slots=True)
class Secrets:
    """Passwords."""

    app: str = field(repr=False)
    replication: str | None = field(repr=False)
    """None in mode single."""


def load_settings(path: Path) -> Settings:
    """Settings from keeper.json. Raises OSError, ValueError, KeyError, TypeError: the compiler made a mistake."""
    plain = json.loads(path.read_text())
    if plain.pop("format") != 1:
        raise ValueError(f"{path}: unknown format")
    tls = plain.pop("tls")
    peers = tuple(PeerSettings(**p) for p in plain.pop("peers"))
    failover = plain.pop("failover", None)
    for name in ("state", "stock_data", "start_request", "grant", "secrets"):
        plain[name] = Path(plain[name])
    return Settings(tls=Tls(**tls) if tls else None, peers=peers, failover=_failover(failover), **plain)


def _failover(plain: dict[str, Any] | None) -> Failover | None:
    if plain is None:
        return None
    register = plain.pop("register")
    members = tuple(Member(**m) for m in register.pop("members"))
    for name in ("permit", "session", "fence_socket", "control_socket"):
        plain[name] = Path(plain[name])
    plain["proxies"] = tuple(plain.get("proxies", ()))
    return Failover(register=RegisterSettings(members=members, **register), **plain)


def load_secrets(path: Path) -> Secrets:
    """Secrets from secrets.json; read again whenever they are needed, so that a rotation needs no restart."""
    plain = json.loads(path.read_text())
    return Secrets(app=plain["app"], replication=plain.get("replication"))
