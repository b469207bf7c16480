"""Rules of operations: somebody is told, somebody can look it up, and flaws are mended.

In: a Subject. Out: hits.
"""

from __future__ import annotations

from collections.abc import Iterator

from bastide.audit.rule import AddHosts, Hit, Rule, SetValue, Subject
from bastide.spec.errors import Keys, dotted
from bastide.spec.values import format_duration, format_size

_WEEK_S = 7 * 86400.0
_SMALLEST_SPOOL = 64 << 20


def _no_monitor(subject: Subject) -> Iterator[Hit]:
    if not subject.hosts("monitor"):
        message = "No host has the role `monitor`: nobody sees what happens, or that something does"
        yield Hit(element="monitor", message=message, at=("hosts",), edits=(AddHosts(role="monitor", count=1),))


def _alerts_to_nowhere(subject: Subject) -> Iterator[Hit]:
    alerting = subject.spec.monitor.alerting
    if subject.hosts("monitor") and not (alerting.email or alerting.slack or alerting.webhooks):
        message = "Alerts are seen by whoever happens to look at the dashboard: nobody is told"
        yield Hit(element="monitor.alerting", message=message, at=("monitor",))


def _pages_to_nowhere(subject: Subject) -> Iterator[Hit]:
    alerting = subject.spec.monitor.alerting
    if not alerting.webhooks or alerting.email or alerting.slack:
        return
    for severity in ("page", "ticket"):
        if not any(severity in hook.severities for hook in alerting.webhooks):
            message = f"Alerts of the severity {severity} are sent to nobody"
            yield Hit(
                element=f"monitor.alerting.{severity}", message=message, at=("monitor", "alerting", "webhooks")
            )


def _unwatched_monitor(subject: Subject) -> Iterator[Hit]:
    monitors = subject.hosts("monitor")
    if monitors and subject.spec.monitor.alerting.watchdog is None:
        alone = len(monitors) == 1
        message = (
            f"{monitors[0]} watches everything, and nothing watches {monitors[0]}: its silence looks like peace"
            if alone
            else "The monitors watch each other, and nobody outside notices when all of them are silent"
        )
        yield Hit(
            element="monitor.alerting.watchdog",
            message=message,
            at=("monitor", "alerting"),
            severity=None if alone else "low",
        )


def _no_updates(subject: Subject) -> Iterator[Hit]:
    if not subject.spec.system.unattended_upgrades:
        at: Keys = ("system", "unattended_upgrades")
        message = "Security updates wait until somebody thinks of them"
        yield Hit(element=dotted(at), message=message, at=at, edits=(SetValue(path=at, yaml="true"),))


def _no_time(subject: Subject) -> Iterator[Hit]:
    if not subject.spec.system.time_sync:
        at: Keys = ("system", "time_sync")
        message = "Clocks drift: certificates look expired, logs of two hosts cannot be compared"
        yield Hit(element=dotted(at), message=message, at=at, edits=(SetValue(path=at, yaml="true"),))


def _short_retention(subject: Subject, name: str, default: str, what: str) -> Iterator[Hit]:
    value = getattr(subject.spec.monitor, name)
    if subject.hosts("monitor") and value < _WEEK_S:
        at: Keys = ("monitor", name)
        message = f"{what} are kept for {format_duration(value)}: last week's trouble cannot be looked at"
        yield Hit(element=dotted(at), message=message, at=at, edits=(SetValue(path=at, yaml=default),))


def _short_metrics(subject: Subject) -> Iterator[Hit]:
    yield from _short_retention(subject, "retention", "30d", "Metrics")


def _short_logs(subject: Subject) -> Iterator[Hit]:
    yield from _short_retention(subject, "log_retention", "14d", "Logs and events")


def _small_spool(subject: Subject) -> Iterator[Hit]:
    spool = subject.spec.monitor.spool
    if subject.hosts("monitor") and spool < _SMALLEST_SPOOL:
        at: Keys = ("monitor", "spool")
        message = f"Hosts keep {format_size(spool)} while the monitor is away: what happened then is soon lost"
        yield Hit(element=dotted(at), message=message, at=at, edits=(SetValue(path=at, yaml="256M"),))


def _few_generations(subject: Subject) -> Iterator[Hit]:
    kept = subject.spec.system.generations
    if kept < 3:
        at: Keys = ("system", "generations")
        message = f"{kept} applied states are kept: after a second mistake there is none to go back to"
        yield Hit(element=dotted(at), message=message, at=at, edits=(SetValue(path=at, yaml="5"),))


OPERATIONS_RULES = (
    Rule(
        id="OPS001",
        title="No monitor",
        severity="high",
        why="What nobody watches fails for as long as customers take to complain.",
        fix="Give a host of its own the role `monitor`.",
        check=_no_monitor,
    ),
    Rule(
        id="OPS002",
        title="Alerts go nowhere",
        severity="high",
        why="Each alert stands for something that a person has to do. A dashboard wakes nobody.",
        fix="Name a receiver below `monitor.alerting`: `email`, `slack` or `webhooks`.",
        check=_alerts_to_nowhere,
        servers_only=True,
    ),
    Rule(
        id="OPS003",
        title="Some alerts go nowhere",
        severity="high",
        why="The receivers take one severity only; alerts of the other are dropped without a word.",
        fix="Give a webhook both severities, or add a receiver.",
        check=_pages_to_nowhere,
    ),
    Rule(
        id="OPS004",
        title="Nobody watches the monitor",
        severity="medium",
        why="A monitor that is dead sends no alert, and silence is what everybody hopes for.",
        fix="Name a service outside that expects a sign of life: `monitor: {alerting: {watchdog: https://…}}`.",
        check=_unwatched_monitor,
        servers_only=True,
    ),
    Rule(
        id="OPS005",
        title="No security updates",
        severity="high",
        why="Most break-ins use flaws that were mended weeks before.",
        fix="Remove `unattended_upgrades: false`.",
        check=_no_updates,
        servers_only=True,
    ),
    Rule(
        id="OPS006",
        title="Clocks are left alone",
        severity="medium",
        why="TLS, takeover and every log rest on clocks that agree.",
        fix="Remove `time_sync: false`.",
        check=_no_time,
        servers_only=True,
    ),
    Rule(
        id="OPS007",
        title="Metrics are kept for less than a week",
        severity="low",
        why="Trouble shows against last week's same hour; without it there is nothing to compare with.",
        fix="Let `monitor.retention` be at least 7d; the default is 30d.",
        check=_short_metrics,
    ),
    Rule(
        id="OPS008",
        title="Logs are kept for less than a week",
        severity="low",
        why="Break-ins are found after days; the logs that tell how are gone by then.",
        fix="Let `monitor.log_retention` be at least 7d; the default is 14d.",
        check=_short_logs,
    ),
    Rule(
        id="OPS009",
        title="Little room for what cannot be shipped",
        severity="low",
        why="While the monitor is away hosts keep what they would have sent; when there is no room the oldest goes.",
        fix="Let `monitor.spool` be its default, 256M.",
        check=_small_spool,
    ),
    Rule(
        id="OPS010",
        title="Few states to go back to",
        severity="low",
        why="A mistake is often noticed after the next change, when the state before both is wanted.",
        fix="Let `system.generations` be at least 3.",
        check=_few_generations,
    ),
)
