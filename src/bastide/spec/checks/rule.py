"""What a check of meaning is.

In: a Spec that is valid field by field. Out: faults.
Holds: a rule names what it rests on, so that it can be left out when that is faulty in form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bastide.spec.errors import Fault, Keys
from bastide.spec.model import Spec
from bastide.spec.parts import Role, Secret

_SOURCES = ("generate", "file", "env")


@dataclass(frozen=True)
class Rule:
    """One check."""

    check: Callable[[Spec], Iterator[Fault]]
    reads: tuple[Keys, ...] = ()
    """Places whose absence, anywhere below them, would make the check say something false. A check that judges
    each entry by itself has none: an entry that was set aside is simply not judged."""

    def can_run(self, doubtful: frozenset[Keys]) -> bool:
        """Whether nothing that the check rests on is in doubt."""
        return not any(overlap(read, path) for read in self.reads for path in doubtful)


def overlap(one: Keys, other: Keys) -> bool:
    """Whether one of the places is, or holds, the other."""
    short = min(len(one), len(other))
    return one[:short] == other[:short]


def hosts_with(spec: Spec, role: Role) -> tuple[str, ...]:
    """Names of the hosts that have the role, in the order of the spec."""
    return tuple(name for name, host in spec.hosts.items() if role in host.roles)


def listed(names: tuple[str, ...]) -> str:
    """`'a', 'b' and 'c'`."""
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def secret_source(path: Keys, secret: Secret) -> Iterator[Fault]:
    """A secret that names no source, or several."""
    given = [source for source in _SOURCES if getattr(secret, source) is not None]
    if not given:
        message = f"the secret '{path[-1]}' has no source"
        hint = "write one of `generate: 32`, `file: PATH` and `env: NAME`"
        yield Fault(path=path, code="BST056", message=message, hint=hint, at="key")
    elif len(given) > 1:
        yield Fault(
            path=(*path, given[1]),
            code="BST056",
            message=f"the secret '{path[-1]}' has {len(given)} sources: {', '.join(given)}",
            hint=f"keep one; an overlay removes the other by `{given[0]}: null`",
            at="key",
            related=(*path, given[0]),
            related_label="another source",
        )
