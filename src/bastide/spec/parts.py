"""The sections of a spec that name no other section: hosts, edge, tiers, walls, secrets.

Every field's docstring is its documentation: the reference page and the JSON schema are generated from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from bastide.spec.values import (
    Address,
    Count,
    DatabaseName,
    DatabaseUser,
    Destination,
    Duration,
    EnvironmentName,
    InterfaceName,
    Jump,
    Line,
    LoginName,
    MachineName,
    Model,
    Name,
    Network,
    Port,
    Share,
    Size,
    Switch,
    UrlPath,
    VirtualIP,
)

Role = Literal["balancer", "web", "app", "database", "monitor", "witness"]
ROLES: tuple[Role, ...] = ("balancer", "web", "app", "database", "monitor", "witness")


class Ssh(Model):
    """How the controller reaches a host."""

    user: LoginName = "root"
    """Login user; anyone but root needs password-less sudo."""
    port: Port = 22
    """Port of sshd."""
    address: MachineName | None = None
    """Address or name to connect to, when it is neither the private nor the public address."""
    jump: Jump | None = None
    """Reach it through another machine: the name of a host of this spec, or `user@address:port` of any other."""


class Host(Model):
    """A machine that runs services. In the lab, addresses are assigned."""

    roles: tuple[Role, ...] = Field(min_length=1)
    """What the host is for: any mix of balancer, web, app, database, monitor and witness."""
    address: Address | None = None
    """Private address: the other hosts reach it here."""
    public: Address | None = None
    """Address on the internet side; balancers answer here."""
    place: Name | None = None
    """What it shares with its neighbours and would lose with them, such as a rack, a machine below it or a site."""
    ssh: Ssh | None = None
    """How the controller reaches this host, where it differs from the project's `ssh`."""


class Secret(Model):
    """A value that never stands in the spec: exactly one source is named."""

    generate: Count | None = Field(default=None, ge=16, le=256)
    """Make a random one of this many characters once, and keep it in the project's state."""
    file: Line | None = None
    """Read it from this file (path relative to the spec)."""
    env: EnvironmentName | None = None
    """Read it from this variable of the controller's environment."""


class CertificateFiles(Model):
    """The user's own certificate for the domains."""

    certificate: Line
    """PEM file with the certificate and its chain (path relative to the spec)."""
    key: Line
    """PEM file with the private key (path relative to the spec)."""


def _edge_form(value: object) -> str:
    """Which form was meant, so that a fault is told for that form alone."""
    return FILES_FORM if isinstance(value, Mapping | CertificateFiles) else INTERNAL_FORM


INTERNAL_FORM, FILES_FORM = "<internal>", "<files>"  # angle brackets: `fields.py` leaves them out of places
EdgeCertificate = Annotated[
    Annotated[Literal["internal"], Tag(INTERNAL_FORM)] | Annotated[CertificateFiles, Tag(FILES_FORM)],
    Discriminator(_edge_form),
]


class Tls(Model):
    """Encryption at the edge and inside."""

    edge: EdgeCertificate = "internal"
    """Certificate for the domains: from the project's own authority, or your files."""
    inside: Literal["mtls", "plain"] = "mtls"
    """Hops between hosts: mutual TLS, or plain text (an open flaw that audit reports)."""
    hsts: Duration = 63072000.0
    """How long browsers remember to use HTTPS only; 0s sends no header."""


class RateLimit(Model):
    """What one source address may do at the edge."""

    requests: Count = Field(default=1000, ge=1)
    """Requests in one window before it is answered 429."""
    window: Duration = 10.0
    """Length of the window."""
    connections: Count = Field(default=200, ge=1)
    """Connections held open at the same time."""
    handshakes: Count = Field(default=200, ge=1)
    """New connections (TLS handshakes) in one window."""


class EdgeTimeouts(Model):
    """How long the balancer waits."""

    connect: Duration = 2.0
    """For a web server to accept a connection."""
    client: Duration = 30.0
    """For a client that has gone silent."""
    server: Duration = 60.0
    """For a web server's answer."""
    request: Duration = 5.0
    """For a client to send its whole request head (bounds slow requests)."""
    keepalive: Duration = 15.0
    """For the next request on a kept connection."""


class HaproxySnippets(Model):
    """Extra HAProxy configuration, put at the end of the named section."""

    global_: str = Field(default="", alias="global")
    """Lines for `global`."""
    defaults: str = ""
    """Lines for `defaults`."""
    frontend: str = ""
    """Lines for the HTTPS frontend."""
    backend: str = ""
    """Lines for the backend of the web servers."""


