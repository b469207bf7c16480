"""Voters: one whose etcd lost its data, or that is a new machine, takes part again.

In: a Target and a host. Out: what came of it. Raises OrderRefused.
Holds: most voters must agree throughout, without that host; its old part is removed before it joins as a new one, for a
member that forgot what it voted must never vote again. Whatever etcd had there is kept aside. Interrupted anywhere, the
same command finishes it.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections.abc import Callable, Iterable
from typing import Any

from bastide.products.etcd.render import health_argv
from bastide.products.etcd.view import DATA, FOLDER, JOINING, Member, derive_members
from bastide.project.database import OrderRefused
from bastide.project.target import Target
from bastide.topology.flows import ETCD_CLIENT, ETCD_PEER
from bastide.topology.resolve import resolve_topology
from bastide.transport.endpoint import root_argv

_PATIENCE_S = 120
_SSH_FAILED = 255
_CHOOSING_S = 15.0
"""Until a majority is missed: to choose a leader takes etcd 1 to 2 s; and it changes its members only once those that there
are have heard of each other for five."""
_NOT_YET = ("unhealthy cluster", "no leader", "leader changed")
_PUT_ASIDE = f"""set -eu
systemctl stop etcd.service 2>/dev/null || true
if [ -e {DATA}/member.etcd ]; then rm -rf {DATA}/lost.etcd; mv {DATA}/member.etcd {DATA}/lost.etcd; fi
rm -f {JOINING}
"""
_JOIN = f"""set -eu
# Not before its old part is gone from the vote: with this word, and no data, it would take that part again.
echo STATE=existing >{JOINING}
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
    members = {member.host: member for member in derive_members(resolve_topology(target.spec))}
    if host not in members:
        names = ", ".join(members) or "none: only automatic failover has voters"
        raise OrderRefused(f"{host} is no voter; there are: {names}", "bastide db status")
    if _takes_part(target, host):
        raise OrderRefused(f"{host}'s etcd takes part in the vote: there is nothing to mend", "bastide status")
    others = _others(target, host, members)
    if len(others) <= len(members) // 2:
        raise OrderRefused(
            f"only {len(others)} of {len(members)} voters take part: most must, for somebody to be let in",
            "start the others; bastide status",
        )
    asked = members[others[0]]
    tell(f"putting aside what etcd has on {host}")
    _shell(target, host, _PUT_ASIDE)
    urls = {f"https://{member.name}:{ETCD_PEER}": member.host for member in members.values()}
    for known in _ask(target, asked, "member/list", {})["members"]:
        who = next((urls[url] for url in known["peerURLs"] if url in urls), None)
        if who in (host, None):
            # None: the spec names it no more, and whoever joins must find those that the spec names.
            tell(f"{asked.host} removes {known.get('name') or known['peerURLs'][0]} from the voters")
            _ask(target, asked, "member/remove", {"ID": known["ID"]})
    tell(f"{asked.host} adds {host} to them")
    _ask(target, asked, "member/add", {"peerURLs": [next(url for url, name in urls.items() if name == host)]})
    if _shell(target, host, _JOIN % shlex.join(health_argv(host))).strip() == "absent":
        return f"{host} may join: bastide apply brings what it needs"
    return f"{host} takes part in the vote again"


def _others(target: Target, host: str, members: Iterable[str]) -> list[str]:
    """Who takes part without that host. Where it led the vote until a moment ago, they choose another first."""
    names = list(members)
    end = time.monotonic() + _CHOOSING_S
    while True:
        found = [name for name in names if name != host and _takes_part(target, name)]
        if len(found) > len(names) // 2 or time.monotonic() > end:
            return found
        time.sleep(0.5)


def _takes_part(target: Target, host: str) -> bool:
    try:
        _shell(target, host, shlex.join(health_argv(host)))
    except OrderRefused:
        return False
    return True


def _ask(target: Target, member: Member, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """A question to etcd on a voter, as that voter's own client. Raises OrderRefused."""
    url = f"https://{member.name}:{ETCD_CLIENT}/v3/cluster/{path}"
    tls = f"--cacert {FOLDER}/tls/root.pem --cert {FOLDER}/tls/certificate.pem --key {FOLDER}/tls/key.pem"
    resolve = shlex.quote(f"{member.name}:{ETCD_CLIENT}:{member.address}")
    script = f"curl --silent --show-error --max-time 10 {tls} --resolve {resolve} -d {shlex.quote(json.dumps(body))} {url}"
    end = time.monotonic() + _CHOOSING_S
    while True:
        said = _shell(target, member.host, script)
        try:
            answer = json.loads(said)
        except ValueError:
            answer = None
        if isinstance(answer, dict) and "error" not in answer:
            return answer
        if time.monotonic() > end or not any(words in said for words in _NOT_YET):
            raise OrderRefused(f"etcd on {member.host} refused {path}: {said.strip()[-300:]}", "bastide status")
        time.sleep(0.5)


def _shell(target: Target, host: str, script: str) -> str:
    """What a script printed there, as root. Raises OrderRefused where it failed."""
    # Fresh: whoever is let in again was away, and a kept connection to a machine that is gone is believed in for seconds.
    argv = root_argv(target.endpoint(host), ["sh"], fresh=True)
    try:
        done = subprocess.run(
            argv, input=script, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise OrderRefused(f"{host} did not answer within {_PATIENCE_S} s", "bastide status") from late
    if done.returncode == _SSH_FAILED:
        hint = "start that host, or put a new machine in its place; then the same command again"
        raise OrderRefused(f"{host} does not answer: {done.stderr.strip()[-200:]}", hint)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise OrderRefused(f"{host}: {last[0][-300:]}", f"bastide logs {host}; then the same command again")
    return done.stdout
