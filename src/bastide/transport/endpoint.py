"""Where a host is reached, and the `ssh` command line for it.

In: an Endpoint. Out: argument lists for the OpenSSH client. Holds: nothing secret is in them.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONNECT_TIMEOUT_S = 5
"""How long a host may take to answer before it counts as unreachable."""
_PERSIST_S = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """How the controller reaches one host."""

    host: str
    """Name in the spec."""
    address: str
    port: int = 22
    user: str = "root"
    identity_file: Path | None = None
    """Private key; None leaves the choice to the user's own SSH configuration and agent."""
    known_hosts: Path | None = None
    """File of host keys that is ours alone; None is the user's own."""
    alias: str | None = None
    """Name under which its key stands in that file, whatever address it has; only keys that stand there are taken."""
    jump: Endpoint | None = None
    """The machine through which it is reached."""


_FIELDS = ("address", "port", "user", "identity_file", "known_hosts", "alias")
_PATHS = ("identity_file", "known_hosts")


def endpoint_to_plain(endpoint: Endpoint) -> dict[str, Any]:
    """Plain JSON values; the name of the host is not among them."""
    plain = {name: getattr(endpoint, name) for name in _FIELDS}
    plain |= {name: str(plain[name]) for name in _PATHS if plain[name] is not None}
    if endpoint.jump is not None:
        plain["jump"] = {"host": endpoint.jump.host, **endpoint_to_plain(endpoint.jump)}
    return plain


def endpoint_from_plain(host: str, plain: Mapping[str, Any]) -> Endpoint:
    """The endpoint again; what a later version wrote beside it is left out."""
    known = {name: plain[name] for name in _FIELDS if name in plain}
    known |= {name: Path(known[name]) for name in _PATHS if known.get(name)}
    if plain.get("jump"):
        known["jump"] = endpoint_from_plain(plain["jump"]["host"], plain["jump"])
    return Endpoint(host=host, **known)


def ssh_argv(
    endpoint: Endpoint, *, fresh: bool = False, tty: bool = False, connect_s: float = CONNECT_TIMEOUT_S
) -> list[str]:
    """`ssh … user@address`, to which a command may be appended. `fresh`: a TCP connection of its own."""
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": str(round(connect_s)),
        "ServerAliveInterval": "3",
        "ServerAliveCountMax": "3",
        "LogLevel": "ERROR",
        "ControlPath": "none" if fresh else str(control_path(endpoint)),
        "ControlMaster": "no" if fresh else "auto",
        "ControlPersist": "no" if fresh else str(_PERSIST_S),
    }
    if endpoint.known_hosts is not None:
        # accept-new: a key seen first is kept, a changed one is refused.
        options |= {
            "UserKnownHostsFile": str(endpoint.known_hosts),
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "accept-new" if endpoint.alias is None else "yes",
        }
    if endpoint.alias is not None:
        options |= {"HostKeyAlias": endpoint.alias, "CheckHostIP": "no"}
    if endpoint.identity_file is not None:
        options |= {"IdentityFile": str(endpoint.identity_file), "IdentitiesOnly": "yes"}
    settings = [part for key, value in options.items() for part in ("-o", f"{key}={_quoted(value)}")]
    if endpoint.jump is not None:
        settings += ["-o", f"ProxyCommand={_through(endpoint.jump, endpoint)}"]
    terminal = ["-t"] if tty else ["-T"]
    return ["ssh", *terminal, *settings, "-p", str(endpoint.port), "-l", endpoint.user, endpoint.address]


def root_argv(endpoint: Endpoint, command: Sequence[str], *, fresh: bool = False) -> list[str]:
    """`ssh …` that runs a command there as root."""
    words = command if endpoint.user == "root" else ["sudo", "-n", *command]
    return [*ssh_argv(endpoint, fresh=fresh), shlex.join(words)]


def _through(jump: Endpoint, target: Endpoint) -> str:
    """A command for the user's shell. Not ProxyJump: that would not know our file of host keys."""
    address = f"[{target.address}]" if ":" in target.address else target.address
    words = [*ssh_argv(jump)[:-1], "-W", f"{address}:{target.port}", jump.address]
    return shlex.join(words).replace("%", "%%")


def control_path(endpoint: Endpoint) -> Path:
    """Socket of the kept connection: short (the kernel allows about 100 bytes), in a directory only we can enter.

    It depends on keys and known hosts too, so that a lab that was made anew at an old address gets a new one.
    """
    named = f"{endpoint.user}@{endpoint.address}:{endpoint.port} {endpoint.identity_file} {endpoint.known_hosts}"
    if endpoint.jump is not None:
        named += f" {control_path(endpoint.jump)}"
    return _control_directory() / hashlib.sha256(named.encode()).hexdigest()[:20]


def _control_directory() -> Path:
    base = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    if len(str(base)) > 40 or not base.is_dir():
        base = Path("/tmp")  # noqa: S108 - ours is made private below, and refused if it is not
    path = base / f"bastide-ssh-{os.geteuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(f"{path} must be a directory of yours with mode 0700")
    return path


def _quoted(value: str) -> str:
    # ssh parses option values like its configuration file: blanks separate, percent signs expand.
    escaped = value.replace("%", "%%") if "/" in value else value
    return f'"{escaped}"' if " " in escaped else escaped
