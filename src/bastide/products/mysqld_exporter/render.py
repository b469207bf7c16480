"""mysqld_exporter beside each MariaDB: its figures, on loopback.

In: HostContext. Out: its unit and its system user.
Holds: it has no password. MariaDB knows it by its system user over the unix socket; the account, which the keeper
makes (`keeper/accounts.py`), may look at the server's state and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from bastide.products.context import HostContext
from bastide.products.fragment import Check, File, Fragment, Probe, Unit, User
from bastide.products.mariadb import paths
from bastide.products.probes import expect_status
from bastide.products.sandbox import format_sandbox
from bastide.products.templates import render_template
from bastide.topology.flows import LOCAL_MYSQLD_EXPORTER

UNIT = "/etc/systemd/system/prometheus-mysqld-exporter.service"


@dataclass(frozen=True, kw_only=True, slots=True)
class MysqldExporterView:
    """Values of the unit."""

    host: str
    user: str
    listen: str
    socket: str
    sandbox: tuple[str, ...]


def render(context: HostContext) -> Fragment:
    """mysqld_exporter on that host."""
    view = MysqldExporterView(
        host=context.host.name,
        user=paths.EXPORTER_USER,
        listen=f"127.0.0.1:{LOCAL_MYSQLD_EXPORTER}",
        socket=paths.SERVER_SOCKET,
        sandbox=format_sandbox("AF_UNIX", "AF_INET", "AF_INET6"),
    )
    return Fragment(
        product="mysqld_exporter",
        packages=("prometheus-mysqld-exporter", "curl"),
        users=(User(name=view.user),),
        files=(File(path=UNIT, content=render_template(__package__, "mysqld-exporter.service.j2", view).encode()),),
        units=(Unit(name="prometheus-mysqld-exporter.service"),),
        checks=(
            Check(
                name="mysqld_exporter unit",
                argv=("systemd-analyze", "verify", "--man=no", UNIT),
                quiet=True,
            ),
        ),
        probes=(
            # Not whether it may log in: its account comes from the primary, which changes after its replicas.
            Probe(
                name="mysqld_exporter answers",
                argv=expect_status(200, "--output", "/dev/null", f"http://{view.listen}/"),
            ),
        ),
    )
