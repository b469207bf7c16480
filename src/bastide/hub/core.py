"""The hub's parts, and the one clock that drives them.

In: Settings. Out: `Hub`, which the routes use: what is stored, what is known, what was counted.
Holds: the store is used by one thread alone; everything else by the event loop alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from bastide.hub.alerting import changes, plain_alerts
from bastide.hub.auth import Logins, Sessions, load_key
from bastide.hub.happenings import FAILED_S, KEPT, Happenings
from bastide.hub.history import KEPT as MOMENTS
from bastide.hub.history import REMEMBERED_S, History
from bastide.hub.limits import Limiter
from bastide.hub.live import Live, Ring
from bastide.hub.past import Moment, Past
from bastide.hub.push import Pushed
from bastide.hub.records import Record
from bastide.hub.refused import Refused
from bastide.hub.settings import Settings
from bastide.hub.state import derive_state
from bastide.hub.store.archive import Archive
from bastide.hub.store.retention import retain
from bastide.hub.storing import Store
from bastide.hub.systemd import notify
from bastide.hub.upstream import fetch_json

LOG = logging.getLogger("hub")
STORES_AT_ONCE = 2
"""Requests whose records are in memory at the same time."""
LOOK_S = 0.25
"""How often it is looked who fell silent: a death is shown when it is noticed, not at the next second."""
WRITES_AT_ONCE = 8
"""Bodies of series that are in memory at the same time."""
HOUSEKEEPING_S = 60
ALERTS_S = 5
OWN = "_hub"
"""Under which the hub's own events are kept; no host can have that name."""
_REMEMBERED_S = 7 * 86400.0

_Result = TypeVar("_Result")


