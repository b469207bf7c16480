"""Clocks that jump: for the services of a host the time of day is an hour ahead, and in the end right again.

In: FaultSpec with hosts, Ground. Holds: all machines of a lab have this computer's clock, so that what jumps is what the C
library says of it, by libfaketime; services are started with it before there is load, and without it afterwards. Those
in Go ask the kernel and notice nothing (etcd, exporters); the application is left alone, since not every program bears it
(Python's own web server answered a second late with it, whatever it said); monotonic clocks do not jump, as on any host.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bastide.drill.ground import Ground
from bastide.drill.refusals import FaultRefused, FaultWithoutEffect
from bastide.drill.scenario import CLOCKED, FaultSpec
from bastide.drill.service_faults import UNITS
from bastide.lab import faults

AHEAD_S = 3600
_DROPIN = "95-bastide-drill-clock.conf"
# HAProxy reads it from within its chroot.
_SCRIPT = f"""
{UNITS}
library=$(ls /usr/lib/*/faketime/libfaketimeMT.so.1 2>/dev/null || true)
environment="LD_PRELOAD=$library FAKETIME_CACHE_DURATION=1 FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DISABLE_SHM=1"
say() {{ for root in "" /var/lib/haproxy; do
  [ -d "$root/" ] || continue
  mkdir -p "$root/etc"; echo "$1" >"$root/etc/faketimerc"
done; }}
hush() {{ rm -f /etc/faketimerc /var/lib/haproxy/etc/faketimerc; rmdir /var/lib/haproxy/etc 2>/dev/null || true; }}
preloaded() {{
  for pid in $(pids "$1"); do grep -q "${{library:-none}}" /proc/$pid/maps 2>/dev/null && return; done; false
}}
each() {{ for name in $names; do units "$name.service"; done; }}
"""
_PREPARE = """
say +0
for u in $(each); do
  mkdir -p /run/systemd/system/$u.d
  printf '[Service]\\nEnvironment=%s\\n' "$environment" >/run/systemd/system/$u.d/$dropin
done
systemctl daemon-reload
for u in $(each); do ! systemctl is-active --quiet $u || systemctl restart $u; done
"""
_PROVE = """
sleep 1.2
for u in $(each); do ! preloaded $u || echo $u; done
echo $(($(env $environment date +%s) - $(date +%s)))
"""
_END = """
say +0
for u in $(each); do
  rm -f /run/systemd/system/$u.d/$dropin
  rmdir /run/systemd/system/$u.d 2>/dev/null || true
done
systemctl daemon-reload
for u in $(each); do ! preloaded $u || systemctl restart $u; done
hush
"""


@dataclass(frozen=True)
class JumpClocks:
    """An hour ahead at once, and back at once."""

    spec: FaultSpec
    ground: Ground

    def __post_init__(self) -> None:
        none = [host for host in self.spec.targets if not self._products(host)]
        if none:
            raise FaultRefused(
                f"{self.spec}: no service of {', '.join(none)} can be shown another time",
                "bastide drill --list names hosts whose clock can jump",
            )

    def prepare(self) -> None:
        """Have the services started with libfaketime, which changes nothing yet."""
        for host in self.spec.targets:
            if not self._run(host, "echo $library"):
                raise FaultRefused(
                    f"{self.spec}: {host} was raised before machines had libfaketime",
                    "bastide destroy, then bastide up: machines of the present image have it",
                )
        for host in self.spec.targets:
            self._run(host, _PREPARE)

    def begin(self) -> None:
        """An hour ahead, for all of them."""
        for host in self.spec.targets:
            self._run(host, f"say +{AHEAD_S}")

    def proof(self) -> dict[str, Any]:
        """Which units look at that clock, and how far ahead it is."""
        found = {}
        for host in self.spec.targets:
            *units, ahead = self._run(host, _PROVE).split()
            if not units or abs(int(ahead) - AHEAD_S) > 2:
                raise FaultWithoutEffect(f"{host}: the clock is {ahead} s ahead for {', '.join(units) or 'nobody'}")
            found[host] = units
        return {"an hour ahead for": found}

    def ease(self) -> None:
        """Back at once; services go on as they are."""
        for host in self.spec.targets:
            self._run(host, "say +0")

    def end(self) -> None:
        """Back, and started without it."""
        assert self.ground.lab is not None
        faults.start_machine(self.ground.lab, *self.spec.targets)
        for host in self.spec.targets:
            self._run(host, _END)

    def _run(self, host: str, script: str) -> str:
        names = " ".join(self._products(host))
        head = f"names='{names}'; dropin={_DROPIN}\n"
        return self.ground.shell(host, head + _SCRIPT + script, timeout_s=120)

    def _products(self, host: str) -> list[str]:
        """Names of units, without `.service`."""
        services = [s for s in self.ground.topology.services_of(host) if s.product in CLOCKED]
        names = [s.unit.removesuffix(".service") for s in services]
        return [*names, *(["keeper-fence"] if "keeper" in names else [])]
