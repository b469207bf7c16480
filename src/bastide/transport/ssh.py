"""One conversation with one host, over the OpenSSH client.

In: an Endpoint. Out: a `Conversation`, whose operations are those of `bastide.host`. Raises `HostUnreachable` when
it does not come about, `HostFailed` when an operation fails or the conversation breaks off.
Holds: nothing secret is in an argument; a conversation is used by one thread at a time.
"""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import IO, Any, Self

from bastide.host.wire import CHUNK, WireError, read_message, write_message
from bastide.transport.endpoint import CONNECT_TIMEOUT_S, Endpoint, control_path, ssh_argv
from bastide.transport.errors import HostFailed, HostUnreachable
from bastide.transport.zipapp import host_program

_STARTS = threading.BoundedSemaphore(16)
"""SSH connections that are being opened at the same time: a handshake costs both sides real work."""

OnEvent = Callable[[str, Mapping[str, Any]], None]
"""Called with an event's kind and fields."""
Contents = Callable[[str], "bytes | Path"]
"""Content by sha256, from memory or from a file."""


def hang_up(endpoint: Endpoint) -> None:
    """Close the kept connection: one to a machine that is gone is believed in for nine seconds more."""
    argv = ssh_argv(endpoint)
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run([*argv[:-1], "-O", "exit", argv[-1]], capture_output=True, timeout=5, check=False)


class Conversation:
    """The controller's end of a conversation."""

    def __init__(self, endpoint: Endpoint, process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
        self.endpoint = endpoint
        self._process = process
        self._said = said
        self._writing = threading.Lock()
        self.opened_in_s = 0.0
        """How long it took from the first step until the host's program said that it is there."""
        assert process.stdin is not None
        assert process.stdout is not None
        self._to_host, self._from_host = process.stdin, process.stdout

    def request(
        self,
        operation: str,
        *,
        on_event: OnEvent | None = None,
        contents: Contents | None = None,
        **fields: Any,
    ) -> Any:
        """Have the host do something; returns its result. Raises HostFailed."""
        try:
            self._write({"op": operation, **fields})
            while (message := read_message(self._from_host)) is not None:
                header = message[0]
                if "result" in header:
                    return header["result"]
                if "error" in header:
                    raise self._failed(operation, header)
                if "need" in header:
                    self._send_contents(header["need"], contents, on_event)
                elif "event" in header and on_event is not None:
                    on_event(header.pop("event"), header)
        except (OSError, WireError, ValueError) as broken:
            raise self._lost(operation, str(broken)) from broken
        raise self._lost(operation, "the host closed the conversation")

    def renew(self) -> None:
        """Say that we are still there, from any thread and while an operation works; see `host.lease`."""
        if self._writing.acquire(timeout=0.2):  # whoever writes meanwhile says it, too
            try:
                with contextlib.suppress(OSError, ValueError):
                    write_message(self._to_host, {"op": "renew"})
            finally:
                self._writing.release()

    def _write(self, header: Mapping[str, Any], body: bytes = b"") -> None:
        with self._writing:
            write_message(self._to_host, header, body)

    def close(self) -> None:
        """End the conversation; the host lets go of its lock."""
        with contextlib.suppress(OSError):
            self._to_host.close()
        try:
            self._process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._from_host.close()
        self._said.close()

    def abort(self) -> None:
        """End it from another thread: what is waiting for an answer gets HostFailed `lost`."""
        self._process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send_contents(self, wanted: list[str], contents: Contents | None, on_event: OnEvent | None) -> None:
        assert contents is not None or not wanted
        for digest in wanted:
            source = contents(digest) if contents else b""
            size = len(source) if isinstance(source, bytes) else source.stat().st_size
            if on_event is not None:
                on_event("sending", {"digest": digest, "size": size})
            if isinstance(source, bytes):
                self._send_chunks(digest, [source[i : i + CHUNK] for i in range(0, size, CHUNK)] or [b""])
            else:
                self._send_file(digest, source)

    def _send_chunks(self, digest: str, chunks: list[bytes]) -> None:
        for index, chunk in enumerate(chunks):
            self._write({"blob": digest, "last": index == len(chunks) - 1}, chunk)

    def _send_file(self, digest: str, source: Path) -> None:
        with source.open("rb") as stream:
            chunk = stream.read(CHUNK)
            while True:
                following = stream.read(CHUNK)
                self._write({"blob": digest, "last": not following}, chunk)
                if not following:
                    return
                chunk = following

    def _failed(self, operation: str, header: Mapping[str, Any]) -> HostFailed:
        return HostFailed(
            self.endpoint.host,
            str(header.get("message", "")),
            operation=operation,
            code=str(header["error"]),
            lines=tuple(header.get("lines", ())),
            hint=str(header.get("hint", "")),
        )

    def _lost(self, operation: str, why: str) -> HostFailed:
        return HostFailed(
            self.endpoint.host,
            f"lost the host during {operation}: {why}",
            operation=operation,
            code="lost",
            lines=_last_lines(self._said),
            hint="Apply again: it goes on from where this ended.",
        )


def open_conversation(
    endpoint: Endpoint, *, fresh: bool = False, connect_s: float = CONNECT_TIMEOUT_S
) -> Conversation:
    """Reach the host and start its program there. `fresh`: over a new connection, past everything kept open."""
    kept = not fresh and control_path(endpoint).exists()
    try:
        return _open(endpoint, fresh=fresh, connect_s=connect_s)
    except HostUnreachable:
        if not kept:
            raise
    # What was kept open may lead to a machine that was restarted since.
    close_kept_connection(endpoint)
    return _open(endpoint, fresh=fresh, connect_s=connect_s)


def _open(endpoint: Endpoint, *, fresh: bool, connect_s: float) -> Conversation:
    digest, program = host_program()
    command = ["python3", "-I", "-S", "-c", _loader_text(), digest, str(len(program))]
    if endpoint.user != "root":
        command = ["sudo", "-n", *command]
    argv = [*ssh_argv(endpoint, fresh=fresh, connect_s=connect_s), shlex.join(command)]
    # A file, not a pipe: the kept connection inherits standard error and would hold a pipe open for ever.
    said = tempfile.TemporaryFile()  # noqa: SIM115 - the conversation closes it
    with _STARTS:
        began = time.monotonic()
        # A group of its own: Ctrl-C is for us to handle, not for ssh to die of.
        process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, start_new_session=True
        )
        conversation = Conversation(endpoint, process, said)
        try:
            _bootstrap(process, program)
            conversation.opened_in_s = time.monotonic() - began
        except (OSError, WireError) as broken:
            error = _unreachable(endpoint, argv, process, said, str(broken))
            conversation.close()
            raise error from broken
        except BaseException:
            conversation.abort()
            conversation.close()
            raise
    return conversation


