"""The loop: count, commit, publish, once a second. Everything slower or less certain runs in threads beside it.

In: Settings. Out: the effects that ARCHITECTURE.md and docs/adr/0012 name.
Holds: nothing here waits for the network. systemd is told that we live only by a loop that comes round.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bastide.agent import otlp, push
from bastide.agent.alive import format_alive
from bastide.agent.events import make_event
from bastide.agent.exposition import Births, format_log, format_series
from bastide.agent.gauges import Gauges
from bastide.agent.journal import Journal
from bastide.agent.ledger import Ledger
from bastide.agent.neighbours import Neighbours
from bastide.agent.pushed import Pushed, Refused
from bastide.agent.requests import RequestRecords
from bastide.agent.server import Answer, HttpServer, StatsdServer, error
from bastide.agent.settings import Settings
from bastide.agent.shipping import Board, Shipping
from bastide.agent.spool import Spool
from bastide.agent.systemd import notify
from bastide.agent.watch import Watch

WATCH_S = 10.0
_log = logging.getLogger(__name__)


class Agent:
    """Everything, wired."""

    def __init__(self, settings: Settings):
        self._settings = settings
        state = Path(settings.state)
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = [m.name for m in settings.monitors]
        self._spool = Spool(state / "spool", limit_bytes=settings.spool_bytes, monitors=names, now_s=time.time())
        self._board = Board()
        self._ledgers = [Ledger(log, state) for log in settings.logs]
        most = settings.max_logs_per_second
        self._records = [
            RequestRecords(
                log, every=settings.log_requests == "edge" and log.service == "edge", max_per_second=most
            )
            for log in settings.logs
        ]
        self._gauges = Gauges(settings.disks, settings.virtual_ip)
        self._neighbours = Neighbours(settings)
        self._pushed = Pushed(settings.max_pushed_series)
        self._births = Births()
        for ledger in self._ledgers:
            self._births.visible(ledger.log.service, ledger.committed)
        self._journal = Journal(self._spool, max_logs=most, max_events=settings.max_events_per_second)
        self._watch = Watch(
            current=Path(settings.current),
            drift=Path(settings.drift_record),
            request=Path(settings.drift_request),
            state=state,
        )
        tls = settings.tls
        self._shipping = [Shipping(m, tls, self._board, self._spool) for m in settings.monitors] if tls else []
        self._local = HttpServer(
            settings.listen,
            {
                ("GET", "/metrics"): self._metrics,
                ("GET", "/alive"): self._alive,
                ("POST", "/push"): self._push,
            },
        )
        self._otlp = HttpServer(
            settings.otlp, {("POST", "/v1/metrics"): self._otlp_metrics, ("POST", "/v1/logs"): self._otlp_logs}
        )
        self._statsd = StatsdServer(settings.statsd, self._pushed)
        self._stopping = threading.Event()
        self._sequence = int(time.time() * 1000)
        self._began = time.monotonic()
        self._lag_s = 0.0

    def stop(self) -> None:
        """End after this round. From another thread than the one that runs."""
        self._stopping.set()

    def run(self) -> None:
        """Until stopped."""
        self._spool.append(make_event(time.time(), "agent", "the agent started", state="started"))
        for listener in (self._local, self._otlp, self._statsd):
            listener.start()
        self._neighbours.start()
        for shipping in self._shipping:
            shipping.start()
        if self._settings.journal:
            self._journal.start()
        watched_s, due_s = -WATCH_S, time.monotonic()
        ready = False
        while not self._stopping.is_set():
            self.count()
            if time.monotonic() - watched_s >= WATCH_S:
                watched_s = time.monotonic()
                for event in self._watch.look(time.time()):
                    self._spool.append(event)
            self._journal.take(time.time())
            self._publish()
            notify("WATCHDOG=1" if ready else "READY=1\nWATCHDOG=1")
            ready = True
            due_s = max(due_s + 1.0, time.monotonic())
            self._stopping.wait(due_s - time.monotonic())
        self._end()

    def count(self) -> None:
        """Count what was written, to the end of each log; a backlog tells systemd in between that we live."""
        begun = time.monotonic()
        for ledger, records in zip(self._ledgers, self._records, strict=True):
            told = time.monotonic()
            for block in ledger.blocks():
                now = time.time()
                for record in records.read(block, now):
                    self._spool.append(record)
                if records.every:
                    # A block holds a thousand lines, and the spool's buffer five thousand.
                    self._spool.flush(now)
                if time.monotonic() - told > 1.0:
                    told = time.monotonic()
                    notify("WATCHDOG=1")
                    self._publish()
        self._lag_s = time.monotonic() - begun

    def _publish(self) -> None:
        self._sequence += 1
        gauges, counters = self._neighbours.latest()
        counters = dict(counters)
        for ledger in self._ledgers:
            counters |= ledger.framed()
        frame = {
            "host": self._settings.host,
            "t": round(time.time(), 3),
            "seq": self._sequence,
            "gauges": self._gauges.read() | gauges,
            "counters": counters,
        }
        self._board.publish(json.dumps(frame, separators=(",", ":")).encode())

    def _end(self) -> None:
        self.count()
        self._spool.append(make_event(time.time(), "agent", "the agent stopped", state="stopped"))
        self._journal.stop()
        self._journal.take(time.time())
        for listener in (self._local, self._otlp, self._statsd):
            listener.close()
        self._neighbours.stop()
        for shipping in self._shipping:
            shipping.stop()
        for ledger in self._ledgers:
            ledger.close()

    def _metrics(self, body: bytes, fields: Mapping[str, str]) -> Answer:
        lines: list[str] = []
        for ledger in self._ledgers:
            visible = self._births.visible(ledger.log.service, ledger.committed)
            lines += format_log(ledger.log, self._settings.host, visible)
            labels = {"service": ledger.log.service}
            for name in ("lines", "malformed", "overflowed"):
                lines.append(format_series(f"bastide_agent_{name}_total", labels, visible[name]))
            lines.append(format_series("bastide_agent_lag_bytes", labels, ledger.behind_bytes))
            lines += (
                format_series(f"bastide_agent_{name}_total", labels, value)
                for name, value in ledger.accidents.items()
            )
        lines += self._own()
        lines += self._pushed.format()
        return Answer(status=200, body="".join(lines).encode(), kind="text/plain; version=0.0.4")

    def _alive(self, body: bytes, fields: Mapping[str, str]) -> Answer:
        text = "".join(format_alive(self._settings.exporters))
        return Answer(status=200, body=text.encode(), kind="text/plain; version=0.0.4")

    def _own(self) -> list[str]:
        now = time.monotonic()
        values: dict[str, float] = {
            "journal_entries_total": self._journal.entries,
            "journal_unreadable_total": self._journal.unreadable,
            "spool_bytes": self._spool.bytes(),
            "spool_dropped_total": self._spool.dropped,
            "pushed_series": len(self._pushed),
            "pushed_series_refused_total": self._pushed.refused_series,
            "statsd_refused_total": self._statsd.refused,
            "request_records_suppressed_total": sum(r.suppressed for r in self._records),
            "drift_files": self._watch.drifted,
            "round_seconds": round(self._lag_s, 4),
            "resident_bytes": _resident_bytes(),
        }
        lines = [format_series(f"bastide_agent_{name}", {}, value) for name, value in values.items()]
        for shipping in self._shipping:
            labels = {"monitor": shipping.monitor.name}
            # One that was never reached is as old as the agent.
            since = now - (self._began if shipping.delivered_s is None else shipping.delivered_s)
            lines.append(format_series("bastide_agent_push_age_seconds", labels, round(since, 3)))
            lines.append(format_series("bastide_agent_push_failures_total", labels, shipping.failures))
        return lines

    def _push(self, body: bytes, fields: Mapping[str, str]) -> Answer:
        plain = _parse(body, fields)
        events = list(push.read_events(plain, time.time()))
        push.read_metrics(plain, self._pushed)
        self._keep(events)
        return Answer(status=200, body=b"{}\n")

    def _otlp_metrics(self, body: bytes, fields: Mapping[str, str]) -> Answer:
        wrong = otlp.read_metrics(_parse(body, fields), self._pushed)
        partial = {"partialSuccess": {"rejectedDataPoints": len(wrong), "errorMessage": "; ".join(wrong[:5])}}
        return Answer(status=200, body=json.dumps(partial if wrong else {}).encode())

    def _otlp_logs(self, body: bytes, fields: Mapping[str, str]) -> Answer:
        if fields.get("content-type", "").partition(";")[0].strip() not in ("", "application/json"):
            return error(415, "OTLP is taken as JSON: set OTEL_EXPORTER_OTLP_PROTOCOL=http/json")
        self._keep(list(otlp.read_logs(_parse(body, fields), time.time())))
        return Answer(status=200, body=b"{}")

    def _keep(self, records: list[dict[str, Any]]) -> None:
        for record in records:
            self._spool.append(record)


def _parse(body: bytes, fields: Mapping[str, str]) -> Any:
    if fields.get("content-encoding", "identity") != "identity":
        raise Refused("a compressed body is not taken")
    if "protobuf" in fields.get("content-type", ""):
        raise Refused("protobuf is not taken: set OTEL_EXPORTER_OTLP_PROTOCOL=http/json")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise Refused(f"not JSON: {problem}") from None


def _resident_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, ValueError, IndexError):
        return 0
