"""The dashboard in a real browser, in front of the real hub: what a person sees when things go well, and wrong."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.town import Town

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)


def open_dashboard(page: Page, town: Town, role: str = "operator") -> None:
    page.goto(town.login_url(role))
    expect(page.locator("#whiteboard > svg:first-child")).to_be_visible()


def test_a_healthy_town_is_told_in_one_sentence_and_drawn_in_motion(page: Page, town: Town) -> None:
    town.begin(20)
    open_dashboard(page, town)
    expect(page.locator("#verdict")).to_have_class("ok")
    expect(page.locator("#verdict .text")).to_contain_text("All 9 hosts healthy")
    expect(page.locator("#figure-hosts dd")).to_have_text("9 of 9")
    expect(page.locator("#figure-rate dd")).to_have_text(re.compile(r"^\d{3}/s$"))
    expect(page.locator("#host-web1 > .mark")).to_have_attribute("href", "#bastide-mark-ok")
    expect(page.locator("#note-web1")).to_contain_text("cpu")
    # Requests travel on the edges; those of lb2, which has no virtual address, do not.
    expect(page.locator("#traffic .dot.mtls").first).to_be_attached()
    expect(page.locator("#edge-lb1-web1")).not_to_have_class(re.compile("idle"))
    expect(page.locator("#edge-lb2-web1")).to_have_class(re.compile("idle"))
    expect(page.locator("#rate-balancer-web")).to_have_text(re.compile(r"\d+/s"))
    # The key that opened the page is not in its address any more.
    assert "login" not in page.url


def test_a_host_that_falls_silent_turns_grey_with_its_age_then_counts_as_down(page: Page, town: Town) -> None:
    town.begin(12)
    open_dashboard(page, town)
    expect(page.locator("#host-app2 > .mark")).to_have_attribute("href", "#bastide-mark-ok")
    town.silent.add("app2")
    # In one look: after seven seconds it is over.
    page.wait_for_function(
        """() => {
          const at = (selector) => document.querySelector(selector);
          return at('#host-app2.stale') && at('#host-app2 > .mark[href="#bastide-mark-stale"]')
            && at('#svc-app2-app.unseen') && /data \\d+ s old/.test(at('#note-app2').textContent);
        }"""
    )
    expect(page.locator("#verdict .text")).to_contain_text("app2 has been silent")
    # Shape and text change again once it is dead, not the colour alone.
    expect(page.locator("#host-app2 > .mark")).to_have_attribute("href", "#bastide-mark-bad")
    expect(page.locator("#note-app2")).to_have_text(re.compile(r"silent for \d+ s"))
    expect(page.locator("#figure-hosts dd")).to_have_text("8 of 9")
    expect(page.locator("#host-app1 > .mark")).to_have_attribute("href", "#bastide-mark-ok")
    town.silent.clear()
    expect(page.locator("#host-app2 > .mark")).to_have_attribute("href", "#bastide-mark-ok")


def test_the_virtual_address_and_the_crown_move_to_their_new_holders(page: Page, town: Town) -> None:
    town.begin(12)
    open_dashboard(page, town)
    vip, crown = page.locator("#vip"), page.locator("#crown")
    expect(vip).to_have_attribute("data-holder", "lb1")
    before = vip.bounding_box()
    town.vip, town.primary = "lb2", "db2"
    expect(vip).to_have_attribute("data-holder", "lb2")
    expect(crown).to_have_attribute("data-holder", "db2")
    expect(page.locator("#figure-vip dd")).to_have_text("lb2")
    expect(page.locator("#figure-primary dd")).to_have_text("db2")
    expect(page.locator(".lag")).to_have_attribute("data-replica", "db1")
    page.wait_for_function(
        "y => document.querySelector('#vip').getBoundingClientRect().y > y + 60", arg=before["y"] if before else 0
    )
    card = page.locator("#wall-db2").bounding_box()
    page.wait_for_function(
        "top => Math.abs(document.querySelector('#crown').getBoundingClientRect().bottom - top) < 20",
        arg=card["y"] if card else 0,
    )
    expect(page.locator("#edge-internet-lb1")).to_have_class(re.compile("standby"))
    expect(page.locator("#edge-lb2-web1")).not_to_have_class(re.compile("idle"))


def test_failed_requests_are_diamonds_and_turned_away_packets_bounce(page: Page, town: Town) -> None:
    town.begin(12)
    open_dashboard(page, town)
    expect(page.locator("#traffic .dot").first).to_be_attached()
    assert page.locator("#traffic .dot.error").count() == 0
    town.errors, town.dropping = 0.3, 5.0
    expect(page.locator("#traffic .dot.error").first).to_be_attached()
    expect(page.locator("#traffic .bounced").first).to_be_attached()
    expect(page.locator("#verdict")).to_have_class("bad")
    expect(page.locator("#figure-errors dd")).to_have_text(re.compile(r"^[1-9][\d.]* %$"))


def test_a_click_tells_why_a_host_exists_with_charts_and_logs(page: Page, town: Town) -> None:
    town.logged("web1", "nginx.service", "upstream took a while")
    town.begin(60)
    open_dashboard(page, town)
    page.locator("#host-web1").click()
    panel = page.locator("#panel")
    expect(panel).to_be_visible()
    expect(panel.locator("h2")).to_have_text("web1")
    expect(panel.locator(".why")).to_contain_text("passes the rest to the application")
    expect(panel.locator(".chart canvas")).to_have_count(4)
    for chart in panel.locator(".chart").all():
        expect(chart).to_have_attribute("data-points", re.compile(r"^[1-9]\d+$"))
    expect(panel.locator(".gates")).to_contain_text("balancers pass requests to web servers")
    expect(panel.locator(".logs")).to_contain_text("upstream took a while")
    expect(panel.locator(".commands")).to_contain_text("bastide ssh web1")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    # By keyboard alone, and for a flow. From which balancer a request came is inferred, and said to be.
    page.locator("#flow-balancer-web .badge").focus()
    page.keyboard.press("Enter")
    expect(panel.locator(".now")).to_contain_text(re.compile(r"lb1 → web1: ≈ \d+/s"))
    expect(panel.locator(".now")).to_contain_text("inferred: requests are counted where they arrive")
    page.locator("#flow-internet-https .badge").focus()
    page.keyboard.press("Enter")
    expect(panel.locator(".now")).to_contain_text(re.compile(r"internet → lb1: \d+/s"))
    expect(panel.locator(".now")).not_to_contain_text("≈")
    page.locator("#flow-web-app .badge").focus()
    page.keyboard.press("Enter")
    expect(panel.locator(".why")).to_have_text("web servers pass what is not a static file to the application")
    expect(panel).to_contain_text("mutual TLS")


def test_on_a_phone_the_panel_comes_to_whoever_touches_a_host(page: Page, town: Town) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    town.begin(5)
    open_dashboard(page, town)
    page.locator("#host-lb1").click()
    expect(page.locator("#panel h2")).to_have_text("lb1")
    expect(page.locator("#panel h2")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, "only the picture scrolls sideways"
    page.locator("#panel .close").click()
    expect(page.locator("#panel")).to_be_hidden()


def test_logs_are_searched_and_filtered(page: Page, town: Town) -> None:
    for number in range(5):
        town.logged("web1", "nginx.service", f"GET /cart/{number} 200")
    town.logged("db1", "mariadb.service", "Aborted connection to the cart", priority=3)
    town.begin()
    open_dashboard(page, town)
    page.get_by_role("link", name="Logs").click()
    rows = page.locator("#log-table tbody tr")
    expect(rows.filter(has_text="cart")).to_have_count(6)
    page.get_by_label("Text").fill("/cart/3")
    page.get_by_role("button", name="Search").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("GET /cart/3 200")
    page.get_by_label("Text").fill("cart")
    page.get_by_label("At least").select_option("3")
    page.get_by_role("button", name="Search").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Aborted connection")
    page.get_by_label("Text").fill("no such words")
    page.keyboard.press("Enter")
    expect(page.locator("#log-summary")).to_contain_text("0 records")
    expect(rows).to_have_count(0)
    page.get_by_label("regular expression", exact=True).check()
    page.get_by_label("Text").fill("cart/[")
    page.keyboard.press("Enter")
    expect(page.locator("#log-summary")).not_to_contain_text("records")


def test_an_alert_is_acknowledged_with_a_comment_and_silenced(page: Page, town: Town) -> None:
    town.alertmanager.fire("DatabaseLag", "db2", "db2 is 40 s behind", severity="ticket")
    town.begin()
    open_dashboard(page, town)
    alert = page.locator(".alert")
    expect(alert).to_contain_text("db2 is 40 s behind")
    alert.get_by_role("button", name="Acknowledge").click()
    # Without a comment nothing is sent.
    alert.locator("form").get_by_role("button", name="Acknowledge").click()
    expect(alert.locator("form")).to_be_visible()
    alert.get_by_label("Comment").fill("a long report is running")
    alert.locator("form").get_by_role("button", name="Acknowledge").click()
    expect(alert.locator(".seen")).to_contain_text("a long report is running")
    expect(page.locator("#event-list")).to_contain_text("DatabaseLag: a long report is running")
    alert.get_by_role("button", name="Silence").click()
    alert.get_by_label("Comment").fill("until it is done")
    alert.locator("form").get_by_role("button", name="Silence").click()
    expect(alert).to_contain_text("silenced")
    [silence] = town.alertmanager.silences
    assert silence["comment"] == "until it is done"
    assert {"name": "alertname", "value": "DatabaseLag", "isRegex": False, "isEqual": True} in silence["matchers"]


def test_a_viewer_cannot_act(page: Page, town: Town) -> None:
    town.alertmanager.fire("DatabaseLag", "db2", "db2 is 40 s behind")
    town.begin()
    open_dashboard(page, town, role="viewer")
    expect(page.locator(".alert")).to_be_visible()
    assert page.locator(".alert button").count() == 0


def test_events_stand_on_the_timeline(page: Page, town: Town) -> None:
    town.happened("web1", "deploy", "generation 7 applied", ago=1200)
    town.begin()
    open_dashboard(page, town)
    expect(page.locator("#event-list")).to_contain_text("generation 7 applied")
    town.happened("db1", "unit-failed", "mariadb.service failed", priority=3, unit="mariadb.service")
    expect(page.locator("#svc-db1-mariadb .mark")).to_have_attribute("href", "#bastide-mark-bad")
    expect(page.locator("#note-db1")).to_contain_text("mariadb.service")
    mark = page.get_by_role("button", name=re.compile("generation 7 applied"))
    mark.click()
    expect(page.locator("#event-list .pointed")).to_contain_text("generation 7")


def test_a_verification_is_told_from_an_attack_while_it_goes_on(page: Page, town: Town) -> None:
    town.happened("lb1", "verify", "verification began: walls, by anna", ago=20, state="began")
    town.dropping = 50.0
    town.begin()
    open_dashboard(page, town)
    expect(page.locator("#verdict .text")).to_contain_text("A verification is going on")
    expect(page.locator("#event-list")).to_contain_text("verification began: walls, by anna")
    expect(page.locator("#traffic .bounced.probe").first).to_be_attached()
    town.happened("lb1", "verify", "verification ended: walls, by anna", state="ended")
    expect(page.locator("#verdict .text")).not_to_contain_text("A verification is going on")
    expect(page.locator("#traffic .bounced:not(.probe)").first).to_be_attached()


def test_a_lost_hub_is_told_and_nothing_stays_green(page: Page, town: Town) -> None:
    town.begin(12)
    open_dashboard(page, town)
    expect(page.locator("#verdict")).to_have_class("ok")
    expect(page.locator("#figure-primary dd")).to_have_text("db1")
    town.door.slam()
    expect(page.locator("#link")).to_contain_text("heard nothing from the hub")
    expect(page.locator("#verdict")).not_to_have_class("ok")
    expect(page.locator("#verdict .text")).to_contain_text("Not known for")
    expect(page.locator("#whiteboard .host.ok")).to_have_count(0)
    expect(page.locator("#traffic .dot")).to_have_count(0)
    for figure, last in (("primary", "db1?"), ("vip", "lb1?")):
        expect(page.locator(f"#figure-{figure} dd")).to_have_text(last)
    town.door.shut = False
    expect(page.locator("#verdict")).to_have_class("ok")
    expect(page.locator("#figure-primary dd")).to_have_text("db1")
    expect(page.locator("#link")).to_be_hidden()


def test_tabs_share_one_stream_and_the_next_tab_takes_over(page: Page, town: Town) -> None:
    town.begin(12)
    open_dashboard(page, town)
    expect(page.locator("html")).to_have_attribute("data-stream", "leader")
    context: BrowserContext = page.context
    second = context.new_page()
    second.goto(town.url)
    expect(second.locator("#verdict")).to_have_class("ok")
    expect(second.locator("html")).to_have_attribute("data-stream", "follower")
    page.close()
    expect(second.locator("html")).to_have_attribute("data-stream", "leader")
    town.vip = "lb2"
    expect(second.locator("#vip")).to_have_attribute("data-holder", "lb2")


def test_the_tv_page_shows_and_offers_nothing(page: Page, town: Town) -> None:
    town.begin(12)
    open_dashboard(page, town)
    page.goto(f"{town.url}tv")
    expect(page.locator("#verdict .text")).to_contain_text("All 9 hosts healthy")
    expect(page.locator("#host-web1 > .mark")).to_have_attribute("href", "#bastide-mark-ok")
    assert page.locator("form, nav, #panel").count() == 0
    overflow = page.evaluate("document.documentElement.scrollHeight - innerHeight")
    assert overflow <= 0


def test_without_a_session_there_is_a_login_and_a_used_key_does_not_open_it(page: Page, town: Town) -> None:
    town.begin()
    page.goto(town.url)
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    expect(page.locator("#whiteboard > svg:first-child")).to_have_count(0)
    page.get_by_label("Or paste the key").fill("guessed")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#login-error")).to_contain_text("used already or is older")
    key = town.login_url().partition("=")[2]
    page.get_by_label("Or paste the key").fill(key)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#whiteboard > svg:first-child")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page.get_by_label("Or paste the key").fill(key)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#login-error")).to_contain_text("used already or is older")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_text_leaves_its_card(page: Page, town: Town, theme: str) -> None:
    town.begin(12)
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    open_dashboard(page, town)
    expect(page.locator("#note-db2")).to_contain_text("replica")
    wide = page.evaluate(
        """() => [...document.querySelectorAll('.host')].flatMap((host) => {
          const card = host.querySelector('.card').getBoundingClientRect();
          return [...host.querySelectorAll('.name, .note, .chip text')].filter((text) => {
            const box = text.getBoundingClientRect();
            return box.right > card.right || box.left < card.left || box.bottom > card.bottom;
          }).map((text) => text.textContent);
        })"""
    )
    assert wide == []


def test_nothing_moves_for_people_who_asked_for_that(page: Page, town: Town) -> None:
    town.begin(12)
    page.emulate_media(reduced_motion="reduce")
    open_dashboard(page, town)
    expect(page.locator("#rate-balancer-web")).to_have_text(re.compile(r"\d+/s"))
    page.wait_for_timeout(1500)
    assert page.locator("#traffic > *").count() == 0
