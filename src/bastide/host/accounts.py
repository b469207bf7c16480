"""System users: which are missing, and creating them.

A user that left the spec goes, unless it still owns files: these would fall to whoever gets its number next.
In: users of a manifest. Out: what is missing. Holds: only users that we created are ever removed (`users.json`).
"""

from __future__ import annotations

from collections.abc import Sequence

from bastide.host.disk import read_json, write_json
from bastide.host.machine import Machine, read_accounts
from bastide.host.manifest import UserEntry


def missing_users(machine: Machine, wanted: Sequence[UserEntry]) -> list[str]:
    """Users that do not exist or are not in one of their groups."""
    accounts = read_accounts(machine)
    return [
        user["name"]
        for user in wanted
        if user["name"] not in accounts.users
        or any(user["name"] not in accounts.members.get(group, ()) for group in user["groups"])
    ]


def create_users(machine: Machine, wanted: Sequence[UserEntry]) -> list[str]:
    """Create users and add them to their groups; returns the names of those that were changed. Raises Failure."""
    missing = set(missing_users(machine, wanted))
    for user in wanted:
        if user["name"] not in missing:
            continue
        if user["name"] not in read_accounts(machine).users:
            # The group may be there already, from a package or an interrupted run.
            group = ["--gid", user["name"]] if user["name"] in read_accounts(machine).groups else ["--user-group"]
            machine.must_run(
                [
                    "useradd", "--system", *group, "--no-create-home", "--home-dir", "/nonexistent",
                    "--shell", "/usr/sbin/nologin", user["name"],
                ],
                code="accounts",
            )  # fmt: skip
            write_json(machine.home / "users.json", sorted({*_created(machine), user["name"]}))
        for name in user["groups"]:
            machine.must_run(["gpasswd", "--add", user["name"], name], code="accounts")
    return [user["name"] for user in wanted if user["name"] in missing]


def remove_users(machine: Machine, staying: Sequence[UserEntry]) -> list[str]:
    """Remove users of ours that are not among these and own nothing any more; returns them. Never raises."""
    names = {user["name"] for user in staying}
    leaving = [name for name in _created(machine) if name not in names]
    gone = []
    for name in leaving:
        there = name in read_accounts(machine).users
        if not there or (not _owns_something(machine, name) and machine.run(["userdel", name]).status == 0):
            gone.append(name)
    if gone:
        write_json(machine.home / "users.json", [name for name in _created(machine) if name not in gone])
    return gone


def _owns_something(machine: Machine, name: str) -> bool:
    """A file or a process, anywhere. Slow, and done only when a user has left."""
    trees = [str(machine.path(path)) for path in ("/etc", "/var", "/srv", "/opt", "/home", "/run", "/tmp")]  # noqa: S108
    found = machine.run(["find", *trees, "-xdev", "(", "-user", name, "-o", "-group", name, ")", "-print", "-quit"])
    return bool(found.output.strip()) or machine.run(["pgrep", "-u", name]).status == 0


def _created(machine: Machine) -> list[str]:
    names: list[str] = read_json(machine.home / "users.json", [])
    return names
