"""The load: visitors on the internet side, writers on every application host, eyes on every database.

In: Ground, a rate. Out: `Load`; `peek` is the ledger so far, `finish` all of it. Raises AskFailed.
Holds: writers and eyes write to their host's disk, so that what they saw outlives the host's death and our connection;
the visitors run on the lab's client, or on this computer where there is none.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bastide.prober
from bastide.drill.ground import Ground
from bastide.drill.ledger import Ledger, parse_reads, parse_writes
from bastide.drill.watch import Watch, parse_looks
from bastide.products.app.render import ENVIRONMENT
from bastide.products.mariadb.paths import SERVER_SOCKET
from bastide.transport.clock import SAME_CLOCK_S, clock_offset
from bastide.verify.asking import AskFailed, Asking, Probers, ask

READS_S, LOOK_S = 15.0, 0.004
"""Reads a second (the edge allows one source twenty new connections a second), and the pause between two looks."""
WRITERS, WRITE_PAUSE_S, PATIENCE_S = 2, 0.02, 5.0
_LONGEST_S = 1800.0
"""Whatever runs on a host ends by itself after that."""
_FETCH_S = 90.0
Recorder = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """What visitors ask for."""

    domain: str
    path: str
    address: str | None
    ca: str | None


def recorders_of(ground: Ground) -> tuple[Recorder, ...]:
    """Who records what, in spec order; nothing without a database and an application that has one."""
    if ground.target.spec.database is None:
        return ()
    databases = [(host.name, "looks") for host in ground.topology.tier("database")]
    if ground.target.spec.app.kind == "static":
        return tuple(databases)
    return (*((host.name, "writes") for host in ground.topology.tier("app")), *databases)


class Load:
    """Runs from `begin` to `finish`."""

    def __init__(self, ground: Ground, site: Site) -> None:
        self._ground, self._site = ground, site
        self.recorders = self._left = recorders_of(ground)
        self._writers = [host for host, what in self.recorders if what == "writes"]
        self._reads: list[list[Any]] = []
        self._lag = 0.0
        """How far the visitors' clock is ahead of ours."""
        self._asking: Asking | None = None
        self._local: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """The table, the recorders, the visitors."""
        until = time.time() + _LONGEST_S
        if self._writers:
            change_ledger(self._ground, "make", self._writers)
        self._each(self.recorders, lambda r: self._record(r, until))
        ask_for = {
            "domain": self._site.domain, "path": self._site.path, "address": self._site.address, "ca": self._site.ca,
            "rate": READS_S, "patience_s": PATIENCE_S, "until": until,
        }  # fmt: skip
        client = self._ground.target.client
        if client is not None:
            self._asking = Asking(Probers(), client, "visits", **ask_for).await_ready()
            self._follow(self._asking.read)
        else:
            self._begin_here(ask_for)

    def peek(self) -> Ledger:
        """What clients were told so far: everything until it was asked, and some of what came meanwhile."""
        said = self._each((r for r in self.recorders if r[1] == "writes"), self._recent)
        found = [write for lines, offset in said.values() for write in parse_writes(lines, offset)]
        return Ledger(
            reads=parse_reads(list(self._reads), self._lag),
            writes=tuple(sorted(found, key=lambda w: w.ended)),
            writing=bool(self._writers),
        )

    def finish(self) -> tuple[Ledger, Watch, float]:
        """End it: everything that was told and seen, and when it ended. Raises AskFailed."""
        self._end_visits()
        over = time.time()
        said = self._each(self.recorders, self._collect)
        self._left = ()
        writes = [
            w for (_, what), (lines, off) in said.items() if what == "writes" for w in parse_writes(lines, off)
        ]
        watch = Watch(
            seen={host: parse_looks(lines, off) for (host, what), (lines, off) in said.items() if what == "looks"}
        )
        ledger = Ledger(
            reads=parse_reads(self._reads, self._lag),
            writes=tuple(sorted(writes, key=lambda w: w.ended)),
            writing=bool(self._writers),
        )
        return ledger, watch, over

    def abandon(self) -> None:
        """End it, whatever state it is in; nothing is kept."""
        with suppress(AskFailed, OSError, ValueError):
            self._end_visits()
        forget_recorders(self._ground, self._left)
        with suppress(AskFailed):
            change_ledger(self._ground, "drop", self._writers)

    def _record(self, recorder: Recorder, until: float) -> None:
        host, what = recorder
        number = self._writers.index(host) if what == "writes" else 0
        settings: dict[str, Any] = {"until": until}
        if what == "writes":
            settings |= {
                "environment": ENVIRONMENT, "writers": WRITERS, "pause_s": WRITE_PAUSE_S, "patience_s": PATIENCE_S,
                "number": number,
            }  # fmt: skip
        else:
            settings |= {"socket": SERVER_SOCKET, "pause_s": LOOK_S}
        ask(self._ground.target.endpoint(host), "record", what=what, settings=settings)

    def _collect(self, recorder: Recorder) -> tuple[list[Any], float]:
        host, what = recorder
        end = time.monotonic() + _FETCH_S
        while True:
            try:
                answer, offset = self._timed(host, "collect", what=what)
            except AskFailed:
                if time.monotonic() > end:
                    raise
                time.sleep(1.0)
                continue
            return answer["lines"], offset

    def _recent(self, recorder: Recorder) -> tuple[list[Any], float]:
        """What it told last; nothing from a host that does not answer."""
        try:
            answer, offset = self._timed(recorder[0], "recent", what=recorder[1], bytes=16384)
        except AskFailed:
            return [], 0.0
        return answer["lines"], offset

    def _timed(self, host: str, operation: str, **fields: Any) -> tuple[dict[str, Any], float]:
        """An answer, and how far the host's clock is ahead of ours, if that can be told at all."""
        asked = time.time()
        answer = ask(self._ground.target.endpoint(host), operation, **fields)
        return answer, clock_offset(asked, answer["now"], time.time())

    def _begin_here(self, ask_for: Mapping[str, Any]) -> None:
        source = Path(bastide.prober.__file__).parents[2]
        self._local = subprocess.Popen(
            [sys.executable, "-c", "from bastide.prober.main import main; main()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(source)},
        )  # fmt: skip
        assert self._local.stdin is not None and self._local.stdout is not None
        self._local.stdin.write(json.dumps({"op": "visits", **ask_for}).encode() + b"\n")
        self._local.stdin.flush()
        stream = self._local.stdout
        self._follow(lambda: json.loads(stream.readline() or b"{}"))

    def _follow(self, read: Callable[[], dict[str, Any]]) -> None:
        def work() -> None:
            late = float("inf")
            with suppress(AskFailed, ValueError):
                while True:
                    said = read()
                    if "seen" in said:
                        # Each is heard a little after it was said, or long after, where we are busy: the least counts.
                        late = min(late, time.time() - said["now"])
                        self._lag = -late if abs(late) > SAME_CLOCK_S else 0.0
                        self._reads.extend(said["seen"])
                    elif "ready" not in said:
                        return

        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()

    def _end_visits(self) -> None:
        if self._asking is not None:
            self._asking.tell_end()
        if self._local is not None and self._local.stdin is not None:
            self._local.stdin.close()
        if self._thread is not None:
            self._thread.join(timeout=4 * PATIENCE_S)
        if self._asking is not None:
            self._asking.close()
        if self._local is not None:
            self._local.kill()
            self._local.wait()
        self._asking = self._local = self._thread = None

    def _each(self, recorders: Iterable[Recorder], work: Callable[[Recorder], Any]) -> dict[Recorder, Any]:
        wanted = list(recorders)
        if not wanted:
            return {}
        with ThreadPoolExecutor(max_workers=3 if self._ground.lab else 8) as pool:
            return dict(zip(wanted, pool.map(work, wanted), strict=True))


def forget_recorders(ground: Ground, recorders: Iterable[Recorder]) -> None:
    """Leave nothing on hosts that answer."""
    for host, what in recorders:
        with suppress(AskFailed):
            ask(ground.target.endpoint(host), "forget", what=what)


def change_ledger(ground: Ground, do: str, hosts: Iterable[str]) -> None:
    """Make or drop the table, by the first application host that can. Raises AskFailed."""
    last: AskFailed | None = None
    for host in hosts:
        try:
            ask(ground.target.endpoint(host), "ledger", environment=ENVIRONMENT, do=do)
        except AskFailed as failure:
            last = failure
        else:
            return
    if last is not None:
        raise last
