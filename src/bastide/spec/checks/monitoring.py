"""Checks of the monitors: that alerts can go where the spec sends them, and that each secret has one source."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from bastide.spec.checks.rule import Rule, secret_source
from bastide.spec.errors import Fault, Keys
from bastide.spec.model import Spec

_ALERTING: Keys = ("monitor", "alerting")


def _secrets(spec: Spec) -> Iterator[Fault]:
    alerting = spec.monitor.alerting
    if alerting.email and alerting.email.password:
        yield from secret_source((*_ALERTING, "email", "password"), alerting.email.password)
    if alerting.slack:
        yield from secret_source((*_ALERTING, "slack", "url"), alerting.slack.url)


def _destinations(spec: Spec) -> Iterator[Fault]:
    alerting = spec.monitor.alerting
    if alerting.email and not _is_server(alerting.email.server):
        yield Fault(
            path=(*_ALERTING, "email", "server"),
            code="BST060",
            message=f"'{alerting.email.server}' is not a mail server with its port",
            hint="write `host:port`, such as `mail.example.com:587`",
        )
    urls: list[tuple[Keys, str]] = [
        ((*_ALERTING, "webhooks", index, "url"), hook.url) for index, hook in enumerate(alerting.webhooks)
    ]
    if alerting.watchdog:
        urls.append(((*_ALERTING, "watchdog"), alerting.watchdog))
    for path, url in urls:
        if not _is_url(url):
            yield Fault(
                path=path,
                code="BST060",
                message=f"'{url}' is not a URL that alerts can be sent to",
                hint="write `https://host/path`",
            )


def _is_server(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and 0 < int(port) < 65536


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


MONITORING_RULES = (Rule(_secrets), Rule(_destinations))
