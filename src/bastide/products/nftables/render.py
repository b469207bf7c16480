"""nftables on every host.

In: HostContext. Out: the ruleset, a closed ruleset for the case that it cannot be loaded, and the units that load
them before the network comes up, plus ulogd, which writes dropped packets to the journal.
"""

from __future__ import annotations

from bastide.products.context import HostContext
from bastide.products.fragment import Check, File, Fragment, Probe, Unit
from bastide.products.nftables.view import view_ruleset
from bastide.products.templates import render_template

PACKAGE = "bastide.products.nftables"
RULESET = "/etc/bastide/nftables/ruleset.nft"
CLOSED = "/etc/bastide/nftables/closed.nft"
ULOGD = "/etc/bastide/nftables/ulogd.conf"


def ruleset_text(context: HostContext) -> str:
    """The wall of one host, as nft reads it."""
    return render_template(PACKAGE, "ruleset.nft.j2", view_ruleset(context))


def render(context: HostContext) -> Fragment:
    """The walls of one host."""
    view = view_ruleset(context)

    def text(template: str) -> bytes:
        return render_template(PACKAGE, template, view).encode()

    return Fragment(
        product="nftables",
        packages=("nftables", "ulogd2"),
        files=(
            # A ruleset names addresses of the whole infrastructure: nobody but root needs to read it.
            File(path=RULESET, content=ruleset_text(context).encode(), mode=0o600),
            File(path=CLOSED, content=text("closed.nft.j2"), mode=0o600),
            File(path=ULOGD, content=text("ulogd.conf.j2")),
            File(path="/etc/systemd/system/bastide-firewall.service", content=text("firewall.service.j2")),
            File(path="/etc/systemd/system/bastide-firewall-closed.service", content=text("closed.service.j2")),
            File(path="/etc/systemd/system/ulogd2.service", content=text("ulogd2.service.j2")),
        ),
        units=(
            Unit(
                name="bastide-firewall.service",
                reload_on=("/etc/bastide/nftables/",),
                # Debian's unit flushes every table when it stops.
                stops_before=("nftables.service",),
            ),
            Unit(name="ulogd2.service", restart_on=(ULOGD,)),
        ),
        checks=(
            Check(name="nft: ruleset", argv=("nft", "-c", "-f", RULESET)),
            Check(name="nft: closed ruleset", argv=("nft", "-c", "-f", CLOSED)),
        ),
        probes=(
            Probe(name="the ruleset is loaded", argv=("nft", "list", "counter", "inet", "bastide", "dropped_in")),
        ),
    )
