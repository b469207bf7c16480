"""Work on many hosts at once: conversations, results, events.

In: endpoints, an event sink. Out: for a piece of work, the hosts on which it went well; every failure is a result.
Holds: a host's failure never ends another's work; an interruption ends what has not begun, and lets an activation end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bastide.apply.events import (
    HostStopped,
    OnEvent,
    Progressed,
    Unreachable,
    Warned,
    describe_host_event,
)
from bastide.apply.observe import PARALLEL, close_all
from bastide.apply.result import HostResult
from bastide.bundle.model import HostBundle
from bastide.transport.endpoint import Endpoint
from bastide.transport.errors import HostFailed, HostUnreachable, TransportError
from bastide.transport.ssh import Conversation
from bastide.transport.ssh import OnEvent as OnHostEvent

_LASTING = ("activate", "confirm", "undo")
"""Phases that are brought to their end whoever presses Ctrl-C: in mid-way a host would be worse off."""
_LOOK_S = 5.0


@dataclass
class Work:
    """What all phases of an apply share."""

    bundles: Mapping[str, HostBundle]
    endpoints: Mapping[str, Endpoint]
    on_event: OnEvent
    archives: Callable[[str], Path]
    conversations: dict[str, Conversation] = field(default_factory=dict)
    results: dict[str, HostResult] = field(default_factory=dict)
    interrupted: bool = False
    _telling: threading.Lock = field(default_factory=threading.Lock)

    def everywhere(
        self,
        phase: str,
        hosts: Iterable[str],
        work: Callable[[str], None],
        *,
        meanwhile: Callable[[frozenset[str]], None] | None = None,
    ) -> frozenset[str]:
        """Do it on these hosts at once; those on which it went well. Every host's failure is recorded.

        `meanwhile` is called every few seconds with the hosts that are done, as long as others are not.
        """
        names = tuple(hosts)
        if not names:
            return frozenset()
        futures: dict[str, Future[bool]] = {}
        with ThreadPoolExecutor(max_workers=min(PARALLEL, len(names))) as pool:
            try:
                futures = {host: pool.submit(self._attempt, phase, host, work) for host in names}
                while wait(futures.values(), timeout=_LOOK_S if meanwhile else None).not_done:
                    if meanwhile is not None:
                        meanwhile(_went_well(futures))
            except KeyboardInterrupt:
                self.interrupted = True
                for future in futures.values():
                    future.cancel()
                if phase not in _LASTING:
                    for conversation in list(self.conversations.values()):
                        conversation.abort()
                # Leaving the block waits: an activation that has begun is brought to its end.
        return _went_well(futures)

    def request(self, host: str, operation: str, **fields: Any) -> Any:
        """Ask the host over its kept conversation, passing on what it tells."""
        self.tell(Progressed(host=host, phase=operation, text=""))
        heard, contents = self.hears(host, operation), self._contents(host)
        return self.conversations[host].request(operation, on_event=heard, contents=contents, **fields)

    def hears(self, host: str, phase: str) -> OnHostEvent:
        """Passes on what a host tells during an operation."""

        def heard(kind: str, told: Mapping[str, Any]) -> None:
            text = describe_host_event(kind, dict(told))
            warned = kind == "warning"
            self.tell(Warned(host=host, text=text) if warned else Progressed(host=host, phase=phase, text=text))

        return heard

    def fail(self, phase: str, host: str, error: TransportError) -> None:
        """Record and tell the failure of one host."""
        if self.interrupted and phase not in _LASTING:
            return  # we broke it off ourselves
        where = error.operation if isinstance(error, HostFailed) else phase
        self.set(host, outcome="failed", phase=where, message=error.message, lines=error.lines, hint=error.hint)
        if isinstance(error, HostUnreachable):
            self.tell(Unreachable(host=host, message=error.message, hint=error.hint))
        else:
            self.tell(
                HostStopped(host=host, phase=where, message=error.message, lines=error.lines, hint=error.hint)
            )

    def set(self, host: str, **fields: Any) -> None:
        """Change a host's result."""
        self.results[host] = replace(self.results[host], **fields)

    def tell(self, event: Any) -> None:
        """Send an event."""
        with self._telling, suppress(BrokenPipeError):
            self.on_event(event)

    def close(self) -> None:
        """End all conversations."""
        close_all(self.conversations.values())

    def _contents(self, host: str) -> Callable[[str], bytes | Path]:
        files = self.bundles[host].contents

        def content(digest: str) -> bytes | Path:
            return files[digest] if digest in files else self.archives(digest)

        return content

    def _attempt(self, phase: str, host: str, work: Callable[[str], None]) -> bool:
        try:
            work(host)
        except TransportError as error:
            self.fail(phase, host, error)
            return False
        return True


def _went_well(futures: Mapping[str, Future[bool]]) -> frozenset[str]:
    return frozenset(
        host for host, future in futures.items() if future.done() and not future.cancelled() and future.result()
    )
