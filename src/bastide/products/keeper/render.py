"""The keeper on a database host.

In: HostContext. Out: its program, settings, secrets and units, and the probe that waits for the server's role.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from bastide.policy.identities import VOTER
from bastide.products.context import HostContext
from bastide.products.fragment import Check, File, Fragment, Probe, Unit
from bastide.products.keeper.view import TLS, derive_secrets, derive_settings, view_keeper
from bastide.products.mariadb import paths
from bastide.products.templates import render_template
from bastide.products.zipapp import build_zipapp

PACKAGE = "bastide.products.keeper"
PROGRAM = paths.KEEPER_PROGRAM
SETTINGS = "/etc/bastide/keeper/keeper.json"
SECRETS = "/etc/bastide/keeper/secrets.json"
ROLE_TIMEOUT_S = 120.0


def render(context: HostContext) -> Fragment:
    """The keeper of one host."""
    view = view_keeper(context, program=PROGRAM, settings=SETTINGS)
    names = ["keeper.socket", "keeper.service", "mariadb-start.path"]
    if view.replication:
        names += ["database-seed.socket", "database-seed@.service"]
    if view.automatic:
        names += ["keeper-fence.service"]
    return Fragment(
        product="keeper",
        packages=("python3", "python3-pymysql", "mariadb-server", "mariadb-backup"),
        files=(
            File(path=PROGRAM, content=build_zipapp("bastide.keeper")),
            File(path=SETTINGS, content=_json(derive_settings(context, secrets=SECRETS))),
            File(path=SECRETS, content=_json(derive_secrets(context)), mode=0o640, group="mysql", secret=True),
            *(_certificates(context) if view.automatic else ()),
            *(
                File(
                    path=f"/etc/systemd/system/{name}",
                    content=render_template(PACKAGE, f"{name}.j2", view).encode(),
                )
                for name in names
            ),
        ),
        units=(
            *((Unit(name="database-seed.socket", kind="socket"),) if view.replication else ()),
            Unit(name="mariadb-start.path"),
            Unit(name="keeper.socket", kind="socket"),
            *((Unit(name="keeper-fence.service", restart_on=(PROGRAM,)),) if view.automatic else ()),
            # systemd holds the status socket: a restart is not seen by balancers.
            Unit(name="keeper.service", restart_on=("/etc/bastide/keeper/",)),
        ),
        checks=(
            Check(
                name="keeper: settings, and no other database on this host",
                argv=("/usr/bin/python3", "-I", PROGRAM, "check", SETTINGS),
                looks_around=True,
            ),
        ),
        probes=(
            Probe(
                name="the database has its role",
                argv=("/usr/bin/python3", "-I", PROGRAM, "ready", paths.KEEPER_SOCKET),
                timeout_s=ROLE_TIMEOUT_S,
            ),
        ),
    )


def _certificates(context: HostContext) -> Iterator[File]:
    pair = context.key_pair(VOTER)
    yield File(path=f"{TLS}/voter.pem", content=pair.certificate_pem.encode())
    yield File(path=f"{TLS}/voter.key", content=pair.key_pem.encode(), mode=0o640, group="mysql", secret=True)
    yield File(path=f"{TLS}/root.pem", content=context.materials.trust_anchor_pem.encode())


def _json(plain: object) -> bytes:
    return json.dumps(plain, indent=1, sort_keys=True).encode() + b"\n"
