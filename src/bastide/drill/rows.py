"""What every database holds of the ledger, once they stand still.

In: Ground. Out: `Rows`. Raises AskFailed.
Holds: they are read when all say the same position, or when that has been waited for in vain, which is a finding.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from bastide.drill.ground import Ground
from bastide.drill.judge import Rows
from bastide.prober.writes import TABLE
from bastide.verify.asking import ask

NOTHING = Rows(ids={}, positions={}, checksums={})
_AGREE_S = 60.0


def read_rows(ground: Ground) -> Rows:
    """All of them."""
    database = ground.target.spec.database
    hosts = [host.name for host in ground.topology.tier("database")] if database else []
    if database is None or not hosts:
        return NOTHING
    table = f"`{database.name}`.{TABLE}"
    end = time.monotonic() + _AGREE_S
    while True:
        positions = _of_each(ground, hosts, "SELECT @@gtid_current_pos")
        if len(set(positions.values())) == 1 or time.monotonic() > end:
            break
        time.sleep(0.5)
    counts = _of_each(ground, hosts, f"SELECT id, COUNT(*) FROM {table} GROUP BY id")  # noqa: S608 - names of ours
    sums = _of_each(ground, hosts, f"CHECKSUM TABLE {table}")
    return Rows(
        ids={host: _ids(said) for host, said in counts.items()},
        positions=positions,
        checksums={host: said.split()[-1] for host, said in sums.items()},
    )


def _ids(said: str) -> dict[int, int]:
    found = {}
    for line in said.splitlines():
        words = line.split()
        if len(words) == 2 and all(word.isdigit() for word in words):
            found[int(words[0])] = int(words[1])
    return found


def _of_each(ground: Ground, hosts: list[str], statement: str) -> dict[str, str]:
    def one(host: str) -> str:
        fields = {"user": "root", "password": "", "statements": {"said": statement}}
        return str(ask(ground.target.endpoint(host), "statements", **fields)["said"])

    with ThreadPoolExecutor(max_workers=4) as pool:
        return dict(zip(hosts, pool.map(one, hosts), strict=True))
