"""The README's picture of the dashboard: a town on an ordinary day with something to see. Not a test.

Usage: python -m tests.browser.portrait docs/dashboard.png
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.town import Town, found_town

SETTLE_MS = 6000


def tell_a_day(town: Town) -> None:
    """A failover an hour ago, a deploy, one host that has just fallen silent."""
    town.primary = "db2"
    for ago, host, kind, message, priority in (
        (3100, "web1", "deploy", "generation 12 applied on 9 hosts", 5),
        (2300, "db1", "unit-failed", "mariadb.service was killed", 3),
        (2291, "db2", "agent", "db2 is the primary now", 5),
        (2270, "db1", "unit-started", "mariadb.service runs again, as a replica", 5),
        (1150, "lb1", "certificate", "certificate of shop.test renewed", 6),
        (420, "web2", "deploy", "generation 13 applied on 2 hosts", 5),
    ):
        town.happened(host, kind, message, ago=ago, priority=priority, unit="mariadb.service")
    for second, (unit, message, priority) in enumerate(
        (
            ("app.service", "POST /cart 201 in 14 ms", 6),
            ("app.service", "GET /api/products 200 in 6 ms", 6),
            ("app.service", "payment took 1.8 s, longer than 1 s", 4),
            ("nginx.service", "reloaded after a new certificate", 6),
            ("app.service", "GET / 200 in 4 ms", 6),
        )
    ):
        town.logged("app1", unit, message, ago=40 - second * 7, priority=priority)
    town.dropping = 2.0


def paint(page: Page, town: Town, target: Path) -> None:
    page.goto(town.login_url())
    page.locator("#whiteboard > svg:first-child").wait_for()
    town.silent.add("web2")
    page.wait_for_timeout(10_500)
    town.alertmanager.fire("HostSilent", "web2", "web2 has not been heard of for 8 s", severity="ticket", ago=0)
    page.locator("#host-app1").click()
    page.wait_for_timeout(SETTLE_MS)
    page.mouse.move(5, 5)
    page.screenshot(path=target)


def main(target: Path) -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        town = found_town(Path(folder))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            tell_a_day(town)
            town.begin(240)
            paint(browser.new_page(viewport={"width": 1500, "height": 940}), town, target)
        finally:
            browser.close()
            town.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
