"""Every product, in the order in which a host starts its services.

In: a HostContext. Out: the fragments of the products that run on that host.
Holds: adding a product is one line here, its folder, and its flows. The walls come first, what is asked starts
before what asks it.
"""

from __future__ import annotations

from collections.abc import Callable

from bastide.products.agent import render as agent
from bastide.products.alertmanager import render as alertmanager
from bastide.products.app import render as app
from bastide.products.blackbox import render as blackbox
from bastide.products.context import HostContext
from bastide.products.etcd import render as etcd
from bastide.products.fragment import Fragment
from bastide.products.haproxy import render as haproxy
from bastide.products.hub import render as hub
from bastide.products.keepalived import render as keepalived
from bastide.products.keeper import render as keeper
from bastide.products.mariadb import render as mariadb
from bastide.products.mysqld_exporter import render as mysqld_exporter
from bastide.products.nftables import render as nftables
from bastide.products.nginx import render as nginx
from bastide.products.node_exporter import render as node_exporter
from bastide.products.prometheus import render as prometheus
from bastide.products.sqlproxy import render as sqlproxy
from bastide.products.sshd import render as sshd
from bastide.products.system import render as system
from bastide.products.vmagent import render as vmagent

Renderer = Callable[[HostContext], Fragment]

RENDERERS: dict[str, Renderer] = {
    "nftables": nftables.render,
    "sshd": sshd.render,
    "system": system.render,
    "sqlproxy": sqlproxy.render,
    "etcd": etcd.render,
    "mariadb": mariadb.render,
    "keeper": keeper.render,
    "app": app.render,
    "hub": hub.render,
    "prometheus": prometheus.render,
    "alertmanager": alertmanager.render,
    "blackbox": blackbox.render,
    "nginx": nginx.render,
    "haproxy": haproxy.render,
    "keepalived": keepalived.render,
    "node_exporter": node_exporter.render,
    "mysqld_exporter": mysqld_exporter.render,
    "agent": agent.render,
    "vmagent": vmagent.render,
}


def render_host(context: HostContext) -> tuple[Fragment, ...]:
    """Fragments of one host, in starting order."""
    return tuple(render(context) for product, render in RENDERERS.items() if context.runs(product))
