"""Typed faults: each can be begun, proved to have taken effect, and ended.

In: a FaultSpec with plain names, and the Ground. Out: `Fault`. Raises FaultRefused for what cannot be done here,
FaultWithoutEffect when it was done and nothing broke.
Holds: `end` needs nothing but the FaultSpec, is idempotent, and may be called when `begin` never was: whoever finds a
journal of a drill that was killed can put everything back.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from bastide.drill.certificate_faults import ExpireCertificates, ExpireEdge
from bastide.drill.clock_faults import JumpClocks
from bastide.drill.disk_faults import FillDisks
from bastide.drill.ground import Ground
from bastide.drill.host_faults import CutHosts, FreezeHosts, KillHosts, RebootHosts
from bastide.drill.network_faults import LosePackets, PartHosts
from bastide.drill.refusals import FaultRefused
from bastide.drill.scenario import ON_SERVERS, FaultSpec
from bastide.drill.service_faults import CrashServices, FreezeServices, KillServices
from bastide.drill.works import DeployRelease, RotateCertificates, SwitchOver


class Fault(Protocol):
    """Something that breaks."""

    @property
    def spec(self) -> FaultSpec:
        """What it is."""

    def begin(self) -> None:
        """Break it."""

    def proof(self) -> dict[str, Any]:
        """What shows that it took effect. Raises FaultWithoutEffect."""

    def end(self) -> None:
        """Put it back, whatever state it is in."""


@runtime_checkable
class Prepared(Fault, Protocol):
    """One that needs something before there is load. `end` puts that away, too, when there is none any more."""

    def prepare(self) -> None:
        """Nothing is broken by it, but services may restart."""

    def ease(self) -> None:
        """Put back what is broken, and leave what was prepared."""


def make_fault(spec: FaultSpec, ground: Ground) -> Fault:
    """The fault of that kind. Raises FaultRefused."""
    services = [name for name in spec.targets if "/" in name]
    if services and len(services) != len(spec.targets):
        raise FaultRefused(f"{spec}: hosts and services at once", "name hosts, or services, of one kind of fault")
    if ground.lab is None and (spec.kind not in ON_SERVERS or (spec.kind in ("kill", "freeze") and not services)):
        raise FaultRefused(f"{spec}: only a lab can do that and undo it", "on servers: services, crash, reboot")
    match spec.kind:
        case "kill":
            return KillServices(spec, ground) if services else KillHosts(spec, ground)
        case "crash" if services:
            return CrashServices(spec, ground)
        case "freeze":
            return FreezeServices(spec, ground) if services else FreezeHosts(spec, ground)
        case "cut" if not services:
            return CutHosts(spec, ground)
        case "reboot" if not services:
            return RebootHosts(spec, ground)
        case "loss" if not services:
            return LosePackets(spec, ground)
        case "part" if not services:
            return PartHosts(spec, ground)
        case "full" if not services:
            return FillDisks(spec, ground)
        case "expire" if not services:
            return ExpireCertificates(spec, ground)
        case "expire-edge":
            return ExpireEdge(spec, ground)
        case "clock" if not services:
            return JumpClocks(spec, ground)
        case "switchover":
            return SwitchOver(spec, ground)
        case "rotate":
            return RotateCertificates(spec, ground)
        case "deploy":
            return DeployRelease(spec, ground)
        case _:
            raise FaultRefused(
                f"{spec}: this fault is not for {'services' if services else 'hosts'}", "bastide drill --list"
            )
