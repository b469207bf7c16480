"""Going back in time with real clicks and keys: what was shown then, clearly marked, and back to live."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_dashboard import open_dashboard
from tests.browser.town import Town

pytestmark = pytest.mark.browser


def test_a_moment_before_the_failure_is_shown_as_it_was(page: Page, town: Town) -> None:
    town.begin(12)
    open_dashboard(page, town)
    verdict, banner = page.locator("#verdict .text"), page.locator("#then")
    expect(verdict).to_contain_text("All 9 hosts healthy")
    # Two of the moments that the hub keeps lie in the healthy time.
    page.wait_for_timeout(11_000)
    town.silent.add("app2")
    expect(page.locator("#host-app2 > .mark")).to_have_attribute("href", "#bastide-mark-bad")
    # Only now: a moment in which the address had moved and app2 was not missed yet would be a healthy one.
    town.vip = "lb2"
    expect(page.locator("#vip")).to_have_attribute("data-holder", "lb2")
    expect(banner).to_be_hidden()

    slider = page.get_by_role("slider", name="Go back in time")
    slider.focus()
    # Five seconds a key, until the healthy time is reached; how long ago that is depends on how busy this computer is.
    for _ in range(60):
        with page.expect_response(re.compile("/api/then")) as answer:
            slider.press("ArrowLeft")
        # Each moment is looked at before the next one is asked for, or a slow answer would have the healthy time missed.
        page.wait_for_function(
            """t => document.querySelector('#scrub-at').textContent
              === new Date(t * 1000).toLocaleTimeString([], {hour12: false})""",
            arg=answer.value.json()["t"],
        )
        if "healthy" in verdict.inner_text():
            break
    expect(banner).to_contain_text(re.compile(r"Then: \d+:\d\d:\d\d.*, \d+ (s|min) ago"))
    expect(verdict).to_have_text(re.compile(r"^Then, \d+:\d\d:\d\d.*: All 9 hosts healthy"))
    expect(page.locator("#host-app2 > .mark")).to_have_attribute("href", "#bastide-mark-ok")
    expect(page.locator("#vip")).to_have_attribute("data-holder", "lb1")
    expect(page.locator("#figure-hosts dd")).to_have_text("9 of 9")
    expect(page.locator("html")).to_have_class(re.compile(r"\bthen\b"))
    # It stays the past while the live stream goes on behind it, and a panel tells of the past too.
    page.locator("#host-app2").click()
    expect(page.locator("#panel .state")).to_contain_text("well")
    page.wait_for_timeout(2500)
    expect(page.locator("#host-app2 > .mark")).to_have_attribute("href", "#bastide-mark-ok")

    page.get_by_role("button", name="Back to live").click()
    expect(banner).to_be_hidden()
    expect(page.locator("#host-app2 > .mark")).to_have_attribute("href", "#bastide-mark-bad")
    expect(page.locator("#panel .state")).to_contain_text("silent")
    expect(verdict).to_contain_text("app2 has been silent")
    expect(page.locator("html")).not_to_have_class(re.compile(r"\bthen\b"))


def test_an_event_leads_to_its_moment_and_one_that_is_not_kept_says_so(page: Page, town: Town) -> None:
    town.begin(12)
    open_dashboard(page, town)
    page.wait_for_timeout(6_000)
    town.happened("web1", "deploy", "generation 8 applied")
    town.happened("web1", "deploy", "generation 3 applied", ago=1800)
    entry = page.locator("#event-list li", has_text="generation 8 applied")
    entry.get_by_role("button").click()
    expect(page.locator("#then")).to_contain_text("All that is shown was so at that moment")

    page.locator("#event-list li", has_text="generation 3 applied").get_by_role("button").click()
    expect(page.locator("#then")).to_contain_text(
        "this monitor remembers nothing of that moment. What is shown is live"
    )
    expect(page.locator("html")).not_to_have_class(re.compile(r"\bthen\b"))
    page.get_by_role("button", name="Back to live").click()
    expect(page.locator("#then")).to_be_hidden()
