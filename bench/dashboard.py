"""What the dashboard costs: the hub on a monitor, and the page in a browser, for nine hosts and for a hundred.

In: synthetic agents in front of the real hub, the page in headless Chromium without a graphics card. Out: figures.
Processor time is read from /proc, of the hub's process and of every process of the browser, while frames of all hosts
come each second and one page watches.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright

from bench.figure import Figure
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.browser.town import Town, found_town
from tests.unit.specs import RESILIENT

WATCH_S = 20
_HZ = os.sysconf("SC_CLK_TCK")
HUNDRED: Mapping[str, Sequence[str]] = {
    "lb1": ["balancer"], "lb2": ["balancer"], "monitor1": ["monitor", "witness"],
    **{f"web{n}": ["web"] for n in range(1, 43)}, **{f"app{n}": ["app"] for n in range(1, 51)},
    **{f"db{n}": ["database"] for n in range(1, 6)},
}  # fmt: skip


def measure() -> Iterator[Figure]:
    """Both sizes."""
    for layout in (RESILIENT, HUNDRED):
        with tempfile.TemporaryDirectory() as folder:
            town = found_town(Path(folder), layout)
            try:
                yield from _watch(town, len(layout))
            finally:
                town.end()


def _watch(town: Town, hosts: int) -> Iterator[Figure]:
    command = "bench/run.py dashboard"
    with sync_playwright() as playwright:
        before = set(_children(os.getpid()))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        town.begin(0)
        page.goto(town.login_url())
        page.wait_for_selector("#whiteboard > svg:first-child")
        page.wait_for_timeout(5000)
        hub = {town.hub.process.pid}
        mine = {p for p in _children(os.getpid()) if p not in before and _is_browser(p)}
        spent = [_spent_s(hub), _spent_s(mine)]
        begun = time.monotonic()
        page.wait_for_timeout(WATCH_S * 1000)
        seconds = time.monotonic() - begun
        shares = [(_spent_s(who) - was) / seconds * 100 for who, was in zip((hub, mine), spent, strict=True)]
        assert page.inner_text("#figure-hosts dd").endswith(f"of {hosts}")
        browser.close()
    yield Figure(name=f"{hosts} hosts: the hub", value=shares[0], unit="% of a core", command=command, at_most=5)
    yield Figure(
        name=f"{hosts} hosts: the browser", value=shares[1], unit="% of a core", command=command, at_most=10
    )


def _children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found = [int(word) for word in (task / "children").read_text().split()]
        except OSError:
            continue
        for child in found:
            yield child
            yield from _children(child)


def _is_browser(pid: int) -> bool:
    try:
        return b"chromium" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _spent_s(pids: set[int]) -> float:
    total = 0.0
    for pid in pids:
        try:
            words = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        total += (int(words[11]) + int(words[12])) / _HZ
    return total
