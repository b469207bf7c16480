"""What is left to worry about: the losses that stop the site, and what would remove them.

In: subject. Out: a chapter. Holds: the cuts are `policy/cutsets.py`'s own, everything else is what audit finds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bastide.audit.judge import Finding
from bastide.explain.model import Chapter, Subject
from bastide.explain.words import counted, listed, names, number, title
from bastide.policy.cutsets import CutSet, cut_sets
from bastide.policy.paths import derive_request_path

_FEW = 8


def explain_remains(subject: Subject) -> Chapter:
    """Single points of failure first."""
    cuts = [cut for cut in cut_sets(subject.topology, 2) if cut.kind == "hosts"]
    single = [cut for cut in cuts if cut.order == 1]
    pairs = [cut for cut in cuts if cut.order == 2]
    if len(subject.topology.hosts) == 1:
        opening = (
            "There is one host. When it dies the site is down, and with the disk goes whatever no backup holds."
        )
    elif single:
        opening = (
            f"{title(counted(len(single), 'host'))} can take the site down alone: "
            f"{names([cut.elements[0] for cut in single])}. "
            f"{'Every other host may die without that.' if len(single) < len(subject.topology.hosts) else ''}".rstrip()
        )
    else:
        opening = "No single host can take the site down. It takes two at once, and not any two."
    return Chapter(
        title="What remains",
        paragraphs=(opening,),
        points=(*(_single(subject, cut) for cut in single), *_pairs(pairs), *_open(subject)),
    )


def _single(subject: Subject, cut: CutSet) -> str:
    host = cut.elements[0]
    return f"**`{host}`:** {cut.why}. {title(listed(tuple(_remedies(subject, host)), 'and'))} would remove that."


def _remedies(subject: Subject, host: str) -> Iterator[str]:
    """What each broken stage lacks."""
    topology = subject.topology
    for stage in derive_request_path(topology).stages:
        if host not in stage.members or len(stage.members) > 1:
            continue
        if stage.role == "balancer" and len(topology.tier("balancer")) > 1:
            yield "a virtual address (`balancer.virtual_ip`), so that another balancer can stand in"
        elif stage.role == "balancer":
            yield "a second balancer with a virtual address"
        elif stage.role == "web":
            yield "a second web server"
        elif stage.role == "app":
            yield "a second application host"
        elif len(topology.tier("database")) < 2:
            yield "a second database host (`mode: replication`) and an automatic takeover"
        else:
            yield "an automatic takeover, with three voters on hosts that do not die together,"


def _pairs(pairs: Sequence[CutSet]) -> Iterator[str]:
    if pairs:
        told = [listed([f"`{name}`" for name in cut.elements]) for cut in pairs[:_FEW]]
        more = f", and {number(len(pairs) - _FEW)} more pairs" if len(pairs) > _FEW else ""
        yield (
            f"**Two at once:** {'; '.join(told)}{more}. These pairs should not share a power supply, a rack or a "
            "hypervisor: then one fault would be both."
        )


def _open(subject: Subject) -> Iterator[str]:
    """Findings of audit, worst first; what one rule finds several times is told once."""
    yield from _by_rule(subject.findings)
    yield from (f"{told} (On servers of your own.)" for told in _by_rule(subject.on_servers))


def _by_rule(findings: Sequence[Finding]) -> Iterator[str]:
    grouped: dict[str, list[Finding]] = {}
    for finding in findings:
        grouped.setdefault(finding.rule.id, []).append(finding)
    for found in grouped.values():
        more = f" {title(counted(len(found) - 1, 'more place'))} like this." if len(found) > 1 else ""
        yield f"{told_finding(found[0])}{more}"


def told_finding(finding: Finding) -> str:
    """The weakness, and what would remove it."""
    rule = finding.rule
    # Many a message begins with the rule's title: not twice.
    message = finding.message
    if message.startswith(rule.title):
        message = title(message.removeprefix(rule.title).lstrip(",: "))
    return f"**{rule.title}** (`{rule.id}`, {finding.severity}). {message}. {rule.fix}"


def findings_about(subject: Subject, names_of_element: Sequence[str]) -> tuple[str, ...]:
    """Findings about one element."""
    wanted = set(names_of_element)
    return tuple(
        told_finding(finding)
        for finding in (*subject.findings, *subject.on_servers)
        if wanted & {word.strip() for word in finding.element.split(",")}
    )
