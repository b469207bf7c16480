"""Eyes on one database server: does it take writes, asked every few milliseconds.

In: its socket. Out: one line a stretch of looks that saw the same: when the first was asked and answered, when the last
was asked and answered, what was seen (true, false, null without an answer), how many, and the longest time between two.
Holds: a stretch claims nothing beyond its own looks: it ends where two of them lie further apart than GAP_S.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from bastide.prober.sql import Session, SqlError

GAP_S = 0.1
_LONGEST_S = 0.5
"""A stretch is written down at least that often: what a machine saw before it was killed is on its disk."""


def watch_on(settings: "Mapping[str, Any]", tell: "Callable[[list[Any]], None]", over: threading.Event) -> None:
    """Look until it is over."""
    eye = _Eye(str(settings["socket"]))
    stretch: list[Any] = []
    while not over.is_set():
        asked = time.time()
        seen = eye.look()
        answered = time.time()
        if stretch and (
            seen != stretch[4]
            or asked - stretch[2] > GAP_S
            or asked - stretch[0] > _LONGEST_S
            or asked < stretch[2]
        ):
            tell(stretch)
            stretch = []
        if stretch:
            between = max(stretch[6], asked - stretch[2])
            stretch[2:4], stretch[5], stretch[6] = [asked, answered], stretch[5] + 1, between
        else:
            stretch = [asked, answered, asked, answered, seen, 1, 0.0]
        over.wait(float(settings["pause_s"]))
    if stretch:
        tell(stretch)


class _Eye:
    def __init__(self, place: str) -> None:
        self._place = place
        self._session: Session | None = None

    def look(self) -> "bool | None":
        try:
            if self._session is None:
                self._session = Session(self._place, user="root", patience_s=1.0)
            return self._session.query("SELECT @@global.read_only")[0][0] == "0"
        except (OSError, SqlError):
            if self._session is not None:
                self._session.close()
            self._session = None
            return None
