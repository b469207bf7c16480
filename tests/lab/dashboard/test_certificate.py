"""Who imported the project's root opens what `bastide dashboard` prints, and no browser warns."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, expect

from tests.lab.dashboard.conftest import Begin, Site, certutil

pytestmark = pytest.mark.lab


def opens(browser: Browser, url: str) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(url, timeout=120_000)
        expect(page.locator("#project")).to_have_text("watched", timeout=60_000)


def test_the_address_that_is_printed_is_what_the_certificate_says(site: Site, trusting: Browser) -> None:
    opens(trusting, site.dashboard()["url"])


def test_through_a_tunnel_too(site: Site, trusting: Browser) -> None:
    tunnel = site.commands.start("dashboard", "--json", "--tunnel")
    try:
        assert tunnel.stdout
        text = ""
        while not text.endswith("}\n"):
            line = tunnel.stdout.readline()
            assert line, f"it ended: {text}"
            text += line
        made = json.loads(text)
        assert made["tunnel"] and "//monitor1.watched.localhost:" in made["url"]
        opens(trusting, made["url"])
    finally:
        tunnel.send_signal(signal.SIGINT)
        tunnel.communicate(timeout=60)


def test_a_browser_without_the_root_refuses(site: Site, begin_browser: Begin, tmp_path: Path) -> None:
    """The negative control, with the same flags."""
    certutil("-N", "--empty-password", home=tmp_path)
    with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
        opens(begin_browser(tmp_path), site.dashboard()["url"])
