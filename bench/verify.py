"""The port matrix of the demo shop's nine hosts: our sweep beside nmap's, and planted listeners found, run after run.

In: how often. Out: figures. Every host is swept from every other, all 65,535 TCP ports by IPv4, at the same walls. nmap
crawls at walls that drop (65,535 ports of two hosts were not done after 25 minutes): it does a share of the hosts and of
the ports, with raw frames too, and the ratio is that of the time for a probe. Fails where the two differ at a port that
both knocked at, or a planted listener is missed.
Works on a copy of examples/shop.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from bastide.project.opening import open_project
from bastide.project.target import choose_target
from bastide.project.verifying import set_scene
from bastide.transport.endpoint import ssh_argv
from bastide.verify.reach import Door, Reach, survey
from bastide.verify.scene import CLIENT, Scene
from bastide.verify.sweeping import sweep_matrix
from bench.figure import Figure
from bench.tool import ROOT, bastide

SHOP = ROOT / "bench/.labs/verify"
SPEC = SHOP / "bastide.yaml"
RUNS = 20
SHARE = 1
"""Of the nine hosts: how many nmap sweeps from."""
PORTS = 500
"""Of the 65,535: those that the design knows, and others by chance."""
# Its own pace: forced to 15,000 a second with one repetition, it found none of three open ports on a busy computer.
NMAP = "nmap -n -Pn -sS --send-eth -p {ports} -T4 -oG - {targets}"
Found = set[tuple[str, str, int]]


def measure(*, runs: int = RUNS, share: int = SHARE, keep_lab: bool = False) -> Iterator[Figure]:
    """Raise the shop, sweep it; sweep a share of it both ways; plant listeners."""
    shutil.copytree(ROOT / "examples/shop", SHOP, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".bastide"))
    try:
        bastide("up", "-f", str(SPEC), "--progress", "quiet")
        scene = set_scene(choose_target(open_project(SPEC), "lab"), (), quick=False, say=_say)
        with scene.probers:
            reach = survey(scene)
            yield from sweep_all(scene, _ipv4(reach, None))
            yield from compare(scene, _ipv4(reach, share), share)
            yield from plant(scene, runs)
    finally:
        if not keep_lab:
            bastide("destroy", "-f", str(SPEC), "--yes", "--progress", "quiet")


def sweep_all(scene: Scene, reach: Reach) -> Iterator[Figure]:
    """Every host to every host, by ours alone."""
    began = time.monotonic()
    matrix = sweep_matrix(scene, reach, ())
    name = f"port matrix, all {len(reach.doors)} ways of 65,535 ports"
    yield Figure(name=name, value=time.monotonic() - began, unit="s", command="bench/run.py verify")
    lost = sum(abs(matrix.sent[target] - matrix.arrived[target]) for target in matrix.sent)
    yield Figure(name="  probes lost", value=lost, unit="", at_most=0, proof=True, command="bench/run.py verify")


def compare(scene: Scene, reach: Reach, share: int) -> Iterator[Figure]:
    """The same doors, ours and nmap's."""
    began = time.monotonic()
    matrix = sweep_matrix(scene, reach, ())
    ours_s = time.monotonic() - began
    known = {flow.port for flow in scene.topology.flows if flow.port is not None}
    ports = sorted(known | set(random.sample(range(1, 65536), PORTS - len(known))))
    ours = {(one.door.source, one.door.address, port) for one in matrix.seen for port in one.open if port in ports}
    began = time.monotonic()
    theirs = _nmap(scene, reach, ports)
    nmap_s = time.monotonic() - began
    name = f"{len(reach.doors)} ways of it, from {share} of {len(scene.topology.hosts)} hosts"
    asked = NMAP.format(ports="PORT,...", targets="HOST...")
    yield Figure(name=f"{name}, 65,535 ports: bastide", value=ours_s, unit="s", command="bastide verify walls")
    yield Figure(name=f"{name}, {len(ports)} ports: nmap", value=nmap_s, unit="s", command=asked)
    yield Figure(
        name="  nmap to bastide, for a probe",
        value=nmap_s / len(ports) / (ours_s / 65535),
        unit="×",
        at_least=5,
        command="bench/run.py verify",
    )
    lost = sum(abs(matrix.sent[target] - matrix.arrived[target]) for target in matrix.sent)
    for what, value in (("found by one of them only", len(ours ^ theirs)), ("probes lost", lost)):
        yield Figure(name=f"  {what}", value=value, unit="", at_most=0, proof=True, command="bench/run.py verify")
    yield Figure(name="  found by both", value=len(ours & theirs), unit="ports", at_least=1, proof=True,
                 command="bench/run.py verify")  # fmt: skip


def plant(scene: Scene, runs: int) -> Iterator[Figure]:
    """A listener behind a hole in the wall, at another place each time; is it found?"""
    doors = [door for door in survey(scene).doors if door.family == "ipv4" and door.source != CLIENT]
    missed = wrong = 0
    for number in range(runs):
        door, port = random.choice(doors), random.randrange(1024, 61000)
        _say(f"run {number + 1} of {runs}: {door.source} → {door.target}:{port}")
        _run(
            scene, door.target, f"systemd-run -q --unit=planted python3 -m http.server --bind {door.address} {port}"
        )
        _run(scene, door.target, f"nft insert rule inet bastide input tcp dport {port} accept; sleep 0.5")
        try:
            one = Reach(addresses={}, silent={}, doors=(door,))
            found = [p for seen in sweep_matrix(scene, one, ()).seen for p in seen.open]
            missed += port not in found
        finally:
            _run(scene, door.target, "systemctl stop planted; systemctl reload bastide-firewall")
        wrong += any(port in seen.open for seen in sweep_matrix(scene, one, ()).seen)
    command = "bench/run.py verify"
    yield Figure(
        name=f"planted listeners missed in {runs} runs",
        value=missed,
        unit="",
        at_most=0,
        proof=True,
        command=command,
    )
    yield Figure(
        name="  seen after they were removed", value=wrong, unit="", at_most=0, proof=True, command=command
    )


def _ipv4(reach: Reach, sources: int | None) -> Reach:
    doors: list[Door] = [door for door in reach.doors if door.family == "ipv4" and door.source != CLIENT]
    doors = [door for door in doors if door.address.startswith("10.")]
    some = list(dict.fromkeys(door.source for door in doors))[:sources]
    return Reach(addresses=reach.addresses, silent={}, doors=tuple(door for door in doors if door.source in some))


def _nmap(scene: Scene, reach: Reach, ports: list[int]) -> Found:
    def work(source: str) -> Found:
        targets = [door.address for door in reach.doors if door.source == source]
        said = _run(scene, source, NMAP.format(ports=",".join(map(str, ports)), targets=" ".join(targets)))
        lines = re.findall(r"^Host: (\S+) .*Ports: (.*)$", said, re.MULTILINE)
        return {(source, address, int(p)) for address, ports in lines for p in re.findall(r"(\d+)/open/", ports)}

    with ThreadPoolExecutor(max_workers=scene.width) as pool:
        return set().union(*pool.map(work, dict.fromkeys(door.source for door in reach.doors)))


def _run(scene: Scene, host: str, line: str) -> str:
    argv = [*ssh_argv(scene.endpoint(host)), line]
    return subprocess.run(argv, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)