def _bootstrap(process: subprocess.Popen[bytes], program: bytes) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    answer = process.stdout.readline(200)
    if answer == b"need\n":
        process.stdin.write(program)
        process.stdin.flush()
    elif answer != b"have\n":
        raise WireError(answer.decode(errors="replace").strip() or "no answer")
    hello = read_message(process.stdout)
    if hello is None or "hello" not in hello[0]:
        raise WireError("the host's program did not start")


@cache
def _loader_text() -> str:
    return (Path(__file__).parent / "loader.py").read_text()


def _unreachable(
    endpoint: Endpoint, argv: list[str], process: subprocess.Popen[bytes], said: IO[bytes], why: str
) -> HostUnreachable:
    if not _ended(process):
        process.kill()
    status, lines = process.wait(), _last_lines(said)
    reason = lines[-1] if lines else why
    return HostUnreachable(
        endpoint.host,
        f"cannot be reached at {endpoint.user}@{endpoint.address} port {endpoint.port}: {reason}",
        # Without the loader's text, which says nothing to a reader.
        argv=[*argv[:-1], "python3"],
        status=status,
        lines=lines,
        hint=_hint(endpoint, lines),
    )


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(timeout=1.0)
    except subprocess.TimeoutExpired:
        return False
    return True


def _hint(endpoint: Endpoint, lines: tuple[str, ...]) -> str:
    """Only advice; nothing is decided on these texts."""
    said = " ".join(lines)
    if "Permission denied" in said:
        return f"Is your public key in {endpoint.user}'s authorized_keys on {endpoint.host}?"
    if "verification failed" in said or "IDENTIFICATION HAS CHANGED" in said:
        if endpoint.known_hosts is None:
            return f"Nobody has said yet which key is {endpoint.host}'s: bastide trust"
        again = (
            f"bastide trust --replace {endpoint.host}"
            if endpoint.alias
            else f"remove it from {endpoint.known_hosts}"
        )
        return f"The host shows another key than before. If it was reinstalled: {again}."
    if "python3" in said:
        return "Install python3 (3.10 or newer) on the host."
    if "sudo" in said:
        return f"Let {endpoint.user} use sudo without a password, or log in as root."
    return f"Does `ssh -p {endpoint.port} {endpoint.user}@{endpoint.address}` work from here?"


def _last_lines(said: IO[bytes], count: int = 6) -> tuple[str, ...]:
    try:
        said.seek(0)
        text = said.read().decode(errors="replace")
    except ValueError:
        return ()
    return tuple([line for line in text.splitlines() if line.strip()][-count:])


def close_kept_connection(endpoint: Endpoint) -> None:
    """End the connection that is kept open, if there is one; for machines that are about to go."""
    argv = ssh_argv(endpoint)
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run([argv[0], "-O", "exit", *argv[1:]], capture_output=True, check=False, timeout=5)
    control_path(endpoint).unlink(missing_ok=True)
