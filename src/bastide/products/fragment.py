"""What one product contributes to one host: plain values that `bundle/` merges.

In: nothing; these are values. Out: `Fragment` and its parts.
Holds: a fragment is the same for the same input, byte for byte; nothing in it was read from a host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A file that the tool owns on a host.

    Paths below `/etc/bastide/` are switched all at once with the generation (a symlink); other paths are replaced
    one by one, each atomically, and removed when they leave the spec.
    """

    path: str
    content: bytes = field(repr=False)
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    secret: bool = False
    """Content never shown in a plan; the mode must not let others read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Directory:
    """A directory outside `/etc/bastide/` that must exist; never removed while it holds anything."""

    path: str
    mode: int = 0o755
    owner: str = "root"
    group: str = "root"


@dataclass(frozen=True, kw_only=True, slots=True)
class Archive:
    """A release, unpacked into a directory of its own that is never written again."""

    path: str
    """Directory that holds the unpacked tree, with the digest in its name."""
    digest: str
    """sha256 of the tar, hex; the bytes are in the controller's blob store."""
    size: int
    owner: str = "root"
    group: str = "root"


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """A system user with a group of the same name, no login and no home of its own."""

    name: str
    groups: tuple[str, ...] = ()
    """Further groups; those of packages exist because packages are installed first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """A systemd unit that is enabled and runs. Its file, if it is ours, stands among the files."""

    name: str
    restart_on: tuple[str, ...] = ()
    """Paths (prefixes) whose change needs a restart; the unit's own file always does."""
    reload_on: tuple[str, ...] = ()
    """Paths (prefixes) for whose change a reload suffices."""
    kind: Literal["service", "oneshot", "timer", "socket"] = "service"
    """oneshot: run at boot and whenever something in restart_on or reload_on changed."""
    may_wait: bool = False
    """A condition in its file may keep it from running for now; another unit starts it when its time has come."""
    stops_before: tuple[str, ...] = ()
    """Units of Debian's packages that it replaces: stopped, disabled and masked."""
    drain_flag: str = ""
    """A file that, while it exists, keeps new requests away; made before a running unit restarts, gone afterwards."""
    drains: tuple[str, ...] = ()
    """Sockets (a path, or a loopback endpoint) whose connections may end before the unit restarts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """The product's own checker, run on the staged tree before anything changes.

    It runs as root in a private mount namespace in which `/etc/bastide` already is the staged tree and the other
    staged files are bound over their final paths; exit status 0 and, with `quiet`, no output mean a pass.
    """

    name: str
    argv: tuple[str, ...]
    network: bool = False
    """True: also in a private network namespace where any address can be bound (nginx -t binds)."""
    quiet: bool = False
    """True: any output is a failure (systemd-analyze verify prints and exits 0)."""
    looks_around: bool = False
    """True: it asks about more than its product's files, so it is run at every apply."""
    inputs: str = ""
    """Digest of its product's files, which the assembler sets: what passed is not asked again for the same files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """What must hold on the host after activation; repeated until it does or its time is up."""

    name: str
    argv: tuple[str, ...]
    """Run as root; exit status 0 is a pass, output is kept as the reason."""
    timeout_s: float = 20.0
    product: str = ""
    """Filled in when fragments are merged: whose health it tells."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fragment:
    """One product's part of one host."""

    product: str
    packages: tuple[str, ...] = ()
    """Debian packages."""
    users: tuple[User, ...] = ()
    directories: tuple[Directory, ...] = ()
    archives: tuple[Archive, ...] = ()
    files: tuple[File, ...] = ()
    units: tuple[Unit, ...] = ()
    """In the order in which they are started."""
    checks: tuple[Check, ...] = ()
    probes: tuple[Probe, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    """Kernel settings, such as `net.ipv4.ip_nonlocal_bind: 1`."""
