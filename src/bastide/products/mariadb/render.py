"""MariaDB on a database host.

In: HostContext. Out: its configuration, certificate and unit. The data directory and the role are the keeper's.
"""

from __future__ import annotations

from bastide.products.context import HostContext
from bastide.products.dead_peers import dead_peer_sysctls
from bastide.products.fragment import Check, Directory, File, Fragment, Unit
from bastide.products.mariadb import paths
from bastide.products.mariadb.view import view_mariadb
from bastide.products.templates import render_template

PACKAGE = "bastide.products.mariadb"


def render(context: HostContext) -> Fragment:
    """The server of one host."""
    view = view_mariadb(context)
    tls: tuple[File, ...] = ()
    if view.tls:
        pair = context.key_pair("database")
        tls = (
            File(path=f"{view.tls}/certificate.pem", content=pair.certificate_pem.encode()),
            File(path=f"{view.tls}/key.pem", content=pair.key_pem.encode(), mode=0o640, group="mysql", secret=True),
            File(path=f"{view.tls}/root.pem", content=context.materials.trust_anchor_pem.encode()),
        )
    return Fragment(
        product="mariadb",
        packages=("mariadb-server", "mariadb-client"),
        directories=(Directory(path=paths.STATE, mode=0o750, owner="mysql", group="mysql"),),
        files=(
            File(path=paths.SERVER_CONFIG, content=render_template(PACKAGE, "mariadb.cnf.j2", view).encode()),
            File(
                path="/etc/systemd/system/mariadb.service",
                content=render_template(PACKAGE, "mariadb.service.j2", view).encode(),
            ),
            *tls,
        ),
        units=(
            Unit(
                name="mariadb.service",
                # Without a whole data directory it waits for the keeper to make or fetch one.
                may_wait=True,
                restart_on=(paths.SERVER_CONFIG,),
                # A renewed certificate needs no restart.
                reload_on=(f"{paths.SERVER_TLS}/",),
            ),
        ),
        checks=(
            Check(
                name="mariadbd: options",
                # Without its help of 3,000 lines, which would hide what it refuses.
                argv=(
                    "sh",
                    "-c",
                    f"mariadbd --defaults-file={paths.SERVER_CONFIG} --user=mysql --help --verbose >/dev/null",
                ),
            ),
        ),
        sysctls=dead_peer_sysctls(context) if view.replication else {},
    )
