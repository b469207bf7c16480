"""One look at the world, for a keeper with automatic failover.

In: Settings, and what others found out meanwhile (lease, peers, orders). Out: `Look`.
Holds: nothing here waits longer than one query may take; a stopped server is not asked.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from bastide.keeper.clock import now_s
from bastide.keeper.datadir import measure_room, observe_data, read_record
from bastide.keeper.facts import Look, Peer, Server
from bastide.keeper.lease import Known
from bastide.keeper.server import ServerClient
from bastide.keeper.servers import Process, find_server, is_stopped, still_runs, watch_end
from bastide.keeper.session import Sessions
from bastide.keeper.settings import Settings

QUERY_S = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What is known without looking."""

    known: Known
    peers: tuple[Peer, ...]
    job: Literal["initialising", "seeding"] | None
    order: Literal["switchover", "failover", "reinit", "abandon", ""]


class Eyes:
    """What this host's server is like. `ended` is called when its process ends."""

    def __init__(self, settings: Settings, sessions: Sessions, ended: Callable[[Process], None]) -> None:
        assert settings.failover is not None
        self._settings, self._failover, self._sessions, self._ended = settings, settings.failover, sessions, ended
        self._server = ServerClient(settings, timeout_s=QUERY_S, kept=True)
        self.process = find_server(self._failover.server_config)
        self.clean: Process | None = None
        """The server that a planned switchover closed."""
        self._answered_s = self._frozen_s = now_s()

    def watch(self) -> None:
        """Notice the end of a server that was there before us."""
        if self.process is not None:
            self._await_end(self.process)

    def look(self, heard: Heard) -> Look:
        """Everything. Raises ForeignServer, DataDirectoryError."""
        settings, began = self._settings, now_s()
        data = observe_data(settings)
        record = read_record(settings) if data == "ours" else None
        process, frozen = self._find(), False
        if process is not None:
            frozen = is_stopped(process)
        if not frozen:
            self._frozen_s = now_s()
        server: Server | None = None
        if process is not None and not frozen and data == "ours":
            server = self._server.observe()
        if server is not None or process is None:
            self._answered_s = now_s()
        known, now = heard.known, now_s()
        return Look(
            now_s=now,
            seen_s=began,
            host=settings.host,
            register=known.register,
            seat=known.seat,
            settled=known.settled,
            seat_age_s=now - known.changed_s,
            quiet_s=known.asked_s - known.changed_s,
            epoch_age_s=now - known.epoch_s,
            lease=self._holds(known, now),
            data=data,
            granted=settings.grant.exists(),
            record=record,
            process=process is not None,
            frozen_s=now - self._frozen_s,
            stuck_s=now - self._answered_s,
            clean=process is not None and self.clean == process,
            server=server,
            session=self._sessions.read(process),
            peer=heard.peers[0] if heard.peers else Peer(host="", source="", answered=False),
            job=heard.job,
            order=heard.order,
            strict=self._failover.strict,
            hold_s=self._failover.hold_s,
            fresh_name=uuid.uuid4().hex,
            vouched=known.vouched,
            room_bytes=measure_room(settings),
        )

    def again(self, look: Look, known: Known) -> Look:
        """The same look after a proposal of ours was written: the seat is another, the server was seen just now."""
        now = now_s()
        return replace(
            look,
            now_s=now,
            seat=known.seat,
            settled=known.settled,
            seat_age_s=now - known.changed_s,
            quiet_s=known.asked_s - known.changed_s,
            epoch_age_s=now - known.epoch_s,
            lease=self._holds(known, now),
            vouched=known.vouched,
        )

    def _holds(self, known: Known, now: float) -> bool:
        mine = known.seat is not None and known.seat.holder == self._settings.host
        return now < known.deadline_s and (known.register == "silent" or mine)

    def _find(self) -> Process | None:
        process = self.process
        if process is None or not still_runs(process):
            process = find_server(self._failover.server_config)
        if process != self.process:
            self.process, self._answered_s, self.clean = process, now_s(), None
            if process is not None:
                self._await_end(process)
        return process

    def _await_end(self, process: Process) -> None:
        watch_end(process, lambda: self._ended(process))
