"""The operating system of every host: kernel settings, security updates, time.

In: HostContext. Out: sysctls; unattended-upgrades and chrony where the spec asks for them (the lab's machines have
no way out and share this computer's clock, so its spec does not).
"""

from __future__ import annotations

from bastide.products.context import HostContext
from bastide.products.fragment import File, Fragment, Unit
from bastide.topology.flows import LOCAL_PRIMARY, LOCAL_REPLICA

SYSCTLS = {
    "net.ipv4.conf.all.accept_redirects": "0",
    "net.ipv4.conf.all.accept_source_route": "0",
    "net.ipv4.conf.all.send_redirects": "0",
    "net.ipv4.tcp_syncookies": "1",
    "net.ipv6.conf.all.accept_redirects": "0",
    # Proxies hold many short connections to one address: let them use every port.
    "net.ipv4.ip_local_port_range": "10240 65535",
    "net.core.somaxconn": "4096",
    "net.ipv4.tcp_max_syn_backlog": "4096",
}

_UPGRADES = b"""\
// Made by Bastide: security updates install themselves; reboots are left to people.
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
Unattended-Upgrade::Automatic-Reboot "false";
"""

_DAYS = (("Mon", "Wed", "Fri"), ("Tue", "Thu", "Sat"))


def _update_days(context: HostContext) -> str:
    """On which days a host of a redundant tier updates: its neighbours have others, and a flawed update shows first."""
    for role in context.host.roles:
        tier = context.topology.tier(role)
        if len(tier) > 1:
            days = _DAYS[tier.index(context.host) % len(_DAYS)]
            return "Unattended-Upgrade::Update-Days {{ {} }};\n".format(" ".join(f'"{day}";' for day in days))
    return ""


WIRE = "/etc/bastide/wire"


def _wire(context: HostContext) -> bytes:
    """How this host speaks to its neighbours; those that speak otherwise cannot serve beside it (plan/wire.py)."""
    database = context.spec.database
    failover = database.failover if database is not None and database.mode == "replication" else "none"
    return f"inside: {context.spec.tls.inside}\nfailover: {failover}\n".encode()


def _reserved_ports(context: HostContext) -> str:
    """Our loopback listeners in the range of outgoing connections: none of those may take their place."""
    app = context.spec.app
    own = range(app.port, app.port + app.processes) if app.kind == "command" else ()
    return ",".join(str(port) for port in sorted({LOCAL_PRIMARY, LOCAL_REPLICA, *own}))


def render(context: HostContext) -> Fragment:
    """System settings of one host."""
    system = context.spec.system
    packages: list[str] = ["ca-certificates"]
    files = [File(path=WIRE, content=_wire(context))]
    units: list[Unit] = []
    if system.unattended_upgrades:
        packages.append("unattended-upgrades")
        days = _update_days(context) if system.stagger_upgrades else ""
        files.append(File(path="/etc/apt/apt.conf.d/52bastide-upgrades", content=_UPGRADES + days.encode()))
        units.append(Unit(name="unattended-upgrades.service"))
    if system.time_sync:
        packages.append("chrony")
        units.append(Unit(name="chrony.service", stops_before=("systemd-timesyncd.service",)))
    return Fragment(
        product="system",
        packages=tuple(packages),
        files=tuple(files),
        units=tuple(units),
        sysctls={**SYSCTLS, "net.ipv4.ip_local_reserved_ports": _reserved_ports(context)},
    )
