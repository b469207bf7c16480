"""Rules of uniformity: what is the same everywhere falls everywhere at once.

In: a Subject. Out: hits. Holds: UNI001, servers that are all alike, stands in `famous.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.audit.rule import Hit, Rule, SetValue, Subject
from bastide.audit.rules.tiers import PATH_ROLES, listed
from bastide.spec.parts import Role

_PRODUCTS: dict[Role, str] = {"balancer": "HAProxy", "web": "nginx", "app": "nginx", "database": "MariaDB"}


def _edge_with_data(subject: Subject) -> Iterator[Hit]:
    for name, host in subject.spec.hosts.items():
        inner = [role for role in host.roles if role in ("app", "database")]
        if "balancer" in host.roles and inner and len(subject.spec.hosts) > 1:
            message = f"{name} answers the internet and is {listed(inner)} as well: no wall stands in between"
            yield Hit(element=name, message=message, at=("hosts", name, "roles"))


def _code_beside_data(subject: Subject) -> Iterator[Hit]:
    alike = {
        frozenset(role for role in host.roles if role in PATH_ROLES) - {"balancer"}
        for host in subject.spec.hosts.values()
        if set(host.roles) & {"web", "app", "database"}
    }
    for name, host in subject.spec.hosts.items():
        # Where all are alike UNI001 says it for the whole; here the mixture is one host's.
        if {"app", "database"} <= set(host.roles) and len(alike) > 1:
            message = f"{name} runs your code beside the data: whoever breaks the one has the other"
            yield Hit(element=name, message=message, at=("hosts", name, "roles"))


def _judge_on_trial(subject: Subject) -> Iterator[Hit]:
    for name in subject.hosts("monitor"):
        others = [role for role in subject.spec.hosts[name].roles if role in PATH_ROLES]
        if others and len(subject.spec.hosts) > 1:
            message = f"{name} is {listed(others)} and the monitor: when it is lost, nobody is left to say so"
            yield Hit(element=name, message=message, at=("hosts", name, "roles"))


def _updates_at_once(subject: Subject) -> Iterator[Hit]:
    system = subject.spec.system
    tiers = [role for role in PATH_ROLES if len(subject.hosts(role)) > 1]
    if tiers and system.unattended_upgrades and not system.stagger_upgrades:
        at = ("system", "stagger_upgrades")
        message = f"All hosts install updates in the same night: a flawed one takes every {listed(tiers)} host"
        yield Hit(
            element="system.stagger_upgrades", message=message, at=at, edits=(SetValue(path=at, yaml="true"),)
        )


def _one_product_two_tiers(subject: Subject) -> Iterator[Hit]:
    web, app = subject.hosts("web"), subject.hosts("app")
    if subject.has_app and web and app and len(subject.spec.hosts) > 1:
        message = "nginx stands in the web tier and before the application: one flaw in it opens both"
        yield Hit(element="nginx", message=message, at=("hosts",))


def _one_product_a_tier(subject: Subject) -> Iterator[Hit]:
    for role in PATH_ROLES:
        hosts = subject.hosts(role)
        if len(hosts) > 1 and (role != "database" or subject.spec.database is not None):
            what = "your code and nginx" if role == "app" else _PRODUCTS[role]
            message = f"All {len(hosts)} hosts of the tier run one version of {what} on one Debian"
            yield Hit(element=role, message=message, at=("hosts", hosts[0]))


UNIFORMITY_RULES = (
    Rule(
        id="UNI002",
        title="What answers the internet also holds code or data",
        severity="high",
        why=(
            "The balancer is what strangers speak to first. If it falls, walls should stand between it and the rest; "
            "on a shared host there is nothing to cross."
        ),
        fix="Give balancers hosts of their own.",
        check=_edge_with_data,
    ),
    Rule(
        id="UNI003",
        title="Code and data on one host",
        severity="medium",
        why=(
            "The application is the part with most holes, since it is yours alone. Beside the database it needs no "
            "stolen password and no open port to reach the files."
        ),
        fix="Give the database hosts of its own.",
        check=_code_beside_data,
    ),
    Rule(
        id="UNI004",
        title="The monitor shares a host with what it watches",
        severity="medium",
        why="It dies with its host and slows down with it, so it is blind exactly when it is needed.",
        fix="Give the monitor a host of its own.",
        check=_judge_on_trial,
    ),
    Rule(
        id="UNI005",
        title="A whole tier updates in the same night",
        severity="medium",
        why=(
            "Redundant hosts protect from what happens to one of them. An update that breaks a service happens to all "
            "at once, unless neighbours take it on different days."
        ),
        fix="Remove `stagger_upgrades: false`: neighbours of a tier then update on different days.",
        check=_updates_at_once,
    ),
    Rule(
        id="UNI006",
        title="One product in two tiers",
        severity="info",
        why=(
            "A flaw in nginx is a flaw of both tiers that use it. Between them stands the wall and mutual TLS; no "
            "other product of this system can replace it in one of them."
        ),
        fix="Keep updates on, and let alerts about failed updates reach somebody.",
        check=_one_product_two_tiers,
    ),
    Rule(
        id="UNI007",
        title="One version carries a whole tier",
        severity="info",
        why=(
            "Hosts of a tier are copies: the flaw that one has, all have. What limits it: updates on different days, "
            "releases that go to one host first, and tiers that have other products."
        ),
        fix="Keep `stagger_upgrades` on; deploy in batches, as apply does by itself.",
        check=_one_product_a_tier,
    ),
)
