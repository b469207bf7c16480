"""Certificates that ran out: those that a host shows to other hosts, or that visitors see, are replaced by some that were
good until yesterday.

In: FaultSpec, with hosts or for the edge, Ground.
Holds: files are replaced, never written into (an earlier generation may share them); what they were is what the spec says,
so that `end` is an apply, which finds them changed by hand.
"""

from __future__ import annotations

import base64
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from bastide.bundle.model import HostBundle
from bastide.drill.ground import Ground
from bastide.drill.refusals import FaultWithoutEffect
from bastide.drill.scenario import FaultSpec
from bastide.drill.works import apply_again
from bastide.pki.leaves import issue_expired, issue_expired_edge
from bastide.pki.materials import authority_of
from bastide.policy.materials import Materials
from bastide.project.desired import derive_desired

_REPLACE = """
trap 'rm -f {path}.drill' EXIT
cp -p {path} {path}.drill
base64 -d >{path}.drill <<'END'
{content}
END
mv {path}.drill {path}
"""
_LOOK = """
for path in {paths}; do
  openssl x509 -in $path -noout
  openssl x509 -in $path -noout -checkend 0 >/dev/null || echo $path
done
"""


@dataclass(frozen=True)
class ExpireCertificates:
    """Whatever these hosts show of themselves to other hosts has run out; not what browsers see."""

    spec: FaultSpec
    ground: Ground

    def begin(self) -> None:
        """Replace the files, and have their units read them."""
        for host, changed in self._changed.items():
            script = "".join(
                _REPLACE.format(path=shlex.quote(path), content=base64.b64encode(content).decode())
                for path, content in changed.items()
            )
            orders = _orders(self._good[host], tuple(changed))
            self.ground.shell(host, script + "\n".join(orders), timeout_s=120)

    def proof(self) -> dict[str, Any]:
        """Which certificates have run out, as OpenSSL on the host says."""
        found = {}
        for host, changed in self._changed.items():
            paths = [path for path, content in changed.items() if b"BEGIN CERTIFICATE" in content]
            said = self.ground.shell(host, _LOOK.format(paths=shlex.join(paths))).split()
            if not paths or said != paths:
                raise FaultWithoutEffect(f"{host}: of {len(paths)} certificates {len(said)} ran out")
            found[host] = paths
        return {"expired": found}

    def end(self) -> None:
        """What was changed by hand is put back."""
        apply_again(self.ground)

    @cached_property
    def _good(self) -> Mapping[str, HostBundle]:
        return self._bundles(lambda materials: materials)

    @cached_property
    def _changed(self) -> Mapping[str, Mapping[str, bytes]]:
        """By host and path what takes the place of what is there."""
        expired = self._bundles(self._expire)
        return {
            host: {
                new.path: new.content
                for old, new in zip(self._good[host].files, expired[host].files, strict=True)
                if new.content != old.content
            }
            for host in self._hosts
        }

    @property
    def _hosts(self) -> Sequence[str]:
        return self.spec.targets

    def _bundles(self, alter: Callable[[Materials], Materials]) -> Mapping[str, HostBundle]:
        return derive_desired(
            self.ground.target, now=datetime.now(UTC), environ=os.environ, on_progress=lambda _: None, alter=alter
        ).bundles

    def _expire(self, materials: Materials) -> Materials:
        now, target, topology = datetime.now(UTC), self.ground.target, self.ground.topology
        theirs = [identity for identity in materials.identities if identity.host in self.spec.targets]
        authority = authority_of(topology, state=target.state, now=now)
        expired = issue_expired(authority, theirs, topology.internal_domain, now)
        return replace(materials, identities={**materials.identities, **expired})


@dataclass(frozen=True)
class ExpireEdge(ExpireCertificates):
    """What browsers see has run out, on whichever balancer they come to."""

    @property
    def _hosts(self) -> Sequence[str]:
        return [host.name for host in self.ground.topology.tier("balancer")]

    def _expire(self, materials: Materials) -> Materials:
        now, topology = datetime.now(UTC), self.ground.topology
        authority = authority_of(topology, state=self.ground.target.state, now=now)
        return replace(materials, edge=issue_expired_edge(authority, topology.domains, now))


def _orders(bundle: HostBundle, changed: tuple[str, ...]) -> Iterator[str]:
    """As an apply would: a restart where a reload does not do."""
    for unit in bundle.units:
        if any(path.startswith(unit.restart_on) for path in changed):
            yield f"systemctl restart {unit.name}"
        elif any(path.startswith(unit.reload_on) for path in changed):
            yield f"systemctl reload-or-restart {unit.name}"
