"""What a product's renderer is handed for one host.

In: the values of the pure layers above. Out: `HostContext`.
Holds: everything a renderer may know is here; none reads anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Concatenate, ParamSpec, TypeVar

from bastide.policy.identities import Identity
from bastide.policy.materials import KeyPair, Materials
from bastide.spec.model import Spec
from bastide.topology.model import Host, Topology

_Given = ParamSpec("_Given")
_Derived = TypeVar("_Derived")


@dataclass(frozen=True, kw_only=True)
class HostContext:
    """One host, in its infrastructure."""

    spec: Spec
    topology: Topology
    materials: Materials
    host: Host
    derived: dict[object, Any] = field(default_factory=dict, repr=False, compare=False)
    """What `tier_wide` functions gave; the compiler hands the same one to every host of an infrastructure."""

    def runs(self, product: str) -> bool:
        """Whether the host runs that product."""
        return product in self._products

    @cached_property
    def _products(self) -> frozenset[str]:
        return frozenset(s.product for s in self.topology.services_of(self.host.name))

    def key_pair(self, role: str) -> KeyPair:
        """The host's certificate and key in that role."""
        return self.materials.identities[Identity(role=role, host=self.host.name)]


def tier_wide(
    derive: Callable[Concatenate[Topology, _Given], _Derived],
) -> Callable[Concatenate[HostContext, _Given], _Derived]:
    """Derive once what is the same on every host, not once a host: a tier of hundreds has hundreds of peers each.

    The function is handed the topology alone, so it cannot depend on the host whose turn it is.
    """

    def once(context: HostContext, /, *args: _Given.args, **kwargs: _Given.kwargs) -> _Derived:
        key = (derive, args, tuple(kwargs.items()))
        if key not in context.derived:
            context.derived[key] = derive(context.topology, *args, **kwargs)
        return context.derived[key]  # type: ignore[no-any-return]

    return once
