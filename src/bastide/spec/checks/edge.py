"""Checks of the edge and the walls: virtual IP, domains, static prefixes, administrators' networks, zero spans."""

from __future__ import annotations

from collections.abc import Iterator

from bastide.spec.checks.rule import Rule, hosts_with
from bastide.spec.errors import Fault, Keys
from bastide.spec.model import Spec
from bastide.spec.review import Repair

_VIRTUAL_IP: Keys = ("balancer", "virtual_ip")
_ADVERT_BOUNDS = (0.01, 40.0)  # VRRPv3 counts centiseconds in twelve bits


def _virtual_ip_needs_two(spec: Spec) -> Iterator[Fault]:
    balancers = hosts_with(spec, "balancer")
    if not isinstance(spec.balancer.virtual_ip, str) and len(balancers) == 1:
        yield Fault(
            path=_VIRTUAL_IP,
            code="BST039",
            message=f"a virtual IP moves between balancers, and '{balancers[0]}' is the only one",
            hint="give a second host the role `balancer`, or remove `virtual_ip`",
            related=("hosts", balancers[0]),
            related_label="the only balancer",
        )


def _virtual_ip_needs_interface(spec: Spec) -> Iterator[Fault]:
    on_servers = any(host.address is not None for host in spec.hosts.values())
    if not isinstance(spec.balancer.virtual_ip, str) and on_servers and not spec.balancer.interface:
        hint = "add `interface: eth0` with the name that `ip -brief address` shows on the balancers"
        message = "on servers of your own, a virtual IP needs `balancer.interface`"
        yield Fault(path=_VIRTUAL_IP, code="BST040", message=message, hint=hint, at="key")


def _domains_once(spec: Spec) -> Iterator[Fault]:
    for index, domain in enumerate(spec.domains):
        first = spec.domains.index(domain)
        if first < index:
            yield Fault(
                path=("domains", index),
                code="BST055",
                message=f"the domain '{domain}' is listed twice",
                hint="remove one of the two",
                related=("domains", first),
                related_label="first listed here",
            )


def _static_prefixes(spec: Spec) -> Iterator[Fault]:
    for prefix in spec.web.static:
        if not (prefix.startswith("/") and prefix.endswith("/")):
            fixed = f"/{prefix.strip('/')}/" if prefix.strip("/") else "/"
            message = f"the static prefix '{prefix}' must begin and end with '/'"
            hint = f"write `{fixed}`"
            yield Fault(path=("web", "static", prefix), code="BST057", message=message, hint=hint, at="key")
        elif any(character in prefix for character in " \t\"'{};\\?#%\n\r") or "//" in prefix or "/../" in prefix:
            message = f"the static prefix '{prefix}' is not a plain path of a URL"
            hint = "use letters, digits, '-', '_', '.' and '/'"
            yield Fault(path=("web", "static", prefix), code="BST057", message=message, hint=hint, at="key")


def _admin_networks(spec: Spec) -> Iterator[Fault]:
    for index, network in enumerate(spec.firewall.admin):
        path = ("firewall", "admin", index)
        if network.is_loopback or network.is_multicast:
            message = f"no administrator can come from {network}"
            hint = "write the network, as the hosts see it, from which SSH is opened"
            yield Fault(path=path, code="BST059", message=message, hint=hint)
        first = spec.firewall.admin.index(network)
        if first < index:
            yield Fault(
                path=path,
                code="BST059",
                message=f"the network {network} is listed twice",
                hint="remove one of the two",
                related=("firewall", "admin", first),
                related_label="first listed here",
            )


def _zero_spans(spec: Spec) -> Iterator[Fault]:
    limits, timeouts = spec.balancer.rate_limit, spec.balancer.timeouts
    spans: dict[Keys, float | None] = {
        ("balancer", "rate_limit", "window"): limits.window,
        **{("balancer", "timeouts", name): getattr(timeouts, name) for name in type(timeouts).model_fields},
        ("app", "timeout"): spec.app.timeout,
        ("app", "memory_max"): spec.app.memory_max,
        ("web", "max_body_size"): spec.web.max_body_size,
        ("database", "max_replica_lag"): spec.database.max_replica_lag if spec.database else None,
        **{
            ("availability", name, "mtbf"): repair.mtbf
            for name in type(spec.availability).model_fields
            if isinstance(repair := getattr(spec.availability, name), Repair)
        },
    }
    for path, value in spans.items():
        if value == 0:
            hint = "write how long, or remove the line to have the default"
            if path[-1] in ("memory_max", "max_body_size"):
                hint = "write how much, or remove the line to have the default"
            yield Fault(path=path, code="BST058", message=f"'{path[-1]}' must be more than 0", hint=hint)


def _advert_interval(spec: Spec) -> Iterator[Fault]:
    shortest, longest = _ADVERT_BOUNDS
    if not shortest <= spec.balancer.advert_interval <= longest:
        message = "'advert_interval' must be from 10ms to 40s"
        hint = "100ms, the default, notices a dead balancer in about 300ms"
        yield Fault(path=("balancer", "advert_interval"), code="BST058", message=message, hint=hint)


EDGE_RULES = (
    Rule(_virtual_ip_needs_two, reads=(("hosts",), _VIRTUAL_IP)),
    Rule(_virtual_ip_needs_interface, reads=(_VIRTUAL_IP, ("balancer", "interface"))),
    Rule(_domains_once),
    Rule(_static_prefixes),
    Rule(_admin_networks),
    Rule(_zero_spans),
    Rule(_advert_interval),
)
