"""Host keys: asked for once, shown to a person, recorded; from then on nothing else is taken for that host.

In: endpoints. Out: the key that each shows, beside the one that is recorded. Holds: asking for a key sends no
password and no key of ours further than SSH's handshake; nothing is recorded without being told to.
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from bastide.project.servers import key_name
from bastide.transport.endpoint import Endpoint, ssh_argv

_PARALLEL = 16
_TIMEOUT_S = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownKey:
    """What a host showed, or why it showed nothing."""

    host: str
    address: str
    state: Literal["new", "known", "changed", "unreachable"]
    kind: str = ""
    """Such as `ssh-ed25519`."""
    key: str = ""
    """Base64, as in known_hosts."""
    recorded: str = ""
    """The fingerprint that is on record, where it is another."""
    message: str = ""

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` prints it."""
        return fingerprint(self.key)


def fingerprint(key: str) -> str:
    """SHA256 fingerprint of a base64 key; empty for none."""
    if not key:
        return ""
    return "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(key)).digest()).decode().rstrip("=")


def in_order(endpoints: Mapping[str, Endpoint]) -> tuple[tuple[Endpoint, ...], ...]:
    """Rounds: who is reached through a machine has to wait until that machine's key is known."""
    found: dict[str, tuple[int, Endpoint]] = {}

    def visit(endpoint: Endpoint) -> int:
        depth = 0 if endpoint.jump is None else visit(endpoint.jump) + 1
        found[endpoint.host] = (depth, endpoint)
        return depth

    for endpoint in endpoints.values():
        visit(endpoint)
    deepest = max((depth for depth, _ in found.values()), default=-1)
    return tuple(tuple(e for depth, e in found.values() if depth == level) for level in range(deepest + 1))


def look_at_keys(endpoints: Iterable[Endpoint], known_hosts: Path) -> tuple[ShownKey, ...]:
    """Ask each for its key, all at once. Raises nothing: a host that is away is an answer."""
    recorded = _recorded(known_hosts)
    with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
        return tuple(pool.map(lambda endpoint: _look(endpoint, recorded.get(key_name(endpoint.host))), endpoints))


def record_keys(keys: Iterable[ShownKey], known_hosts: Path) -> None:
    """Record them, each in the place of what was recorded of that host."""
    lines = {name: f"{name} {kind} {key}" for name, (kind, key) in _recorded(known_hosts).items()}
    lines |= {key_name(k.host): f"{key_name(k.host)} {k.kind} {k.key}" for k in keys}
    known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = known_hosts.with_suffix(f".{os.getpid()}")
    draft.write_text("".join(f"{line}\n" for line in lines.values()))
    draft.replace(known_hosts)


def _recorded(known_hosts: Path) -> dict[str, tuple[str, str]]:
    try:
        rows = [line.split() for line in known_hosts.read_text().splitlines()]
    except OSError:
        return {}
    return {row[0]: (row[1], row[2]) for row in rows if len(row) >= 3}


def _look(endpoint: Endpoint, recorded: tuple[str, str] | None) -> ShownKey:
    with tempfile.TemporaryDirectory(prefix="bastide-trust-") as folder:
        seen = Path(folder) / "known_hosts"
        # No alias, so a key that nobody has seen is written down; the same kind as on record, so that they compare.
        asked = replace(endpoint, known_hosts=seen, alias=None)
        options = ["-o", "HashKnownHosts=no", "-o", "UpdateHostKeys=no", "-o", "PreferredAuthentications=none"]
        options += (
            ["-o", f"HostKeyAlgorithms={recorded[0]}"] if recorded and not recorded[0].startswith("ssh-rsa") else []
        )
        argv = ssh_argv(asked, fresh=True)
        try:
            done = subprocess.run(
                [argv[0], *options, *argv[1:], "true"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
            )  # fmt: skip
            said = done.stderr.strip().splitlines()
        except subprocess.TimeoutExpired:
            said = [f"no answer within {_TIMEOUT_S} s"]
        shown = next(iter(_recorded(seen).values()), None)
    place = f"{endpoint.address} port {endpoint.port}"
    if shown is None:
        return ShownKey(
            host=endpoint.host, address=place, state="unreachable", message=said[-1] if said else "no answer"
        )
    same = recorded is not None and recorded == shown
    return ShownKey(
        host=endpoint.host,
        address=place,
        state="known" if same else "new" if recorded is None else "changed",
        kind=shown[0],
        key=shown[1],
        recorded="" if same or recorded is None else fingerprint(recorded[1]),
    )
