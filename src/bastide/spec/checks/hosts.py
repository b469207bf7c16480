"""Checks of the hosts: which roles somebody must have, and that each address is one host's."""

from __future__ import annotations

from collections.abc import Iterator

from bastide.spec.checks.rule import Rule, hosts_with, listed
from bastide.spec.errors import Fault, Keys
from bastide.spec.model import Spec
from bastide.spec.values import IPAddress

_RESERVED = {"client": "the lab's machine on the internet side", "localhost": "every machine's own name"}


def _balancer(spec: Spec) -> Iterator[Fault]:
    if not hosts_with(spec, "balancer"):
        hint = "give one host `balancer`: it receives the requests; two let one fail"
        yield Fault(path=("hosts",), code="BST030", message="no host has the role 'balancer'", hint=hint, at="key")


def _web(spec: Spec) -> Iterator[Fault]:
    if not hosts_with(spec, "web"):
        hint = "give one host `web`: it serves static files and passes the rest on; it may be the balancer's host"
        yield Fault(path=("hosts",), code="BST031", message="no host has the role 'web'", hint=hint, at="key")


def _app(spec: Spec) -> Iterator[Fault]:
    if spec.app.kind != "static" and not hosts_with(spec, "app"):
        message = f"no host has the role 'app', but the application is of the kind '{spec.app.kind}'"
        hint = "give one host `app`, or write `kind: static` when there are only files"
        yield Fault(
            path=("hosts",),
            code="BST032",
            message=message,
            hint=hint,
            at="key",
            related=("app", "kind"),
            related_label="needs a host that runs it",
        )


def _roles_once(spec: Spec) -> Iterator[Fault]:
    for name, host in spec.hosts.items():
        for index, role in enumerate(host.roles):
            first = host.roles.index(role)
            if first < index:
                message = f"the role '{role}' is given twice to '{name}'"
                yield Fault(
                    path=("hosts", name, "roles", index),
                    code="BST042",
                    message=message,
                    hint="remove one of the two",
                    related=("hosts", name, "roles", first),
                    related_label="first given here",
                )


def _names(spec: Spec) -> Iterator[Fault]:
    for name in spec.hosts:
        if name in _RESERVED:
            message = f"a host cannot be called '{name}': that is {_RESERVED[name]}"
            yield Fault(path=("hosts", name), code="BST043", message=message, hint="choose another name", at="key")


def _addresses(spec: Spec) -> Iterator[Fault]:
    taken: dict[IPAddress, Keys] = {}
    if not isinstance(spec.balancer.virtual_ip, str):
        taken[spec.balancer.virtual_ip] = ("balancer", "virtual_ip")
    for name, host in spec.hosts.items():
        for field, address in (("address", host.address), ("public", host.public)):
            if address is None:
                continue
            path = ("hosts", name, field)
            first = taken.setdefault(address, path)
            if first != path and first[:2] != path[:2]:
                yield _clash(name, address, path, first)


def _clash(name: str, address: IPAddress, path: Keys, first: Keys) -> Fault:
    if first[0] == "balancer":
        message = f"'{name}' has the address {address}, which is the virtual IP"
        hint, label = "give the host, or the virtual IP, an address of its own", "moves between the balancers"
        return Fault(path=path, code="BST038", message=message, hint=hint, related=first, related_label=label)
    message = f"'{name}' has the address {address}, which is that of '{first[1]}'"
    hint = "give each host an address of its own"
    return Fault(
        path=path, code="BST037", message=message, hint=hint, related=first, related_label="first given here"
    )


def _all_or_no_addresses(spec: Spec) -> Iterator[Fault]:
    given = tuple(name for name, host in spec.hosts.items() if host.address is not None)
    lacking = tuple(name for name, host in spec.hosts.items() if host.address is None)
    if given and lacking:
        verb = "has" if len(lacking) == 1 else "have"
        yield Fault(
            path=("hosts", lacking[0]),
            code="BST041",
            message=f"{listed(lacking)} {verb} no `address`, while {listed(given)} {_of(given)}",
            hint="give every host its private address (your servers), or none (the lab assigns them)",
            at="key",
            related=("hosts", given[0], "address"),
            related_label="an address is given here",
        )


def _of(names: tuple[str, ...]) -> str:
    return "has one" if len(names) == 1 else "have one"


def _usable_addresses(spec: Spec) -> Iterator[Fault]:
    for name, host in spec.hosts.items():
        for field, address in (("address", host.address), ("public", host.public)):
            if address is not None and (address.is_loopback or address.is_unspecified or address.is_multicast):
                message = f"other machines cannot reach '{name}' at {address}"
                hint = "write the address of its network interface; leave addresses out for the lab"
                yield Fault(path=("hosts", name, field), code="BST044", message=message, hint=hint)


def _jumps(spec: Spec) -> Iterator[Fault]:
    """A project's jump host is itself reached directly; hosts that name each other are reached from nowhere."""
    jumps = {name: host.ssh.jump for name, host in spec.hosts.items() if host.ssh is not None}
    for name in jumps:
        passed, at = [name], jumps[name]
        while at in jumps and at not in passed:
            passed.append(at)
            at = jumps[at]
        if at == name:
            way = " over ".join([*passed, name])
            yield Fault(
                path=("hosts", name, "ssh", "jump"),
                code="BST062",
                message=f"'{name}' is reached over itself: {way}",
                hint="leave `jump` out for the host that is reached directly",
            )


def _one_family(spec: Spec) -> Iterator[Fault]:
    """Hosts know each other by one private address, so all of these must be able to speak to each other."""
    given = [(name, host.address) for name, host in spec.hosts.items() if host.address is not None]
    for name, address in given:
        first, known = given[0]
        if address.version != known.version:
            yield Fault(
                path=("hosts", name, "address"),
                code="BST061",
                message=f"'{name}' has an IPv{address.version} address, and cannot be reached from '{first}'",
                hint=f"give every host a private address of IPv{known.version}, or every one of IPv{address.version}",
                related=("hosts", first, "address"),
                related_label=f"this host speaks IPv{known.version}",
            )


_HOSTS: Keys = ("hosts",)

HOST_RULES = (
    Rule(_balancer, reads=(_HOSTS,)),
    Rule(_web, reads=(_HOSTS,)),
    Rule(_app, reads=(_HOSTS, ("app", "kind"))),
    Rule(_all_or_no_addresses, reads=(_HOSTS,)),
    Rule(_roles_once),
    Rule(_names),
    Rule(_addresses),
    Rule(_usable_addresses),
    Rule(_jumps),
    Rule(_one_family, reads=(_HOSTS,)),
)
