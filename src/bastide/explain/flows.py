"""One conversation.

In: subject and a flow. Out: `Explanation`.
"""

from __future__ import annotations

from bastide.explain.model import Explanation, Subject
from bastide.explain.protection import explain_protection
from bastide.explain.words import PRODUCTS, place, port_of, title
from bastide.topology.model import Flow

_MEANING = {
    "internet-http": "Nothing is served here. It exists because people type names without `https://`.",
    "internet-https": "It is the only way in for visitors. Each of them is bounded: requests, open connections, new "
    "connections, and how long a request may take to arrive.",
    "balancer-vrrp": "The holder of the virtual address says several times a second that it lives. That is all.",
    "balancer-web": "Each request of a visitor takes this way, with who the visitor is in a header that the web "
    "server believes because it knows who says it.",
    "web-app": "What is no file. The application host believes the headers about the visitor for the same reason.",
    "app-database": "All SQL of the application, in a tunnel that the application does not see.",
    "app-database-status": "Small questions, several a second: who is the primary, how far behind is a replica? They "
    "are how the application's SQL finds its way after a change of primary.",
    "database-replication": "Every change of the data, as it happens. Also the acknowledgements by which a commit "
    "knows that it exists twice.",
    "database-status": "Databases ask each other who is the primary before one of them dares to be writable.",
    "database-seed": "A whole copy of the database, when a replica has none yet.",
    "database-announce": "One sentence after a change of primary: which database to send SQL to from now on. Nothing else "
    "can be said there.",
    "voter-peer": "Voters tell each other what was decided. A decision stands when a majority has it on disk.",
    "voter-client": "A keeper says many times a minute that its database is still the primary, and asks for the role when "
    "nobody says so. Two can never hold it: a majority decides.",
    "host-monitor": "Metrics, logs and events leave each host by this way alone: monitors never reach into a host, so "
    "whoever has a monitor has no way into the others by it.",
    "monitor-site": "A probe that goes in by the front door.",
    "monitor-web": "A probe of each web server by itself: a balancer would hide that one of them is broken.",
    "monitor-gossip": "So that one alert is sent once.",
}


def explain_flow(subject: Subject, flow: Flow) -> Explanation:
    """One flow of the list."""
    topology = subject.topology
    listener = f", where {PRODUCTS[flow.product]} listens" if flow.product else ""
    return Explanation(
        kind="flow",
        name=flow.name,
        title=f"{flow.name}: {flow.why}",
        why=_MEANING.get(flow.name, title(f"{flow.why}.")),
        talks=(
            f"from {place(topology, flow.source, flow)} to `{port_of(flow)}` of "
            f"{place(topology, flow.target, flow)}{listener}",
        ),
        protection=explain_protection(topology, flow),
        dies=(_cut(subject, flow),),
        dies_title="If it is cut",
    )


def _cut(subject: Subject, flow: Flow) -> str:
    replicated = subject.spec.database is not None and subject.spec.database.mode == "replication"
    return {
        "internet-https": "The site is away for whoever stands on the other side of the cut.",
        "internet-http": "Those who type the name without `https://` get no answer, once; their browser remembers.",
        "balancer-vrrp": "Each balancer believes that the other is dead, and both hold the virtual address. Visitors reach "
        "one or the other; both serve the same, so few of them notice.",
        "balancer-web": "As if the web servers behind it were dead: balancers use the others, or answer 503.",
        "web-app": "As if the application hosts behind it were dead: web servers use the others, or answer 503.",
        "app-database": "The application has no database, and answers what it answers then.",
        "app-database-status": "sqlproxy cannot tell who is the primary, and offers the application none: better no "
        "database than the wrong one.",
        "database-replication": "As if the replica were dead." if replicated else "Nothing.",
        "database-status": "A database that starts meanwhile does not become writable, since it could not ask.",
        "database-seed": "A new replica waits.",
        "database-announce": "After a change of primary the application finds it a second later, by asking.",
        "voter-peer": "A voter that is cut off has no say. While a majority sees each other, nothing changes.",
        "voter-client": "A primary that no longer reaches a majority stops itself before another one may be chosen"
        + (", unless its standby promises not to take over." if subject.topology.promises_replace_votes else "."),
        "host-monitor": "The monitors call the host silent and alert; it keeps what it has to say and delivers it later.",
        "monitor-site": "An alert says that the site does not answer, although it does for others.",
        "monitor-web": "An alert says so.",
        "monitor-gossip": "Each monitor sends every alert: twice rather than never.",
    }.get(flow.name, _other_cut(flow))


def _other_cut(flow: Flow) -> str:
    if flow.name.startswith("admin-ssh"):
        return "The site goes on; nobody can change it until the way is open again, or a console is used."
    if flow.name.startswith("admin-dashboard"):
        return "The site goes on, and nobody sees the dashboard. Alerts are sent all the same."
    if flow.name.startswith("alerts-"):
        return "Alerts do not arrive there. The watchdog, if the spec names one, notices by its silence."
    return "Requests are not concerned; what the programs want there has to wait."
