"""Disks that fill up.

In: FaultSpec, Ground. Holds: only a machine with a disk of its own (`bastide up --disk`) can be filled, since the others of
a lab write to this computer's; what is freed meanwhile (journals are shortened) is taken at once; the file that takes all
is removed by `end`, whoever calls it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bastide.drill.ground import Ground
from bastide.drill.refusals import FaultRefused, FaultWithoutEffect
from bastide.drill.scenario import FaultSpec
from bastide.lab import faults
from bastide.lab.disk import read_papers

_FILE, _UNIT = "/var/lib/bastide-drill-full", "bastide-drill-full"
_FILL = f"""
free=$(stat -f -c '%a * %S' / | awk '{{print $1 * $3}}')
[ "$free" -le 2097152 ] || fallocate -l $((free - 1048576)) {_FILE}
systemd-run --quiet --collect --unit {_UNIT} sh -c 'while :; do cat /dev/zero >>{_FILE} 2>/dev/null; sleep 0.2; done'
for i in $(seq 50); do [ "$(stat -f -c %a /)" = 0 ] && exit 0; sleep 0.1; done
"""
_FREE = f"""
systemctl stop {_UNIT}.service 2>/dev/null || true
rm -f {_FILE}
"""
_LOOK = f"""
for i in $(seq 50); do
  free=$(stat -f -c %a /) said=refused
  ! dd if=/dev/zero of={_FILE}-probe bs=64k count=1 conv=fsync 2>/dev/null || said=written
  rm -f {_FILE}-probe
  [ $said = written ] || break
  sleep 0.1
done
echo $free $said
"""


@dataclass(frozen=True)
class FillDisks:
    """No byte is left on the machine's disk."""

    spec: FaultSpec
    ground: Ground

    def __post_init__(self) -> None:
        assert self.ground.lab is not None
        shared = [host for host in self.spec.targets if read_papers(self.ground.lab, host).spec.disk_bytes is None]
        if shared:
            raise FaultRefused(
                f"{self.spec}: {', '.join(shared)} writes to this computer's disk, which must not fill up",
                "bastide destroy, then bastide up --disk 4G: each machine gets a disk of its own",
            )

    def begin(self) -> None:
        """Take all that is free, and whatever becomes free."""
        for host in self.spec.targets:
            self.ground.shell(host, _FILL)

    def proof(self) -> dict[str, Any]:
        """The file system has no free block, and a write is refused: at the latest when what was freed is taken again."""
        for host in self.spec.targets:
            free, said = self.ground.shell(host, _LOOK).split()
            if said != "refused":
                raise FaultWithoutEffect(f"{host}'s disk was to be full, and takes writes ({free} blocks are free)")
        return {"full": list(self.spec.targets)}

    def end(self) -> None:
        """Free it; one that lost its power meanwhile is booted."""
        assert self.ground.lab is not None
        faults.start_machine(self.ground.lab, *self.spec.targets)
        for host in self.spec.targets:
            self.ground.shell(host, _FREE)
