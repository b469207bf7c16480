"""A user's snippet that its product refuses, told at its line in the spec.

In: the loaded spec, what was compiled from it, and what a checker said: on a host, or on this computer. Out: faults
of the spec. Holds: whoever is told of a line of a rendered file could not find it; whoever wrote the snippet can.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bastide.bundle.model import HostBundle
from bastide.host.check import run_check
from bastide.products.snippets import trace_refusals
from bastide.spec.checks.snippets import SNIPPETS, snippet_text
from bastide.spec.errors import Fault, Severity, SpecError, in_order
from bastide.spec.load import LoadedSpec
from bastide.spec.model import Spec
from bastide.topology.model import Topology

_CHECKERS = {
    "balancer": ("haproxy", "haproxy", "HAProxy"),
    "web": ("nginx -t", "nginx", "nginx"),
    "database": ("mariadbd: options", "mariadbd", "MariaDB"),
}
"""By the section of the snippet, which is also the role that it is for: check, program, name."""


def explain_refusal(
    loaded: LoadedSpec, bundle: HostBundle, output: Sequence[str], *, severity: Severity = "error"
) -> tuple[SpecError, ...]:
    """What a checker said of a host's configuration, where it concerns a snippet; nothing where it does not."""
    refusals = trace_refusals(loaded.spec, _texts(bundle), output)
    faults = (
        Fault(
            path=refusal.path,
            code="BST073",
            message=f"{_CHECKERS[str(refusal.path[0])][2]} refuses this line: {refusal.message}",
            hint="correct or remove the line"
            if severity == "error"
            else "that is what the program on this computer says; the hosts may have another version",
            line=refusal.line,
            word=refusal.word,
            severity=severity,
        )
        for refusal in refusals
    )
    listing = loaded.listing
    return in_order(listing.redacted(listing.locate(fault)) for fault in faults)


def check_here(loaded: LoadedSpec, topology: Topology, bundles: Mapping[str, HostBundle]) -> tuple[SpecError, ...]:
    """Ask the checkers of this computer about the snippets, as warnings: one host of each role that has some.

    Needs root (the checker gets a private view of this computer) and the product itself; without either, the hosts'
    own checkers still decide when it is applied.
    """
    found: list[SpecError] = []
    for role in sorted(_roles_with_snippets(loaded.spec)):
        name, program, _ = _CHECKERS[role]
        hosts = [host.name for host in topology.hosts.values() if role in host.roles]
        if hosts and os.geteuid() == 0 and shutil.which(program):
            output = _run(bundles[hosts[0]], name)
            found.extend(explain_refusal(loaded, bundles[hosts[0]], output, severity="warning"))
    return in_order(found)


def _roles_with_snippets(spec: Spec) -> set[str]:
    return {str(path[0]) for path in SNIPPETS if snippet_text(spec, path).strip()}


def _run(bundle: HostBundle, name: str) -> Sequence[str]:
    check = next((entry for entry in bundle.manifest["checks"] if entry["name"] == name), None)
    if check is None:
        return ()
    with tempfile.TemporaryDirectory(prefix="bastide-check-") as folder:
        for file in bundle.files:
            target = Path(folder, file.path.lstrip("/"))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(mode=0o600)
            target.write_bytes(file.content)
            target.chmod(file.mode & 0o755 if not file.secret else 0o600)
        done = run_check(check, Path(folder))
    return () if done.status == 0 else done.output.splitlines()


def _texts(bundle: HostBundle) -> dict[str, str]:
    return dict(_decoded(bundle))


def _decoded(bundle: HostBundle) -> Iterator[tuple[str, str]]:
    for file in bundle.files:
        if file.path.endswith((".cfg", ".conf", ".cnf")):
            yield file.path, file.content.decode("utf-8", "replace")


def on_hosts(errors: Sequence[SpecError], hosts: Sequence[str]) -> tuple[SpecError, ...]:
    """The same faults, with where they were found."""
    return tuple(replace(error, hint=f"{error.hint}; found on {', '.join(hosts)}") for error in errors)
