"""Why each tier is there, and what it means to lose one of its hosts or all of them.

In: subject and a role. Out: `Explanation` of the tier; sentences about one host's part in it.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.explain.model import Explanation, Subject
from bastide.explain.peers import incoming, outgoing
from bastide.explain.words import host_names, listed, number, tier_name, times, title
from bastide.policy.cutsets import predict
from bastide.spec.parts import Role
from bastide.spec.values import format_duration, format_size


def takes_over(subject: Subject) -> bool:
    """Whether another database becomes the primary by itself."""
    return any(service.product == "etcd" for service in subject.topology.services)


def explain_tier(subject: Subject, role: Role) -> Explanation:
    """All hosts of a role."""
    hosts = subject.topology.tier(role)
    loss = predict(subject.topology, [host.name for host in hosts])
    return Explanation(
        kind="tier",
        name=role,
        title=f"{title(tier_name(role, len(hosts)))}: {host_names(hosts)}",
        why=_why(subject, role),
        talks=(*incoming(subject, (role,)), *outgoing(subject, (role,))),
        dies=tuple(_losses(subject, role)),
        dies_title="If one dies" if len(hosts) > 1 else "If it dies",
        loss=loss,
        other_names=(tier_name(role, 1), tier_name(role, 2)),
    )


def _why(subject: Subject, role: Role) -> str:
    spec, count = subject.spec, len(subject.topology.tier(role))
    match role:
        case "balancer":
            return (
                "A site needs one address that always answers, whatever happens to the machines behind it. "
                f"{'The balancer is' if count == 1 else 'Each balancer can be'} that address: HAProxy "
                "ends the visitors' TLS, bounds what one visitor may do, and passes each request to a web "
                "server that "
                "is well."
            )
        case "web":
            they, keep = ("It", "keeps") if count == 1 else ("They", "keep")
            if not subject.topology.has_flow("web-app"):
                serve = "serves" if count == 1 else "serve"
                return f"{they} {serve} the site's files, and {keep} nothing that is not in a release."
            what = "what is no static file" if spec.web.static else "requests"
            return (
                f"{they} {'stands' if count == 1 else 'stand'} between the balancers and your code: serving "
                "static files, "
                f"bounding requests (at most {format_size(spec.web.max_body_size)} each), counting them, and "
                f"passing {what} "
                f"to an application host. {they} {keep} nothing that another one would not have, so one more "
                "or one less "
                "changes only how much the site can carry."
            )
        case "app":
            return (
                f"{'It runs' if count == 1 else 'They run'} your code and nothing else that faces outwards: "
                "nginx takes "
                "requests from the web servers and hands them to the code through a local socket"
                + (
                    "; sqlproxy hands the code a database on its own host. So the code needs no certificates, "
                    "and no idea "
                    "who is the primary."
                    if spec.database
                    else ". So the code needs no certificates."
                )
                + " It must keep nothing on its host's disk that another host would miss."
            )
        case "database":
            return _why_database(subject)
        case "monitor":
            return (
                "Someone must notice before the visitors do. Hosts send what they know, and monitors never "
                "reach into "
                "a host: metrics with alert rules, logs and events that can be searched, and a dashboard. A "
                "monitor "
                "asks for the site from outside, too, as a visitor would."
            )
        case _:
            voter = (
                "takes part in the vote on which database is the primary"
                if takes_over(subject)
                else (
                    "is set aside for the vote on which database is the primary; nothing votes here yet, so "
                    "it runs nothing for it"
                )
            )
            return (
                f"A third party: two databases that lose sight of each other cannot tell who is dead. It {voter}."
            )


def _why_database(subject: Subject) -> str:
    spec, hosts = subject.spec, subject.topology.tier("database")
    if spec.database is None or spec.database.mode == "single":
        return "It holds the data, on one host: this disk is the database."
    two = len(hosts) == 2
    who = (
        "Who is the primary stands in no file of the spec: "
        f"{number(len(subject.topology.tier('voter')))} voters decide it, by majority, and choose another when it is lost."
        if takes_over(subject)
        else "Who is the primary stands in no file of the spec: each database's keeper asks the others, and follows the "
        "newest one."
    )
    return (
        f"They hold the data {times(len(hosts))}. One is the primary and takes all writes, since two would contradict each "
        f"other; {'the other follows it and takes' if two else 'the others follow it and take'} reads. A commit is "
        "acknowledged when a replica has it on disk, so that the loss of the primary loses nothing that anybody was "
        f"promised. {who}"
    )


def _losses(subject: Subject, role: Role) -> Iterator[str]:
    hosts = subject.topology.tier(role)
    if role == "database" and len(hosts) > 1:
        yield f"**The primary:** {_lost_primary(subject)}"
        yield f"**A replica:** {_lost_replica(subject)}"
    else:
        yield lost_member(subject, role, hosts[0].name)
    if len(hosts) > 1:
        yield _all_lost(subject, role)


def _all_lost(subject: Subject, role: Role) -> str:
    hosts = subject.topology.tier(role)
    loss = predict(subject.topology, [host.name for host in hosts])
    which = "Both" if len(hosts) == 2 else f"All {number(len(hosts))}"
    if loss.reads or loss.writes:
        return f"**{which}:** the site is down until one of them is back."
    return (
        f"**{which}:** the site goes on; {_unwatched(subject)}"
        if role == "monitor"
        else f"**{which}:** the site goes on."
    )


def lost_member(subject: Subject, role: Role, name: str) -> str:
    """What happens when this host is lost, as far as this role of it goes."""
    spec, hosts = subject.spec, subject.topology.tier(role)
    if role == "database":
        first = hosts[0].name == name
        if len(hosts) == 1:
            return (
                "The database is gone with its only host, and with it every page that needs it. What was "
                "written since "
                "the last backup is on this disk or nowhere."
            )
        return (
            f"While it is the primary: {_lost_primary(subject)} "
            if first
            else f"While it is a replica: {_lost_replica(subject)}"
        )
    if role == "monitor":
        if len(hosts) > 1:
            return "The site does not notice. The other monitor has the same metrics and sends the alerts."
        return f"The site does not notice, and neither does anybody else: {_unwatched(subject)}"
    if role == "witness":
        if takes_over(subject):
            return (
                "Nothing happens at once. One vote is missing, and the next loss of a voter would leave the databases "
                "without a majority and so without a primary."
            )
        return "Nothing happens."
    if len(hosts) == 1:
        return _lost_only(subject, role)
    rest = len(hosts) - 1
    left = f"{'The other one carries' if rest == 1 else f'The other {number(rest)} carry'} everything"
    if role == "balancer":
        if subject.topology.virtual_ip is None:
            return (
                "Visitors whose browser was given its address get no answer: there is no virtual address that "
                "another "
                "one could take over."
            )
        seconds = format_duration(round(spec.balancer.advert_interval * 4, 3))
        return (
            "If it held the virtual address, another balancer notices its silence after three missed adverts, "
            "takes "
            f"the address over and tells the network (within about {seconds}). Connections through it "
            f"break, and browsers open new ones. {left}."
        )
    if role == "web":
        return (
            "A balancer finds the connection refused or silent and gives the request to another web server; "
            "its health "
            "checks take the dead one out within seconds. A request that had already begun there, and that "
            "must not run "
            f"twice (a POST), ends in an error. {left}, so each has to have room for that."
        )
    return (
        "Web servers ask another application host. A request that the dead one had already begun ends in an "
        "error "
        "when repeating it could do it twice (a POST); one that it never saw is given to another. "
        f"{left}, so each has to have room for that."
    )


def _lost_only(subject: Subject, role: Role) -> str:
    host = subject.topology.tier(role)[0]
    if {"balancer", "web", "app"} & set(host.roles) != {role}:
        return "The site is down with it: there is no other."
    return {
        "balancer": "Nobody answers at the site's address: the site is down until it is back.",
        "web": "Balancers have nobody to pass requests to, and answer 503 with an error page.",
        "app": "Static files are still served; whatever needs the application is answered 503.",
    }[role]


def _lost_primary(subject: Subject) -> str:
    assert subject.spec.database is not None
    if takes_over(subject):
        return (
            "a majority of voters agrees that it is gone, and the replica that holds every acknowledged write "
            "becomes "
            "the primary by itself. Writes wait or fail in between; nothing that was acknowledged is lost."
        )
    lag = format_duration(subject.spec.database.max_replica_lag)
    return (
        f"writes fail at once. Replicas answer reads for another {lag} (`max_replica_lag`), then reads fail too: "
        "nobody could say any more how old the answers are. Nothing that was acknowledged is lost, but **nothing "
        "takes over by itself**: it waits for the host to come back, or for an operator."
    )


def _lost_replica(subject: Subject) -> str:
    several = len(subject.topology.tier("database")) > 2
    if takes_over(subject):
        assert subject.spec.database is not None
        alone = (
            "the primary goes on alone, nothing can take over until a standby is back, and an alert says so"
            if subject.spec.database.without_standby == "go_on"
            else "commits wait until a standby is back"
        )
        wait = "" if several else f" With no other standby left, {alone}."
        return f"reads go to the primary or another replica.{wait} When it is back it catches up by itself."
    wait = (
        ""
        if several
        else (
            " Commits wait up to about three seconds for its acknowledgement, once; then the primary goes on "
            "alone, says so, "
            "and there is one copy of what is written until it is back."
        )
    )
    return f"reads go to the primary or another replica.{wait} When it is back it catches up by itself."


def _unwatched(subject: Subject) -> str:
    spool = format_size(subject.spec.monitor.spool)
    return (
        f"no alert is sent until it is back. Hosts keep what they would have sent (up to {spool} each) and "
        "deliver it "
        "then, so the record has no hole."
    )


def roles_in_words(roles: tuple[Role, ...]) -> str:
    """`a web server, an application host and a database host`."""
    return listed([f"{'an' if role == 'app' else 'a'} {tier_name(role, 1)}" for role in roles])
