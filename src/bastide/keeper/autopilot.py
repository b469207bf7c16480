"""The loop of a keeper with automatic failover: look, decide, act, say. Thin on purpose; rules are in `takeover.py`.

In: Settings with `failover`. Out: effects on one server, the seat, answers on the status and control sockets.
Holds: renewals go on beside the loop; writes are allowed only right after the fencer was armed; a proposal that was not
written ends a round, and the next look decides anew.
"""

from __future__ import annotations

import logging
import shutil
import threading
from dataclasses import replace

from bastide.keeper import actions
from bastide.keeper.actions import Decision
from bastide.keeper.announce import Announcer
from bastide.keeper.beside import Beside
from bastide.keeper.clock import now_s
from bastide.keeper.control import Control
from bastide.keeper.datadir import DataDirectoryError, find_room, initialise, measure_copy, write_record
from bastide.keeper.etcd import Register
from bastide.keeper.facts import Look, Progress
from bastide.keeper.failsafe import Failsafe
from bastide.keeper.fencer import Fence
from bastide.keeper.guard import Guard
from bastide.keeper.handover import close_and_wait
from bastide.keeper.hosts import write_hosts
from bastide.keeper.lease import Lease
from bastide.keeper.looking import Eyes, Heard
from bastide.keeper.peers import PeerWatch
from bastide.keeper.seating import Board, SeatView
from bastide.keeper.server import ForeignServer, ServerClient, ServerError
from bastide.keeper.servers import Process, kill_server
from bastide.keeper.session import Sessions
from bastide.keeper.settings import Settings, load_secrets
from bastide.keeper.status import StatusServer
from bastide.keeper.systemd import notify, open_listener
from bastide.keeper.takeover import decide

ROUND_S = 0.25
SOON_S = 0.02
"""After an action that takes effect by itself, or a proposal that came to nothing."""
DRAIN_S = 0.01
CHAIN = 4
"""Decisions from one look: after a proposal that was written only the seat is another."""
APPLIED_S = 0.5
START_AGAIN_S = 3.0
COMPLAIN_S, MEASURE_S = 60.0, 30.0
AT_ONCE = (actions.Propose, actions.StopReceiving, actions.OpenForWrites)
"""What these did shows in the next look, and somebody waits for it."""
LOUD_WORDS = ("ALONE", "disk is", "commits wait for it", "wait for a standby")
LOUD = ("conflict", "needs-reclone", "refused", "replication-broken", "promoting", "waiting-for-register")
log = logging.getLogger("keeper")


