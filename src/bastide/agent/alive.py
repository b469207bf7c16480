"""Whether what else gives figures on this host is there, as the heartbeat tells every three seconds.

In: names and ports on loopback. Out: lines of the text format, one an exporter.
Holds: a connection is opened and closed, nothing is asked: that an exporter hangs shows when it is scraped, that it
died shows here, and costs next to nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator

from bastide.agent.exposition import format_series

TIMEOUT_S = 0.5


def format_alive(exporters: Iterable[tuple[str, int]]) -> Iterator[str]:
    """`bastide_exporter_alive{exporter="node"} 1`."""
    for name, port in exporters:
        yield format_series("bastide_exporter_alive", {"exporter": name}, _listens(port))


def _listens(port: int) -> int:
    try:
        socket.create_connection(("127.0.0.1", port), TIMEOUT_S).close()
    except OSError:
        return 0
    return 1
