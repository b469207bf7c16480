"""What vmagent gathers on one host, and where it ships it.

In: HostContext. Out: `VmagentView` and the scrape configuration as plain values.
Holds: it scrapes loopback only; every series carries `host` and `instance`, the host's name in the spec. It ships to
every monitor, each with a queue of its own on disk, so that one monitor's absence costs the other nothing.

`monitor.spool` is shared by the queues. vmagent frees disk in pieces of about 500 MB and drops data in small blocks,
so a queue never holds more than its share, while its files may take up to 500 MB before they are freed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any

from bastide.policy.identities import AGENT, Identity
from bastide.products.blackbox.view import derive_probes
from bastide.products.context import HostContext
from bastide.topology.flows import (
    LOCAL_AGENT,
    LOCAL_ALERTMANAGER,
    LOCAL_BLACKBOX,
    LOCAL_ETCD,
    LOCAL_HAPROXY_METRICS,
    LOCAL_HUB,
    LOCAL_MYSQLD_EXPORTER,
    LOCAL_NODE_EXPORTER,
    LOCAL_PROMETHEUS,
    LOCAL_VMAGENT,
)

FOLDER = "/etc/bastide/vmagent"
SPOOL = "/var/lib/vmagent"
USER = "vmagent"
SCRAPE_S = 10
SLOW_S = 15
"""Of what costs most to ask and changes least: the machine itself. A rate over a minute has four values still."""
OWN_S = 30
"""Of vmagent itself: 800 series are read for the twenty that alerts use, and those look minutes back."""
HEARTBEAT_S = 3
"""The job `heartbeat` tells within seconds that a host, its agent or an exporter is gone; it is a few small series."""
SAMPLE_LIMIT = 20000
"""Series that a target may have: beyond it the scrape fails and says so, rather than fill a monitor's memory."""

_EXPORTERS = (
    ("node_exporter", "node", LOCAL_NODE_EXPORTER, SLOW_S),
    ("mysqld_exporter", "mysqld", LOCAL_MYSQLD_EXPORTER, SCRAPE_S),
    ("etcd", "etcd", LOCAL_ETCD, SCRAPE_S),
    ("haproxy", "haproxy", LOCAL_HAPROXY_METRICS, SCRAPE_S),
    ("agent", "agent", LOCAL_AGENT, SCRAPE_S),
    ("hub", "hub", LOCAL_HUB, SCRAPE_S),
    ("blackbox", "blackbox", LOCAL_BLACKBOX, SCRAPE_S),
    ("prometheus", "prometheus", LOCAL_PROMETHEUS, SCRAPE_S),
    ("alertmanager", "alertmanager", LOCAL_ALERTMANAGER, SCRAPE_S),
)
"""Product, job, port, seconds between scrapes. Only what runs on the host is scraped."""
_OWN = "vm_promscrape_.*_(failed|total)|vmagent_remotewrite_.*|vm_persistentqueue_.*|process_.*"


@dataclass(frozen=True, kw_only=True, slots=True)
class VmagentView:
    """Values of the unit."""

    host: str
    user: str
    listen: str
    folder: str
    spool: str
    urls: tuple[str, ...]
    server_name: str
    spool_bytes: int
    """For each monitor."""
    ipv6: bool
    sandbox: tuple[str, ...]


def derive_view(context: HostContext, sandbox: tuple[str, ...]) -> VmagentView:
    """The decisions for that host."""
    topology, flow = context.topology, context.topology.flow("host-monitor")
    monitors = topology.tier(flow.target)
    ipv6 = any(isinstance(host.private, IPv6Address) for host in monitors)
    return VmagentView(
        host=context.host.name,
        user=USER,
        listen=f"127.0.0.1:{LOCAL_VMAGENT}",
        folder=FOLDER,
        spool=SPOOL,
        urls=tuple(
            f"https://{f'[{host.private}]' if host.private.version == 6 else host.private}:{flow.port}"
            "/prometheus/api/v1/write"
            for host in monitors
        ),
        server_name=Identity(role="monitor", host="").tier_dns_name(topology.internal_domain),
        spool_bytes=context.spec.monitor.spool // len(monitors),
        ipv6=ipv6,
        sandbox=sandbox,
    )


def certificate_role() -> str:
    """In which role vmagent shows who it is."""
    return AGENT


def derive_exporters(context: HostContext) -> Iterator[tuple[str, int, int]]:
    """Job, port on loopback and seconds between scrapes, of what gives figures on that host."""
    return ((job, port, every_s) for product, job, port, every_s in _EXPORTERS if context.runs(product))


def derive_scrapes(context: HostContext) -> dict[str, Any]:
    """scrape.yml, as plain values."""
    return {
        "global": {"scrape_interval": f"{SCRAPE_S}s", "scrape_timeout": "5s"},
        "scrape_configs": [*_local(context), *(_probes(context) if context.runs("blackbox") else ())],
    }


def _local(context: HostContext) -> Iterator[dict[str, Any]]:
    keep = {"source_labels": ["__name__"], "regex": _OWN, "action": "keep"}
    yield {
        "job_name": "heartbeat",
        "scrape_interval": f"{HEARTBEAT_S}s",
        "scrape_timeout": "2s",
        "metrics_path": "/alive",
        "static_configs": [_target(context, LOCAL_AGENT)],
    }
    yield {
        "job_name": "vmagent",
        "scrape_interval": f"{OWN_S}s",
        "static_configs": [_target(context, LOCAL_VMAGENT)],
        "metric_relabel_configs": [keep],
    }
    for job, port, every_s in derive_exporters(context):
        yield {
            "job_name": job,
            **({} if every_s == SCRAPE_S else {"scrape_interval": f"{every_s}s"}),
            "sample_limit": SAMPLE_LIMIT,
            "static_configs": [_target(context, port)],
        }


def _target(context: HostContext, port: int) -> dict[str, Any]:
    return {"targets": [f"127.0.0.1:{port}"], "labels": _labels(context)}


def _labels(context: HostContext) -> dict[str, str]:
    return {"host": context.host.name, "instance": context.host.name}


def _probes(context: HostContext) -> Iterator[dict[str, Any]]:
    for probe in derive_probes(context.topology):
        yield {
            "job_name": f"probe-{probe.flow}-{probe.target}",
            "metrics_path": "/probe",
            "params": {key: [value] for key, value in probe.query.items()},
            "static_configs": [
                {
                    "targets": [f"127.0.0.1:{LOCAL_BLACKBOX}"],
                    "labels": _labels(context) | {"job": "probe", "flow": probe.flow, "target": probe.target},
                }
            ],
        }
