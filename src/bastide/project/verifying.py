"""Verifying a target: its scene, the announcement to its monitors, the families.

In: a Target and which checks. Out: checks, as they come. Raises UnknownCheck.
Holds: every host's journal says when a verification began and ended, under an identifier that agents know; what its
walls dropped meanwhile of our probes is attributed to it, and is not taken for an attack.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from bastide.agent.events import VERIFY_IDENTIFIER
from bastide.policy.materials import KeyPair, Materials
from bastide.products.context import HostContext
from bastide.products.nftables.render import ruleset_text
from bastide.project.target import Target
from bastide.topology.resolve import resolve_topology
from bastide.transport.endpoint import root_argv
from bastide.verify.claims import Check
from bastide.verify.run import families_of, run_side_by_side
from bastide.verify.scene import Scene

_ANNOUNCE_S = 15


def set_scene(target: Target, chosen: Sequence[str], *, quick: bool, say: Callable[[str], None]) -> Scene:
    """Everything that checks need, derived from the spec."""
    topology = resolve_topology(target.spec)
    # A wall depends on the flows alone; it is generated without certificates and releases.
    nothing = Materials(
        trust_anchor_pem="", identities={}, edge=KeyPair(certificate_pem="", key_pem=""), secrets={}, releases={}
    )
    rulesets = {
        name: ruleset_text(HostContext(spec=target.spec, topology=topology, materials=nothing, host=host))
        for name, host in topology.hosts.items()
    }
    return Scene(
        spec=target.spec, topology=topology, endpoints=target.endpoints, client=target.client, rulesets=rulesets,
        state=target.state, ca=target.ca, lab=target.kind == "lab", quick=quick, chosen=tuple(chosen), say=say,
    )  # fmt: skip


def verify_target(scene: Scene, who: str) -> Iterator[tuple[tuple[str, ...], Iterator[Check]]]:
    """Families that go side by side, and their checks. Raises UnknownCheck before anything is sent."""
    families = families_of(scene.chosen)
    with scene.probers, _announced(scene, f"{', '.join(families)}, by {who}"):
        yield from run_side_by_side(scene, families)


@contextmanager
def _announced(scene: Scene, what: str) -> Iterator[None]:
    _write_everywhere(scene, f"verification began: {what}")
    try:
        yield
    finally:
        _write_everywhere(scene, f"verification ended: {what}")


def _write_everywhere(scene: Scene, message: str) -> None:
    def write(name: str) -> None:
        line = ["logger", "-t", VERIFY_IDENTIFIER, "-p", "daemon.notice", message]
        # A host that does not answer is named by the checks themselves.
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                root_argv(scene.endpoint(name), line),
                stdin=subprocess.DEVNULL, capture_output=True, timeout=_ANNOUNCE_S, check=False,
            )  # fmt: skip

    scene.each(scene.topology.hosts, write)
