"""One conversation: operations asked for by the controller, answered in order.

In: messages on standard input. Out: events while an operation works, then its result or its error, on what standard
output was; standard output itself is redirected, so that no program started here can garble the conversation.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from bastide.host.errors import Failure, as_failure
from bastide.host.machine import Machine
from bastide.host.wire import WireError, read_message, write_message

if TYPE_CHECKING:
    from bastide.host.lease import Lease

Message = tuple[dict[str, Any], bytes] | None
"""None at the end."""


class Conversation:
    """The host's end."""

    def __init__(self, machine: Machine, program: Path | None, source: BinaryIO, target: BinaryIO) -> None:
        self.machine = machine
        self.program = program
        self._source, self._target = source, target
        self._lock = contextlib.ExitStack()
        self._lease: Lease | None = None
        self._arrived: queue.Queue[Message | WireError] | None = None
        self.at_end: dict[str, Callable[[], object]] = {}
        """What must be undone when the conversation ends before it was: by name, such as a drained server's."""

    def tell(self, kind: str, **fields: Any) -> None:
        """Stream an event."""
        self._send({"event": kind, **fields})

    def receive(self) -> tuple[dict[str, Any], bytes]:
        """The next message of an operation that is under way. Raises Failure when the controller is gone."""
        message = self._next()
        if message is None:
            raise Failure("protocol", "the controller went away")
        return message

    def serve(self) -> None:
        """Answer until the controller closes."""
        try:
            self._serve()
        finally:
            for undo in self.at_end.values():
                # Whatever becomes of one, the next has its turn; a timer stands behind each.
                with contextlib.suppress(Failure, OSError):
                    undo()

    def _serve(self) -> None:
        with self._lock:
            while (message := self._next()) is not None:
                request = message[0]
                try:
                    self._send({"result": self._perform(request)})
                except Failure as failure:
                    self._send_error(failure)
                except WireError as wrong:
                    self._send_error(Failure("protocol", str(wrong)))
                    return
                except Exception as unexpected:  # noqa: BLE001 - the process's edge: report it
                    known = as_failure(unexpected)
                    if known.code != "internal":
                        self._send_error(known)
                        continue
                    lines = traceback.format_exception(type(unexpected), unexpected, unexpected.__traceback__)
                    self._send_error(Failure("internal", repr(unexpected), lines="".join(lines).splitlines()[-6:]))

    def hold_lock(self, who: str, wait_s: float) -> None:
        """Be the only one who changes this host, until `release_lock` or the end of the conversation."""
        from bastide.host.state import held_lock

        self._lock.close()
        self._lock.enter_context(held_lock(self.machine, who=who, wait_s=wait_s))

    def release_lock(self) -> None:
        """Let others."""
        self._lock.close()

    def hold_lease(self, who: str, ttl_s: float) -> None:
        """Be the only controller at work on this host, until the end of the conversation or of its renewals."""
        from bastide.host.lease import connection_source, take_lease

        if self._lease is None:
            self._lease = take_lease(self.machine, who=who, source=connection_source(), ttl_s=ttl_s)
            # Renewals come while operations work, so from now on a thread reads; few messages wait at a time.
            self._arrived = queue.Queue(maxsize=4)
            threading.Thread(target=self._read_on, daemon=True).start()

    def drop_lease(self) -> None:
        """Let other controllers."""
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()

    def _read_on(self) -> None:
        assert self._arrived is not None
        while True:
            try:
                message = read_message(self._source)
            except (WireError, OSError) as wrong:
                self._arrived.put(wrong if isinstance(wrong, WireError) else None)
                return
            if self._lease is not None:
                with contextlib.suppress(OSError):  # a full disk must not cost the lease
                    self._lease.renew() if message is not None else self._lease.mark_gone()
            if message is None or message[0].get("op") != "renew":
                self._arrived.put(message)
            if message is None:
                return

    def _next(self) -> Message:
        """The next message; None when the controller has closed, or was silent for longer than its lease lasts."""
        if self._arrived is None:
            return read_message(self._source)
        while True:
            lasts = self._lease.remaining_s() if self._lease is not None else None
            if lasts is not None and lasts <= 0:
                return None
            try:
                message = self._arrived.get(timeout=lasts)
            except queue.Empty:
                continue
            if message is None:
                self._arrived.put(None)  # the end stays the end: an operation may have met it first
            if isinstance(message, WireError):
                raise message
            return message

    def ask_contents(self, wanted: list[str]) -> int:
        """Have the controller send contents; returns the bytes that came."""
        from bastide.host.stage import receive_contents

        self._send({"need": wanted})
        return receive_contents(self.machine, wanted, self.receive)

    def _perform(self, request: dict[str, Any]) -> Any:
        # Imported here: an observation, which is what most conversations are, loads a third of the code.
        operation = request.get("op")
        if operation == "observe":
            from bastide.host.observe import observe

            return observe(self.machine, request)
        from bastide.host import operations

        known = operations.OPERATIONS.get(str(operation))
        if known is None:
            raise Failure("protocol", f"unknown operation {operation!r}")
        return known(self, request)

    def _send_error(self, failure: Failure) -> None:
        self._send(
            {
                "error": failure.code,
                "message": failure.message,
                "lines": list(failure.lines),
                "hint": failure.hint,
            }
        )

    def _send(self, message: dict[str, Any]) -> None:
        # The controller may be gone; what has begun goes on to its end all the same.
        with contextlib.suppress(BrokenPipeError, ConnectionError):
            write_message(self._target, message)


def serve_stdio(program: Path | None) -> None:
    """Serve on standard input and output."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.umask(0o022)
    target = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    conversation = Conversation(Machine(), program, sys.stdin.buffer, target)
    write_message(target, {"hello": {"python": sys.version.split()[0], "pid": os.getpid()}})
    conversation.serve()
    # Not by way of the interpreter's end: a thread of ours may still be reading.
    target.flush()
    os._exit(0)
