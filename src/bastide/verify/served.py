"""Which of a host's listeners show certificates from files.

In: Scene, a host. Out: `Listener`s. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bastide.topology.model import Host
from bastide.verify.expected import listening_addresses
from bastide.verify.scene import Scene

_PRODUCTS = ("haproxy", "nginx", "sqlproxy")


@dataclass(frozen=True, kw_only=True, slots=True)
class Listener:
    """Where a product takes TLS connections."""

    product: str
    address: str
    port: int
    name: str
    """What it is asked for by."""

    def to_json(self) -> dict[str, Any]:
        """As a prober is asked about it."""
        return {
            "address": self.address,
            "port": self.port,
            "name": self.name,
            "folder": f"/etc/bastide/{self.product}",
        }


def listeners_of(scene: Scene, host: Host) -> list[Listener]:
    """Each once, in order."""
    found = {
        (str(listening_addresses(scene.topology, flow, host)[0]), flow.port, flow.product)
        for flow in scene.topology.flows
        if flow.encryption in ("tls", "mtls") and host.stands_in(flow.target) and flow.product in _PRODUCTS
    }
    return [
        Listener(product=product, address=address, port=port, name=scene.domain)
        for address, port, product in sorted(found, key=str)
        if port is not None
    ]