class Balancer(Model):
    """The edge: HAProxy, and keepalived for the virtual IP."""

    virtual_ip: VirtualIP = "auto"
    """Address that moves between the balancers. auto: assigned in the lab when there are two, none elsewhere."""
    interface: InterfaceName | None = None
    """Network interface that carries the virtual IP (on your own servers)."""
    advert_interval: Duration = 0.1
    """How often the holder of the virtual IP says that it lives; takeover takes about three of these."""
    router_id: Count = Field(default=51, ge=1, le=255)
    """VRRP router id; unique in the network."""
    max_connections: Count = Field(default=8000, ge=100)
    """Connections held at the same time."""
    threads: Count = Field(default=2, ge=1, le=64)
    """HAProxy threads; no more than the balancer has cores."""
    rate_limit: RateLimit = RateLimit()
    """Limits for each source address."""
    timeouts: EdgeTimeouts = EdgeTimeouts()
    """How long the balancer waits."""
    maintenance: Switch = False
    """Answer every request with the maintenance page (503)."""
    maintenance_page: Line | None = None
    """HTML file of the maintenance page (path relative to the spec)."""
    snippets: HaproxySnippets = HaproxySnippets()
    """Extra HAProxy configuration."""


class NginxSnippets(Model):
    """Extra nginx configuration, put at the end of the named context."""

    http: str = ""
    """Lines for `http`."""
    server: str = ""
    """Lines for the web server's `server`."""


class Web(Model):
    """The web servers: nginx, static files, and the way to the application."""

    static: dict[Line, Line] = Field(default_factory=dict)
    """URL prefixes served from local folders, such as `/static/: ./static`."""
    max_body_size: Size = 10 << 20
    """Largest request body."""
    workers: Count | None = Field(default=None, ge=1, le=256)
    """nginx worker processes; by default one a core."""
    worker_connections: Count = Field(default=4096, ge=64)
    """Connections a worker may hold."""
    upstream_keepalive: Count = Field(default=64, ge=1)
    """Idle connections a worker keeps to the application servers."""
    gzip: Switch = True
    """Compress text answers."""
    static_expires: Duration = 3600.0
    """How long browsers may keep static files."""
    snippets: NginxSnippets = NginxSnippets()
    """Extra nginx configuration."""


class App(Model):
    """Your application."""

    kind: Literal["wsgi", "asgi", "php", "command", "static"]
    """wsgi and asgi: Python; php: php-fpm; command: anything that listens; static: files only, no process."""
    path: Line = "./app"
    """Folder of the code (relative to the spec); it is shipped as a release."""
    exclude: tuple[Line, ...] = ("tests", ".git", "__pycache__", ".venv", "node_modules", "*.pyc")
    """Names and patterns in the folder that are not shipped."""
    entry: str | None = None
    """wsgi, asgi: `module:callable`. php: the front controller, such as `public/index.php`."""
    command: tuple[str, ...] = ()
    """command: the program and its arguments; it must listen on 127.0.0.1:$PORT."""
    port: Port = 18000
    """command: the loopback port handed to the program as PORT (further processes count upwards)."""
    requirements: Line | None = None
    """wsgi, asgi, command: pip requirements file in the folder; installed without the host needing the internet."""
    python: Literal["3.10", "3.11", "3.12", "3.13"] = "3.11"
    """Python version of the application hosts (Debian 12 has 3.11)."""
    processes: Count = Field(default=2, ge=1, le=256)
    """Worker processes on each host."""
    threads: Count = Field(default=4, ge=1, le=256)
    """Threads in each worker process (wsgi)."""
    timeout: Duration = 30.0
    """Longest time that a request may take."""
    health: UrlPath = "/healthz"
    """Path that answers 200 when the application can serve."""
    environment: dict[EnvironmentName, str] = Field(default_factory=dict)
    """Environment variables (not for secrets)."""
    secrets: dict[EnvironmentName, Secret] = Field(default_factory=dict)
    """Secret environment variables, by reference."""
    migrate: tuple[str, ...] = ()
    """Command run once a release on each host before it serves, one host after the other; must be repeatable."""
    memory_max: Size | None = None
    """Memory limit of the whole application on a host."""


class Database(Model):
    """MariaDB."""

    mode: Literal["single", "replication"] = "replication"
    """single: one server; replication: a primary and semi-synchronous replicas."""
    failover: Literal["automatic", "manual"] = "manual"
    """automatic: a standby that holds every acknowledged write takes over by itself; it needs two database hosts
    and, with hosts of the role witness, three or five votes. manual: a lost primary waits for its host or for you."""
    without_standby: Literal["go_on", "block"] = "go_on"
    """Automatic failover, while no standby acknowledges commits. go_on: the primary goes on alone, nothing can take
    over, and alerts say so; block: commits wait for a standby."""
    without_quorum: Literal["go_on", "stop"] = "stop"
    """Automatic failover, while most voters cannot be reached. stop: the primary stops, for nobody can know that there
    is no second one; go_on: it goes on as long as its standby promises, every second, not to take over (or nobody
    stands by)."""
    failover_hold: Duration = 60.0
    """Shortest time between two automatic failovers; doubled with each one that follows soon, up to ten minutes."""
    name: DatabaseName = "app"
    """Name of the application's database."""
    user: DatabaseUser = "app"
    """Name of the application's database user."""
    password: Secret = Secret(generate=32)
    """Password of the application's user, by reference."""
    buffer_pool: Size = 256 << 20
    """Memory for InnoDB's buffer pool."""
    max_connections: Count = Field(default=200, ge=10)
    """Connections that a server accepts."""
    max_replica_lag: Duration = 5.0
    """Replicas further behind get no reads."""
    durable: Switch = True
    """Flush every commit to disk (sync_binlog=1, innodb_flush_log_at_trx_commit=1)."""
    snippet: str = ""
    """Extra lines for `[mariadbd]`."""


