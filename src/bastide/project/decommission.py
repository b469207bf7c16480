"""A host that left the spec: what is ours there goes, what was there before comes back, data stays.

In: how it is reached. Out: nothing; raises TransportError. Holds: it is an apply of nothing, so it is staged,
guarded and confirmed like any other, and an interrupted one goes back by itself.
"""

from __future__ import annotations

from bastide.apply.lease import TTL_S, Leases
from bastide.apply.observe import observe_host
from bastide.bundle.recorded import empty_bundle
from bastide.plan.diff import diff_host
from bastide.plan.steps import HostPlan
from bastide.transport.endpoint import Endpoint
from bastide.transport.ssh import open_conversation


def plan_decommission(endpoint: Endpoint) -> HostPlan:
    """What would go."""
    bundle = empty_bundle(endpoint.host)
    with open_conversation(endpoint) as conversation:
        return diff_host(bundle, observe_host(conversation, bundle))


def decommission_host(endpoint: Endpoint, *, who: str, keep: int, confirm_s: float = 90.0) -> None:
    """Take everything of ours away."""
    bundle = empty_bundle(endpoint.host)
    leases = Leases(who=who, ttl_s=TTL_S)
    with open_conversation(endpoint) as conversation:
        facts = observe_host(conversation, bundle)
        try:
            leases.take({endpoint.host: conversation}, {endpoint.host: facts.token})
            conversation.request("stage", manifest=bundle.manifest, digest=bundle.digest, who=who)
            conversation.request(
                "activate", digest=bundle.digest, who=who, confirm_s=confirm_s, number=facts.number + 1
            )
            with open_conversation(endpoint, fresh=True) as confirming:
                confirming.request("confirm", digest=bundle.digest, keep=keep)
        finally:
            leases.stop()
