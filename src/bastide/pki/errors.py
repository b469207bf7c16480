"""What can go wrong with keys, certificates and secrets, each with what to do about it.

    PkiError
    ├── RootKeyNeeded      the offline root key has to be put back for a moment
    └── SecretsMissing     every secret that could not be had, in one go

Holds: no message contains a key or a secret.
"""

from __future__ import annotations

from dataclasses import dataclass


class PkiError(Exception):
    """Something that the user can put right: `message` says what is wrong, `hint` what to do."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message}\n{hint}" if hint else message)


class RootKeyNeeded(PkiError):
    """The intermediate has to be renewed, and the root key is not at hand."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MissingSecret:
    """One secret that could not be had."""

    name: str
    problem: str
    hint: str


class SecretsMissing(PkiError):
    """Secrets that could not be had; `missing` names them all."""

    def __init__(self, missing: tuple[MissingSecret, ...]) -> None:
        self.missing = missing
        lines = "\n".join(f"  {m.name}: {m.problem} ({m.hint})" for m in missing)
        super().__init__(f"{len(missing)} secret(s) missing:\n{lines}")
