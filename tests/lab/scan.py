"""Whether ports answer, seen from one machine.

In: a machine and (address, port) pairs. Out: `open`, `refused` (the machine said no), `walled` (this side or the way
said no by ICMP, or there is no way) or `silent` (nobody said anything) for each.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterable

from tests.lab.commands import Commands

_SCRIPT = """
import concurrent.futures, errno, json, socket, sys
WALLED = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM}
def knock(pair):
    try:
        socket.create_connection((pair[0], pair[1]), timeout=1).close()
        return "open"
    except TimeoutError:
        return "silent"
    except ConnectionRefusedError:
        return "refused"
    except OSError as error:
        if error.errno not in WALLED:
            raise
        return "walled"
pairs = json.loads(sys.argv[1])
with concurrent.futures.ThreadPoolExecutor(64) as pool:
    said = list(pool.map(knock, pairs))
    # The kernel sends fifty refusals at once and then one a millisecond: who heard nothing asks again.
    for _ in range(2):
        silent = [n for n, one in enumerate(said) if one == "silent"]
        for n, one in zip(silent, pool.map(knock, [pairs[n] for n in silent])):
            said[n] = one
print(json.dumps(said))
"""

Seen = dict[tuple[str, int], str]


def scan(commands: Commands, machine: str, pairs: Iterable[tuple[str, int]]) -> Seen:
    """Knock at every port from a machine of the lab."""
    wanted = list(pairs)
    said = commands.ask(machine, f"python3 -c {shlex.quote(_SCRIPT)} {shlex.quote(json.dumps(wanted))}")
    return dict(zip(wanted, json.loads(said), strict=True))


def scan_from_here(pairs: Iterable[tuple[str, int]]) -> Seen:
    """Knock at every port from this computer, which stands in both of the lab's networks."""
    wanted = list(pairs)
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, json.dumps(wanted)], capture_output=True, text=True, check=True
    )
    return dict(zip(wanted, json.loads(done.stdout), strict=True))


def open_among(seen: Seen) -> set[tuple[str, int]]:
    """The ports that answered."""
    return {pair for pair, said in seen.items() if said == "open"}
