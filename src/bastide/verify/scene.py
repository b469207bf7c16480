"""What a verification works on: the infrastructure as it should be, and ways to its hosts.

In: made by `project.verifying`. Out: `Scene`. Holds: nothing here knows a port; these stand in the flows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bastide.spec.model import Spec
from bastide.topology.model import Topology
from bastide.transport.endpoint import Endpoint
from bastide.verify.asking import AskFailed, Asking, Probers

CLIENT = "client"
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything that a family of checks may ask for."""

    spec: Spec
    topology: Topology
    endpoints: Mapping[str, Endpoint]
    client: Endpoint | None
    """The lab's internet machine; None on servers."""
    rulesets: Mapping[str, str]
    """The generated ruleset of each host."""
    state: Path
    """Where the project's keys are."""
    ca: Path
    lab: bool
    quick: bool = False
    """Knock only at ports that matter, and some others."""
    chosen: tuple[str, ...] = ()
    """What the user asked for by name; checks that disturb are made only then."""
    say: Callable[[str], None] = field(default=lambda _: None)
    probers: Probers = field(default_factory=Probers)
    """Whoever runs checks closes it."""

    @property
    def width(self) -> int:
        """How many hosts work at a time: a lab's machines share this computer's processors."""
        return 3 if self.lab else 8

    @property
    def patience_s(self) -> float:
        """How long an answer may take."""
        return 0.25 if self.lab else 1.0

    @property
    def domain(self) -> str:
        """The name that the site is asked for by: a lab has one that leads to it, whatever the public one does."""
        return self.topology.domains[-1 if self.lab else 0]

    def endpoint(self, name: str) -> Endpoint:
        """How to reach a host, or the client."""
        return self.client if name == CLIENT and self.client is not None else self.endpoints[name]

    def ask(self, name: str, operation: str, /, **fields: Any) -> Any:
        """One question. Raises AskFailed."""
        return self.probers.ask(self.endpoint(name), operation, **fields)

    def begin(self, name: str, operation: str, /, **fields: Any) -> Asking:
        """A question that goes on until its answer is fetched."""
        return Asking(self.probers, self.endpoint(name), operation, **fields)

    def each(self, names: Iterable[str], work: Callable[[str], _Answer]) -> dict[str, _Answer | AskFailed]:
        """Do it for every host, a few at a time; a host that does not answer has its failure for an answer."""

        def guarded(name: str) -> _Answer | AskFailed:
            try:
                return work(name)
            except AskFailed as failure:
                return failure

        wanted = list(names)
        with ThreadPoolExecutor(max_workers=self.width) as pool:
            return dict(zip(wanted, pool.map(guarded, wanted), strict=True))
