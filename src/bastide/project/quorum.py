"""Most voters are lost for ever: one that is left goes on with what it knows, alone, until others are let in.

In: a Target and a host. Out: who was found to be what, and what came of it. Raises OrderRefused.
Holds: it is refused while most voters agree, or could if those that have their data were started; etcd's data is copied
aside first, and put back when etcd does not come up with it. From then on etcd takes the others for removed: one that comes
back with its old data is turned away as soon as it reaches this one (`readmit.py` lets it in again).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from bastide.products.etcd.render import health_argv
from bastide.products.etcd.view import DATA, JOINING, MEMBER
from bastide.project.database import OrderRefused
from bastide.project.target import Target
from bastide.project.voters import run_script, takes_part, voters_of

Found = Literal["takes part", "has its data", "has no data", "does not answer"]
_HAS_DATA = f"test -d {MEMBER}/member && echo yes || echo no"
_ALONE = f"""set -eu
systemctl stop etcd.service
# One for each time: whoever has to do it twice may want what there was before the first.
aside={DATA}/before-$(date +%Y%m%d-%H%M%S).etcd
rm -rf {DATA}/before-*.part
cp -a {MEMBER} $aside.part
mv $aside.part $aside
trap 'rm -f {JOINING}' EXIT
echo ETCD_FORCE_NEW_CLUSTER=true >{JOINING}
systemctl reset-failed etcd.service 2>/dev/null || true
systemctl start etcd.service
for i in $(seq 60); do
    if said=$(HEALTH); then echo $aside; exit 0; fi
    sleep 0.5
done
systemctl stop etcd.service
rm -rf {JOINING} {DATA}/failed.etcd
# Renamed, not removed: broken off between the two, all of it is still there.
mv {MEMBER} {DATA}/failed.etcd
mv $aside {MEMBER}
systemctl start --no-block etcd.service
echo "etcd did not come up alone, and has what it had: $said" >&2
exit 1
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """What is left of the voters, beside one."""

    host: str
    others: Mapping[str, Found]

    def describe(self) -> str:
        """In words."""
        return ", ".join(f"{host} {what}" for host, what in self.others.items())


def survey(target: Target, host: str) -> Left:
    """What is left. Raises OrderRefused where that host need not, or must not, go on alone."""
    members = voters_of(target, host)
    with ThreadPoolExecutor(max_workers=len(members)) as pool:
        found = dict(zip(members, pool.map(lambda name: _look(target, name), members), strict=True))
    if agreeing := [name for name, what in found.items() if what == "takes part"]:
        raise OrderRefused(
            f"most voters agree ({', '.join(agreeing)} take part): nobody needs to go on alone",
            "bastide status names those that do not; bastide db readmit lets them in",
        )
    if found[host] != "has its data":
        raise OrderRefused(
            f"{host} {found[host]}: there is nothing to go on with", "choose a voter that has its data"
        )
    having = [name for name, what in found.items() if what == "has its data"]
    if len(having) > len(members) // 2:
        raise OrderRefused(
            f"{', '.join(having)} have their data, and are most of {len(members)} voters: they can agree again",
            f"bastide logs {having[0]} says why they do not; what is broken beyond repair there, move away: {MEMBER}",
        )
    return Left(host=host, others={name: what for name, what in found.items() if name != host})


def force_quorum(target: Target, host: str) -> str:
    """Have it go on alone; the outcome in words. `survey` comes first."""
    aside = run_script(target, host, _ALONE.replace("HEALTH", shlex.join(health_argv(host)))).strip()
    return f"{host} decides alone; what etcd had is kept in {aside}"


def _look(target: Target, host: str) -> Found:
    if takes_part(target, host):
        return "takes part"
    try:
        return "has its data" if run_script(target, host, _HAS_DATA).strip() == "yes" else "has no data"
    except OrderRefused:
        return "does not answer"
