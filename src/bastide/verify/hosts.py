"""Hosts: units that can do no more than they must, secrets that only their readers can read, certificates that are
served and not only written, SSH without what is known to be weak.

In: Scene. Out: checks `hosts.*`. Holds: searches must find a decoy; a score of a unit that is not there is no score.
"""

from __future__ import annotations

import json
import secrets as random_words
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from bastide.verify.asking import AskFailed
from bastide.verify.claims import Check, judged, untested
from bastide.verify.reloads import check_reloads, check_services
from bastide.verify.scene import Scene
from bastide.verify.served import listeners_of

TARGETS = {"haproxy": 2.8, "nginx": 2.4, "keepalived": 2.8, "mariadb": 1.4, "node_exporter": 2.0, "app": 1.2}
"""Exposure at most, by product (`systemd-analyze security`, 0 to 10; Debian's own units have 9 and more).

What is left of mariadb: chown, without which crash recovery dies, and other users' names, by which root logs in. Of an
application: setuid and chown, which gunicorn calls for its own user.
"""
_OTHERS = 3.0
_UNSCORED = frozenset({"sshd", "system", "nftables"})
"""Administrators' shells must be able to do everything; the wall is loaded and ends."""
_SHORTEST = 12
_AUDIT_S = 60


def check_hosts(scene: Scene) -> Iterator[Check]:
    """Every check of the family."""
    yield from check_services(scene)
    yield from _exposures(scene)
    yield from _secrets(scene)
    yield from _served(scene)
    yield from check_reloads(scene)
    yield from _ssh(scene)


def _exposures(scene: Scene) -> Iterator[Check]:
    def work(name: str) -> Any:
        return scene.ask(name, "exposures", units=[unit for _, unit in _units(scene, name)])

    for name, said in scene.each(scene.topology.hosts, work).items():
        identifier, claim = f"hosts.exposure.{name}", f"each service of {name} is confined at least to its target"
        if isinstance(said, AskFailed):
            yield untested(identifier, claim, str(said))
            continue
        wanted = {unit: TARGETS.get(product, _OTHERS) for product, unit in _units(scene, name)}
        over = [
            f"{unit}: {said[unit]}, target {most}"
            for unit, most in wanted.items()
            if unit in said and said[unit] > most
        ]
        missing = sorted(wanted.keys() - said.keys())
        proof = {"over": over, "exposure": said, "targets": wanted}
        if missing:
            yield untested(identifier, claim, f"systemd gave no score for {', '.join(missing)}", **proof)
        else:
            yield judged(identifier, claim, not over, **proof)


def _units(scene: Scene, name: str) -> list[tuple[str, str]]:
    return [(s.product, s.unit) for s in scene.topology.services_of(name) if s.product not in _UNSCORED]


def _secrets(scene: Scene) -> Iterator[Check]:
    folder = scene.state / "secrets"
    texts = (
        [path.read_text().strip() for path in sorted(folder.iterdir()) if path.is_file()] if folder.is_dir() else []
    )
    words = [text for text in texts if len(text) >= _SHORTEST]
    decoy = f"decoy-{random_words.token_hex(12)}"
    answers = scene.each(
        scene.topology.hosts, lambda name: scene.ask(name, "readable_secrets", words=words, decoy=decoy)
    )
    for name, said in answers.items():
        identifier, claim = (
            f"hosts.secrets.{name}",
            f"no file of {name} that others can read holds a key or a secret",
        )
        if isinstance(said, AskFailed):
            yield untested(identifier, claim, str(said))
        elif not said["decoy_found"]:
            yield untested(identifier, claim, "the search did not find its own decoy", **said)
        else:
            yield judged(identifier, claim, not said["readable"], secrets=len(words), **said)


def _served(scene: Scene) -> Iterator[Check]:
    listening = {name: some for name, host in scene.topology.hosts.items() if (some := listeners_of(scene, host))}

    def work(name: str) -> Any:
        return scene.ask(name, "served", listeners=[one.to_json() for one in listening[name]])

    for name, said in scene.each(listening, work).items():
        identifier = f"hosts.served.{name}"
        claim = f"what {name} serves is the certificate of its generation: reloads reached the listeners"
        if isinstance(said, AskFailed):
            yield untested(identifier, claim, str(said))
            continue
        silent = [f"{at}: {file}" for at, file in said.items() if file.startswith("no ")]
        stale = [at for at, file in said.items() if not file]
        if silent and not stale:
            yield untested(identifier, claim, "; ".join(silent), served=said)
        else:
            yield judged(identifier, claim, not stale, stale=stale, served=said)


def _ssh(scene: Scene) -> Iterator[Check]:
    def work(name: str) -> Any:
        endpoint = scene.endpoint(name)
        argv = [sys.executable, "-m", "ssh_audit.ssh_audit", "-j", "-p", str(endpoint.port), endpoint.address]
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=_AUDIT_S, check=False)
            return json.loads(done.stdout)
        except (ValueError, subprocess.TimeoutExpired) as error:
            raise AskFailed(name, f"ssh-audit gave no report: {error}") from None

    for name, said in scene.each(scene.topology.hosts, work).items():
        identifier, claim = f"hosts.ssh.{name}", f"SSH on {name} offers nothing that ssh-audit fails"
        if isinstance(said, AskFailed):
            yield untested(identifier, claim, str(said))
            continue
        offers = [(kind, entry) for kind in ("kex", "key", "enc", "mac") for entry in said.get(kind, [])]
        weak = [
            f"{kind} {entry['algorithm']}: {why}"
            for kind, entry in offers
            for why in entry.get("notes", {}).get("fail", [])
        ]
        if not offers:
            yield untested(identifier, claim, "ssh-audit saw no algorithms")
        else:
            yield judged(
                identifier, claim, not weak, weak=weak, algorithms=len(offers), banner=said["banner"].get("raw", "")
            )
