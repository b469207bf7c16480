"""What blackbox_exporter on a monitor asks, and in which way.

In: HostContext of a monitor. Out: `BlackboxView`, and `derive_probes`: every question, for the shipper's configuration
and for whoever wants one asked at once.
Holds: a monitor asks what users and hosts ask, by the flows `monitor-site` and `monitor-web`, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address

from bastide.policy.identities import Identity
from bastide.products.context import HostContext
from bastide.spec.parts import CertificateFiles
from bastide.spec.values import IPAddress
from bastide.topology.flows import LOCAL_BLACKBOX
from bastide.topology.model import Topology

FOLDER = "/etc/bastide/blackbox"
USER = "blackbox"


@dataclass(frozen=True, kw_only=True, slots=True)
class BlackboxView:
    """Values of the configuration and the unit."""

    host: str
    user: str
    listen: str
    sandbox: tuple[str, ...]
    site_ca: str | None
    """Root that vouches for the site; None: those of the system."""
    mtls: bool
    """Whether web servers are asked with the monitor's certificate."""
    web_name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeTarget:
    """One question."""

    flow: str
    module: str
    target: str
    """Name of the host that is asked, or `virtual-ip`."""
    url: str
    hostname: str | None = None
    """Name in SNI and Host, where it is not the URL's."""

    @property
    def query(self) -> dict[str, str]:
        """What blackbox_exporter is to be asked for it, at `/probe`."""
        named = {"hostname": self.hostname} if self.hostname else {}
        return {"module": self.module, "target": self.url} | named


def derive_view(context: HostContext, sandbox: tuple[str, ...]) -> BlackboxView:
    """The decisions for that monitor."""
    own_files = isinstance(context.spec.tls.edge, CertificateFiles)
    return BlackboxView(
        host=context.host.name,
        user=USER,
        listen=f"127.0.0.1:{LOCAL_BLACKBOX}",
        sandbox=sandbox,
        site_ca=None if own_files else f"{FOLDER}/ca.crt",
        mtls=context.spec.tls.inside == "mtls",
        web_name=Identity(role="web", host="").tier_dns_name(context.topology.internal_domain),
    )


def derive_probes(topology: Topology) -> Iterator[ProbeTarget]:
    """Every question of a monitor, in the order of the flows."""
    if topology.has_flow("monitor-site"):
        flow = topology.flow("monitor-site")
        places = {host.name: host.public or host.private for host in topology.tier(flow.target)}
        if topology.virtual_ip is not None:
            places = {"virtual-ip": topology.virtual_ip} | places
        for name, address in places.items():
            yield ProbeTarget(
                flow=flow.name,
                module="site",
                target=name,
                url=f"https://{_endpoint(address, flow.port)}/",
                hostname=topology.domains[0],
            )
    if topology.has_flow("monitor-web"):
        flow = topology.flow("monitor-web")
        scheme = "https" if flow.encryption == "mtls" else "http"
        for host in topology.tier(flow.target):
            yield ProbeTarget(
                flow=flow.name,
                module="web",
                target=host.name,
                url=f"{scheme}://{_endpoint(host.private, flow.port)}/.bastide/health",
            )


def _endpoint(address: IPAddress, port: int | None) -> str:
    return f"[{address}]:{port}" if isinstance(address, IPv6Address) else f"{address}:{port}"