class Autopilot:
    """One host's keeper."""

    def __init__(self, settings: Settings) -> None:
        assert settings.failover is not None
        self._settings, self._failover = settings, settings.failover
        self._wake, self._stop = threading.Event(), threading.Event()
        self._server = ServerClient(settings)
        self._peers = PeerWatch(settings, every_s=ROUND_S)
        self._sessions = Sessions(self._failover.session)
        self._eyes = Eyes(settings, self._sessions, self._server_ended)
        self._guard = Guard(Fence(self._failover.fence_socket), settings.host, self._eyes.process)
        register = Register(self._failover.register)
        self._lease = Lease(
            register, settings.host, self._guard.extend, self._wake.set, self._guard.inherited_s
        )  # fmt: skip
        self._announcer = Announcer(self._failover.proxies)
        self._beside = Beside(settings, self._server, self._lease, self._stop, self._wake.set)
        self._board = Board(
            settings, lambda gtid: self._server.await_applied(gtid, APPLIED_S), self._lease.promise
        )  # fmt: skip
        self._failsafe = Failsafe(settings, self._lease, self._guard.serves)
        self._control = Control(settings, self._lease, self._board, self._wake.set)
        self._progress = Progress()
        self._asked_s = self._complained_s = self._measured_s = float("-inf")
        self._last_line = self._last_complaint = ""
        self._copy_bytes = 0

    def stop(self) -> None:
        """End after the round."""
        self._stop.set()
        self._wake.set()

    def run(self) -> None:
        """Until stopped."""
        self._lease.start()
        self._failsafe.start()
        write_hosts(self._settings)
        self._eyes.watch()
        self._announcer.start()
        status = StatusServer(self._settings, open_listener(self._settings.status_socket), self._board.answer)
        self._peers.start()
        first = True
        while not self._stop.is_set():
            self._wake.clear()
            pause_s = self.round()
            status.begin()
            if first:
                self._control.start()
            notify(f"STATUS={self._last_line}"[:500], "WATCHDOG=1", *["READY=1"] * first)
            first = False
            self._wake.wait(pause_s)
        # The lease ends with us: its time runs on, and the next keeper takes it up if it comes soon.
        self._failsafe.stop()
        self._lease.stop()
        self._peers.stop()

    def round(self) -> float:
        """Look, decide, act; when to look again, unless something happens."""
        try:
            look = self._look()
        except (ForeignServer, DataDirectoryError) as error:
            self._say(Decision(state="refused", message=str(error)))
            return ROUND_S
        for _ in range(CHAIN):
            self._progress, decision = decide(self._progress, look)
            self._say(decision)
            decision, done, failed = self._carry_out(decision, look)
            if not (done and decision.actions and isinstance(decision.actions[-1], actions.Propose)):
                break
            look = self._eyes.again(look, self._lease.known())
        self._publish(look, decision)
        if failed and any(isinstance(action, actions.CloseAndWait) for action in decision.actions):
            self._control.done("switchover")  # whoever ordered it is told why, which had to be published first
        if decision.state == "running" and look.server is not None and not failed:
            self._beside.account(look)
        if failed or all(isinstance(action, actions.Nudge) for action in decision.actions):
            return ROUND_S if failed or decision.state != "promoting" else DRAIN_S
        return 0.0 if done and isinstance(decision.actions[-1], AT_ONCE) else SOON_S

    def _look(self) -> Look:
        return self._eyes.look(
            Heard(
                known=self._lease.known(),
                peers=self._peers.latest(),
                job=self._beside.job,
                order=self._control.order(),
            )
        )

    def _carry_out(self, decision: Decision, look: Look) -> tuple[Decision, bool, bool]:
        """The decision with what came of it; whether all was done; whether something failed."""
        for action in decision.actions:
            began, name = now_s(), type(action).__name__
            try:
                done = self._act(action, look)
            except (ServerError, DataDirectoryError, OSError, ValueError) as error:
                self._complain(f"{name} failed: {error}")
                self._progress = replace(self._progress, opened_s=None)
                return replace(decision, message=f"{name} failed: {error}"), False, True
            if not isinstance(action, actions.Nudge):
                log.info("%s%s: %.0f ms", name, "" if done else " came to nothing", (now_s() - began) * 1e3)
            if not done:
                return decision, False, False
        return decision, True, False

    def _publish(self, look: Look, decision: Decision) -> None:
        if decision.state == "running" and not decision.actions and now_s() - self._measured_s >= MEASURE_S:
            self._copy_bytes, self._measured_s = measure_copy(self._settings), now_s()
        if decision.state == "seeding" and self._beside.trouble:
            decision = replace(decision, message=f"{decision.message}; the last try failed: {self._beside.trouble}")
        self._board.put(
            SeatView(
                look=look,
                decision=decision,
                progress=self._progress,
                known=self._lease.known(),
                copy_bytes=self._copy_bytes,
            )
        )

    def _act(self, action: actions.Action, look: Look) -> bool:
        """Whether the next action of this round may follow."""
        settings, server, beside = self._settings, self._server, self._beside
        match action:
            case actions.Propose(seat=seat):
                return self._lease.propose(seat, look.seat)
            case actions.Kill(why=why):
                self._kill(why)
            case actions.Start(role=role):
                self._start(role)
            case actions.WriteRecord(record=record):
                write_record(settings.data, record)
                if record.role == "replica":
                    self._guard.release()
            case actions.OpenForWrites():
                self._eyes.clean = None
                server.take_writes(self._permitted)
                self._board.closing = False
                self._announcer.say({**{peer.host: "down" for peer in settings.peers}, settings.host: "up"})
            case actions.SemiSync(on=on):
                server.set_semi_sync(on)
            case actions.Nudge():
                beside.nudge()
            case actions.StopReceiving():
                server.stop_receiving()
            case actions.ForgetReplication():
                server.forget_replication()
            case actions.CloseAndWait():
                close_and_wait(settings, server, self._board, self._announcer, self._permitted)
                self._eyes.clean = self._eyes.process
            case actions.SetPosition(gtid=gtid):
                server.set_position(gtid)
            case actions.Follow(source=source, demote=demote):
                self._sessions.begin(self._eyes.process)
                server.follow(settings.peer(source), load_secrets(settings.secrets), demote=demote, hasty=True)
            case actions.ResumeReplication():
                self._sessions.begin(self._eyes.process)
                server.resume_replication(hasty=True)
            case actions.SyncRelay():
                server.sync_relay()
            case actions.Initialise():
                beside.begin("initialising", lambda: initialise(settings))
            case actions.Clone(donor=donor, epoch=epoch):
                find_room(settings, self._needs(donor))
                beside.begin("seeding", lambda: beside.copy(donor, epoch))
            case actions.Reclone(donor=donor, epoch=epoch):
                self._control.done("reinit")
                find_room(settings, self._needs(donor))
                self._kill("it is copied anew")
                if settings.set_aside.exists():
                    shutil.rmtree(settings.set_aside)
                settings.data.rename(settings.set_aside)
                beside.begin("seeding", lambda: beside.copy(donor, epoch))
            case _:
                raise ValueError(f"{type(action).__name__} is not done with automatic failover")
        return True

    def _needs(self, donor: str) -> int:
        return next((peer.copy_bytes for peer in self._peers.latest() if peer.host == donor), 0)

    def _kill(self, why: str) -> None:
        if self._eyes.process is not None:
            log.warning("killing the database server: %s", why)
            kill_server(self._eyes.process)
        self._guard.release()

    def _start(self, role: str) -> None:
        if now_s() - self._asked_s >= START_AGAIN_S:
            self._asked_s = now_s()
            self._failover.permit.write_text(f"BASTIDE_START_AS={role}\n")
            self._settings.start_request.touch()

    def _permitted(self) -> bool:
        return self._guard.permit(self._eyes.process, self._lease.known())

    def _server_ended(self, process: Process) -> None:
        """From a thread of its own, the moment it ends."""
        if self._guard.process == process:
            self._announcer.say({self._settings.host: "down"})
        # Told late, it is no news of the one that runs since.
        if self._eyes.process in (None, process):
            self._board.server_ended()
        self._wake.set()

    def _complain(self, line: str) -> None:
        """Once a minute: what fails is tried again several times a second."""
        if line != self._last_complaint or now_s() - self._complained_s >= COMPLAIN_S:
            log.error("%s", line)
            self._last_complaint, self._complained_s = line, now_s()

    def _say(self, decision: Decision) -> None:
        line = f"{decision.state}: {decision.message}"
        if line != self._last_line:
            loud = decision.state in LOUD or any(word in line for word in LOUD_WORDS)
            log.log(logging.WARNING if loud else logging.INFO, "%s", line)
            self._last_line = line
