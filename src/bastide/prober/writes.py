"""Writers with a ledger: rows with an id each, written as the application writes, and what was said of each.

In: the application's environment file, how many writers, their pause. Out: one line a write: id, outcome, began, ended,
tries, and whether it could be read again at once (null: not asked).
Holds: an id is never used for two writes. A write is tried again, under its id, only when it certainly was not done: no
connection came about, or the server said that it takes no writes. Whatever else is not an answer is `unknown`.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from bastide.prober.sql import Session, SqlError, application_session

TABLE = "bastide_drill"
_COLUMNS = "n BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, id BIGINT UNSIGNED NOT NULL, INDEX (id)"
REFUSALS = frozenset({1290, 1836})
"""ER_OPTION_PREVENTS_STATEMENT (the server is read-only), ER_READ_ONLY_MODE: certainly not carried out."""
_RETRY_S, _READ_EACH = 0.02, 10

Tell = Callable[["list[Any]"], None]


def prepare_ledger(request: "Mapping[str, Any]") -> str:
    """`environment`, `do`: make or drop the table, through the application's own account."""
    session = application_session(request["environment"], connect_s=5.0, patience_s=20.0)
    try:
        session.query(f"DROP TABLE IF EXISTS {TABLE}")
        if request["do"] == "make":
            session.query(f"CREATE TABLE {TABLE} ({_COLUMNS}) ENGINE=InnoDB")
    except SqlError as error:
        raise OSError(str(error)) from error
    finally:
        session.close()
    return "done"


def write_on(settings: "Mapping[str, Any]", tell: Tell, over: threading.Event) -> None:
    """Write until it is over."""
    began = int(time.time() * 4) << 30 | int(settings["number"]) << 24
    """Ids are unique over hosts, writers, and starts of this program a quarter of a second apart."""
    threads = [
        threading.Thread(target=_Writer(settings, tell, over, began | number << 20).run)
        for number in range(int(settings["writers"]))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class _Writer:
    def __init__(self, settings: "Mapping[str, Any]", tell: Tell, over: threading.Event, first: int) -> None:
        self._settings, self._tell, self._over, self._next = settings, tell, over, first
        self._session: Session | None = None

    def run(self) -> None:
        while not self._over.is_set():
            ident, self._next = self._next, self._next + 1
            began, tries, said, again = time.time(), 0, "refused", None
            while said == "refused" and not self._over.is_set():
                tries += 1
                said, again = self._try(ident)
                if said == "refused":
                    self._over.wait(_RETRY_S)
            self._tell([ident, said, began, time.time(), tries, again])
            self._over.wait(float(self._settings["pause_s"]))

    def _try(self, ident: int) -> "tuple[str, bool | None]":
        try:
            if self._session is None:
                self._session = application_session(
                    self._settings["environment"], patience_s=float(self._settings["patience_s"])
                )
        except (OSError, SqlError):
            return "refused", None  # nothing was sent
        try:
            self._session.query(f"INSERT INTO {TABLE} (id) VALUES ({ident})")  # noqa: S608 - a number and a name of ours
        except SqlError as error:
            self._forget()
            return ("refused" if error.code in REFUSALS else "unknown"), None
        except OSError:
            self._forget()
            return "unknown", None
        return "acknowledged", self._read_again(ident) if ident % _READ_EACH == 0 else None

    def _read_again(self, ident: int) -> "bool | None":
        assert self._session is not None
        try:
            return bool(self._session.query(f"SELECT id FROM {TABLE} WHERE id = {ident}"))  # noqa: S608
        except (OSError, SqlError):
            self._forget()
            return None

    def _forget(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
