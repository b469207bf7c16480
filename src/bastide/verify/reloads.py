"""Hosts: services run, and a reload really brings a changed certificate onto the wire.

In: Scene. Out: checks `hosts.services.*`, `hosts.reload.*`. Holds: the certificate that is tried is a fresh one of the
project's authority for the same key and names; the file is put back, and what was on the wire first must be there again.
Hosts of one role reload one after the other. On servers it is done only when asked for by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from bastide.pki.authority import Authority
from bastide.pki.certificates import certificate_pem, parse_certificates, reissue
from bastide.pki.errors import PkiError
from bastide.topology.model import Host
from bastide.verify.asking import AskFailed
from bastide.verify.claims import Check, judged, untested
from bastide.verify.forging import project_authority
from bastide.verify.scene import Scene
from bastide.verify.served import Listener, listeners_of

_UNITLESS = frozenset({"system"})


def check_services(scene: Scene) -> Iterator[Check]:
    """Every unit of the layout is active and will start at boot; others that failed are told beside it."""
    units = {
        name: [s.unit for s in scene.topology.services_of(name) if s.product not in _UNITLESS]
        for name in scene.topology.hosts
    }
    answers = scene.each(units, lambda name: scene.ask(name, "states", units=units[name]))
    for name, said in answers.items():
        identifier, claim = f"hosts.services.{name}", f"each service of {name} runs, and starts with the machine"
        if isinstance(said, AskFailed):
            yield untested(identifier, claim, str(said))
            continue
        down = [
            f"{unit}: {state['active']}, {state['enabled']}"
            for unit, state in said["units"].items()
            if state["active"] != "active"
            or state["enabled"] not in ("enabled", "enabled-runtime", "static", "alias")
        ]
        yield judged(
            identifier, claim, not down and bool(said["units"]), down=down, units=said["units"],
            others_failed=sorted(set(said["failed"]) - said["units"].keys()),
        )  # fmt: skip


def check_reloads(scene: Scene) -> Iterator[Check]:
    """Each listener's certificate is changed, and changed back."""
    by_role: dict[str, list[Host]] = {}
    for host in scene.topology.hosts.values():
        if listeners_of(scene, host):
            by_role.setdefault(host.roles[0], []).append(host)
    if not scene.lab and not any(name.startswith("hosts.reload") for name in scene.chosen):
        reason = "it changes a certificate for a moment and reloads services: ask for it by name (hosts.reload)"
        yield untested("hosts.reload", "a reload brings a changed certificate onto the wire", reason)
        return
    for checks in scene.each(by_role, lambda role: [_reload(scene, host) for host in by_role[role]]).values():
        if not isinstance(checks, AskFailed):
            yield from checks


def _reload(scene: Scene, host: Host) -> Check:
    identifier = f"hosts.reload.{host.name}"
    claim = f"a reload on {host.name} brings a changed certificate onto the wire, and the first one back"
    told: dict[str, Any] = {}
    try:
        authority = project_authority(scene)
        for listener in listeners_of(scene, host):
            shown = scene.ask(host.name, "certificate_of", **listener.to_json())
            told[f"{listener.address}:{listener.port}"] = _renew(scene, authority, host, listener, shown)
    except (AskFailed, PkiError) as failure:
        return untested(identifier, claim, str(failure), listeners=told)
    others = [at for at, said in told.items() if "why" in said]
    bad = [
        f"{at}: {step} the change" if said[step]["reload"] == "done" else f"{at}: {said[step]['reload']}"
        for at, said in told.items() if "why" not in said
        for step in ("after", "back") if not said[step]["on_the_wire"] or said[step]["reload"] != "done"
    ]  # fmt: skip
    if others and not bad:
        return untested(identifier, claim, f"{others[0]}: {told[others[0]]['why']}", listeners=told)
    return judged(identifier, claim, not bad, stale=bad, listeners=told)


def _renew(scene: Scene, authority: Authority, host: Host, listener: Listener, shown: dict[str, str]) -> Any:
    units = {service.product: service.unit for service in scene.topology.services_of(host.name)}
    found = parse_certificates(shown["certificate"])
    if not found or found[0].issuer != authority.intermediate.certificate.subject:
        return {"why": "what it shows is not of the project's own authority, which alone can change it here"}
    fresh = certificate_pem(reissue(authority.intermediate, found[0], datetime.now(UTC)))
    return scene.ask(
        host.name, "renew", **listener.to_json(), unit=units[listener.product], file=shown["file"],
        old=shown["certificate"], new=fresh,
    )  # fmt: skip
