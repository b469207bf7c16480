"""Conversations that are opened while the controller still compiles: both sides have something to do then.

In: endpoints, those of the last time perhaps. Out: for each host its open conversation, or the error that opening it
gave. Holds: what nobody took is closed at the end; nothing is asked of a host yet; a conversation is handed out only
for the very endpoint that it was opened to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Self

from bastide.transport.endpoint import Endpoint
from bastide.transport.errors import TransportError
from bastide.transport.ssh import Conversation, open_conversation

_PARALLEL = 32


class EarlyConversations:
    """Opening, until they are taken."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=_PARALLEL)
        self._opening: dict[Endpoint, Future[Conversation]] = {}

    def begin(self, endpoints: Mapping[str, Endpoint], hosts: Iterable[str]) -> None:
        """Open those that are not begun yet."""
        for endpoint in (endpoints[name] for name in hosts if name in endpoints):
            if endpoint not in self._opening:
                self._opening[endpoint] = self._pool.submit(open_conversation, endpoint)

    def take(self, endpoint: Endpoint) -> Conversation:
        """That of this host, which is the caller's now; a new one if none was begun. Raises HostUnreachable."""
        begun = self._opening.pop(endpoint, None)
        return open_conversation(endpoint) if begun is None else begun.result()

    def give_back(self, conversation: Conversation) -> None:
        """Somebody else may take it."""
        begun: Future[Conversation] = Future()
        begun.set_result(conversation)
        self._opening[conversation.endpoint] = begun

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        for begun in self._opening.values():
            with suppress(TransportError, OSError):
                if not begun.cancelled():
                    begun.result().close()
