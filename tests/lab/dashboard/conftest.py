"""A small site with two monitors that tell people of alerts, raised once for this folder, and a browser that trusts it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.lab.commands import Commands, scratch_project

CONFIGURATION = "/etc/bastide/alertmanager/alertmanager.yml"
MAIL = "mail.watched.test"
"""One of the site's own domains, so that its certificate is there; the monitor is told that it is the client machine."""
_SPEC = f"""
name: watched
domains: [watched.test, {MAIL}]
hosts:
  lb1: {{roles: [balancer]}}
  web1: {{roles: [web]}}
  monitor1: {{roles: [monitor]}}
  monitor2: {{roles: [monitor]}}
app:
  kind: static
  path: ./public
balancer:
  rate_limit: {{requests: 100000000, connections: 5000, handshakes: 1000000}}
firewall:
  egress:
    - {{port: 443, why: packages}}
    - {{port: 9999, roles: [monitor], why: who is told of alerts}}
    - {{port: 2525, roles: [monitor], why: mail about alerts}}
"""
_RECEIVERS = f"""
monitor:
  alerting:
    watchdog: http://CLIENT:9999/watchdog
    webhooks:
      - url: http://CLIENT:9999/all
      - url: http://CLIENT:9999/pages
        severities: [page]
    slack:
      url: {{file: slack-url}}
      channel: "#operations"
    email:
      to: [night@watched.test, day@watched.test]
      sender: bastide@watched.test
      server: {MAIL}:2525
      user: bastide
      password: {{file: mail-password}}
"""
SINK = Path(__file__).with_name("sink.py")
Begin = Callable[[Path], Browser]
PASSWORD = "not-for-eyes"
"""Of a mail server that exists during this test."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """The lab."""

    commands: Commands
    url: str
    ca: str
    client: str
    """Address of the client machine."""

    def dashboard(self, *words: str) -> dict[str, Any]:
        """What `bastide dashboard` says."""
        found: dict[str, Any] = json.loads(self.commands.do("dashboard", "--json", *words))
        return found


@pytest.fixture(scope="package")
def site() -> Iterator[Site]:
    with scratch_project("static-site") as commands:
        commands.spec.write_text(_SPEC)
        facts = json.loads(commands.do("up", "--json", timeout_s=240))
        client = commands.ask("client", "ip -4 -o addr show dev pub0 | awk '{print $4}' | cut -d/ -f1")
        for name, secret in (("slack-url", f"http://{client}:9999/slack"), ("mail-password", PASSWORD)):
            (commands.base / name).touch(mode=0o600)
            (commands.base / name).write_text(secret)
        commands.spec.write_text(_SPEC + _RECEIVERS.replace("CLIENT", client))
        commands.do("apply", "--yes", timeout_s=120)
        yield Site(commands=commands, url=facts["url"], ca=facts["ca"], client=client)


def gathered(how_long: str) -> str:
    """The setting, as it is written there."""
    return f'"group_wait": "{how_long}"'


@pytest.fixture(scope="package")
def listening(site: Site) -> Iterator[Site]:
    """The client machine takes what it is sent, and the first monitor knows its mail server."""
    ask, state = site.commands.ask, site.commands.state
    edge = state / "pki/edge"
    ask("client", f"umask 077; cat >/run/sink.crt <<'END'\n{(edge / 'cert.pem').read_text()}END\n")
    ask("client", f"umask 077; cat >/run/sink.key <<'END'\n{(edge / 'key.pem').read_text()}END\n")
    ask("client", f"cat >/run/sink.py <<'END'\n{SINK.read_text()}END\n")
    ask("client", f"umask 077; printf %s {PASSWORD} >/run/sink.password")
    ask(
        "client",
        "systemd-run --quiet --unit sink python3 /run/sink.py /run/sink.crt /run/sink.key /run/sink.password",
    )
    # As where a relay's certificate is not a public one: its root goes into the monitor's system store.
    root = Path(site.ca).read_text()
    ask(
        "monitor1",
        f"echo '{site.client} {MAIL}' >>/etc/hosts; cat >>/etc/ssl/certs/ca-certificates.crt <<'END'\n{root}END\n"
        # Tickets are gathered for a minute first, which the golden trees show; here nobody waits for it.
        f"grep -q '{gathered('1m')}' {CONFIGURATION}\nsed -i 's/{gathered('1m')}/{gathered('1s')}/' {CONFIGURATION}\n"
        "systemctl restart prometheus-alertmanager",
    )
    yield site
    ask("client", "systemctl stop sink; rm -f /run/told /run/sink.*")


@pytest.fixture(scope="package")
def begin_browser(playwright: Playwright) -> Iterator[Begin]:
    """Starts Chromium with a home of its own, whose certificates are all that it trusts beside the public ones."""
    begun: list[Browser] = []

    def begin(home: Path) -> Browser:
        environment: dict[str, str | float | bool] = {**os.environ, "HOME": str(home)}
        begun.append(playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS), env=environment))
        return begun[-1]

    if CHROMIUM is None or shutil.which("certutil") is None:
        pytest.skip("chromium or certutil is not installed: scripts/setup test")
    yield begin
    for browser in begun:
        browser.close()


@pytest.fixture(scope="package")
def trusting(site: Site, begin_browser: Begin, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """Somebody's browser into which the project's root was imported; no error of a certificate is waved through."""
    home = tmp_path_factory.mktemp("trusting")
    certutil("-N", "--empty-password", home=home)
    certutil("-A", "-t", "C,,", "-n", "the project's root", "-i", site.ca, home=home)
    return begin_browser(home)


def certutil(*words: str, home: Path) -> None:
    """Change the certificates that a browser with that home trusts."""
    store = home / ".pki/nssdb"
    store.mkdir(parents=True, exist_ok=True)
    subprocess.run(["certutil", "-d", f"sql:{store}", *words], check=True)
