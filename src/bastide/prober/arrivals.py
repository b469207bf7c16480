"""Counts probes that arrive at this host, before its wall: what makes a silence an answer.

Out: packets, exact, when told to stop: the kernel counts also those that it finds no room to keep.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from bastide.prober import filters
from bastide.prober.frames import ETH_IP, ETH_IP6
from bastide.prober.routes import addresses
from bastide.prober.sending import count_seen, packet_socket
from bastide.prober.sweep import MARK


def count_arrivals(_: "Mapping[str, Any]", say: "Callable[[dict[str, Any]], None]") -> int:
    """Says `ready`, and counts until a line (or the end) comes on standard input."""
    sockets = [
        packet_socket(interface, kind, filters.probes(kind == ETH_IP6, MARK), 4096)
        for interface in sorted({a["interface"] for a in addresses()})
        for kind in (ETH_IP, ETH_IP6)
    ]
    say({"ready": True})
    sys.stdin.buffer.readline()
    counted = sum(count_seen(raw) for raw in sockets)
    for raw in sockets:
        raw.close()
    return counted
