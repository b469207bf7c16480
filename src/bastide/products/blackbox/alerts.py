"""What somebody is told when a monitor asks as users do, and gets no good answer.

In: spec and topology. Out: alert rules over blackbox_exporter's figures.
Holds: all monitors must agree; one of them may be cut off itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.products.rules import Alert, Group
from bastide.spec.model import Spec
from bastide.topology.model import Topology


def derive_rules(spec: Spec, topology: Topology) -> tuple[Group, ...]:
    """Groups of a layout whose monitors ask for something."""
    rules: tuple[Alert, ...] = ()
    if topology.has_flow("monitor-site"):
        rules += tuple(_site())
    if topology.has_flow("monitor-web"):
        rules += tuple(_web())
    return (Group(name="probes", rules=(*rules, *_certificates()), every_s=5),) if rules else ()


def _site() -> Iterator[Alert]:
    probe = 'probe_success{flow="monitor-site"}'
    yield Alert(
        name="SiteDown",
        # By the virtual address or any balancer.
        expr=f"max({probe}) == 0",
        lasting_s=20,
        severity="page",
        summary="The site answers no monitor",
        look="the balancers first, then web, app and database in the direction of a request",
        anchor="edge",
    )
    yield Alert(
        name="EntranceDown",
        expr=f"max by (target) ({probe}) == 0",
        lasting_s=30,
        severity="ticket",
        summary="The site cannot be had at {{ $labels.target }}",
        look="haproxy and the wall on {{ $labels.target }}",
        anchor="edge",
    )


def _web() -> Iterator[Alert]:
    yield Alert(
        name="WebServerDown",
        expr='max by (target) (probe_success{flow="monitor-web"}) == 0',
        lasting_s=30,
        severity="ticket",
        summary="The web server of {{ $labels.target }} does not answer the monitors",
        look="nginx on {{ $labels.target }}, and whether an application is within its reach",
        anchor="host-{{ $labels.target }}",
    )


def _certificates() -> Iterator[Alert]:
    yield Alert(
        name="ServedCertificateExpires",
        expr="min by (flow, target) (probe_ssl_earliest_cert_expiry) - time() < 86400",
        lasting_s=60,
        severity="page",
        summary="{{ $labels.target }} shows a certificate that expires within {{ $value | humanizeDuration }}",
        look="whether it was renewed, and whether the server was reloaded since",
        anchor="certificates",
    )
