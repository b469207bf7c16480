"""The web servers as a balancer reaches them, and what it asks them.

In: Topology. Out: `Server`s for HAProxy's backend; the same question in words for curl, for whoever asks in its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bastide.policy.identities import Identity
from bastide.spec.values import IPAddress
from bastide.topology.model import Topology

FOLDER = "/etc/bastide/haproxy"
TRUST_ANCHOR, CLIENT_PAIR = f"{FOLDER}/ca.pem", f"{FOLDER}/client.pem"
CHECK_S, CHECK_AGAIN_MS, CHECKS_TO_FALL, CHECK_WITHIN_S = 1, 200, 2, 4
"""Between two checks of a web server that is well; of one that has just failed one; failures in a row that take it out; and
how long an answer may take."""
CHECK_PATH, CHECK_AGENT = "/.bastide/health", "bastide-balancer"
"""What is asked of a web server, and by whom."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """One web server of the backend."""

    name: str
    endpoint: str
    """Address and port as HAProxy writes them."""
    tls_name: str | None
    """Name that its certificate must bear; None where the hop is plain."""


def derive_servers(topology: Topology) -> Iterator[Server]:
    """All of them, in order."""
    if not topology.has_flow("balancer-web"):
        return
    flow = topology.flow("balancer-web")
    for host in topology.tier(flow.target):
        identity = Identity(role=flow.target, host=host.name)
        yield Server(
            name=host.name,
            endpoint=f"{_bracketed(host.private)}:{flow.port}",
            tls_name=identity.dns_name(topology.internal_domain) if flow.encryption == "mtls" else None,
        )


def describe_check(topology: Topology) -> dict[str, Any]:
    """HAProxy's question: `urls` by server, `resolve` (curl's words), `headers`, files `ca` and `client`, `within_s`."""
    urls, resolve = {}, []
    for server in derive_servers(topology):
        address, _, port = server.endpoint.rpartition(":")
        if server.tls_name:
            resolve.append(f"{server.tls_name}:{port}:{address}")
        scheme = "https" if server.tls_name else "http"
        urls[server.name] = f"{scheme}://{server.tls_name or address}:{port}{CHECK_PATH}"
    return {
        "urls": urls,
        "resolve": resolve,
        "headers": [f"Host: {topology.domains[0]}", f"User-Agent: {CHECK_AGENT}"],
        "ca": TRUST_ANCHOR if resolve else "",
        "client": CLIENT_PAIR if resolve else "",
        "within_s": CHECK_WITHIN_S,
    }


def _bracketed(address: IPAddress) -> str:
    return f"[{address}]" if address.version == 6 else str(address)
