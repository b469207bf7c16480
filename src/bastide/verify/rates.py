"""Edge: one visitor who asks too much is stopped, and another is served meanwhile.

In: Scene. Out: checks `edge.rate.*`. Holds: the crowd comes from a spare address of the lab's client, so nobody else is
counted with it; it asks for redirects, which the edge answers by itself. Controls: its first requests are answered, and
a visitor from another address is served while the crowd is shut out.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator

from bastide.verify.asking import AskFailed
from bastide.verify.claims import Check, judged, untested
from bastide.verify.scene import CLIENT, Scene
from bastide.verify.site import trusting, visit

_MOST_REQUESTS, _MOST_CONNECTIONS = 5_000, 1_000
"""More than that from one source is no harmless test."""
_BEYOND = 100


def check_rates(scene: Scene, name: str, address: str) -> Iterator[Check]:
    """Both limits, at one balancer."""
    limit = scene.spec.balancer.rate_limit
    requests, connections = f"edge.rate.requests.{name}", f"edge.rate.connections.{name}"
    claims = {
        requests: f"{name} answers 429 after {limit.requests} requests in {limit.window:g} s, and serves others",
        connections: f"{name} holds at most {limit.connections} connections of one visitor, and serves others",
    }
    if scene.client is None:
        reason = "it takes a machine of ours on the internet side: from here it would shut this computer out"
        yield from (untested(identifier, claim, reason) for identifier, claim in claims.items())
        return
    if limit.requests > _MOST_REQUESTS or limit.connections > _MOST_CONNECTIONS:
        reason = "the spec allows one visitor more than is harmless to send"
        yield from (untested(identifier, claim, reason) for identifier, claim in claims.items())
        return
    taken = [str(address) for host in scene.topology.hosts.values() for address in host.addresses]
    taken += [str(scene.topology.virtual_ip)]
    port = scene.topology.flow("internet-http").port
    try:
        before = visit(scene.domain, address, trusting(scene.ca)).status
        crowd = scene.begin(
            CLIENT, "crowd", address=address, port=port, host=scene.domain, taken=taken,
            requests=limit.requests + _BEYOND, connections=min(limit.connections, limit.handshakes) + _BEYOND,
        )  # fmt: skip
        crowd.await_ready()
        try:
            meanwhile = visit(scene.domain, address, trusting(scene.ca)).status
        finally:
            said = crowd.finish()
    except (OSError, http.client.HTTPException, AskFailed) as failure:
        yield from (untested(identifier, claim, str(failure)) for identifier, claim in claims.items())
        return
    if before >= 500:
        reason = f"a visitor who comes alone is not served either: {before}"
        yield from (untested(identifier, claim, reason) for identifier, claim in claims.items())
        return
    statuses, served = said["statuses"], meanwhile < 500 and meanwhile != 429
    answered = sum(count for status, count in statuses.items() if status != "429")
    proof = {"from": said["from"], "answered": statuses, "in_s": said["asking_s"], "another_visitor": meanwhile}
    if not answered:
        yield untested(requests, claims[requests], "its first requests were not answered either", **proof)
    elif "429" not in statuses and said["asking_s"] > limit.window:
        yield untested(requests, claims[requests], "it could not ask so often within the window", **proof)
    else:
        good = "429" in statuses and answered <= limit.requests and served
        yield judged(requests, claims[requests], good, limit=limit.requests, **proof)
    let_in = said["let_in"]
    proof = {"from": said["from"], "tried": said["tried"], "let_in": let_in, "another_visitor": meanwhile}
    if not let_in:
        yield untested(connections, claims[connections], "none of its connections came about", **proof)
    else:
        good = let_in <= limit.connections and served
        yield judged(connections, claims[connections], good, limit=limit.connections, **proof)
