"""The database's proxy: HAProxy in a process of its own on application and database hosts.

In: HostContext. Out: its configuration, certificates, lists of accepted peers and unit.
"""

from __future__ import annotations

from importlib.resources import files

from bastide.products.context import HostContext
from bastide.products.fragment import Check, File, Fragment, Probe, Unit, User
from bastide.products.nginx.application import app_draining
from bastide.products.sqlproxy.view import FOLDER, SqlproxyView, derive_certificate_roles, view_sqlproxy
from bastide.products.templates import render_template

PACKAGE = "bastide.products.sqlproxy"
CONFIG = f"{FOLDER}/haproxy.cfg"


def render(context: HostContext) -> Fragment:
    """The proxy of one host."""
    view = view_sqlproxy(context)
    return Fragment(
        product="sqlproxy",
        packages=("haproxy", "python3"),
        users=(User(name="sqlproxy"),),
        files=(
            File(path=CONFIG, content=render_template(PACKAGE, "haproxy.cfg.j2", view).encode()),
            # A state file of HAProxy's, version 1, that knows no server.
            File(path=f"{FOLDER}/no-state", content=b"1\n"),
            File(path=f"{FOLDER}/save_state.py", content=_packaged("save_state.py")),
            *_awaiting(view),
            *_announcing(view),
            File(
                path="/etc/systemd/system/sqlproxy.service",
                content=render_template(PACKAGE, "sqlproxy.service.j2", view).encode(),
            ),
            *(File(path=e.accept, content="".join(f"{p}\n" for p in e.peers).encode()) for e in view.entrances),
            *_certificates(context, view),
        ),
        units=(
            Unit(
                name="sqlproxy.service",
                reload_on=(f"{FOLDER}/",),
                # Debian's package starts a proxy of its own; where ours is a balancer, that unit is the balancer's.
                stops_before=() if context.runs("haproxy") else ("haproxy.service",),
                **app_draining(context),
            ),
        ),
        checks=(Check(name="haproxy: sqlproxy", argv=("haproxy", "-c", "-dW", "-f", CONFIG)),),
        probes=(
            Probe(
                name="sqlproxy runs",
                argv=("systemctl", "is-active", "--quiet", "sqlproxy.service"),
            ),
        ),
    )


def _packaged(name: str) -> bytes:
    return files(PACKAGE).joinpath(name).read_bytes()


def _awaiting(view: SqlproxyView) -> list[File]:
    if view.local_primary is None:
        return []
    return [File(path=f"{FOLDER}/await_checks.py", content=_packaged("await_checks.py"))]


def _announcing(view: SqlproxyView) -> list[File]:
    announcements = view.announcements
    if announcements is None:
        return []
    found = [File(path=f"{FOLDER}/primary.lua", content=_packaged("primary.lua"))]
    if announcements.bind:
        accepted = "".join(f"{peer}\n" for peer in announcements.peers)
        found.append(File(path=announcements.accept, content=accepted.encode()))
    return found


def _certificates(context: HostContext, view: SqlproxyView) -> list[File]:
    found = []
    for role in derive_certificate_roles(view):
        pair = context.key_pair(role)
        pem = (pair.certificate_pem.rstrip("\n") + "\n" + pair.key_pem).encode()
        found.append(File(path=f"{FOLDER}/tls/{role}.pem", content=pem, mode=0o640, group="sqlproxy", secret=True))
    if found:
        found.append(File(path=f"{FOLDER}/tls/root.pem", content=context.materials.trust_anchor_pem.encode()))
    return found
