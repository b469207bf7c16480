"""Rules of availability: what is there once, what shares a fate, what gives up too early.

In: a Subject. Out: hits. Holds: AVA001, the one writer, stands in `famous.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.audit.rule import AddHosts, Edit, Hit, Rule, SetValue, Subject
from bastide.audit.rules.tiers import add_witness, listed
from bastide.policy.availability import predict_availability
from bastide.policy.cutsets import predict
from bastide.spec.failover import derive_voters
from bastide.spec.parts import Role
from bastide.spec.values import format_duration

VOTERS = 3
_SLOW_TAKEOVER_S = 1.0


def _single(subject: Subject, role: Role, what: str) -> Iterator[Hit]:
    hosts = subject.hosts(role)
    if len(hosts) == 1 and len(subject.spec.hosts) > 1:
        message = f"{hosts[0]} is the only {what}: when it is lost, nothing is served"
        edits = (AddHosts(role=role, count=1),)
        yield Hit(element=hosts[0], message=message, at=("hosts", hosts[0]), edits=edits)


def _single_balancer(subject: Subject) -> Iterator[Hit]:
    yield from _single(subject, "balancer", "balancer")


def _single_web(subject: Subject) -> Iterator[Hit]:
    yield from _single(subject, "web", "web server")


def _single_app(subject: Subject) -> Iterator[Hit]:
    if subject.has_app:
        yield from _single(subject, "app", "application host")


def _no_virtual_address(subject: Subject) -> Iterator[Hit]:
    balancers = subject.hosts("balancer")
    if len(balancers) > 1 and subject.topology.virtual_ip is None:
        at = ("balancer", "virtual_ip")
        edits = () if subject.on_servers else (SetValue(path=at, yaml="auto"),)
        message = f"{listed(balancers)} have no address that moves, so clients stay with the one that is lost"
        yield Hit(element="balancer.virtual_ip", message=message, at=at, edits=edits)


def _single_copy(subject: Subject) -> Iterator[Hit]:
    databases = subject.hosts("database")
    if subject.spec.database is not None and len(databases) == 1:
        edits: tuple[Edit, ...] = ()
        if len(subject.spec.hosts) > 1:
            edits = (AddHosts(role="database", count=1), SetValue(path=("database", "mode"), yaml="replication"))
        message = f"{databases[0]} has the only copy of the data: its disk is the database"
        yield Hit(element=databases[0], message=message, at=("database",), edits=edits)


def _everything_on_one(subject: Subject) -> Iterator[Hit]:
    if len(subject.spec.hosts) == 1:
        name = next(iter(subject.spec.hosts))
        message = f"{name} is the whole infrastructure: when it is lost, all of it is"
        yield Hit(element=name, message=message, at=("hosts", name))


def _voters(subject: Subject) -> tuple[str, ...]:
    database = subject.spec.database
    return derive_voters(subject.spec) if database is not None and database.mode == "replication" else ()


def _few_voters(subject: Subject) -> Iterator[Hit]:
    voters = _voters(subject)
    if voters and len(voters) < VOTERS:
        message = f"{listed(voters)} are all that could vote on who is primary: without one there is no majority"
        yield Hit(element="voters", message=message, at=("database",), edits=add_witness(subject))


def _even_voters(subject: Subject) -> Iterator[Hit]:
    voters = _voters(subject)
    if len(voters) >= VOTERS and len(voters) % 2 == 0:
        message = f"{len(voters)} voters survive no more losses than {len(voters) - 1}, and one more can be lost"
        yield Hit(element="voters", message=message, at=("database",))


def _idle_witness(subject: Subject) -> Iterator[Hit]:
    for name in subject.hosts("witness"):
        if "database" in subject.spec.hosts[name].roles:
            message = f"{name} is a database and a witness: it has one vote, and takes both with it"
            yield Hit(element=name, message=message, at=("hosts", name, "roles"))


def _shared_place(subject: Subject) -> Iterator[Hit]:
    places: dict[str, list[str]] = {}
    for name, host in subject.spec.hosts.items():
        if host.place is not None:
            places.setdefault(host.place, []).append(name)
    for place, names in places.items():
        alone = any(predict(subject.topology, {name}).reads for name in names)
        loss = predict(subject.topology, names)
        if len(names) > 1 and not alone and (loss.reads or loss.writes):
            message = f"{place} holds {listed(names)}: losing it stops the service, for {loss.why}"
            yield Hit(element=place, message=message, at=("hosts", names[0], "place"))


def _gives_up_first(subject: Subject) -> Iterator[Hit]:
    server, app = subject.spec.balancer.timeouts.server, subject.spec.app.timeout
    if subject.has_app and app + 5 > server:
        longer = format_duration(max(60.0, app + 10))
        at = ("balancer", "timeouts", "server")
        yield Hit(
            element="balancer.timeouts.server",
            message=(
                f"The balancer waits {format_duration(server)} for what the application may take "
                f"{format_duration(app)} to answer: work is done, and the client told that it failed"
            ),
            at=at,
            edits=(SetValue(path=at, yaml=longer),),
        )


def _slow_takeover(subject: Subject) -> Iterator[Hit]:
    interval = subject.spec.balancer.advert_interval
    if subject.topology.virtual_ip is not None and interval > _SLOW_TAKEOVER_S:
        at = ("balancer", "advert_interval")
        message = f"A lost balancer is noticed after about {format_duration(3 * interval)}"
        edits = (SetValue(path=at, yaml="100ms"),)
        yield Hit(element="balancer.advert_interval", message=message, at=at, edits=edits)


def _too_few_connections(subject: Subject) -> Iterator[Hit]:
    app, database = subject.spec.app, subject.spec.database
    if database is None or not subject.has_app:
        return
    threads = app.threads if app.kind == "wsgi" else 1
    wanted = len(subject.hosts("app")) * app.processes * threads
    if wanted > database.max_connections:
        at = ("database", "max_connections")
        yield Hit(
            element="database.max_connections",
            message=f"{wanted} workers share {database.max_connections} connections: under load some wait in vain",
            at=at,
            edits=(SetValue(path=at, yaml=str(wanted + 50)),),
        )


def _one_worker(subject: Subject) -> Iterator[Hit]:
    app = subject.spec.app
    if app.kind in ("wsgi", "asgi", "php") and app.processes == 1:
        message = "Each application host has one process: when it hangs or restarts, its host serves nothing"
        at = ("app", "processes")
        yield Hit(element="app.processes", message=message, at=at, edits=(SetValue(path=at, yaml="2"),))


def _waits_for_a_standby(subject: Subject) -> Iterator[Hit]:
    if subject.topology.writes_need_standby:
        at = ("database", "without_standby")
        message = f"Losing either of {listed(subject.hosts('database'))} stops writes until both are there again"
        yield Hit(
            element="database.without_standby", message=message, at=at, edits=(SetValue(path=at, yaml="go_on"),)
        )


def _in_maintenance(subject: Subject) -> Iterator[Hit]:
    if subject.spec.balancer.maintenance:
        at = ("balancer", "maintenance")
        message = "Maintenance is on: every request is answered 503"
        yield Hit(element="balancer.maintenance", message=message, at=at)


def _below_target(subject: Subject) -> Iterator[Hit]:
    target = subject.spec.availability.target
    if target is None:
        return
    predicted = predict_availability(subject.topology, subject.spec.availability).writes
    if predicted < target:
        message = f"{predicted:.5%} of the time is predicted, and {target:.5%} is wanted"
        yield Hit(element="availability.target", message=message, at=("availability", "target"))


AVAILABILITY_RULES = (
    Rule(
        id="AVA002",
        title="A single balancer",
        severity="high",
        why="Everything behind it may be well: without the one machine that clients reach, the site is down.",
        fix="Add a second host with the role `balancer`; a virtual address moves between them.",
        check=_single_balancer,
    ),
    Rule(
        id="AVA003",
        title="Balancers without a virtual address",
        severity="high",
        why=(
            "Clients keep the address that they were given. Without one that moves, a second balancer helps nobody "
            "who was sent to the first."
        ),
        fix="Name an address that both may hold: `balancer: {virtual_ip: 192.0.2.10, interface: eth0}`.",
        check=_no_virtual_address,
    ),
    Rule(
        id="AVA004",
        title="A single web server",
        severity="high",
        why="Its loss, its restart and its full disk are the site's.",
        fix="Add a second host with the role `web`.",
        check=_single_web,
    ),
    Rule(
        id="AVA005",
        title="A single application host",
        severity="high",
        why="Its loss stops everything but static files, and every release is an outage.",
        fix="Add a second host with the role `app`.",
        check=_single_app,
    ),
    Rule(
        id="AVA006",
        title="A single copy of the data",
        severity="high",
        why="A disk that dies takes what was acknowledged since the last backup with it, for good.",
        fix="Add a second host with the role `database` and write `mode: replication`.",
        check=_single_copy,
    ),
    Rule(
        id="AVA007",
        title="Everything on one host",
        severity="high",
        why="There is nothing left to take over when this host is lost, and nothing between the internet and the data.",
        fix="Spread the roles over several hosts; the preset `resilient` shows nine.",
        check=_everything_on_one,
    ),
    Rule(
        id="AVA008",
        title="Fewer than three voters",
        severity="high",
        why=(
            "Takeover needs a majority. Two voters have none when one is lost, so the database stops exactly when "
            "takeover is needed."
        ),
        fix="Give a host that is no database the role `witness`.",
        check=_few_voters,
    ),
    Rule(
        id="AVA009",
        title="An even number of voters",
        severity="low",
        why="A majority of four is three, as it is of five: the fourth voter can fail and cannot help.",
        fix="Remove the witness, or add another.",
        check=_even_voters,
    ),
    Rule(
        id="AVA010",
        title="A witness that is a database",
        severity="medium",
        why="A witness is there to vote when a database host is lost. On that host, it is lost with it.",
        fix="Give the role `witness` to a host that is no database, such as a monitor.",
        check=_idle_witness,
    ),
    Rule(
        id="AVA011",
        title="One place carries a whole tier",
        severity="high",
        why=(
            "Two hosts in one rack, on one machine below them or in one data centre are lost together, to one "
            "switch, power supply or fire."
        ),
        fix="Move a host of the tier to another place.",
        check=_shared_place,
    ),
    Rule(
        id="AVA012",
        title="The balancer gives up before the application",
        severity="medium",
        why="The application finishes what the client was already told had failed, and who tries again does it twice.",
        fix="Let `balancer.timeouts.server` be at least ten seconds longer than `app.timeout`.",
        check=_gives_up_first,
    ),
    Rule(
        id="AVA013",
        title="A slow takeover of the virtual address",
        severity="low",
        why="The second balancer waits for three missed adverts; until then the site is away.",
        fix="Let `balancer.advert_interval` be its default, 100ms.",
        check=_slow_takeover,
    ),
    Rule(
        id="AVA014",
        title="More workers than connections to the database",
        severity="medium",
        why="On a quiet day nobody notices. On the busy one, workers wait for connections until requests time out.",
        fix="Raise `database.max_connections`, or run fewer workers.",
        check=_too_few_connections,
    ),
    Rule(
        id="AVA015",
        title="One process an application host",
        severity="low",
        why="One request that never ends, one crash, one memory leak: the host is out.",
        fix="Let `app.processes` be at least 2.",
        check=_one_worker,
    ),
    Rule(
        id="AVA016",
        title="Maintenance is on",
        severity="medium",
        why="It is meant for minutes; forgotten in the spec, each apply switches the site off again.",
        fix="Remove `maintenance: true`.",
        check=_in_maintenance,
    ),
    Rule(
        id="AVA017",
        title="Predicted availability misses its target",
        severity="medium",
        why="By the figures of failure and repair in the spec, this layout is away for longer than it may be.",
        fix="Remove single points of failure, or shorten repairs; `bastide audit --all` shows the arithmetic.",
        check=_below_target,
    ),
    Rule(
        id="AVA018",
        title="Writes wait for a second database",
        severity="medium",
        why=(
            "With `without_standby: block` no write is ever on one disk only. The price is that a replica which is "
            "restarted, updated or lost stops all writes for as long."
        ),
        fix="Write `without_standby: go_on`, or accept it with a waiver if one copy is never enough.",
        check=_waits_for_a_standby,
    ),
)
