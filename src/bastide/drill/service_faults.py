"""Single services: killed and kept away, killed once, stopped without an end.

In: FaultSpec with `host/product` targets, Ground. Holds: what keeps a service away stands below /run, so that a reboot
undoes it too; `end` removes it, lets stopped processes go on, and starts the units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bastide.drill.ground import Ground
from bastide.drill.refusals import FaultWithoutEffect
from bastide.drill.scenario import FaultSpec

_DROPIN = "90-bastide-drill.conf"
# A unit's processes, and those of its instances (app@8001 of app).
UNITS = """
units() { systemctl list-units --plain --no-legend --all "$1" "${1%.service}@*.service" | awk '{print $1}' | sort -u; }
pids() { for u in $(units "$1"); do
  group=$(systemctl show -p ControlGroup --value "$u"); [ -n "$group" ] || continue
  for mount in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    find "$mount$group" -name cgroup.procs -exec cat {} + 2>/dev/null || true
  done
done | sort -u; }
"""


@dataclass(frozen=True)
class _ServiceFault:
    spec: FaultSpec
    ground: Ground

    def each(self) -> list[tuple[str, str]]:
        """Host and unit of every target."""
        found = []
        for name in self.spec.targets:
            host, _, product = name.partition("/")
            service = next(s for s in self.ground.topology.services_of(host) if s.product == product)
            found.append((host, service.unit))
        return found

    def run(self, script: str) -> dict[str, str]:
        """What it printed for each target; `$unit` is the target's, `$template` its instances'."""
        return {
            f"{host}/{unit}": self.ground.shell(
                host, f"unit={unit}; template={unit.removesuffix('.service')}@.service\n{UNITS}{script}"
            )
            for host, unit in self.each()
        }

    def end(self) -> None:
        """Let it run again."""
        self.run(f"""
for dir in "/run/systemd/system/$unit.d" "/run/systemd/system/$template.d"; do
  rm -f "$dir/{_DROPIN}"; rmdir "$dir" 2>/dev/null || true
done
systemctl daemon-reload
for u in $(units "$unit"); do
  systemctl kill -s CONT "$u" 2>/dev/null || true
  systemctl reset-failed "$u" 2>/dev/null || true
done
socket="${{unit%.service}}.socket"
if systemctl is-failed --quiet "$socket"; then systemctl reset-failed "$socket"; systemctl start "$socket"; fi
for u in $(units "$unit"); do systemctl start --no-block "$u"; done
""")


class KillServices(_ServiceFault):
    """Killed, and every start of it is skipped until the end."""

    def begin(self) -> None:
        """A condition that never holds, then SIGKILL."""
        self.run(f"""
for dir in "/run/systemd/system/$unit.d" "/run/systemd/system/$template.d"; do
  mkdir -p "$dir"; printf '[Unit]\\nConditionPathExists=!/\\n' >"$dir/{_DROPIN}"
done
systemctl daemon-reload
for u in $(units "$unit"); do systemctl kill -s KILL "$u" 2>/dev/null || true; done
""")

    def proof(self) -> dict[str, Any]:
        """None of its processes is left."""
        left = self.run('for i in $(seq 50); do [ -z "$(pids $unit)" ] && break; sleep 0.1; done; pids $unit')
        if any(left.values()):
            raise FaultWithoutEffect(f"still running: {left}")
        return {"without a process": sorted(left)}


class CrashServices(_ServiceFault):
    """Killed once."""

    def begin(self) -> None:
        """SIGKILL to every process of it."""
        self.run("""
pids $unit >/run/bastide-drill-pids
for u in $(units "$unit"); do systemctl kill -s KILL "$u" 2>/dev/null || true; done
""")

    def proof(self) -> dict[str, Any]:
        """None of the processes that it had is left."""
        left = self.run("""
for i in $(seq 50); do
  sleep 0.1; pids $unit >/run/bastide-drill-now
  [ -n "$(comm -12 /run/bastide-drill-pids /run/bastide-drill-now)" ] || break
done
comm -12 /run/bastide-drill-pids /run/bastide-drill-now; rm -f /run/bastide-drill-pids /run/bastide-drill-now""")
        if any(left.values()):
            raise FaultWithoutEffect(f"survived SIGKILL: {left}")
        return {"killed once": sorted(left)}


class FreezeServices(_ServiceFault):
    """SIGSTOP."""

    def begin(self) -> None:
        """To every process of it. What becomes of them is written down at once: whoever watches it may end it soon."""
        self.run("""
held=$(pids $unit)
for u in $(units "$unit"); do systemctl kill -s STOP "$u" 2>/dev/null || true; done
for i in $(seq 20); do
  states=$(for pid in $held; do ps -o state= -p $pid || true; done | sort | uniq -c)
  case "$states" in *[!0-9T[:space:]]*) sleep 0.05 ;; *) break ;; esac
done
echo $states >/run/bastide-drill-states
""")

    def proof(self) -> dict[str, Any]:
        """All processes that it had were stopped."""
        states = self.run("cat /run/bastide-drill-states; rm -f /run/bastide-drill-states")
        running = {where: said for where, said in states.items() if not said or set(said) - set(" 0123456789T")}
        if running:
            raise FaultWithoutEffect(f"not stopped: {running}")
        return {"states of processes": states}
