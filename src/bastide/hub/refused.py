"""A request that is not answered with what it asked for.

In: a status, a stable code, words. Out: the exception that becomes one JSON answer at the edge.
"""

from __future__ import annotations


class Refused(Exception):
    """The asker's fault, or a limit that it met."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
