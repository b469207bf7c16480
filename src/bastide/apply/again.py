"""An apply that has nothing to do: one look at every host, and no step anywhere.

In: bundles and endpoints by host. Out: the result, or None as soon as anything is to be done, or to be said: then it is
for a whole apply to do and to say. Holds: nothing is changed; conversations that were opened are handed on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bastide.apply.early import EarlyConversations
from bastide.apply.observe import close_all, observe_host, on_all
from bastide.apply.result import ApplyResult, HostResult
from bastide.bundle.model import HostBundle
from bastide.plan.diff import diff_host
from bastide.transport.endpoint import Endpoint
from bastide.transport.ssh import Conversation


@dataclass(frozen=True, kw_only=True)
class _Seen:
    conversation: Conversation
    as_wanted: bool


def see_nothing_to_do(
    bundles: Mapping[str, HostBundle],
    endpoints: Mapping[str, Endpoint],
    early: EarlyConversations,
    on_seen: Callable[[str], None],
) -> ApplyResult | None:
    """Look at every host at once."""

    def look(host: str) -> _Seen:
        conversation = early.take(endpoints[host])
        facts = observe_host(conversation, bundles[host])
        plan = diff_host(bundles[host], facts)
        # A host that somebody took back on purpose has to be told that this is what the spec says by now.
        return _Seen(conversation=conversation, as_wanted=not plan.changes and not facts.on_purpose)

    seen = on_all(bundles, look)
    opened = [one.conversation for one in seen.values() if isinstance(one, _Seen)]
    if not all(isinstance(one, _Seen) and one.as_wanted for one in seen.values()):
        for conversation in opened:
            early.give_back(conversation)
        return None
    for host in bundles:
        on_seen(host)
    close_all(opened)
    return ApplyResult(
        hosts={h: HostResult(host=h, outcome="unchanged", digest=b.digest) for h, b in bundles.items()}
    )
