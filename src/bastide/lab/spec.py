"""What a lab machine is, in plain values, and what can be seen of one.

In and out: frozen records. Holds: a machine has an address on at least one of the lab's two networks.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface
from typing import Any, Literal

from bastide.lab.errors import LabError
from bastide.lab.names import LabNetworks, check_name, private_link


@dataclass(frozen=True, kw_only=True)
class MachineSpec:
    """One machine to raise. Its private interface is called `priv0`, its public one `pub0`."""

    name: str
    private: IPv4Interface | None = None
    public: IPv4Interface | None = None
    private6: IPv6Interface | None = None
    public6: IPv6Interface | None = None
    resolver: IPv4Address | None = None
    """The name server that its /etc/resolv.conf names; none when None."""
    disk_bytes: int | None = None
    """Size of a disk of its own, which can fill up; None: it writes to this computer's."""

    def __post_init__(self) -> None:
        check_name("machine", self.name)
        if self.private is None and self.public is None:
            raise ValueError(f"machine {self.name} has no address")

    @property
    def reachable_at(self) -> IPv4Address:
        """The address at which this computer reaches it: the private one when it has one."""
        interface = self.private or self.public
        assert interface is not None
        return interface.ip

    def to_record(self) -> dict[str, str | None]:
        """The machine as JSON-ready text."""
        return {key: None if value is None else str(value) for key, value in asdict(self).items()}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "MachineSpec":
        """The machine that `to_record` wrote."""

        def parsed(key: str, kind: Callable[[str], Any]) -> Any:
            return None if record.get(key) is None else kind(record[key])

        return cls(
            name=record["name"],
            private=parsed("private", IPv4Interface),
            public=parsed("public", IPv4Interface),
            private6=parsed("private6", IPv6Interface),
            public6=parsed("public6", IPv6Interface),
            resolver=parsed("resolver", IPv4Address),
            disk_bytes=parsed("disk_bytes", int),
        )


@dataclass(frozen=True, kw_only=True)
class MachineState:
    """What can be seen of one machine of a lab."""

    name: str
    running: bool
    frozen: bool
    cut: bool
    """Running, but with at least one of its cables unplugged."""
    pid: int | None
    """The machine's PID 1 as this computer numbers it."""
    private: IPv4Interface | None
    public: IPv4Interface | None


Phase = Literal["running", "outdated", "booting", "ready", "failed"]


@dataclass(frozen=True, kw_only=True)
class MachineEvent:
    """A step in raising a machine; `seconds` counts from the start of the raising."""

    machine: str
    phase: Phase
    """`running`: left alone, it was up already. `outdated`: the same, but it was raised with other values."""
    seconds: float


def check_machines(machines: Sequence[MachineSpec], networks: LabNetworks) -> None:
    """Raise `LabError` when machines clash with each other or do not fit the lab's networks."""
    hints: list[str] = []
    owner: dict[object, str] = {}
    for machine in machines:
        link = private_link(networks.index, machine.name)
        for address, network in (
            (machine.private, networks.private),
            (machine.public, networks.public),
            (machine.private6, networks.private6),
            (machine.public6, networks.public6),
        ):
            if address is not None and address.network != network:
                hints.append(f"{machine.name}: {address} is not in {network}")
            elif address is not None and address.ip == network[1]:
                hints.append(f"{machine.name}: {address.ip} is this computer's own")
        # The cable's name stands for the machine's: long names are shortened and could meet.
        for key in (link, machine.private, machine.public, machine.private6, machine.public6):
            if key is not None and owner.setdefault(key, machine.name) != machine.name:
                hints.append(f"{machine.name} and {owner[key]} would both have {key}")
    names = [machine.name for machine in machines]
    hints += [f"{name} is listed twice" for name in sorted({n for n in names if names.count(n) > 1})]
    if hints:
        raise LabError("these machines cannot be raised together", hint="; ".join(hints))
