"""Who is told of which alert, and how two monitors agree that only one of them tells.

In: HostContext of a monitor. Out: `AlertmanagerView`, and the configuration as plain values.
Holds: a secret stands in a file of its own, never in the configuration or on a command line. Without receivers
every route ends nowhere: alerts are seen in the dashboard. The gossip of a pair is mutual TLS under the project's
root; Alertmanager cannot tell names apart there, so the walls alone keep hosts that are no monitors from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from bastide.policy.identities import Identity
from bastide.products.context import HostContext
from bastide.spec.parts import Alerting
from bastide.spec.values import IPAddress
from bastide.topology.flows import LOCAL_ALERTMANAGER

FOLDER = "/etc/bastide/alertmanager"
USER = "alertmanager"
EMAIL_PASSWORD = f"{FOLDER}/email-password"
SLACK_URL = f"{FOLDER}/slack-url"
Severity = Literal["page", "ticket"]

_TITLE = "{{ .CommonLabels.severity | toUpper }} {{ .CommonLabels.alertname }} ({{ .Status }})"
_TEXT = "{{ range .Alerts }}{{ .Annotations.summary }}\n{{ .Annotations.description }}\n{{ .Annotations.link }}\n{{ end }}"


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertmanagerView:
    """Values of the unit."""

    host: str
    user: str
    listen: str
    folder: str
    gossip: str | None
    """Where the other monitor reaches it; None for a single one."""
    peers: tuple[str, ...]
    sandbox: tuple[str, ...]


def derive_view(context: HostContext, sandbox: tuple[str, ...]) -> AlertmanagerView:
    """The decisions for that monitor."""
    topology = context.topology
    port = topology.flow("monitor-gossip").port if topology.has_flow("monitor-gossip") else None
    others = [h for h in topology.tier("monitor") if h.name != context.host.name]
    return AlertmanagerView(
        host=context.host.name,
        user=USER,
        listen=f"127.0.0.1:{LOCAL_ALERTMANAGER}",
        folder=FOLDER,
        gossip=_endpoint(context.host.private, port) if port else None,
        peers=tuple(_endpoint(h.private, port) for h in others) if port else (),
        sandbox=sandbox,
    )


def derive_gossip_tls(context: HostContext) -> dict[str, Any]:
    """gossip.yml, as plain values."""
    pair = {"cert_file": f"{FOLDER}/monitor.crt", "key_file": f"{FOLDER}/monitor.key"}
    return {
        "tls_server_config": pair
        | {
            "client_ca_file": f"{FOLDER}/ca.crt",
            "client_auth_type": "RequireAndVerifyClientCert",
            "min_version": "TLS13",
        },
        "tls_client_config": pair
        | {
            "ca_file": f"{FOLDER}/ca.crt",
            "server_name": Identity(role="monitor", host="").tier_dns_name(context.topology.internal_domain),
        },
    }


def derive_configuration(context: HostContext) -> dict[str, Any]:
    """alertmanager.yml, as plain values."""
    alerting = context.spec.monitor.alerting
    watchdog = {
        "receiver": "watchdog",
        "matchers": ['alertname="Watchdog"'],
        "group_wait": "0s",
        "group_interval": "1m",
        # Less than the interval, or every second turn would find it told recently enough.
        "repeat_interval": "30s",
    }
    return {
        "route": {
            "receiver": "nobody",
            "group_by": ["alertname"],
            "routes": [
                watchdog,
                _route("page", "5s", "1m", "1h"),
                _route("ticket", "1m", "5m", "12h"),
            ],
        },
        "inhibit_rules": [
            # A silent host says nothing about what runs on it: one message, not ten.
            _inhibition("HostSilent", 'alertname!="HostSilent"', "host"),
            # Nothing arrives from anybody: it is the monitor that is deaf.
            _inhibition("MonitorDeaf", 'alertname=~"HostSilent|TrafficGone|CountDrift"'),
            # Who is woken up needs no ticket for the same. Only of what has that label: labels that both lack are
            # equal too, and any page would hold back every ticket.
            {
                "source_matchers": ['severity="page"', 'slo!=""'],
                "target_matchers": ['severity="ticket"', 'slo!=""'],
                "equal": ["slo"],
            },
        ],
        "receivers": [
            {"name": "nobody"},
            {"name": "watchdog", "webhook_configs": list(_watchdog(alerting))},
            _receiver("page", alerting),
            _receiver("ticket", alerting),
        ],
    }


def _route(severity: Severity, wait: str, interval: str, repeat: str) -> dict[str, Any]:
    return {
        "receiver": severity,
        "matchers": [f'severity="{severity}"'],
        "group_wait": wait,
        "group_interval": interval,
        "repeat_interval": repeat,
    }


def _inhibition(source: str, target: str, *equal: str) -> dict[str, Any]:
    return {"source_matchers": [f'alertname="{source}"'], "target_matchers": [target], "equal": list(equal)}


def _watchdog(alerting: Alerting) -> Iterator[dict[str, Any]]:
    if alerting.watchdog:
        yield {"url": alerting.watchdog, "send_resolved": False}


def _receiver(severity: Severity, alerting: Alerting) -> dict[str, Any]:
    receiver: dict[str, Any] = {"name": severity}
    if alerting.email:
        email = alerting.email
        login = {"auth_username": email.user} if email.user else {}
        if email.password:
            login |= {"auth_password_file": EMAIL_PASSWORD}
        receiver["email_configs"] = [
            {
                "to": ", ".join(email.to),
                "from": email.sender,
                "smarthost": email.server,
                "send_resolved": True,
                "headers": {"Subject": _TITLE},
                "html": "",
                "text": _TEXT,
            }
            | login
        ]
    if alerting.slack:
        receiver["slack_configs"] = [
            {
                "api_url_file": SLACK_URL,
                "channel": alerting.slack.channel,
                "send_resolved": True,
                "title": _TITLE,
                "text": _TEXT,
            }
        ]
    hooks = [{"url": hook.url, "send_resolved": True} for hook in alerting.webhooks if severity in hook.severities]
    if hooks:
        receiver["webhook_configs"] = hooks
    return receiver


def _endpoint(address: IPAddress, port: int | None) -> str:
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
