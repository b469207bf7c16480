"""Voters as whoever changes them sees them: who takes part, and what etcd on one of them says.

In: a Target. Out: answers. Raises OrderRefused, with what to do.
Holds: questions go over new connections, as root, to the voter's own etcd with its own certificate.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections.abc import Mapping
from typing import Any

from bastide.products.etcd.render import health_argv
from bastide.products.etcd.view import FOLDER, Member, derive_members
from bastide.project.database import OrderRefused
from bastide.project.target import Target
from bastide.topology.flows import ETCD_CLIENT
from bastide.topology.resolve import resolve_topology
from bastide.transport.endpoint import root_argv

_PATIENCE_S = 120
_SSH_FAILED = 255
_CHOOSING_S = 15.0
"""Until a majority is missed: to choose a leader takes etcd 1 to 2 s; and it changes its members only once those that there
are have heard of each other for five."""
_NOT_YET = ("unhealthy cluster", "no leader", "leader changed")


def voters_of(target: Target, host: str) -> Mapping[str, Member]:
    """Every voter by host, of which `host` must be one. Raises OrderRefused."""
    members = {member.host: member for member in derive_members(resolve_topology(target.spec))}
    if host not in members:
        names = ", ".join(members) or "none: only automatic failover has voters"
        raise OrderRefused(f"{host} is no voter; there are: {names}", "bastide db status")
    return members


def await_others(
    target: Target, host: str, members: Mapping[str, Member]
) -> tuple[list[str], list[dict[str, Any]]]:
    """Who takes part without that host, and whom etcd counts as members; nobody, where nobody can be asked. Where it led
    the vote until a moment ago, the others choose another first."""
    end = time.monotonic() + _CHOOSING_S
    while True:
        found = [name for name in members if name != host and takes_part(target, name)]
        known = ask_member(target, members[found[0]], "member/list", {})["members"] if found else []
        if (found and len(found) > len(known) // 2) or time.monotonic() > end:
            return found, known
        time.sleep(0.5)


def takes_part(target: Target, host: str) -> bool:
    """Whether it agrees with most voters right now."""
    try:
        run_script(target, host, shlex.join(health_argv(host)))
    except OrderRefused:
        return False
    return True


def ask_member(target: Target, member: Member, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """A question to etcd on a voter, as that voter's own client. Raises OrderRefused."""
    url = f"https://{member.name}:{ETCD_CLIENT}/v3/cluster/{path}"
    tls = f"--cacert {FOLDER}/tls/root.pem --cert {FOLDER}/tls/certificate.pem --key {FOLDER}/tls/key.pem"
    resolve = shlex.quote(f"{member.name}:{ETCD_CLIENT}:{member.address}")
    script = f"curl --silent --show-error --max-time 10 {tls} --resolve {resolve} -d {shlex.quote(json.dumps(body))} {url}"
    end = time.monotonic() + _CHOOSING_S
    while True:
        said = run_script(target, member.host, script)
        try:
            answer = json.loads(said)
        except ValueError:
            answer = None
        if isinstance(answer, dict) and "error" not in answer:
            return answer
        if time.monotonic() > end or not any(words in said for words in _NOT_YET):
            raise OrderRefused(f"etcd on {member.host} refused {path}: {said.strip()[-300:]}", "bastide status")
        time.sleep(0.5)


def run_script(target: Target, host: str, script: str) -> str:
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
