"""The running system as a drill sees it: ways to its hosts, its health, who is what.

In: a Project and a Target. Out: `Ground`. Raises ShellFailed when a host does not do what it is told.
Holds: every connection is a fresh one: a kept one to a host that died is believed in for seconds more.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from bastide.agent.events import DRILL_IDENTIFIER
from bastide.drill.targets import Facts
from bastide.project.database import DatabaseState, give_order, observe_database
from bastide.project.health import HostHealth, observe_health
from bastide.project.target import Target
from bastide.spec.failover import is_automatic
from bastide.topology.model import Topology
from bastide.transport.endpoint import root_argv
from bastide.transport.ssh import hang_up

FRESH_S = 10.0
"""So long it is believed how a host was."""


class ShellFailed(Exception):
    """A host did not do what it was told."""

    def __init__(self, host: str, why: str, lines: Sequence[str] = ()) -> None:
        self.hint = f"does `bastide exec {host} -- true` work?"
        self.lines = tuple(lines)
        super().__init__(f"{host}: {why}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """How things stand."""

    facts: Facts
    ailments: tuple[str, ...]
    """Why it is not well; empty when all is."""
    held_s: float = 0.0
    """So much longer the next takeover of the database would wait, for the last one was not long ago."""
    hosts: tuple[HostHealth, ...] = ()

    def believed(self) -> tuple[HostHealth, ...]:
        """Hosts that were well a moment ago. To ask everybody again and again is work, and where all hosts share a
        computer, as in a lab, those that are to become well wait for it."""
        oldest = time.monotonic() - FRESH_S
        held = any(host.holds_virtual_ip for host in self.hosts)
        return tuple(
            host
            for host in self.hosts
            if host.healthy and host.seen_s >= oldest and (held or "balancer" not in host.roles)
        )


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Everything that a drill acts on."""

    target: Target
    topology: Topology
    lab: str | None
    """Name of the lab; None on servers."""
    say: Callable[[str], None] = field(default=lambda _: None)

    def shell(self, host: str, script: str, *, timeout_s: float = 60.0) -> str:
        """What a script printed, run as root."""
        try:
            done = subprocess.run(
                root_argv(self.target.endpoint(host), ["sh", "-e"], fresh=True),
                input=script, capture_output=True, text=True, timeout=timeout_s, check=False, start_new_session=True,
            )  # fmt: skip
        except subprocess.TimeoutExpired as late:
            raise ShellFailed(host, f"no answer within {timeout_s:g} s") from late
        if done.returncode:
            lines = (done.stderr.strip() or done.stdout.strip()).splitlines()[-5:]
            raise ShellFailed(host, f"exit status {done.returncode}", lines)
        return done.stdout.strip()

    def hang_up(self, host: str) -> None:
        """Close the kept connection, so that nobody waits on it when the host is gone."""
        hang_up(self.target.endpoint(host))

    def announce(self, message: str) -> None:
        """Say it in the monitors' journals: their agents make an event of it. One that is away misses it."""
        line = shlex.join(["logger", "-t", DRILL_IDENTIFIER, "-p", "daemon.notice", message])
        for host in self.topology.tier("monitor"):
            with suppress(ShellFailed):
                self.shell(host.name, line, timeout_s=10)

    def unhold(self, primary: str) -> None:
        """What a drill broke is no sign of trouble: the next takeover shall not wait for it. Raises OrderRefused."""
        give_order(self.target, primary, "unhold")

    def look(self, last: Look | None = None) -> Look:
        """Who is what right now, and what ails: every host, every service, the database. After a `last` look only those
        are asked that were unwell then, or longer than FRESH_S ago."""
        health = observe_health(self.target, last.believed() if last is not None else ())
        state = observe_database(self.target, health.members)
        standby = None
        if state is not None:
            standby = next((m.host for m in state.members if m.sync and m.host != state.primary), None)
        balancers = [host.name for host in self.topology.tier("balancer")]
        holder = next((host.name for host in health.hosts if host.holds_virtual_ip), None)
        facts = Facts(
            primary=state.primary if state else None,
            standby=standby,
            active_balancer=holder or (balancers[0] if len(balancers) == 1 else None),
        )
        found = [f"{host.name}: {host.reason}" for host in health.hosts if host.reason]
        found += [f"{host.name}/{s.name}: {s.reason}" for host in health.hosts for s in host.services if s.reason]
        found = found or list(self._database_ailments(state))
        if self.topology.virtual_ip is not None and holder is None:
            found.append(f"no balancer holds {self.topology.virtual_ip}")
        return Look(facts=facts, ailments=tuple(found), held_s=state.held_s if state else 0.0, hosts=health.hosts)

    def _database_ailments(self, state: DatabaseState | None) -> list[str]:
        if state is None:
            return []
        if state.primary is None:
            return ["no database takes writes"]
        found = [
            f"the database on {m.host} is {m.state}: {m.message}" for m in state.members if m.state != "running"
        ]
        if not found and len(state.members) > 1 and sum(member.sync for member in state.members) < 2:
            found = ["no database stands by with every acknowledged write"]
        if state.paused and is_automatic(self.target.spec):
            found.append("automatic failover is paused (bastide db resume)")
        return found
