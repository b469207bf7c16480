"""A voter whose etcd lost its data, or that is a new machine, takes part again.

In: a Target and a host. Out: what came of it. Raises OrderRefused.
Holds: most voters must agree throughout, without that host; its old part is removed before it joins as a new one, for a
member that forgot what it voted must never vote again. Whatever etcd had there is kept aside. Interrupted anywhere, the
same command finishes it; but where one voter decides alone and has just added the second, nothing is decided until that one
joins, and the way on is `force-quorum` once more.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable

from bastide.products.etcd.render import health_argv
from bastide.products.etcd.view import DATA, JOINING, MEMBER, peer_url
from bastide.project.database import OrderRefused
from bastide.project.target import Target
from bastide.project.voters import ask_member, await_others, run_script, takes_part, voters_of

_PUT_ASIDE = f"""set -eu
systemctl stop etcd.service 2>/dev/null || true
if [ -e {MEMBER} ]; then rm -rf {DATA}/lost.etcd; mv {MEMBER} {DATA}/lost.etcd; fi
rm -f {JOINING}
"""
_JOIN = f"""set -eu
# Not before its old part is gone from the vote: with this word, and no data, it would take that part again.
printf 'STATE=existing\\nMEMBERS=%%s\\n' %s >{JOINING}
# Nothing of ours is there yet, or something older: the apply starts it.
systemctl cat etcd.service 2>/dev/null | grep -q {JOINING} || {{ echo absent; exit 0; }}
trap 'rm -f {JOINING}' EXIT
systemctl reset-failed etcd.service 2>/dev/null || true
systemctl start etcd.service
for i in $(seq 120); do
    if said=$(%s); then echo joined; exit 0; fi
    sleep 0.5
done
echo "$said" >&2
exit 1
"""


def readmit(target: Target, host: str, tell: Callable[[str], None]) -> str:
    """Have a voter join anew; the outcome in words. `tell` hears what is being done."""
    members = voters_of(target, host)
    if takes_part(target, host):
        raise OrderRefused(f"{host}'s etcd takes part in the vote: there is nothing to mend", "bastide status")
    others, known = await_others(target, host, members)
    if not others or len(others) <= len(known) // 2:
        raise OrderRefused(
            f"only {len(others)} of {len(known) or len(members)} voters take part: most must, for somebody to be let in",
            "start the others; where most are lost for ever, `bastide db force-quorum` one that is left",
        )
    asked, urls = members[others[0]], {peer_url(member): member.host for member in members.values()}
    tell(f"putting aside what etcd has on {host}")
    run_script(target, host, _PUT_ASIDE)
    stay = {host}
    for one in known:
        who = next((urls[url] for url in one["peerURLs"] if url in urls), None)
        if who is not None and who != host:
            stay.add(who)
            continue
        # None: the spec names it no more, and a vote that nobody can give weighs against those that can.
        tell(f"{asked.host} removes {one.get('name') or one['peerURLs'][0]} from the voters")
        ask_member(target, asked, "member/remove", {"ID": one["ID"]})
    tell(f"{asked.host} adds {host} to them")
    ask_member(target, asked, "member/add", {"peerURLs": [peer_url(members[host])]})
    # Those that there are then, which after a loss are fewer than the spec names: etcd compares.
    joined = ",".join(f"{name}={url}" for url, name in urls.items() if name in stay)
    said = run_script(target, host, _JOIN % (shlex.quote(joined), shlex.join(health_argv(host))))
    if said.strip() == "absent":
        return f"{host} may join: bastide apply brings what it needs"
    return f"{host} takes part in the vote again"
