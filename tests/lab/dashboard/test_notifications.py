"""Alertmanager really delivers: by mail to a relay that asks for TLS and a login, to Slack's webhook, to programs."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.lab.dashboard.conftest import PASSWORD, Site

pytestmark = pytest.mark.lab

PAGES = ("/all", "/pages", "/slack", "mail")


def told(site: Site, about: str) -> dict[str, dict[str, Any]]:
    """What arrived about an alert, by way."""
    lines = site.commands.ask("client", "cat /run/told 2>/dev/null || true").splitlines()
    return {entry.get("path", "mail"): entry for line in lines if about in line for entry in [json.loads(line)]}


def raise_alert(site: Site, name: str, severity: str, *, over: bool = False) -> None:
    """As Prometheus raises one."""
    alert: dict[str, Any] = {
        "labels": {"alertname": name, "severity": severity, "host": "web1"},
        "annotations": {"summary": f"{name} on web1", "description": "Look at nginx.", "link": "https://10.0.0.1/"},
    }
    if over:
        alert["endsAt"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    site.commands.ask(
        "monitor1",
        "for n in $(seq 300); do curl -sf -o /dev/null http://127.0.0.1:9093/-/ready && break; sleep 0.2; done\n"
        "curl -sf -H 'Content-Type: application/json' -d @- http://127.0.0.1:9093/api/v2/alerts <<'END'\n"
        f"{json.dumps([alert])}\nEND\n",
    )


def await_ways(site: Site, about: str, *ways: str, within_s: float = 240) -> dict[str, dict[str, Any]]:
    end = time.monotonic() + within_s
    while not set(ways) <= set(found := told(site, about)):
        assert time.monotonic() < end, f"{about} came by {sorted(found)} only"
        time.sleep(0.5)
    return found


def test_a_page_reaches_everybody_and_says_what_to_look_at(listening: Site) -> None:
    raise_alert(listening, "PageForAll", "page")
    found = await_ways(listening, "PageForAll", *PAGES)

    for way in ("/all", "/pages"):
        (alert,) = found[way]["body"]["alerts"]
        assert (alert["status"], alert["labels"]["host"]) == ("firing", "web1")
        assert alert["annotations"]["summary"] == "PageForAll on web1"

    slack = found["/slack"]["body"]
    assert slack["channel"] == "#operations"
    (message,) = slack["attachments"]
    assert message["title"] == "PAGE PageForAll (firing)"
    assert "PageForAll on web1" in message["text"] and "Look at nginx." in message["text"]

    mail = found["mail"]
    assert mail["user"] == "bastide", "it logged in, inside TLS"
    assert mail["from"].startswith("FROM:<bastide@watched.test>")
    assert [to.upper() for to in mail["to"]] == ["TO:<NIGHT@WATCHED.TEST>", "TO:<DAY@WATCHED.TEST>"]
    head, _, body = mail["mail"].partition("\r\n\r\n")
    assert "Subject: PAGE PageForAll (firing)" in head
    assert "PageForAll on web1" in body and "https://10.0.0.1/" in body


def test_who_takes_pages_only_hears_nothing_of_tickets(listening: Site) -> None:
    raise_alert(listening, "TicketForSome", "ticket")
    found = await_ways(listening, "TicketForSome", "/all", "/slack", "mail")
    assert "/pages" not in found
    assert found["/slack"]["body"]["attachments"][0]["title"] == "TICKET TicketForSome (firing)"


def test_the_watchdog_speaks_to_its_own_address_alone(listening: Site) -> None:
    found = await_ways(listening, "Watchdog", "/watchdog")
    assert set(found) == {"/watchdog"}
    (alert,) = found["/watchdog"]["body"]["alerts"]
    assert alert["status"] == "firing"


def test_secrets_stand_in_no_configuration_and_no_command_line(listening: Site) -> None:
    secrets = (PASSWORD, f"http://{listening.client}:9999/slack")
    seen = listening.commands.ask(
        "monitor1", "cat /etc/bastide/alertmanager/alertmanager.yml; cat /proc/[0-9]*/cmdline | tr '\\0' ' '"
    )
    assert not [secret for secret in secrets if secret in seen]
    assert PASSWORD in listening.commands.ask("monitor1", "cat /etc/bastide/alertmanager/email-password")
