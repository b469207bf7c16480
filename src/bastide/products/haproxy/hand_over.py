"""Let requests end before the virtual address moves. Runs on balancers, as HAProxy stops (`hold`) and when it has
(`release`), whoever stops it: an apply, an upgrade of its package, a reboot, an administrator.

A connection follows the address: when it moves, what HAProxy still had to say in it is lost. So first ends what has
begun, then goes the address. Connections that are opened meanwhile may neither be accepted (they would break) nor
refused (their visitor would be told): their first packet is dropped. The visitor's kernel sends it again a second
later, and by then another balancer holds the address. Kept connections end with their next answer, which says so.
Only the visitors' frontends are shut down, not the whole process (SIGUSR1): a POST still passes through another frontend
inside, and would be answered 503 (measured).

In: the words `hold` or `release`, the address, the ports. Out: nothing; the exit status is not looked at.
Holds: `hold` ends within LONGEST_S, whatever it finds; without the address nothing is held. What it adds is one table
of nftables, gone with `release`, and with a boot.
"""

import re
import socket
import subprocess
import sys
import time
from pathlib import Path

LONGEST_S = 2.5
"""What runs longer is broken: everybody else waits for it to open a connection."""
SHORTEST_S = 0.5
"""Kept connections in use learn with an answer that they are over; visitors ask again about that soon."""
LEAVES_S = 4.0
"""It leaves within 0.2 s; a busy host may keep keepalived from it for longer, and visitors would be refused meanwhile."""
EVERY_S = 0.05
TABLE = "inet bastide_handover"
MARK = Path("/run/haproxy/handing-over")
ADMIN = "/run/haproxy/admin.sock"
_FRONTEND = re.compile(r"https?(-\d+)?,FRONTEND,")
_REQUEST = re.compile(r" fe=https?(-\d+)? ")
"""Frontends that visitors come in by, one for each thread."""


def held_here(address: str) -> bool:
    """Whether this host has the address."""
    shown = subprocess.run(["ip", "-o", "address", "show"], capture_output=True, text=True, check=False).stdout
    return any(word.partition("/")[0] == address for line in shown.splitlines() for word in line.split()[3:4])


def ruleset(address: str, ports: list[str]) -> str:
    """nftables' words that drop the first packet of new connections to the address."""
    family = "ip6" if ":" in address else "ip"
    return f"""\
table {TABLE} {{
    chain input {{
        type filter hook input priority -150; policy accept;
        {family} daddr {address} tcp dport {{ {", ".join(ports)} }} tcp flags & (syn | ack) == syn drop
    }}
}}
"""


def running(sessions: str) -> int:
    """How many requests of visitors are under way, by `show sess`; an idle kept connection is none."""
    return sum(bool(_REQUEST.search(line)) for line in sessions.splitlines())


def frontends(statistics: str) -> list[str]:
    """Names of the visitors' frontends, by `show stat`."""
    return [line.partition(",")[0] for line in statistics.splitlines() if _FRONTEND.match(line)]


def ask(admin: str, command: str) -> str:
    """HAProxy's answer; empty when it does not run any more."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(LONGEST_S)
            connection.connect(admin)
            connection.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode(errors="replace")
    except OSError:
        return ""


def close_to_visitors(admin: str) -> None:
    """Nobody new is let in, and connections end with their next answer."""
    for name in frontends(ask(admin, "show stat -1 1 -1")):
        ask(admin, f"shutdown frontend {name}")


def await_end(admin: str) -> int:
    """Wait until two looks find no request; returns how many are left."""
    began, quiet, left = time.monotonic(), 0, 0
    while (passed := time.monotonic() - began) < LONGEST_S:
        left = running(ask(admin, "show sess"))
        quiet = quiet + 1 if left == 0 else 0
        if quiet >= 2 and passed >= SHORTEST_S:
            break
        time.sleep(EVERY_S)
    return left


def hold(address: str, ports: list[str]) -> None:
    """Before HAProxy stops."""
    if not held_here(address):
        return
    MARK.touch()
    subprocess.run(["nft", "-f", "-"], input=ruleset(address, ports), text=True, check=True)
    time.sleep(EVERY_S)  # what was shaking hands is accepted
    close_to_visitors(ADMIN)
    left = await_end(ADMIN)
    print(f"handed over with {left} requests under way", file=sys.stderr)


def release(address: str) -> None:
    """After HAProxy stopped and keepalived was told: as soon as the address has left."""
    end = time.monotonic() + LEAVES_S
    while held_here(address) and time.monotonic() < end:
        time.sleep(EVERY_S)
    subprocess.run(["nft", "delete", "table", *TABLE.split()], check=False)
    MARK.unlink(missing_ok=True)


def main(action: str, address: str, *ports: str) -> None:
    """Before, or after."""
    if action == "hold":
        hold(address, list(ports))
    else:
        release(address)


if __name__ == "__main__":
    main(*sys.argv[1:])
