"""Names of the peers, for the server.

In: Settings. Out: the file that is bound over its /etc/hosts.
"""

from __future__ import annotations

from bastide.keeper.settings import Settings


def write_hosts(settings: Settings) -> None:
    """Names of the peers, for the server: bound over its /etc/hosts, so that certificates are verified by name.

    Written in place: the running server sees this very file, and a renamed one would not reach it.
    """
    lines = ["127.0.0.1 localhost", "::1 localhost", *(f"{p.address} {p.name}" for p in settings.peers)]
    with settings.hosts_file.open("a+") as file:
        file.seek(0)
        text = "\n".join(lines) + "\n"
        if file.read() != text:
            file.truncate(0)
            file.write(text)
