"""Questions to probers on hosts, over the connection that is kept to each.

In: an Endpoint and questions. Out: answers, as plain values. Raises AskFailed.
Holds: a prober exists in the memory of one process of the host, and secrets of a question travel on its standard
input only; it answers one question at a time, is kept for the next, and nothing remains when `Probers` is closed.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import tempfile
import threading
import zipfile
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

import bastide.prober
from bastide.transport.endpoint import Endpoint, root_argv

_LOADER = """\
import os, sys
left, held = int(sys.argv[1]), os.memfd_create("prober")
while left:
    part = os.read(0, min(left, 65536)) or sys.exit("the controller went away")
    left -= os.write(held, part)
sys.path.insert(0, f"/proc/self/fd/{held}")
from bastide.prober.main import main
main()
"""
_SSH_FAILED = 255
_ENDS_WITHIN_S = 10
_EPOCH = (1980, 1, 1, 0, 0, 0)


class AskFailed(Exception):
    """A host did not answer a question. `hint` says what to do."""

    def __init__(self, host: str, why: str, *, reached: bool = True) -> None:
        self.reached = reached
        """Whether SSH came about, so that the question may have been heard."""
        self.hint = f"does `bastide exec {host} -- true` work?"
        super().__init__(f"{host}: {why}")


class Prober:
    """One process on a host that answers one question at a time."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.host = endpoint.host
        self.broken = False
        """Whether it can be asked no more."""
        program = prober_program()
        command = ["python3", "-I", "-S", "-c", _LOADER, str(len(program))]
        # A file, not a pipe: the kept connection inherits standard error and would hold a pipe open for ever.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the prober
        # A session of its own: Ctrl-C is for us to handle.
        self._process = subprocess.Popen(
            root_argv(endpoint, command),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, start_new_session=True,
        )  # fmt: skip
        self._write(program)

    def put(self, question: Mapping[str, Any]) -> None:
        """Ask; what it says is read by `hear`."""
        self._write(json.dumps(question).encode() + b"\n")

    def tell_to_end(self) -> None:
        """End a question that goes on."""
        self._write(b"\n")

    def hear(self) -> dict[str, Any]:
        """The next thing that it says. Raises AskFailed."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        try:
            said = json.loads(line)
        except ValueError:
            self.broken = True
            why = line.decode(errors="replace").strip() or self._last_words()
            raise AskFailed(self.host, why, reached=self._process.poll() != _SSH_FAILED) from None
        return said if isinstance(said, dict) else {}

    def close(self) -> None:
        """Let it end, and see that it does."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        if self.broken:
            self._process.kill()
        try:
            self._process.wait(timeout=_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def _write(self, content: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(content)
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer is missing then, and says so

    def _last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_ENDS_WITHIN_S)
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        return said[-1] if said else "the connection ended"


class Probers:
    """Probers that wait for a question, by host; as many as were ever needed at a time."""

    def __init__(self) -> None:
        self._free: dict[str, list[Prober]] = defaultdict(list)
        self._lock = threading.Lock()

    def take(self, endpoint: Endpoint) -> Prober:
        """One that is free, or a new one."""
        with self._lock:
            free = self._free[endpoint.host]
            waiting = free.pop() if free else None
        # Not under the lock: it takes until the host has answered.
        return waiting or Prober(endpoint)

    def give_back(self, prober: Prober) -> None:
        """It has answered; or it is broken, and ends, with all that wait on that host: it may have been restarted."""
        with self._lock:
            free = self._free[prober.host]
            free.append(prober)
            ended = free[:] if prober.broken else []
            del free[: len(ended)]
        for one in ended:
            one.close()

    def ask(self, endpoint: Endpoint, operation: str, /, **fields: Any) -> Any:
        """One question, one answer; asked twice where SSH did not come about. Raises AskFailed."""
        try:
            return Asking(self, endpoint, operation, **fields).answer()
        except AskFailed as failure:
            if failure.reached:
                raise
        return Asking(self, endpoint, operation, **fields).answer()

    def close(self) -> None:
        """End them all."""
        with self._lock:
            waiting = [prober for free in self._free.values() for prober in free]
            self._free.clear()
        for prober in waiting:
            prober.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Asking:
    """A question that was asked: its answer is read now, or when `finish` ends it."""

    def __init__(self, probers: Probers, endpoint: Endpoint, operation: str, /, **fields: Any) -> None:
        self.host = endpoint.host
        self._probers = probers
        self._prober: Prober | None = probers.take(endpoint)
        self._prober.put({"op": operation, **fields})

    def await_ready(self) -> Self:
        """Wait until the host says that it has begun. Raises AskFailed."""
        said = self.read()
        if "ready" not in said:
            self._over()
            raise AskFailed(self.host, str(said.get("error", "it did not begin")))
        return self

    def answer(self) -> Any:
        """What it says. Raises AskFailed."""
        said = self.read()
        self._over()
        if "result" not in said:
            raise AskFailed(self.host, str(said.get("error", "no answer")))
        return said["result"]

    def tell_end(self) -> None:
        """Have it end; the answer is still to be read."""
        if self._prober is not None:
            self._prober.tell_to_end()

    def finish(self) -> Any:
        """Have it end, and its answer. Raises AskFailed."""
        self.tell_end()
        return self.answer()

    def close(self) -> None:
        """Give up on an answer that nobody read."""
        if self._prober is not None:
            self._prober.broken = True
            self._over()

    def read(self) -> dict[str, Any]:
        """The next thing that the host says. Raises AskFailed when there is none."""
        if self._prober is None:
            raise AskFailed(self.host, "it has answered already")
        try:
            return self._prober.hear()
        except AskFailed:
            self._over()
            raise

    def _over(self) -> None:
        if self._prober is not None:
            self._probers.give_back(self._prober)
            self._prober = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ask(endpoint: Endpoint, operation: str, /, **fields: Any) -> Any:
    """One question of a prober that ends with it: of hosts that may be gone before the next. Raises AskFailed."""
    with Probers() as probers:
        return probers.ask(endpoint, operation, **fields)


@cache
def prober_program() -> bytes:
    """The program that hosts run, as a zip archive."""
    folder = Path(bastide.prober.__file__).parent
    members = {"bastide/__init__.py": b""}
    members |= {f"bastide/prober/{path.name}": path.read_bytes() for path in sorted(folder.glob("*.py"))}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return packed.getvalue()
