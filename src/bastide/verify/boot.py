"""A machine that restarts is walled before its first packet.

In: Scene. Out: the check `walls.boot`. Holds: it is done only when asked for by name, to one host whose loss stops
nothing; it comes back before this returns. The host's own clock says when its wall stood, the neighbour's when its first
frame came: machines of a lab share one clock. Of servers only the silence of their ports is judged.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import Any

from bastide.policy.cutsets import predict
from bastide.spec.parts import Role
from bastide.topology.model import Host
from bastide.verify.asking import AskFailed
from bastide.verify.claims import Check, judged, untested
from bastide.verify.expected import doors_in
from bastide.verify.scene import Scene

IDENTIFIER = "walls.boot"
_CLAIM = "a machine that restarts is walled before its first packet"
_ORDER: tuple[Role, ...] = ("web", "app", "monitor", "balancer", "witness", "database")
_BACK_WITHIN_S = 180.0
_SOURCE_PORT = 61120


def check_boot(scene: Scene) -> Check:
    """Restart one machine under probes."""
    if not any(name.startswith(IDENTIFIER) for name in scene.chosen):
        return untested(
            IDENTIFIER, _CLAIM, f"it restarts a machine: ask for it by name (bastide verify {IDENTIFIER})"
        )
    host = _redundant(scene)
    if host is None:
        return untested(IDENTIFIER, _CLAIM, "there is no machine whose absence stops nothing")
    watcher = next(other for other in scene.topology.hosts.values() if other.name != host.name)
    doors = doors_in(scene.topology, host, str(host.private), watcher.name, str(watcher.private))
    open_ports = {port for protocol, port in doors if protocol == "tcp"}
    flows = {flow.port for flow in scene.topology.flows if flow.port is not None}
    ports = sorted((flows | set(random.sample(range(1, 65536), 8))) - open_ports)
    try:
        before = scene.ask(host.name, "boot_times")
        with scene.begin(
            watcher.name, "watch_boot", target=str(host.private), ports=ports, source_port=_SOURCE_PORT
        ) as watch:
            watch.await_ready()
            scene.ask(host.name, "reboot")
            after = _await_return(scene, host.name, before["began_s"])
            # Without a wall nothing counts.
            dropped = scene.ask(host.name, "counters")["dropped_in"] if after["wall_s"] else 0
            seen = watch.finish()
    except AskFailed as failure:
        return untested(IDENTIFIER, _CLAIM, str(failure), host=host.name)
    return _judge(scene, host.name, watcher.name, after, dropped, seen)


def _judge(scene: Scene, host: str, watcher: str, after: Any, dropped: int, seen: Any) -> Check:
    began, wall = after["began_s"], after["wall_s"]
    if not wall:
        return judged(
            IDENTIFIER, _CLAIM, False, host=host, watched_from=watcher, reason="it came up without its wall"
        )
    new = [(at, what) for at, what in seen["heard"] if at >= began]
    early = Counter(what for at, what in new if at < wall)
    proof = {
        "host": host, "watched_from": watcher, "probes": seen["sent"], "answered": seen["answered"],
        "wall_after_s": round(wall - began, 2), "dropped_since_it_started": dropped,
    }  # fmt: skip
    if scene.lab:
        first = min((at for at, _ in new), default=0.0)
        proof |= {
            "first_frame_after_s": round(first - began, 2),
            "frames": len(new),
            "before_the_wall": dict(early),
        }
    if seen["answered"]:
        return judged(IDENTIFIER, _CLAIM, False, **proof)
    if not dropped or (scene.lab and not new):
        return untested(IDENTIFIER, _CLAIM, "no probe, or no frame of it, was seen after it started", **proof)
    return judged(IDENTIFIER, _CLAIM, not (scene.lab and early), **proof)


def _redundant(scene: Scene) -> Host | None:
    hosts = [host for host in scene.topology.hosts.values() if _may_go(scene, host)]
    return min(hosts, key=lambda host: max(_ORDER.index(role) for role in host.roles), default=None)


def _may_go(scene: Scene, host: Host) -> bool:
    loss = predict(scene.topology, [host.name])
    return len(scene.topology.hosts) > 1 and not loss.reads and not loss.writes and "database" not in host.roles


def _await_return(scene: Scene, name: str, began_s: float) -> Any:
    """Its times, when it has started anew and all that is to run does. Raises AskFailed."""
    end = time.monotonic() + _BACK_WITHIN_S
    last: AskFailed | None = None
    while time.monotonic() < end:
        try:
            times = scene.ask(name, "boot_times")
            if times["began_s"] != began_s and times["state"] in ("running", "degraded"):
                return times
        except AskFailed as failure:
            last = failure
        time.sleep(0.5)
    raise AskFailed(name, f"it did not come back within {_BACK_WITHIN_S:g} s: {last or 'it did not restart'}")
