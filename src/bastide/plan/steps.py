"""The steps of a plan, as values: what apply will do to one host, in the order in which it does it.

Holds: a step names things and digests, never contents, so a plan can be shown to anyone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, kw_only=True, slots=True)
class InstallPackages:
    """Debian packages that are missing."""

    packages: tuple[str, ...]
    drifted: bool = False
    """True: the host had it as it should be, and someone changed it there by hand."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateUser:
    """A user that is missing, or is not in all of its groups."""

    name: str
    drifted: bool = False
    """True: the host had it as it should be, and someone changed it there by hand."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoveUser:
    """A user of ours that left the spec: removed, unless files of its are left."""

    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LeavePackages:
    """Packages that left the spec: removed with the last kept generation that names them, if we installed them."""

    packages: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class UnpackArchive:
    """A release that is not there yet."""

    path: str
    digest: str
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class MakeDirectory:
    """A directory that is missing, or has another mode or owner."""

    path: str
    drifted: bool = False
    """True: the host had it as it should be, and someone changed it there by hand."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WriteFile:
    """A file whose content, mode or owner is not the wanted one."""

    path: str
    old: str | None
    """sha256 of what stands there; None when there is nothing."""
    new: str
    secret: bool
    drifted: bool
    """True: we had written it already, and someone changed it."""
    had: str | None = None
    """sha256 of what we had written there; another one than `old` means that someone changed it, too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoveFile:
    """A file that left the spec."""

    path: str
    secret: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SetSysctls:
    """Kernel settings that are not the wanted ones."""

    settings: tuple[tuple[str, str], ...]
    """All that are wanted."""
    had: tuple[tuple[str, str], ...] = ()
    """All that we had set."""
    drifted: bool = False
    """True: the host had it as it should be, and someone changed it there by hand."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoveUnit:
    """A unit that left the spec: stopped, disabled, its file removed."""

    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskUnit:
    """A unit of a Debian package that one of ours replaces."""

    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StartUnit:
    """A unit that is wanted and does not run, or is not enabled."""

    name: str
    drifted: bool = False
    """True: the host had it as it should be, and someone changed it there by hand."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RestartUnit:
    """A running unit for whose changed files a reload is not enough."""

    name: str
    drifted: bool = False
    """True: the host had it as it should be, and someone changed it there by hand."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReloadUnit:
    """A running unit that reads its changed files while it runs."""

    name: str
    drifted: bool = False
    """True: the host had it as it should be, and someone changed it there by hand."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settle:
    """Nothing else differs, but the last apply was not finished or the generation has another digest."""

    why: str


Step: TypeAlias = (
    InstallPackages
    | CreateUser
    | RemoveUser
    | LeavePackages
    | UnpackArchive
    | MakeDirectory
    | WriteFile
    | RemoveFile
    | SetSysctls
    | RemoveUnit
    | MaskUnit
    | StartUnit
    | RestartUnit
    | ReloadUnit
    | Settle
)


@dataclass(frozen=True, kw_only=True, slots=True)
class HostPlan:
    """What one host needs."""

    host: str
    digest: str
    """Generation that it will have."""
    fresh: bool
    """Whether nothing of ours was there."""
    steps: tuple[Step, ...]
    on_purpose: str = ""
    """Why an older generation runs there, if someone went back to it; apply goes forward again."""

    @property
    def changes(self) -> int:
        """How many things change; 0 is a host that is as it should be."""
        return len(self.steps)


def is_drift(step: Step) -> bool:
    """Whether the step puts back what someone changed on the host by hand."""
    return getattr(step, "drifted", False)


def count_changes(plans: Sequence[HostPlan]) -> int:
    """Changes on all hosts."""
    return sum(plan.changes for plan in plans)
