"""What can go wrong between controller and host.

TransportError
├── HostUnreachable   no conversation came about: network, key, host key, sudo, Python
└── HostFailed        the host refused or failed an operation, or the conversation broke off
"""

from __future__ import annotations

from collections.abc import Sequence


class TransportError(Exception):
    """A failure of one host."""

    def __init__(self, host: str, message: str, *, lines: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(f"{host}: {message}")
        self.host = host
        self.message = message
        self.lines = tuple(lines)
        """Last lines of what was said."""
        self.hint = hint


class HostUnreachable(TransportError):
    """No conversation with the host came about; nothing was done there."""

    def __init__(
        self, host: str, message: str, *, argv: Sequence[str], status: int | None, lines: Sequence[str], hint: str
    ) -> None:
        super().__init__(host, message, lines=lines, hint=hint)
        self.argv = tuple(argv)
        self.status = status
        """Exit status of ssh; 255 is its own failure."""


class HostFailed(TransportError):
    """The host failed an operation."""

    def __init__(
        self, host: str, message: str, *, operation: str, code: str, lines: Sequence[str] = (), hint: str = ""
    ) -> None:
        super().__init__(host, message, lines=lines, hint=hint)
        self.operation = operation
        self.code = code
        """Stable: `check`, `probe`, `unit`, `locked`, … (see `host.errors`), or `lost`: the conversation broke."""
