"""The loop: look, decide, act, say. Thin on purpose; every rule is in `decide.py`.

In: Settings. Out: effects on one server and its data directory, answers on the status socket, lines for the
journal. Holds: long work runs beside the loop, which goes on answering; a failed action ends the round and the next
look decides anew, so every action may be repeated.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from bastide.keeper.actions import (
    Action,
    Clone,
    CloseForWrites,
    Decision,
    Follow,
    Initialise,
    OpenForWrites,
    ResumeReplication,
    SemiSync,
    SetPosition,
    StartServer,
    WriteRecord,
)
from bastide.keeper.datadir import DataDirectoryError, initialise, observe_data, read_record, write_record
from bastide.keeper.decide import decide
from bastide.keeper.facts import Memory, Observation
from bastide.keeper.hosts import write_hosts
from bastide.keeper.peers import PeerWatch
from bastide.keeper.seeding import SeedFailed, receive
from bastide.keeper.server import ForeignServer, ServerClient, ServerError
from bastide.keeper.settings import Settings, load_secrets
from bastide.keeper.status import StatusServer, View
from bastide.keeper.systemd import notify, open_listener

ROUND_S = 0.5
PAUSE_AFTER_FAILED_JOB_S = 5.0
Job = Literal["initialising", "seeding"]
log = logging.getLogger("keeper")


class Keeper:
    """One host's keeper."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server = ServerClient(settings)
        self._peers = PeerWatch(settings)
        self._memory = Memory(started_s=time.monotonic())
        self._job: Job | None = None
        self._stop = threading.Event()
        self._last_line = ""

    def stop(self) -> None:
        """End after the round."""
        self._stop.set()

    def run(self) -> None:
        """Until stopped."""
        write_hosts(self._settings)
        status = StatusServer(self._settings, open_listener(self._settings.status_socket))
        self._peers.start()
        first = True
        while not self._stop.is_set():
            view = self.round()
            status.publish(view)
            notify(
                f"STATUS={view.decision.state}: {view.decision.message}"[:500], "WATCHDOG=1", *["READY=1"] * first
            )
            first = False
            # What was just done shows in the next look: take it at once.
            self._stop.wait(0.05 if view.decision.actions and not view.failed else ROUND_S)
        self._peers.stop()

    def round(self) -> View:
        """Look, decide, act once."""
        try:
            seen = self._observe()
            self._memory, decision = decide(self._memory, seen)
        except (ForeignServer, DataDirectoryError) as error:
            seen = Observation(
                now_s=time.monotonic(), data="foreign", granted=False, record=None, server=None, peers=(), job=None
            )
            decision = Decision(state="refused", message=str(error))
        self._say(decision)
        failed = False
        for action in decision.actions:
            try:
                self._act(action)
            except (ServerError, DataDirectoryError, OSError, ValueError) as error:
                log.error("%s failed: %s", type(action).__name__, error)
                if isinstance(action, OpenForWrites):
                    self._memory = replace(self._memory, opened=False)
                decision = replace(decision, message=f"{type(action).__name__} failed: {error}")
                failed = True
                break
        return View(seen=seen, memory=self._memory, decision=decision, failed=failed)

    def _observe(self) -> Observation:
        # Our own server first: a peer's later answer then knows at least as much as we saw.
        data = observe_data(self._settings)
        record = read_record(self._settings) if data == "ours" else None
        server = self._server.observe() if data == "ours" else None
        return Observation(
            now_s=time.monotonic(),
            data=data,
            granted=self._settings.grant.exists(),
            record=record,
            server=server,
            peers=self._peers.latest(),
            job=self._job,
        )

    def _act(self, action: Action) -> None:
        settings, server = self._settings, self._server
        match action:
            case Initialise():
                self._begin("initialising", lambda: initialise(settings))
            case Clone(donor=donor, epoch=epoch):
                self._begin("seeding", lambda: receive(settings, settings.peer(donor).seed_socket, epoch))
            case StartServer():
                settings.start_request.touch()
            case WriteRecord(record=record):
                write_record(settings.data, record)
            case SetPosition(gtid=gtid):
                server.set_position(gtid)
            case Follow(source=source, demote=demote):
                server.follow(settings.peer(source), load_secrets(settings.secrets), demote=demote)
            case ResumeReplication():
                server.resume_replication()
            case OpenForWrites():
                server.open_for_writes(load_secrets(settings.secrets))
            case CloseForWrites():
                server.close_for_writes()
            case SemiSync(on=on):
                server.set_semi_sync(on)

    def _begin(self, job: Job, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
                log.info("%s: done", job)
            except (SeedFailed, DataDirectoryError, OSError) as error:
                log.error("%s failed, trying again: %s", job, error)
                self._stop.wait(PAUSE_AFTER_FAILED_JOB_S)
            finally:
                self._job = None

        self._job = job
        self._memory = replace(self._memory, start_asked_s=float("-inf"))
        threading.Thread(target=run, name=job, daemon=True).start()

    def _say(self, decision: Decision) -> None:
        line = f"{decision.state}: {decision.message}"
        if line != self._last_line:
            loud = (
                decision.state in ("conflict", "needs-reclone", "refused", "replication-broken") or "ALONE" in line
            )
            log.log(logging.WARNING if loud else logging.INFO, "%s", line)
            self._last_line = line
