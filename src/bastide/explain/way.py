"""The way of one request, from a browser to the disk and back.

In: subject. Out: steps, in order. Holds: each step says what is on the wire and who could read it there.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.explain.model import Subject
from bastide.explain.words import host_names, listed, names
from bastide.spec.values import format_duration, format_size
from bastide.topology.model import Flow

_READABLE = "**in plain text: whoever listens between these hosts reads it**"


def derive_way(subject: Subject) -> tuple[str, ...]:
    """The steps."""
    steps = (*_edge(subject), *_web(subject), *_app(subject), *_database(subject))
    first = next((index for index, step in enumerate(steps) if _READABLE in step), len(steps))
    return tuple(
        step.replace(_READABLE, "**in plain text again**") if index > first else step
        for index, step in enumerate(steps)
    )


def _edge(subject: Subject) -> Iterator[str]:
    spec, topology = subject.spec, subject.topology
    balancers = topology.tier("balancer")
    limit = spec.balancer.rate_limit
    domains = names(topology.domains) if len(topology.domains) > 1 else f"`{topology.domains[0]}`"
    if topology.virtual_ip:
        address = f"the virtual address, which {host_names(balancers, 'or')} holds"
    elif len(balancers) > 1:
        address = f"{host_names(balancers)}, whichever its DNS answer names"
    else:
        address = host_names(balancers)
    yield (
        f"**A browser asks for {domains}.** It reaches {address}. There, HAProxy ends its TLS: on this wire "
        "nobody reads "
        f"along. One source address may ask {limit.requests} times in {format_duration(limit.window)}, hold "
        f"{limit.connections} connections, and must say what it wants within "
        f"{format_duration(spec.balancer.timeouts.request)}."
    )


def _web(subject: Subject) -> Iterator[str]:
    spec, topology = subject.spec, subject.topology
    if not topology.has_flow("balancer-web"):
        return
    flow, webs = topology.flow("balancer-web"), topology.tier("web")
    choice = (
        f"takes the next of {host_names(webs)} that is well"
        if len(webs) > 1
        else f"has only {host_names(webs)} to ask"
    )
    files = listed([f"`{prefix}`" for prefix in spec.web.static])
    static = f" A path below {files} is answered right there, from disk." if spec.web.static else ""
    if spec.app.kind == "static":
        static = " The answer is a file."
    yield (
        f"**The balancer {choice}** and passes the request on to port {flow.port}, {_wire(subject, flow)}. "
        "nginx refuses a "
        f"body of more than {format_size(spec.web.max_body_size)}.{static}"
    )


def _app(subject: Subject) -> Iterator[str]:
    spec, topology = subject.spec, subject.topology
    if not topology.has_flow("web-app"):
        return
    flow, apps = topology.flow("web-app"), topology.tier("app")
    choice = f"the next of {host_names(apps)}" if len(apps) > 1 else host_names(apps)
    socket = f"loopback ports from {spec.app.port}" if spec.app.kind == "command" else "a local socket"
    yield (
        f"**Everything else goes to {choice}**, to port {flow.port}, {_wire(subject, flow)}. There another "
        "nginx hands it to "
        f"your code by {socket}, with the visitor's address in a header that nobody outside can forge. The "
        "code has "
        f"{format_duration(spec.app.timeout)} for it."
    )


def _database(subject: Subject) -> Iterator[str]:
    topology = subject.topology
    if not topology.has_flow("app-database"):
        return
    flow, databases = topology.flow("app-database"), topology.tier("database")
    replicated = len(databases) > 1
    which = "whichever is the primary at the moment" if replicated else host_names(databases)
    reads = (
        " Reads that the code sends to `DATABASE_URL_READONLY` go to a replica that is not too far behind."
        if replicated
        else ""
    )
    yield (
        "**The code asks its database** on its own host (`DATABASE_URL` names 127.0.0.1). sqlproxy takes the "
        "SQL there and "
        f"carries it to {which}, port {flow.port}, {_wire(subject, flow)}.{reads}"
    )
    if replicated:
        replication = topology.flow("database-replication")
        yield (
            "**A write is done when it exists twice.** The primary sends it to the replica, port "
            f"{replication.port}, {_wire(subject, replication)}, and answers the application when the replica "
            "has it on "
            "disk. Then the answer goes back the same way."
        )


def _wire(subject: Subject, flow: Flow) -> str:
    source, target = subject.topology.tier(flow.source), subject.topology.tier(flow.target)
    if {h.name for h in source} == {h.name for h in target} and len(source) == 1:
        return "without leaving the host"
    if flow.encryption == "plain":
        return _READABLE
    return "by mutual TLS"