class Hub:
    """One monitor's hub."""

    def __init__(self, settings: Settings, *, search_argv: Sequence[str]) -> None:
        self.settings = settings
        self.search_argv = tuple(search_argv)
        self.started = time.time()
        self.live = Live(settings.hosts)
        self.happenings = Happenings(secrets.token_hex(4))
        self.counts: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.logins = Logins()
        self.sessions = Sessions(load_key(Path(settings.state) / "session.key"))
        self.pushed = Pushed(settings.push_tokens)
        self.frame_limit = Limiter(rate=5.0, burst=30.0)
        self.push_limit = Limiter(rate=10.0, burst=60.0)
        self.login_limit = Limiter(rate=0.1, burst=5.0)
        self.all_logins_limit = Limiter(rate=1.0, burst=60.0)
        self.metrics = Store(settings.prometheus)
        self.writing = asyncio.Semaphore(WRITES_AT_ONCE)
        self.storing = asyncio.Semaphore(STORES_AT_ONCE)
        self.searching = asyncio.Semaphore(2)
        self.alerts: tuple[dict[str, Any], ...] = ()
        self.alerts_at: float | None = None
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.totals: dict[str, Ring] = {}
        self.state: dict[str, Any] = {}
        self._past = Past(Path(settings.state) / "past", most=MOMENTS)
        self.history = History(self._past.load(self.started - REMEMBERED_S, self.started))
        self.ticks = 0
        self.ticked = asyncio.Condition()
        self.closing = False
        self.store_size = (0, 0)
        self.streams = 0
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self.archive = Archive(Path(settings.state) / "store")
        recent = self.archive.index.notable(kind="event", since=self.started - FAILED_S, limit=KEPT)
        self.happenings.note(reversed(recent))
        self._remember()
        self._derive(self.started)

    @property
    def store_folder(self) -> Path:
        """Where searches read."""
        return self.archive.folder

    async def on_disk(self, work: Callable[[], _Result]) -> _Result:
        """Run in the store's thread."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._disk, work)
        except (OSError, sqlite3.Error) as error:
            LOG.error("store: %s", error)
            self.counts["store_failures"] += 1
            raise Refused(503, "store", "the store cannot be written; keep what you have and try again") from error

    async def store(self, host: str, records: Sequence[Record]) -> int:
        """Store what is new, tell who watches; the highest number that is stored."""
        new = await self.on_disk(lambda: self.archive.append(host, records))
        self.counts["records"] += len(new)
        self.happenings.note(new)
        return self.archive.last_seq(host)

    async def store_unnumbered(self, host: str, records: Sequence[Record]) -> None:
        """Store records of somebody who does not count them: the numbers are given here."""

        def append() -> tuple[Record, ...]:
            first = self.archive.last_seq(host) + 1
            return self.archive.append(host, [replace(r, seq=first + index) for index, r in enumerate(records)])

        new = await self.on_disk(append)
        self.counts["records"] += len(new)
        self.happenings.note(new)

    async def say(self, kind: str, message: str, *, priority: int = 6, **fields: Any) -> None:
        """An event of the hub's own."""
        record = Record(
            host=OWN, seq=0, t=round(time.time(), 6), kind="event", unit=kind, priority=priority, message=message,
            fields=fields,
        )  # fmt: skip
        await self.store_unnumbered(OWN, [record])

    async def run(self) -> None:
        """Tick once a second, and when somebody fell silent or came back, until told to close."""
        due = looked = time.monotonic()
        kept = -float("inf")
        house = asyncio.create_task(asyncio.sleep(0))
        while not self.closing:
            now, moment = time.time(), time.monotonic()
            self.live.slept += max(0.0, moment - looked - 2 * LOOK_S)
            looked = moment
            if moment >= due or self._turned(now):
                self._derive(now)
                async with self.ticked:
                    self.ticks += 1
                    self.ticked.notify_all()
            if moment >= due:
                notify("WATCHDOG=1")
                if (moment_shown := self.history.put_sometimes(self.state)) is not None:
                    self._disk.submit(self._keep_moment, moment_shown, self.history.moments())
                due = max(due + 1.0, moment)
                if moment - kept >= HOUSEKEEPING_S and house.done():
                    kept, house = moment, asyncio.create_task(self._clean())
            await asyncio.sleep(max(0.0, min(LOOK_S, due - time.monotonic())))
        await house

    async def watch_alerts(self) -> None:
        """Look at Alertmanager now and then."""
        while not self.closing and self.settings.alertmanager:
            try:
                document = await asyncio.to_thread(fetch_json, self.settings.alertmanager, "/api/v2/alerts")
                await self._take_alerts(plain_alerts(document, self.acknowledged))
            except Refused as error:
                LOG.debug("alerts: %s", error)
            await asyncio.sleep(ALERTS_S)

    def close(self) -> None:
        """Let go of the store."""
        self.closing = True
        self._disk.submit(self.archive.close).result(timeout=30)
        self._disk.shutdown()

    async def _take_alerts(self, alerts: tuple[dict[str, Any], ...]) -> None:
        first, before = self.alerts_at is None, self.alerts
        self.alerts, self.alerts_at = alerts, time.time()
        for alert, began in () if first else changes(before, alerts):
            verb = "began" if began else "ended"
            await self.say(
                "alert", f"{alert['name']} {verb}: {alert['summary']}".rstrip(": "), priority=4 if began else 6,
                alert=alert["name"], severity=alert["severity"], about=alert["host"], began=began,
            )  # fmt: skip

    def _turned(self, now: float) -> bool:
        """Whether somebody's freshness is another than what is shown."""
        shown = self.state["hosts"]
        return any(
            self.live.freshness(h, now) != s["state"] for h, s in zip(self.live.hosts.values(), shown, strict=True)
        )

    async def _clean(self) -> None:
        with contextlib.suppress(Refused):
            await self.on_disk(self._keep_house)

    def _derive(self, now: float) -> None:
        self.state = derive_state(
            self.settings,
            self.live,
            now=now,
            started=self.started,
            failed_units=self.happenings.failed_units(now),
            alerts=self.alerts,
            alerting=None if not self.settings.alertmanager else now - (self.alerts_at or self.started),
        )
        for service, figures in self.state["services"].items():
            for key in ("rate", "errors", "p50_ms", "p95_ms", "p99_ms"):
                if figures[key] is not None:
                    self.totals.setdefault(f"{service}.{key}", Ring()).put(int(now), figures[key])

    def _keep_moment(self, moment: Moment, remembered: tuple[Moment, ...]) -> None:
        try:
            self._past.append(moment, remembered)
        except OSError as error:
            LOG.error("what was shown is not kept: %s", error)
            self.counts["store_failures"] += 1

    def _keep_house(self) -> None:
        self.archive.seal_old()
        retain(
            self.archive,
            oldest=time.time() - self.settings.log_retention_s,
            most=self.settings.log_retention_bytes,
        )
        self.store_size = (self.archive.index.size(), self.archive.index.lines())

    def _remember(self) -> None:
        """What people said to alerts before our last stop."""
        said = self.archive.index.notable(
            kind="event", since=self.started - _REMEMBERED_S, units=("acknowledged",), limit=500
        )
        for record in reversed(said):
            mark = record.fields.get("fingerprint")
            if isinstance(mark, str):
                self.acknowledged[mark] = {
                    "by": record.fields.get("by", ""), "comment": record.fields.get("comment", ""), "t": record.t,
                }  # fmt: skip
