"""Going back: which generation each host returns to, and the bundle for it.

In: a Target, a number of an apply or none, hosts. Out: `Return`: recorded bundles, to be applied like any other.
Raises CannotReturn. Holds: without a number it is the newest apply that is undone, on the hosts that it changed and
on no other; what a host no longer keeps is said before anything changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bastide.apply.observe import fetch_contents, fetch_old_contents, observe_host, on_all
from bastide.bundle.model import HostBundle
from bastide.bundle.recorded import recorded_bundle
from bastide.host.record import Entry, as_of, running
from bastide.plan.diff import diff_host
from bastide.plan.steps import HostPlan, WriteFile
from bastide.project.target import Target
from bastide.transport.errors import TransportError
from bastide.transport.ssh import open_conversation


class CannotReturn(Exception):
    """There is nothing to return to, or a host cannot be asked."""

    def __init__(self, message: str, lines: tuple[str, ...] = (), hint: str = "look at: bastide history") -> None:
        self.lines, self.hint = lines, hint
        super().__init__(message)


@dataclass(frozen=True, kw_only=True)
class Return:
    """What a rollback brings back."""

    number: int
    """The hosts will be as they were when this apply had ended."""
    undoes: int
    """The newest apply that is undone."""
    bundles: Mapping[str, HostBundle]
    numbers: Mapping[str, int]
    """By host: of the apply that brought what it returns to."""
    plans: tuple[HostPlan, ...]
    contents: Mapping[str, Mapping[str, bytes]]
    """By host and path: what will stand there, without secrets."""
    old: Mapping[str, Mapping[str, bytes]]


def find_return(target: Target, to: int | None, hosts: frozenset[str]) -> Return:
    """Ask the hosts what they keep. Empty `hosts` are all."""
    asked = [name for name in target.endpoints if not hosts or name in hosts]
    told = _all_of(on_all(asked, lambda host: _history(target, host)))
    kept: dict[str, list[Entry]] = {host: history["generations"] for host, history in told.items()}
    now = {host: entry for host, entries in kept.items() if (entry := running(entries)) is not None}
    if not now:
        raise CannotReturn("nothing was ever applied to these hosts")
    newest = max(entry["number"] for entry in now.values())
    number = newest - 1 if to is None else to
    targets = {host: as_of(kept[host], number) for host in now if to is not None or now[host]["number"] > number}
    gone = tuple(
        f"{host}: keeps {', '.join(str(e['number']) for e in kept[host])}"
        for host, t in targets.items()
        if t is None
    )
    if gone:
        what = f"a generation of apply {number} or before"
        raise CannotReturn(f"not every host keeps {what}; nothing was changed", gone, "name hosts, or a later --to")
    changing = {host: t for host, t in targets.items() if t is not None and t["digest"] != now[host]["digest"]}
    seen = max(int(history["activation"]["highest"]) for history in told.values())
    if not changing and number > seen:
        raise CannotReturn(f"these hosts know of no apply {number}: the newest that they saw is {seen}")
    if not changing:
        raise CannotReturn(f"the hosts are as apply {number} left them")
    looked = _all_of(on_all(changing, lambda host: _look(target, host, changing[host]["digest"])))
    return Return(
        number=number,
        undoes=newest,
        bundles={host: bundle for host, (bundle, _, _, _) in looked.items()},
        numbers={host: entry["number"] for host, entry in changing.items()},
        plans=tuple(plan for _, plan, _, _ in looked.values()),
        contents={host: new for host, (_, _, new, _) in looked.items()},
        old={host: old for host, (_, _, _, old) in looked.items()},
    )


def _history(target: Target, host: str) -> Any:
    """As the host's operation `history` tells it."""
    with open_conversation(target.endpoint(host)) as conversation:
        return conversation.request("history")


def _look(
    target: Target, host: str, digest: str
) -> tuple[HostBundle, HostPlan, dict[str, bytes], dict[str, bytes]]:
    with open_conversation(target.endpoint(host)) as conversation:
        bundle = recorded_bundle(conversation.request("manifest", digest=digest)["manifest"])
        plan = diff_host(bundle, observe_host(conversation, bundle))
        written = [s.path for s in plan.steps if isinstance(s, WriteFile) and not s.secret]
        return bundle, plan, fetch_contents(conversation, written, digest), fetch_old_contents(conversation, plan)


def _all_of(answers: Mapping[str, Any]) -> dict[str, Any]:
    away = [answer for answer in answers.values() if isinstance(answer, TransportError)]
    if away:
        raise CannotReturn(
            f"{len(away)} of {len(answers)} hosts cannot be asked; nothing was changed",
            tuple(str(error) for error in away),
            "name the hosts that answer, or on the console of the others: bastide-host rollback",
        )
    return dict(answers)
