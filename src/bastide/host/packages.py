"""Debian packages: which are missing, installing them without letting anything start, and taking ours away again.

    packages.json   the packages that we asked apt-get for: no others are ever taken away

In: package names. Out: names that are missing. Holds: while apt-get works, `policy-rc.d` forbids starting services;
what stood in its place is put back, also after an interruption (`restore_policy`). Nothing is ever purged: what a
package leaves in /var is data.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence

from bastide.host.disk import read_json, write_atomically, write_json
from bastide.host.errors import Failure
from bastide.host.machine import Machine

_OURS = "packages.json"
_POLICY = "/usr/sbin/policy-rc.d"
_SAVED = "/usr/sbin/policy-rc.d.before-bastide"
_MARK = b"# bastide: no service starts while packages are installed\n"
_APT = (
    "apt-get",
    "--quiet",
    "--yes",
    "--no-install-recommends",
    "--option=Dpkg::Options::=--force-confdef",
    "--option=Dpkg::Options::=--force-confold",
    # unattended-upgrades may be at work: wait for it rather than fail.
    "--option=DPkg::Lock::Timeout=120",
)


def missing_packages(machine: Machine, names: Sequence[str]) -> list[str]:
    """Those of these packages that are not installed, in one call."""
    if not names:
        return []
    shown = machine.run(["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\\n", *names])
    installed = {line.split()[0] for line in shown.output.splitlines() if line.endswith(" installed")}
    return [name for name in names if name not in installed]


def installed_versions(machine: Machine, names: Sequence[str]) -> dict[str, str]:
    """Version of each of these packages that is installed, in one call."""
    if not names:
        return {}
    form = "--showformat=${Package} ${db:Status-Status} ${Version}\\n"
    shown = machine.run(["dpkg-query", "--show", form, *names])
    fields = (line.split() for line in shown.output.splitlines())
    return {f[0]: f[2] for f in fields if len(f) == 3 and f[1] == "installed"}


def return_versions(machine: Machine, wanted: dict[str, str]) -> tuple[list[str], list[str]]:
    """Bring packages back to recorded versions. Out: what was brought back, and what stays, in words.

    All together or, where Debian has some no longer, each by itself; a service that is not restarted by its own
    changed files goes on with what it loaded.
    """
    have = installed_versions(machine, list(wanted))
    other = {name: version for name, version in wanted.items() if have.get(name, version) != version}
    if not other:
        return [], []
    if _install_exactly(machine, other):
        return [f"{name} {version}" for name, version in other.items()], []
    back, stays = [], []
    for name, version in other.items():
        if _install_exactly(machine, {name: version}):
            back.append(f"{name} {version}")
        else:
            stays.append(f"{name} stays at {have[name]}: Debian's archive has {version} no longer")
    return back, stays


def _install_exactly(machine: Machine, versions: dict[str, str]) -> bool:
    pins = [f"{name}={version}" for name, version in versions.items()]
    with _nothing_starts(machine):
        return machine.run([*_APT, "--allow-downgrades", "install", *pins]).status == 0


def install_packages(machine: Machine, names: Sequence[str]) -> None:
    """Install packages; nothing starts. Raises Failure."""
    if not names:
        return
    with _nothing_starts(machine):
        machine.run(["dpkg", "--configure", "--pending"])  # a run that was interrupted left them half-installed
        done = machine.run([*_APT, "install", *names])
        if done.status != 0:
            machine.run(["apt-get", "--quiet", "update"])
            done = machine.run([*_APT, "install", *names])
        if done.status != 0:
            raise Failure(
                "packages",
                f"apt-get could not install {', '.join(names)}",
                lines=done.last_lines(),
                hint="Does `apt-get update` work on the host?",
            )


def note_installed(machine: Machine, names: Sequence[str]) -> None:
    """They were missing, and are here because of us."""
    write_json(machine.home / _OURS, sorted({*_ours(machine), *names}))


def remove_packages(machine: Machine, staying: Collection[str]) -> tuple[list[str], list[str]]:
    """Take away what we installed, nothing kept asks for, and nothing else needs. Never raises.

    Out: what went, and what stays, in words. One that is gone already is forgotten; one that others came to need
    is theirs now.
    """
    leaving = [name for name in _ours(machine) if name not in staying]
    if not leaving:
        return [], []
    gone: list[str] = []
    stays: list[str] = []
    for name in leaving:
        with_it = _removed_with(machine, name)
        others = sorted(with_it - set(leaving))
        if missing_packages(machine, [name]):
            gone.append(name)  # by hand, or with one that needed it
        elif not with_it:
            stays.append(f"{name} stays: apt-get cannot take it away")
        elif others:
            stays.append(f"{name} stays: {', '.join(others)} {'needs' if len(others) == 1 else 'need'} it")
        elif machine.run([*_APT, "remove", name]).status == 0:
            gone.append(name)
    with contextlib.suppress(OSError):  # on a full disk they are looked at again the next time
        write_json(machine.home / _OURS, [name for name in _ours(machine) if name not in gone])
    return gone, stays


def _removed_with(machine: Machine, name: str) -> set[str]:
    """What apt-get would take away with it, itself included; empty when it would not."""
    done = machine.run([*_APT, "--simulate", "remove", name])
    lines = (line.split() for line in done.output.splitlines() if done.status == 0)
    return {words[1] for words in lines if len(words) > 1 and words[0] == "Remv"}


def _ours(machine: Machine) -> list[str]:
    names: list[str] = read_json(machine.home / _OURS, [])
    return names


@contextlib.contextmanager
def _nothing_starts(machine: Machine) -> Iterator[None]:
    restore_policy(machine)
    policy, saved = machine.path(_POLICY), machine.path(_SAVED)
    if policy.exists():
        policy.rename(saved)
    write_atomically(policy, b"#!/bin/sh\n" + _MARK + b"exit 101\n", mode=0o755)
    try:
        yield
    finally:
        restore_policy(machine)


def restore_policy(machine: Machine) -> None:
    """Take our policy away and put back what was there; harmless when there is nothing to do."""
    policy, saved = machine.path(_POLICY), machine.path(_SAVED)
    if policy.is_file() and _MARK in policy.read_bytes():
        policy.unlink()
    if saved.exists() and not policy.exists():
        saved.rename(policy)
