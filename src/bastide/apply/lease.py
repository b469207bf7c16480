"""The leases of one run: on every host of it, taken in one order, renewed while the run lasts.

In: open conversations. Out: nothing; raises HostFailed `leased` (who, since when, till when) or `moved`.
Holds: the order is that of the names, so that of two runs one gets them all and the other stops at its first; what
was taken is let go of when the conversations end, however this process ends.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from bastide.transport.ssh import Conversation

TTL_S = 20.0
"""A holder that is not heard of for so long has lost its lease."""
_RENEWALS = 4
"""In that time."""


class Leases:
    """Held until `stop`, and until the conversations are closed."""

    def __init__(self, *, who: str, ttl_s: float = TTL_S) -> None:
        self._who, self._ttl_s = who, ttl_s
        self._held: list[Conversation] = []
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, conversations: Mapping[str, Conversation], tokens: Mapping[str, str]) -> None:
        """Take them all; `tokens` name the newest activation that was seen on each host. Raises HostFailed."""
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()
        for host in sorted(conversations):
            conversations[host].request("lease", who=self._who, ttl_s=self._ttl_s, token=tokens[host])
            self._held.append(conversations[host])

    def stop(self) -> None:
        """Renew no more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _renew(self) -> None:
        while not self._over.wait(self._ttl_s / _RENEWALS):
            for conversation in tuple(self._held):
                conversation.renew()
