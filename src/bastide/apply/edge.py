"""The balancers' view of the service: who gets requests, what a visitor is answered; and taking a server out of turn.

In: topology, endpoints, the URL that tells whether the application can serve. Out: `EdgeView` by balancer.
Holds: a look that fails is no view, never a good one; a drained server is undrained whatever becomes of its change,
and by its balancer itself when this process dies.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from bastide.apply.observe import close_all, on_all
from bastide.policy.draining import drained_at
from bastide.products.haproxy.servers import CHECK_AGAIN_MS, CHECK_S, CHECKS_TO_FALL, describe_check
from bastide.products.haproxy.view import ADMIN_SOCKET, BACKEND
from bastide.topology.model import Topology
from bastide.transport.endpoint import Endpoint
from bastide.transport.errors import HostFailed, TransportError
from bastide.transport.ssh import Conversation, open_conversation

PATIENCE_S = 12.0
"""How long the service may take to look as before: two health checks of a busy balancer."""
NOTICE_S = CHECK_S + (CHECKS_TO_FALL - 1) * CHECK_AGAIN_MS / 1000 + 0.8
"""How long a server that has just turned bad may still look good: a balancer's checks, and what they take when it is busy.
Waited for where its hosts cannot ask in HAProxy's place. Measured without either: nginx is reloaded in 0.6 s, the next
batch begins before anybody asked it, and both are down for 12 s."""
_PAUSE_S = 0.3
_HTTPS = "internet-https"


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeView:
    """One balancer's."""

    serving: frozenset[str]
    """Web servers that get requests."""
    good: frozenset[str] = frozenset()
    """Of these, who answers what HAProxy asks them, asked right now from there: its own verdict is a second old."""
    status: int
    """What a visitor is answered; 0 is no answer."""
    holds_virtual_ip: bool = False
    lines: tuple[str, ...] = ()

    @property
    def answers(self) -> bool:
        """Whether a visitor is served."""
        return 0 < self.status < 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Regression:
    """What is worse than before."""

    balancer: str
    message: str
    lines: tuple[str, ...]


@dataclass
class Edge:
    """All balancers that answer."""

    topology: Topology
    endpoints: Mapping[str, Endpoint]
    health: str
    """Path that answers 200 when the application can serve."""
    away: frozenset[str]
    _open: dict[str, Conversation] = field(default_factory=dict)

    @property
    def balancers(self) -> tuple[str, ...]:
        """Those that can be asked."""
        if not self.health or not self.topology.has_flow(_HTTPS):
            return ()
        tier = self.topology.tier(self.topology.flow(_HTTPS).target)
        return tuple(host.name for host in tier if host.name not in self.away and host.name in self.endpoints)

    def look(self, *, lines: bool = False) -> dict[str, EdgeView]:
        """Each balancer's view; those that give none are not named."""

        def ask(balancer: str) -> EdgeView:
            if balancer not in self._open:
                self._open[balancer] = open_conversation(self.endpoints[balancer])
            name, port = self.topology.domains[0], self.topology.flow(_HTTPS).port
            try:
                answer = self._open[balancer].request(
                    "edge", **_runtime(), url=f"https://{name}:{port}{self.health}", name=name, port=port,
                    unit="haproxy.service", lines=lines, check=describe_check(self.topology),
                )  # fmt: skip
            except HostFailed as failed:
                if failed.code == "lost":
                    self._open.pop(balancer).close()
                raise
            return EdgeView(
                serving=frozenset(answer["serving"]),
                good=frozenset(answer["good"]),
                status=answer["status"],
                holds_virtual_ip=str(self.topology.virtual_ip) in answer["addresses"],
                lines=tuple(answer["lines"]),
            )

        seen = on_all(self.balancers, ask)
        return {name: view for name, view in seen.items() if isinstance(view, EdgeView)}

    def await_as_good(self, before: Mapping[str, EdgeView], patience_s: float = PATIENCE_S) -> Regression | None:
        """Look until nothing is worse than before; what still is when patience has run out.

        Where a balancer had no good answer from a server that it sent requests to, only time tells what it thinks of it.
        """
        if not before:
            return None
        notice_s = 0.0 if all(view.serving <= view.good for view in before.values()) else NOTICE_S
        end = time.monotonic() + patience_s
        good_since: float | None = None
        while True:
            now = time.monotonic()
            worse = find_regression(before, self.look(lines=now >= end))
            if worse is not None and now >= end:
                return worse
            good_since = None if worse is not None else good_since or now
            if good_since is not None and now - good_since >= notice_s:
                return None
            time.sleep(_PAUSE_S)

    @contextmanager
    def drained(self, host: str, restarting: Collection[str], wait_s: float) -> Iterator[None]:
        """Keep new requests from the host's web server for as long as the block runs. Raises TransportError."""
        names = [name for name in drained_at(self.topology, host, restarting) if name in self.balancers]
        with ExitStack() as stack:
            balancers = {name: stack.enter_context(open_conversation(self.endpoints[name])) for name in names}
            on_balancers(host, balancers, "drain", wait_s)
            try:
                yield
            finally:
                on_balancers(host, balancers, "undrain", PATIENCE_S)

    def close(self) -> None:
        """End all conversations."""
        close_all(self._open.values())


def on_balancers(host: str, balancers: Mapping[str, Conversation], operation: str, wait_s: float) -> None:
    """Drain or undrain a host everywhere at once. Raises the first balancer's TransportError, as the host's own."""

    def ask(balancer: str) -> None:
        balancers[balancer].request(operation, **_runtime(), server=host, wait_s=wait_s)

    for balancer, answer in on_all(balancers, ask).items():
        if isinstance(answer, HostFailed) and answer.code == "last":
            raise HostFailed(
                host,
                f"is not taken out of turn: on {balancer} {answer.message}",
                operation="drain",
                code=answer.code,
                hint=answer.hint,
            )
        # A balancer whose HAProxy does not run sends nobody anywhere, and one that is lost undrains by itself.
        if isinstance(answer, TransportError) and operation == "drain" and not _is_silent(answer):
            raise answer


def _is_silent(error: TransportError) -> bool:
    return isinstance(error, HostFailed) and error.code == "balancer"


def _runtime() -> dict[str, Any]:
    return {"socket": ADMIN_SOCKET, "backend": BACKEND}


def find_regression(before: Mapping[str, EdgeView], now: Mapping[str, EdgeView]) -> Regression | None:
    """The first thing that was well and is not any more."""
    for balancer, had in before.items():
        has = now.get(balancer)
        if has is None:
            return Regression(
                balancer=balancer, message=f"HAProxy on {balancer} does not answer any more", lines=()
            )
        lost = sorted(had.serving - has.serving)
        if lost:
            message = f"{balancer} does not send requests to {', '.join(lost)} any more"
            return Regression(balancer=balancer, message=message, lines=has.lines)
        unwell = sorted(had.good - has.good)
        if unwell:
            message = f"{balancer} gets no good answer from {', '.join(unwell)} any more"
            return Regression(balancer=balancer, message=message, lines=has.lines)
        if had.answers and not has.answers:
            said = f"answers {has.status}" if has.status else "does not answer"
            return Regression(balancer=balancer, message=f"the site {said} at {balancer}", lines=has.lines)
    return None
