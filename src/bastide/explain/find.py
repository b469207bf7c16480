"""What a user means by a word: an element of the infrastructure, or a code of an error.

In: subject and the word. Out: its explanation, or UnknownElement with what was probably meant.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import replace

from bastide.audit.registry import RULES_BY_ID
from bastide.explain.flows import explain_flow
from bastide.explain.hosts import explain_host
from bastide.explain.model import Explanation, Subject
from bastide.explain.remains import findings_about
from bastide.explain.services import explain_service
from bastide.explain.tiers import explain_tier
from bastide.explain.trust import (
    explain_authority,
    explain_certificate,
    explain_data,
    explain_secrets,
    explain_virtual_address,
)
from bastide.explain.zones import explain_zones
from bastide.spec.codes import CODES
from bastide.spec.parts import ROLES


class UnknownElement(Exception):
    """No element has that name. `hint` says what was probably meant."""

    def __init__(self, word: str, near: tuple[str, ...]) -> None:
        self.near = near
        self.hint = (
            f"did you mean {' or '.join(near)}?"
            if near
            else "elements are hosts, roles, services (web1/nginx), flows (balancer-web), zones, vip, ca, certificate, "
            "data and secrets; `bastide explain` tells of all"
        )
        super().__init__(f"there is nothing called '{word}' to explain")


def explain_code(code: str) -> Explanation | None:
    """A code of an error or warning in a spec, such as BST037, or a rule of audit, such as AVA002; None for others."""
    entry = CODES.get(code.upper())
    if entry is None:
        return explain_rule(code)
    return Explanation(kind="code", name=code.upper(), title=f"{code.upper()}: {entry.title}", why=entry.text)


def explain_rule(rule_id: str) -> Explanation | None:
    """A rule of audit, such as TLS001; None when it is none."""
    rule = RULES_BY_ID.get(rule_id.upper())
    if rule is None:
        return None
    return Explanation(
        kind="rule",
        name=rule.id,
        title=f"{rule.id}: {rule.title}",
        why=rule.why,
        talks=(
            f"{rule.severity}{', for servers of your own; the lab is not concerned' if rule.servers_only else ''}.",
        ),
        talks_title="Severity",
        remains=(rule.fix,),
        remains_title="What to write instead",
    )


def every_element(subject: Subject) -> Iterator[Explanation]:
    """All that can be explained, hosts first."""
    for host in subject.topology.hosts.values():
        yield explain_host(subject, host)
    yield from _parts(subject)
    for flow in subject.topology.flows:
        yield explain_flow(subject, flow)
    for service in subject.topology.services:
        yield explain_service(subject, service)


def _parts(subject: Subject) -> Iterator[Explanation]:
    """What is neither a host nor a flow nor a service."""
    for role in ROLES:
        if subject.topology.tier(role):
            yield explain_tier(subject, role)
    yield from explain_zones(subject)
    for found in (
        explain_virtual_address(subject),
        explain_authority(subject),
        explain_certificate(subject),
        explain_data(subject),
    ):
        if found is not None:
            yield found
    yield from explain_secrets(subject)


def find_element(subject: Subject, word: str) -> Explanation:
    """The element of that name, with what audit finds about it. Raises UnknownElement."""
    found = _find(subject, word)
    return replace(found, remains=findings_about(subject, (found.name, *found.other_names)))


def _find(subject: Subject, word: str) -> Explanation:
    """The element of that name. A product that runs on several hosts is told for the first. Raises UnknownElement."""
    topology = subject.topology
    if word in topology.hosts:
        return explain_host(subject, topology.hosts[word])
    if topology.has_flow(word):
        return explain_flow(subject, topology.flow(word))
    rest = tuple(_parts(subject))
    wanted = word.casefold().replace(" ", "-")
    for element in rest:
        if wanted in (name.casefold().replace(" ", "-") for name in (element.name, *element.other_names)):
            return element
    for service in topology.services:
        if word in (f"{service.host}/{service.product}", f"{service.product}@{service.host}", service.product):
            return explain_service(subject, service)
    known = {
        *topology.hosts,
        *(flow.name for flow in topology.flows),
        *(f"{s.host}/{s.product}" for s in topology.services),
        *(s.product for s in topology.services),
        *(name for element in rest for name in (element.name, *element.other_names)),
        *CODES,
        *RULES_BY_ID,
    }
    raise UnknownElement(word, near_names(word, known))


def near_names(word: str, known: set[str]) -> tuple[str, ...]:
    """At most three names that somebody may have meant."""
    by_lower = {name.lower(): name for name in sorted(known)}
    return tuple(by_lower[near] for near in difflib.get_close_matches(word.lower(), by_lower, n=3, cutoff=0.6))
