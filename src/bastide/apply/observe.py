"""Look at hosts, all at once; nothing is changed.

In: endpoints, bundles. Out: facts by host, or the host's error. Holds: every unreachable host is reported, not just
the first; conversations that are handed out are open and belong to the caller.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from bastide.bundle.model import HostBundle
from bastide.plan.facts import HostFacts, read_facts
from bastide.plan.steps import HostPlan, RemoveFile, Step, WriteFile
from bastide.transport.clock import clock_offset
from bastide.transport.endpoint import Endpoint
from bastide.transport.errors import TransportError
from bastide.transport.ssh import Conversation, open_conversation

_T = TypeVar("_T")
PARALLEL = 32
"""Threads; they wait for hosts nearly all of the time. SSH starts are capped by the transport."""


def on_all(
    hosts: Iterable[str], work: Callable[[str], _T], at_once: int = PARALLEL
) -> dict[str, _T | TransportError]:
    """Do the same on all hosts at once, or on so many at a time; a host's failure is its value."""

    def attempt(host: str) -> _T | TransportError:
        try:
            return work(host)
        except TransportError as error:
            return error

    names = tuple(hosts)
    if not names:
        return {}
    with ThreadPoolExecutor(max_workers=min(at_once, len(names))) as pool:
        return dict(zip(names, pool.map(attempt, names), strict=True))


def observe_host(conversation: Conversation, bundle: HostBundle, exists: Iterable[str] = ()) -> HostFacts:
    """Facts of one host, with its bundle in mind."""
    answer, ahead_s = timed(
        conversation, "observe", digest=bundle.digest, manifest=bundle.manifest, exists=list(exists)
    )
    return read_facts(bundle.host, answer, bundle.manifest, clock_ahead_s=ahead_s)  # type: ignore[arg-type]


def timed(conversation: Conversation, operation: str, **fields: Any) -> tuple[dict[str, Any], float]:
    """An answer that has the host's time, and how far that is ahead of ours."""
    asked = time.time()
    answer: dict[str, Any] = conversation.request(operation, **fields)
    return answer, clock_offset(asked, answer["clock"], time.time())


def observe_hosts(
    bundles: Mapping[str, HostBundle],
    endpoints: Mapping[str, Endpoint],
    *,
    exists: Mapping[str, Iterable[str]] | None = None,
) -> dict[str, HostFacts | TransportError]:
    """Facts of every host that has a bundle."""
    asked = exists or {}

    def look(host: str) -> HostFacts:
        with open_conversation(endpoints[host]) as conversation:
            return observe_host(conversation, bundles[host], asked.get(host, ()))

    return on_all(bundles, look)


def host_status(
    endpoints: Mapping[str, Endpoint], at_once: int = PARALLEL
) -> dict[str, dict[str, Any] | TransportError]:
    """State of the services of every host, as `host.observe.status` gives it, and when it said so (`seen_s`, monotonic).

    Over new connections: a kept one to a host that died is believed in for nine seconds more.
    """

    def look(host: str) -> dict[str, Any]:
        with open_conversation(endpoints[host], fresh=True) as conversation:
            answer, ahead_s = timed(conversation, "status")
            return {**answer, "clock_ahead_s": ahead_s, "seen_s": time.monotonic()}

    return on_all(endpoints, look, at_once)


def fetch_old_contents(conversation: Conversation, plan: HostPlan) -> dict[str, bytes]:
    """What stands on the host where the plan writes or removes something that is not secret."""
    return fetch_contents(conversation, [p for s in plan.steps if (p := _shown_path(s))])


def fetch_contents(conversation: Conversation, paths: Sequence[str], generation: str = "") -> dict[str, bytes]:
    """Contents of files, as they stand or as a kept generation has them; without those that are secret there."""
    if not paths:
        return {}
    answer = conversation.request("contents", paths=list(paths), generation=generation)
    return {path: base64.b64decode(text) for path, text in answer.items()}


def _shown_path(step: Step) -> str | None:
    match step:
        case WriteFile(path=path, secret=False, old=old) if old is not None:
            return path
        case RemoveFile(path=path, secret=False):
            return path
        case _:
            return None


def close_all(conversations: Iterable[Conversation]) -> None:
    """End conversations, whatever state they are in."""
    for conversation in conversations:
        with suppress(OSError):
            conversation.close()
