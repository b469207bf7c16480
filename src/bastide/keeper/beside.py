"""Work that goes on beside the loop: copies of data, accounts, small commits.

In: what to do. Out: it is done, or said to have failed; the loop is woken.
Holds: one copy at a time; the loop goes on answering meanwhile.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from typing import Literal

from bastide.keeper.accounts import derive_certificates, digest_accounts
from bastide.keeper.datadir import DataDirectoryError
from bastide.keeper.facts import Look
from bastide.keeper.lease import Lease
from bastide.keeper.seeding import SeedFailed, receive
from bastide.keeper.server import ServerClient, ServerError
from bastide.keeper.settings import Settings, load_secrets

PAUSE_S = 5.0
PATIENCE_S = 86400
Job = Literal["initialising", "seeding"]
log = logging.getLogger("keeper")


class Beside:
    """One keeper's."""

    def __init__(
        self,
        settings: Settings,
        server: ServerClient,
        lease: Lease,
        stop: threading.Event,
        wake: Callable[[], None],
    ) -> None:
        self._settings, self._server, self._lease, self._stop, self._wake = settings, server, lease, stop, wake
        self.job: Job | None = None
        self.trouble = ""
        """Why the last copy failed."""
        self._accounting = self._nudging = False

    def begin(self, job: Job, work: Callable[[], None]) -> None:
        """Long work on the data directory."""

        def run() -> None:
            try:
                work()
                self.trouble = ""
                log.info("%s: done", job)
            except (SeedFailed, DataDirectoryError, OSError) as error:
                self.trouble = str(error)
                log.error("%s failed, trying again: %s", job, error)
                self._stop.wait(PAUSE_S)
            finally:
                self.job = None
                self._wake()

        self.job = job
        threading.Thread(target=run, name=job, daemon=True).start()

    def copy(self, donor: str, epoch: int) -> None:
        """A copy of a running server becomes the data directory; what was put aside for it goes."""
        receive(self._settings, self._settings.peer(donor).seed_socket, epoch)
        shutil.rmtree(self._settings.set_aside, ignore_errors=True)

    def nudge(self) -> None:
        """One small commit, which may wait long."""
        if self._nudging:
            return
        self._nudging = True

        def work() -> None:
            try:
                ServerClient(self._settings, timeout_s=PATIENCE_S).nudge()
            except ServerError:
                pass  # no acknowledgement came: the loop sees that by itself
            finally:
                self._nudging = False

        threading.Thread(target=work, name="nudge", daemon=True).start()

    def account(self, look: Look) -> None:
        """Once for each change of them, not at each takeover: their statements are transactions, too. That the seat
        says they are made is as old as its last word: a generation without a seat may have made them its own way since,
        so each keeper looks once."""
        if look.seat is None or look.seat.holder != look.host or look.server is None or look.server.read_only:
            return
        secrets = load_secrets(self._settings.secrets)
        digest = digest_accounts(self._settings, secrets)
        if self._accounting or digest == self._lease.accounts:
            return
        self._accounting, said = True, look.seat.accounts

        def work() -> None:
            try:
                asked = self._server.certificates_asked() if said == digest else {}
                if said != digest or asked != derive_certificates(self._settings):
                    self._server.reconcile_accounts(secrets)
                self._lease.accounts = digest
            except ServerError as error:
                log.error("accounts: %s", error)
                self._stop.wait(1.0)
            finally:
                self._accounting = False

        threading.Thread(target=work, name="accounts", daemon=True).start()
