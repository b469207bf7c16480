"""node_exporter on every host: what the machine itself knows, on loopback.

In: HostContext. Out: its unit, and the lives of the host's certificates as a file that it reads.
Holds: only collectors that a rule or a panel uses; the others would triple its cost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509

from bastide.policy.identities import AGENT
from bastide.policy.materials import KeyPair
from bastide.products.context import HostContext
from bastide.products.fragment import Check, File, Fragment, Probe, Unit, User
from bastide.products.probes import expect_status
from bastide.products.sandbox import format_sandbox
from bastide.products.templates import render_template
from bastide.topology.flows import LOCAL_NODE_EXPORTER

UNIT = "/etc/systemd/system/prometheus-node-exporter.service"
TEXTFILES = "/etc/bastide/node_exporter/textfile"
USER = "node-exporter"
"""Not a user that systemd makes up: the bus refuses whom it finds in no list, and with it goes the state of units."""
COLLECTORS = (
    "cpu", "stat", "loadavg", "meminfo", "vmstat", "pressure", "filesystem", "diskstats", "netdev", "conntrack",
    "systemd", "textfile",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeExporterView:
    """Values of the unit."""

    host: str
    user: str
    listen: str
    collectors: tuple[str, ...]
    textfiles: str
    sandbox: tuple[str, ...]


def render(context: HostContext) -> Fragment:
    """node_exporter on that host."""
    view = NodeExporterView(
        host=context.host.name,
        user=USER,
        listen=f"127.0.0.1:{LOCAL_NODE_EXPORTER}",
        # A machine in a lab shares its clock, and may not even ask about it.
        collectors=(*COLLECTORS, *(("timex",) if context.spec.system.time_sync else ())),
        textfiles=TEXTFILES,
        sandbox=format_sandbox(
            "AF_UNIX",
            "AF_INET",
            "AF_INET6",
            "AF_NETLINK",
            # It reads /proc beyond processes, and the mounts of the machine rather than those of its own sandbox.
            ProcSubset="all",
            ProtectProc="default",
            ProtectHome="read-only",
            # To read whether the clock is synchronised is a call of the same name as to set it.
            ProtectClock="no",
            calls=("adjtimex", "clock_adjtime"),
        ),
    )
    return Fragment(
        product="node_exporter",
        packages=("prometheus-node-exporter", "curl"),
        users=(User(name=USER),),
        files=(
            File(path=UNIT, content=render_template(__package__, "node-exporter.service.j2", view).encode()),
            File(path=f"{TEXTFILES}/certificates.prom", content="".join(_certificates(context)).encode()),
        ),
        units=(Unit(name="prometheus-node-exporter.service"),),
        checks=(
            Check(
                name="node_exporter unit",
                argv=("systemd-analyze", "verify", "--man=no", UNIT),
                quiet=True,
            ),
        ),
        probes=(
            Probe(
                name="node_exporter answers",
                argv=expect_status(200, "--output", "/dev/null", f"http://{view.listen}/metrics"),
            ),
        ),
    )


def _certificates(context: HostContext) -> Iterator[str]:
    """Of certificates that this host was given; what is served is probed by the monitors."""
    pairs = {f"{role}.{context.host.name}": context.key_pair(role) for role in (*context.host.roles, AGENT)}
    if context.runs("haproxy"):
        pairs["edge"] = context.materials.edge
    for what in ("not_before", "not_after"):
        yield f"# HELP bastide_certificate_{what}_seconds Life of a certificate of this host.\n"
        yield f"# TYPE bastide_certificate_{what}_seconds gauge\n"
        for subject, pair in sorted(pairs.items()):
            yield f'bastide_certificate_{what}_seconds{{subject="{subject}"}} {_time(pair, what)}\n'


def _time(pair: KeyPair, what: str) -> int:
    leaf = x509.load_pem_x509_certificate(pair.certificate_pem.encode())
    moment = leaf.not_valid_before_utc if what == "not_before" else leaf.not_valid_after_utc
    return int(moment.timestamp())
