"""What can go wrong in the lab, each with what was tried, why it failed and what to do.

LabError
├── CommandFailed     a tool of this computer (ip, mmdebstrap, …) exited non-zero
├── ImageFailed       the image could not be built
├── MachineFailed     one or more machines did not come up
└── UnknownMachine    no machine of that name in the lab
"""

from collections.abc import Sequence


class LabError(Exception):
    """Root of the lab's errors; `hint` says what the user can do."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class CommandFailed(LabError):
    """A command exited non-zero; `status` and the last lines that it wrote are kept."""

    def __init__(self, argv: Sequence[str], status: int, output: str) -> None:
        self.argv = tuple(argv)
        self.status = status
        self.output = output.strip()
        last = "\n".join(self.output.splitlines()[-5:])
        super().__init__(f"`{' '.join(self.argv[:6])}` exited {status}: {last}")


class ImageFailed(LabError):
    """The image could not be built."""


class MachineFailed(LabError):
    """Machines that did not come up; `logs` holds the last lines of each one's console and journal."""

    def __init__(self, message: str, *, logs: dict[str, str], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.logs = logs


class UnknownMachine(LabError):
    """No machine of that name in the lab."""
