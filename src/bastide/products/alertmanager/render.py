"""Alertmanager on a monitor: it tells people, once.

In: HostContext. Out: its configuration, the receivers' secrets, the monitor's certificate for a pair, its unit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from bastide.policy.secrets import MONITOR_EMAIL, MONITOR_SLACK
from bastide.products.alertmanager.view import (
    EMAIL_PASSWORD,
    FOLDER,
    SLACK_URL,
    AlertmanagerView,
    derive_configuration,
    derive_gossip_tls,
    derive_view,
)
from bastide.products.context import HostContext
from bastide.products.fragment import Check, File, Fragment, Probe, Unit, User
from bastide.products.probes import expect_status
from bastide.products.sandbox import format_sandbox
from bastide.products.templates import render_template

UNIT = "/etc/systemd/system/prometheus-alertmanager.service"
CONFIG = f"{FOLDER}/alertmanager.yml"
GOSSIP = f"{FOLDER}/gossip.yml"


def render(context: HostContext) -> Fragment:
    """Alertmanager on that host."""
    view = derive_view(context, format_sandbox("AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"))
    return Fragment(
        product="alertmanager",
        packages=("prometheus-alertmanager", "curl", "ca-certificates"),
        users=(User(name=view.user),),
        files=tuple(_files(context, view)),
        units=(
            Unit(
                name="prometheus-alertmanager.service",
                reload_on=(CONFIG, EMAIL_PASSWORD, SLACK_URL),
                # What secures the gossip is read at the start only.
                restart_on=tuple(
                    f"{FOLDER}/{name}" for name in ("gossip.yml", "ca.crt", "monitor.crt", "monitor.key")
                )
                if view.gossip
                else (),
            ),
        ),
        checks=(Check(name="amtool check-config", argv=("amtool", "check-config", CONFIG)),),
        probes=(Probe(name="alertmanager answers", argv=expect_status(200, f"http://{view.listen}/-/healthy")),),
    )


def _files(context: HostContext, view: AlertmanagerView) -> Iterator[File]:
    # JSON is YAML, and its quoting cannot go wrong.
    yield File(path=CONFIG, content=_json(derive_configuration(context)))
    alerting, secrets = context.spec.monitor.alerting, context.materials.secrets
    if alerting.email and alerting.email.password:
        yield _secret(EMAIL_PASSWORD, secrets[MONITOR_EMAIL], view)
    if alerting.slack:
        yield _secret(SLACK_URL, secrets[MONITOR_SLACK], view)
    if view.gossip:
        pair = context.key_pair("monitor")
        yield File(path=GOSSIP, content=_json(derive_gossip_tls(context)))
        yield File(path=f"{FOLDER}/ca.crt", content=context.materials.trust_anchor_pem.encode())
        yield File(path=f"{FOLDER}/monitor.crt", content=pair.certificate_pem.encode())
        yield _secret(f"{FOLDER}/monitor.key", pair.key_pem, view)
    yield File(path=UNIT, content=render_template(__package__, "alertmanager.service.j2", view).encode())


def _secret(path: str, content: str, view: AlertmanagerView) -> File:
    return File(path=path, content=content.encode(), mode=0o640, group=view.user, secret=True)


def _json(plain: object) -> bytes:
    return json.dumps(plain, indent=1, ensure_ascii=False).encode() + b"\n"
