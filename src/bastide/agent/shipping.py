"""Frames and records on their way to one monitor.

In: the newest frame (`Board`), the spool. Out: POSTs over mutual TLS, on one kept connection for each of the two.
Holds: two threads for each monitor, so that nothing waits for a monitor that hangs or is gone, and no frame waits for
records: a frame that is late looks like a host that died. A frame that could not be sent in its second is not sent
later; a record is sent until it is acknowledged.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from bastide.agent.http import Connection
from bastide.agent.settings import Monitor, Tls
from bastide.agent.spool import Spool

TIMEOUT_S = 5.0
MAX_FRAME_BACKOFF_S = 4.0
MAX_RECORDS_BACKOFF_S = 15.0
IDLE_S = 10.0
"""How long it is waited for something to send, before it is looked whether to stop."""
AGAIN_S = 0.7
"""After a batch that was taken only in part, or is not to be read."""
_log = logging.getLogger(__name__)


class Board:
    """Where the newest frame hangs."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame = b""
        self._number = 0

    def publish(self, frame: bytes) -> None:
        """Replace the frame."""
        with self._changed:
            self._frame, self._number = frame, self._number + 1
            self._changed.notify_all()

    def wait(self, seen: int, timeout_s: float) -> tuple[int, bytes]:
        """The next frame that is not the one seen, or the same again when there is none in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._number != seen, timeout_s)
            return self._number, self._frame


class Shipping:
    """To one monitor."""

    def __init__(self, monitor: Monitor, tls: Tls, board: Board, spool: Spool):
        self.monitor = monitor
        self._frames = Channel(monitor, tls, "frames")
        self._records = Channel(monitor, tls, "records")
        self._board = board
        self._spool = spool
        self._seen = 0
        self._stopped = threading.Event()

    @property
    def delivered_s(self) -> float | None:
        """When something last arrived there, by the monotonic clock."""
        return max(
            (c.delivered_s for c in (self._frames, self._records) if c.delivered_s is not None), default=None
        )

    @property
    def failures(self) -> int:
        """Attempts that did not arrive, or were not taken."""
        return self._frames.failures + self._records.failures

    def start(self) -> None:
        """Begin, in threads."""
        for channel, send, most_s in (
            (self._frames, self._send_frame, MAX_FRAME_BACKOFF_S),
            (self._records, self._send_records, MAX_RECORDS_BACKOFF_S),
        ):
            threading.Thread(
                target=self._run, args=(channel, send, most_s), name=f"ship-{self.monitor.name}", daemon=True
            ).start()

    def stop(self) -> None:
        """End soon."""
        self._stopped.set()

    def _run(self, channel: Channel, send: Callable[[], None], most_s: float) -> None:
        backoff_s = 0.5
        while not self._stopped.is_set():
            try:
                send()
                backoff_s = 0.5
            except (OSError, ValueError) as error:
                channel.failed(error)
                # Spread: every host loses its monitor in the same moment.
                self._stopped.wait(backoff_s * (0.5 + os.urandom(1)[0] / 256))
                backoff_s = min(backoff_s * 2, most_s)
        channel.close()

    def _send_frame(self) -> None:
        """The next one, as soon as it hangs there."""
        number, frame = self._board.wait(self._seen, IDLE_S)
        if number != self._seen:
            self._frames.post("/hub/v1/frames", frame, "Content-Type: application/json\r\n")
            self._seen = number

    def _send_records(self) -> None:
        """One batch, or a while of nothing."""
        batch = self._spool.read(self.monitor.name)
        if batch is None:
            if not self._spool.wait(self.monitor.name, IDLE_S):
                self._stopped.wait(AGAIN_S)
            return
        last, body = batch
        try:
            acked = self._deliver(body)
        except (OSError, ValueError):
            # Not by the system later either, when the network heals: from now on it may be dropped, and counted so.
            self._records.abort()
            self._spool.release(self.monitor.name)
            raise
        self._spool.ack(self.monitor.name, acked)
        if acked < last:
            self._stopped.wait(AGAIN_S)

    def _deliver(self, body: bytes) -> int:
        """Up to which number the monitor has everything now. Raises OSError, ValueError."""
        answer = self._records.post(
            "/hub/v1/records", body, "Content-Type: application/x-ndjson\r\nContent-Encoding: gzip\r\n"
        )
        found = json.loads(answer)
        acked = found.get("ack") if isinstance(found, dict) else None
        if not isinstance(acked, int) or acked <= 0:
            raise ValueError("the answer to records has no number in `ack`")
        return acked


class Channel:
    """One kept connection, made anew when it broke."""

    def __init__(self, monitor: Monitor, tls: Tls, what: str):
        self.delivered_s: float | None = None
        self.failures = 0
        self._monitor = monitor
        self._tls = tls
        self._what = what
        self._connection: Connection | None = None
        self._said = ""

    def post(self, path: str, body: bytes, headers: str) -> bytes:
        """The answer's body. Raises OSError, ValueError."""
        if self._connection is None or not self._connection.usable:
            self.close()
            self._connection = self._connect()
        status, answer = self._connection.request("POST", path, body, headers)
        if not 200 <= status < 300:
            raise ValueError(f"{path}: status {status}")
        self.delivered_s = time.monotonic()
        self._said = ""
        return answer

    def failed(self, error: Exception) -> None:
        """Say it once, and begin anew."""
        self.failures += 1
        self.close()
        said = f"{self._monitor.name}: {self._what}: {type(error).__name__}: {error}"
        if said != self._said:
            _log.warning("%s", said)
            self._said = said

    def abort(self) -> None:
        """Give the connection back, with what has not left this host yet."""
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> Connection:
        target = urlsplit(self._monitor.url)
        # Read anew each time: certificates are renewed while we run.
        context = ssl.create_default_context(cafile=self._tls.root)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self._tls.certificate, self._tls.key)
        plain = socket.create_connection((target.hostname or "", target.port or 443), TIMEOUT_S)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            secured = context.wrap_socket(plain, server_hostname=self._monitor.server_name)
        except (OSError, ValueError):
            plain.close()
            raise
        return Connection(secured, self._monitor.server_name)