class Egress(Model):
    """A conversation that hosts may open to the outside."""

    to: Destination = "anywhere"
    """Destination network."""
    port: Port
    """Destination port."""
    protocol: Literal["tcp", "udp"] = "tcp"
    """Transport protocol."""
    roles: tuple[Role, ...] = ()
    """Only from hosts of these roles; by default from all."""
    why: Line
    """Reason, shown by explain and in the firewall."""


def _default_egress() -> tuple[Egress, ...]:
    return (
        Egress(port=53, protocol="udp", why="names"),
        Egress(port=53, protocol="tcp", why="names, large answers"),
        Egress(port=123, protocol="udp", why="time"),
        Egress(port=80, why="packages and security updates"),
        Egress(port=443, why="packages and security updates"),
    )


class Firewall(Model):
    """The walls. Conversations between hosts need no rule here: they follow from the roles."""

    admin: tuple[Network, ...] = ()
    """Networks from which administrators reach SSH. Empty: from anywhere (an open flaw that audit reports)."""
    egress: tuple[Egress, ...] = Field(default_factory=_default_egress)
    """Everything that hosts may open to the outside; an empty list closes it."""
    log_per_minute: Count = Field(default=60, ge=0)
    """Dropped packets logged each minute and host; all are counted."""


class Email(Model):
    """Alerts by e-mail."""

    to: tuple[Line, ...] = Field(min_length=1)
    """Who gets them."""
    sender: Line
    """Address that they come from."""
    server: Line
    """Mail server, as `host:port`."""
    user: Line | None = None
    """User to log in as, if the server asks for one."""
    password: Secret | None = None
    """Password of that user, by reference."""


class Slack(Model):
    """Alerts to a Slack channel."""

    url: Secret
    """Incoming webhook, by reference: whoever has it can write to the channel."""
    channel: Line
    """Channel, such as `#operations`."""


class Webhook(Model):
    """Alerts to a program of yours, as Alertmanager's JSON."""

    url: Line
    """Where they are sent."""
    severities: tuple[Literal["page", "ticket"], ...] = ("page", "ticket")
    """Which alerts are sent there."""


class Alerting(Model):
    """Where alerts go. Without any receiver they are seen in the dashboard only."""

    email: Email | None = None
    """By e-mail."""
    slack: Slack | None = None
    """To a Slack channel."""
    webhooks: tuple[Webhook, ...] = ()
    """To programs."""
    watchdog: Line | None = None
    """URL outside that hears an always-firing alert every minute; its silence means that monitoring is dead."""


class Monitor(Model):
    """Monitoring: metrics, logs, events, alerts and the dashboard, on hosts of the role monitor."""

    retention: Duration = 30 * 86400.0
    """How long metrics are kept."""
    retention_size: Size = 10 << 30
    """Most disk that metrics may take on a monitor."""
    log_retention: Duration = 14 * 86400.0
    """How long logs and events are kept."""
    log_retention_size: Size = 5 << 30
    """Most disk that logs and events may take on a monitor."""
    request_log: Literal["errors", "edge"] = "errors"
    """Which requests have a line in the monitors' log store: those that a server failed; or every request, once, as the
    balancers saw it, which is 1.5 GB an hour on each monitor at 10,000 a second. All of them are counted in either
    case, and every line stays on its own host for two weeks."""
    spool: Size = 256 << 20
    """Most metrics that each host holds back while they cannot be shipped, and a quarter as much of records; when it
    is full the oldest goes first. Files of metrics are freed in pieces of about 500 MB, so leave that much more free
    disk for each monitor."""
    alerting: Alerting = Alerting()
    """Where alerts go."""


class System(Model):
    """The operating system of every host."""

    unattended_upgrades: Switch = True
    """Install Debian's security updates by themselves (on real hosts)."""
    stagger_upgrades: Switch = True
    """Neighbours of a tier install updates on different days, so that a flawed one does not take a whole tier."""
    time_sync: Switch = True
    """Keep the clock right by chrony (on real hosts)."""
    harden_ssh: Switch = True
    """Keys only, modern algorithms only."""
    generations: Count = Field(default=5, ge=2, le=50)
    """Applied generations kept on each host."""


class Rollout(Model):
    """How changes reach the hosts. The order itself follows from who asks whom."""

    batch: Share = 0.25
    """How many hosts of a redundant tier change at the same time, after its first one: a percentage, or a number.
    Balancers and databases always change one by one."""
    drain: Duration = 20.0
    """How long a server that is about to restart may take to finish what it was asked, while others get new requests."""
    settle: Duration = 4.0
    """How long a unit that was started must go on running before it is believed."""
    stale: Literal["none", "redundant"] = "none"
    """Hosts that are away: none stops the run; redundant goes on without those that another host stands in for."""
