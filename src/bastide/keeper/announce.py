"""Telling the proxies of application hosts who is the primary, as soon as it is so.

In: the state of each database. Out: one line a database to each proxy.
Holds: it is never waited for but for a moment, and never relied upon: the proxies ask by themselves all the time, and
what they find replaces what they were told.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Mapping
from typing import Literal

Health = Literal["up", "stopping", "down"]
AGAIN_S = (0.0, 0.1, 0.3)
"""A check that was under way may say what is true no more; it does not have the last word."""
TIMEOUT_S = 1.0
log = logging.getLogger("keeper")


class Announcer:
    """One thread a proxy; the newest word replaces those that were not said yet."""

    def __init__(self, proxies: tuple[str, ...]) -> None:
        self._proxies = [_Proxy(path) for path in proxies]

    def start(self) -> None:
        """Be ready."""
        for proxy in self._proxies:
            threading.Thread(target=proxy.speak_forever, name="announce", daemon=True).start()

    def say(self, health: Mapping[str, Health], *, wait_s: float = 0.0) -> None:
        """Tell all of them. Waits until each has heard it, but no longer than that."""
        lines = tuple(f"{host} {state}\n" for host, state in health.items())
        for proxy in self._proxies:
            proxy.tell(lines)
        end = time.monotonic() + wait_s
        for proxy in self._proxies:
            proxy.told.wait(max(0.0, end - time.monotonic()))


class _Proxy:
    def __init__(self, path: str) -> None:
        self._path = path
        self._lines: tuple[str, ...] = ()
        self._new = threading.Event()
        self.told = threading.Event()

    def tell(self, lines: tuple[str, ...]) -> None:
        self._lines = lines
        self.told.clear()
        self._new.set()

    def speak_forever(self) -> None:
        while True:
            self._new.wait()
            self._new.clear()
            for pause_s in AGAIN_S:
                if pause_s and self._new.wait(pause_s):
                    break  # there is news
                lines = self._lines
                heard = [self._speak(line) for line in lines]
                if all(heard) and lines == self._lines:
                    self.told.set()

    def _speak(self, line: str) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(TIMEOUT_S)
                connection.connect(self._path)
                connection.sendall(line.encode())
                answer = b""
                while block := connection.recv(4096):
                    answer += block
        except OSError as error:
            log.info("%s: %s", self._path, error)
            return False
        return answer == b"ok\n"
