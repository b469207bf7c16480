"""Database: a replica's account opens by its own certificate alone, a replica takes no writes, the application may do
nothing outside its database.

In: Scene. Out: checks `database.*`. Holds: beside each refusal stands the same act where it must succeed.
"""

from __future__ import annotations

import secrets as random_words
from collections.abc import Iterator, Mapping
from typing import Any

from bastide.pki.errors import PkiError
from bastide.policy.identities import Identity
from bastide.policy.secrets import DATABASE_PASSWORD, DATABASE_REPLICATION
from bastide.topology.model import Host
from bastide.verify.asking import AskFailed
from bastide.verify.claims import Check, judged, untested
from bastide.verify.forging import RIGHT, forge_tries, project_authority
from bastide.verify.scene import Scene

_REPLICA = "replica-"
_EXCESS = {
    "read the accounts": "SELECT COUNT(*) FROM mysql.user",
    "make a database": "CREATE DATABASE {word}; DROP DATABASE {word}",
    "make an account": "CREATE USER {word}@localhost; DROP USER {word}@localhost",
    "read files of the host": "SELECT IF(LOAD_FILE('/etc/passwd') IS NULL, 'ERROR: nothing was read', 'read')",
    "change a setting": "SET GLOBAL max_connections = @@max_connections",
    "see the engine's state": "SHOW ENGINE INNODB STATUS",
}
"""None of them leaves anything, should it be allowed."""


def check_database(scene: Scene) -> Iterator[Check]:
    """Every check of the family."""
    if scene.spec.database is None:
        return
    hosts = scene.topology.tier("database")
    for host in hosts:
        if scene.topology.has_flow("database-replication") and len(hosts) > 1:
            yield from _logins(scene, host, next(other for other in hosts if other.name != host.name))
    yield from _writes(scene, hosts)


def _logins(scene: Scene, host: Host, peer: Host) -> Iterator[Check]:
    flow = scene.topology.flow("database-replication")
    identifier = f"database.login.{host.name}"
    if flow.encryption != "mtls":
        claim = f"{host.name} lets replicas log in by their certificates alone"
        yield untested(identifier, claim, "the spec says plaintext inside: replication asks for no certificate")
        return
    claim = f"{host.name} lets {peer.name}'s account in by {peer.name}'s certificate alone: not plain, not by a sibling's"
    password = _secret(scene, DATABASE_REPLICATION)
    try:
        authority = project_authority(scene)
        forged = forge_tries(authority, scene.topology, flow, Identity(role="database", host=peer.name))
        sibling = forge_tries(authority, scene.topology, flow, Identity(role="database", host=host.name))[RIGHT]
        tries: dict[str, Any] = {label: pair for label, pair in forged.items() if "TLS 1.2" not in label}
        tries |= {"plain": None, f"of {host.name}, a sibling": sibling}
        said = scene.ask(
            peer.name, "log_in", address=str(host.private), port=flow.port, user=_REPLICA + peer.name,
            password=password, tries=tries,
        )  # fmt: skip
    except (AskFailed, PkiError) as failure:
        yield untested(identifier, claim, str(failure))
        return
    if said[RIGHT] != "logged in":
        yield untested(identifier, claim, f"the right certificate is refused too: {said[RIGHT]}", answers=said)
        return
    opened = [label for label, answer in said.items() if label != RIGHT and not answer.startswith("refused")]
    yield judged(identifier, claim, not opened, opened_to=opened, source=peer.name, answers=said)


def _writes(scene: Scene, hosts: tuple[Host, ...]) -> Iterator[Check]:
    database = scene.spec.database
    assert database is not None
    word = f"bv_{random_words.token_hex(6)}"
    account = {"user": database.user, "password": _secret(scene, DATABASE_PASSWORD)}
    # Refused by a replica like any other write; where it is allowed, it changes nothing.
    write = f"DROP TABLE IF EXISTS `{database.name}`.{word}"
    statements = {"who": "SELECT CURRENT_USER()", "write": write, "own": f"USE `{database.name}`"}
    statements |= {what: sql.format(word=word) for what, sql in _EXCESS.items()}

    def work(name: str) -> Any:
        root = {"read_only": "SELECT @@read_only"}
        return {
            **scene.ask(name, "statements", user="root", password="", statements=root),
            **scene.ask(name, "statements", **account, statements=statements),
        }

    answers = scene.each([host.name for host in hosts], work)
    good: dict[str, Mapping[str, str]] = {n: said for n, said in answers.items() if not isinstance(said, AskFailed)}
    writers = [name for name, said in good.items() if said["write"] == "done"]
    for name, said in answers.items():
        grants, excess_claim = (
            f"database.grants.{name}",
            f"the application's account on {name} can do nothing outside its database",
        )
        if isinstance(said, AskFailed):
            yield untested(grants, excess_claim, str(said))
        elif said["own"] != "done" or said["who"] != f"{database.user}@localhost":
            yield untested(grants, excess_claim, f"logged in as {said['who']}; its own database: {said['own']}")
        else:
            done = [what for what in _EXCESS if not said[what].startswith("ERROR")]
            yield judged(
                grants, excess_claim, not done, allowed=done, answers={what: said[what] for what in _EXCESS}
            )
    claim = "exactly one database takes writes, and every other refuses them"
    proof = {name: {"write": said["write"], "read_only": said["read_only"]} for name, said in good.items()}
    if len(good) < len(hosts):
        yield untested("database.writes", claim, "not every database host answered", answers=proof)
    else:
        refused = all(
            "1290" in said["write"] or "read-only" in said["write"] for n, said in good.items() if n not in writers
        )
        yield judged("database.writes", claim, len(writers) == 1 and refused, writers=writers, answers=proof)


def _secret(scene: Scene, name: str) -> str:
    path = scene.state / "secrets" / name
    return path.read_text().strip() if path.exists() else ""
