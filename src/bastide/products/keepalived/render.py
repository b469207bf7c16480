"""keepalived's part of a balancer: configuration and unit.

In: a HostContext. Out: a Fragment. Holds: no secret; who may speak VRRP is decided by address, time-to-live and the
firewall (version 3 has no authentication, and that of version 2 is plain text).
"""

from __future__ import annotations

from bastide.products.context import HostContext
from bastide.products.fragment import Check, File, Fragment, Probe, Unit
from bastide.products.keepalived.view import FOLDER, derive_view
from bastide.products.templates import render_template

_PACKAGE = __name__.rpartition(".")[0]
_UNIT = "/etc/systemd/system/keepalived.service"


def render(context: HostContext) -> Fragment:
    """keepalived on that host."""
    view = derive_view(context)
    config = f"{FOLDER}/keepalived.conf"
    return Fragment(
        product="keepalived",
        packages=("iproute2", "keepalived", "netcat-openbsd"),
        files=(
            File(path=config, content=render_template(_PACKAGE, "keepalived.conf.j2", view).encode()),
            File(path=f"{FOLDER}/pass_on.sh", content=render_template(_PACKAGE, "pass_on.sh.j2", view).encode()),
            File(path=_UNIT, content=render_template(_PACKAGE, "keepalived.service.j2", view).encode()),
        ),
        units=(Unit(name="keepalived.service", reload_on=(f"{FOLDER}/",)),),
        checks=(
            Check(name="keepalived", argv=("keepalived", "--config-test", "--use-file", config)),
            Check(name="keepalived unit", argv=("systemd-analyze", "verify", "--man=no", _UNIT), quiet=True),
        ),
        probes=(
            Probe(
                name="keepalived runs",
                argv=("/bin/sh", "-c", 'kill -0 "$(cat /run/keepalived/vrrp.pid)"'),
            ),
        ),
    )
